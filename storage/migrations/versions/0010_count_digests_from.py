"""Keep from when on the slots of a digest count."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "digest_start",
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("zone", AutoString(), nullable=False),
        sa.Column("counts_from", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "zone"),
    )
