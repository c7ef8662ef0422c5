"""Keep after which of our messages each was posted, by Slack's own clock: ours may have been wrong meanwhile."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("posted_after", sa.String(), nullable=True))
    op.create_index("ix_outbox_message_ts", "outbox", ["message_ts"], unique=False)
