"""Tell news of a thing from a change of its restless values, and note when the heartbeat's age changed."""

import sqlalchemy as sa
from alembic import op
from sqlmodel import UTCDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for table in ("charger", "connector", "charging_session"):
        op.add_column(table, sa.Column("news_seq", sa.Integer(), server_default=sa.text("0"), nullable=False))
        op.execute(sa.text(f"UPDATE {table} SET news_seq = changed_seq"))  # noqa: S608 - names of this file
        op.create_index(f"ix_{table}_news_seq", table, ["news_seq"], unique=False)
    op.add_column("charger", sa.Column("heartbeat_changed_at", UTCDateTime(), nullable=True))
    op.execute(sa.text("UPDATE charger SET heartbeat_changed_at = changed_at"))
    with op.batch_alter_table("charger") as batch:
        batch.alter_column("heartbeat_changed_at", existing_type=UTCDateTime(), nullable=False)
