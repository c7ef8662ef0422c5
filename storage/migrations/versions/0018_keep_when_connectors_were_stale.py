"""Keep when connectors could not be read, from those on of which that is so now, and index what cannot be read."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    old = sa.text("stale_since IS NOT NULL")
    for table in ("charger", "connector", "charging_session"):
        op.create_index(f"{table}_stale", table, ["id"], unique=False, sqlite_where=old, postgresql_where=old)
    op.execute(
        "INSERT INTO interval (thing, thing_id, field, value, valid_from)"
        " SELECT 'connector', id, 'stale', 'true', stale_since FROM connector WHERE stale_since IS NOT NULL"
    )
