"""Keep until when a session was Pending: a backtest asks what its status was at a moment before its end."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("charging_session", sa.Column("pending_until", UTCDateTime(), nullable=True))
