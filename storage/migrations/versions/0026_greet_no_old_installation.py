"""Note of a database that has been at work before that nobody is to be greeted."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("INSERT INTO counter (name, value) SELECT 'greeted', 1 WHERE EXISTS (SELECT 1 FROM poll)")
