"""Note what cannot be read: single fields, whole things, codes that are no longer told, and sweeps that are doubted."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0005"
down_revision = "0004"

THINGS = ("location", "charger", "connector", "charging_session")


def upgrade() -> None:
    for thing in THINGS:
        op.add_column(thing, sa.Column("stale_since", UTCDateTime(), nullable=True))
        op.add_column(thing, sa.Column("unread", AutoString(), nullable=True))
    op.add_column("connector", sa.Column("code_missing_since", UTCDateTime(), nullable=True))
    op.add_column("charging_session", sa.Column("previous_energy_kwh", sa.Float(), nullable=True))
    op.add_column("charging_session", sa.Column("previous_energy_at", UTCDateTime(), nullable=True))
    op.create_table(
        "unread_field",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("field", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("first_at", UTCDateTime(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "field"),
    )
    op.create_table(
        "poll_doubt",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("swept_at", UTCDateTime(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("fingerprint", AutoString(), nullable=False),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
        sa.Column("confirmed_by", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("resource"),
    )
