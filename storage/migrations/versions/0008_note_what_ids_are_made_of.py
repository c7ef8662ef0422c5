"""Note what the ids of the stored things are made of, so that a contract that makes others of them can be followed."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "id_form",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("form", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("resource"),
    )
