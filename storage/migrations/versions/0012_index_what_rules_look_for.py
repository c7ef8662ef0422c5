"""Index what rules look for: connectors by status and news, and the alerts of a rule that are held."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("connector_status", "connector", ["status", "news_seq"], unique=False)
    held = sa.text("state IN ('pending', 'firing') AND held_since IS NOT NULL")
    op.create_index("alert_held", "alert", ["rule_id"], unique=False, sqlite_where=held, postgresql_where=held)
