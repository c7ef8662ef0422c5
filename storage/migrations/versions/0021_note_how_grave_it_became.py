"""Note how grave an alert has become whose severity rises while it fires."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import AutoString

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("alert", sa.Column("severity", AutoString(), nullable=True))
