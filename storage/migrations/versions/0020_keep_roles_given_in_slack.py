"""Keep the roles that admins give from Slack."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "role_grant",
        sa.Column("holder", AutoString(), nullable=False),
        sa.Column("handle", AutoString(), nullable=False),
        sa.Column("role", AutoString(), nullable=False),
        sa.Column("granted_by", AutoString(), nullable=False),
        sa.Column("granted_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("holder"),
    )
