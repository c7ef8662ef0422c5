"""Note when a snooze was chosen, so that one which a wrong clock wrote is told."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("alert", sa.Column("snoozed_at", UTCDateTime(), nullable=True))
