"""Note what joined a card without a word, until the evaluation is over in which it did."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("alert", sa.Column("covered_at", UTCDateTime(), nullable=True))
    covered = sa.text("covered_at IS NOT NULL")
    op.create_index(
        "alert_covered", "alert", ["covered_at"], unique=False, sqlite_where=covered, postgresql_where=covered
    )
