"""Find what fires by its rule: what inhibits what is asked every few seconds, and compared all alerts with all."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    firing = sa.text("state = 'firing'")
    op.create_index("alert_firing", "alert", ["rule_id"], unique=False, sqlite_where=firing, postgresql_where=firing)
