"""Remember which of Slack's requests were heard."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "heard_request",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("heard_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    with op.batch_alter_table("heard_request", schema=None) as batch_op:
        batch_op.create_index("ix_heard_request_heard_at", ["heard_at"], unique=False)
