"""Tell fields that turn unreadable from those that never could be read."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("unread_field", sa.Column("read_at", UTCDateTime(), nullable=True))
    for name in ("failed", "came"):
        op.add_column("unread_field", sa.Column(name, sa.Integer(), server_default=sa.text("0"), nullable=False))
