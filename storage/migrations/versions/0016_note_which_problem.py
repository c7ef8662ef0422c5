"""Note which problem an incident is part of; those that are open now are part of none and keep their cards."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("incident", sa.Column("problem_key", AutoString(), nullable=True))
    op.create_index(
        "incident_problem",
        "incident",
        ["problem_key"],
        unique=False,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
