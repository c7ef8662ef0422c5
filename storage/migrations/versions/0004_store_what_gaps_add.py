"""Store how much of the time until an alert is due is there because nothing was seen."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("alert", sa.Column("gap_s", sa.Float(), server_default=sa.text("0"), nullable=False))
