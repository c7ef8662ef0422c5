"""Find what is due by its rule: each rule of a storm went through what was due of all the others too."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    due = sa.text("due_at IS NOT NULL")
    op.drop_index("alert_due", table_name="alert")
    op.create_index("alert_due", "alert", ["rule_id", "due_at"], unique=False, sqlite_where=due, postgresql_where=due)
