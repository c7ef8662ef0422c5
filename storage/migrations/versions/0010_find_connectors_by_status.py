"""Find the connectors of a status, and those of them of which there is news, without a look at every one."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_index("connector_status", "connector", ["status", "news_seq"], unique=False)
