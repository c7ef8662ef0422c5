"""Index what a storm looks for: what was so when a rule was switched on, and the cards that a channel got now."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    so = sa.text("switched_on IS NOT NULL")
    op.create_index(
        "alert_switched_on", "alert", ["rule_id", "switched_on"], unique=False, sqlite_where=so, postgresql_where=so
    )
    alone = sa.text("rolled_into IS NULL")
    op.create_index(
        "outbox_fresh", "outbox", ["channel", "created_at"], unique=False, sqlite_where=alone, postgresql_where=alone
    )
