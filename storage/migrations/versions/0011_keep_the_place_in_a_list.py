"""Keep the place in a list that is not read to its end yet."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "poll_place",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("began_at", UTCDateTime(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=True),
        sa.Column("is_sweep", sa.Boolean(), nullable=False),
        sa.Column("bookmark_json", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("resource"),
    )
