"""Remember when the next full sweep is wanted."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("poll", sa.Column("sweep_due_at", UTCDateTime(), nullable=True))
