"""Keep who opened the Home tab, and what it shows."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "home_tab",
        sa.Column("user", AutoString(), nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("shown_at", UTCDateTime(), nullable=False),
        sa.Column("shown", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("user"),
    )
