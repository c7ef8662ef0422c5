"""Keep where locations lie, in degrees."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.add_column("location", sa.Column("latitude", sa.Float(), nullable=True))
    op.add_column("location", sa.Column("longitude", sa.Float(), nullable=True))
