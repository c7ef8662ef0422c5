"""Keep who looks after an incident, and what people noted about it."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString, UTCDateTime

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("incident", sa.Column("assigned_to", AutoString(), nullable=True))
    op.add_column("incident", sa.Column("assigned_by", AutoString(), nullable=True))
    op.add_column("incident", sa.Column("assigned_at", UTCDateTime(), nullable=True))
    op.create_table(
        "incident_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("text", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_incident_note_incident_id", "incident_note", ["incident_id"], unique=False)
