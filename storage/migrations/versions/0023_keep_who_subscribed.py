"""Keep who subscribed to which alerts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import AutoString, UTCDateTime

revision = "0023"
down_revision = "0022"

JSON_COLUMN = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("severities", JSON_COLUMN, nullable=False),
        sa.Column("rule_id", AutoString(), nullable=True),
        sa.Column("labels", JSON_COLUMN, nullable=False),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("charger_id", AutoString(), nullable=True),
        sa.Column("connector_id", AutoString(), nullable=True),
        sa.Column("session_id", AutoString(), nullable=True),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("is_outside", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_by", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    lasting = sa.text("ended_at IS NULL")
    op.create_index("subscription_lasting", "subscription", ["channel"], sqlite_where=lasting, postgresql_where=lasting)
