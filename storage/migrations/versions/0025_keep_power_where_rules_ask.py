"""Keep the power of connectors and locations over time, where a rule asks for it."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "power",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("thing", AutoString(), nullable=False),
        sa.Column("thing_id", AutoString(), nullable=False),
        sa.Column("kw", sa.Float(), nullable=True),
        sa.Column("valid_from", UTCDateTime(), nullable=False),
        sa.Column("valid_to", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    is_open = sa.text("valid_to IS NULL")
    op.create_index("power_of_thing", "power", ["thing", "thing_id", "valid_from"], unique=False)
    op.create_index(
        "power_open", "power", ["thing", "thing_id"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_index("power_ended", "power", ["valid_to"], unique=False)
