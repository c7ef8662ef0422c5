"""Find the pages of a roll-up by themselves, and index only what another message tells of.

Each step of a storm went through all the cards that a roll-up tells of. And SQLite, which thinks one value of an index
as good as another, looked for the cards of a few incidents among all messages that ever stood by themselves.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    rolled, pages = sa.text("rolled_into IS NOT NULL"), sa.text("kind = 'roll_up'")
    op.drop_index("ix_outbox_rolled_into", table_name="outbox")
    for name, columns, which in (
        ("outbox_rolled", ["rolled_into"], rolled),
        ("outbox_pages", ["kind", "rolled_into"], pages),
    ):
        op.create_index(name, "outbox", columns, unique=False, sqlite_where=which, postgresql_where=which)
