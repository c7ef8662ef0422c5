"""Note on which charger a connector was before its row last changed, so that its moves are kept."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("connector", sa.Column("previous_charger_id", AutoString(), nullable=True))
