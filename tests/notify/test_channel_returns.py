"""The line that a channel is told on its return."""

import sqlalchemy as sa

from notify.outbox import RETURNED, insert_items, new_item
from notify.render import render_message
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import HOSTILE, T0, without_nul


def test_no_name_breaks_the_line_of_a_return(database: Database) -> None:
    counts = {"ended": 1, "updates": 2, "events": 0, "digests": 1, "elsewhere": 3}
    with database.write() as connection:
        for number, hostile in enumerate(HOSTILE):
            name = without_nul(hostile, database)
            facts = {**counts, "since": T0.isoformat(), "error": name, "to": name}
            insert_items(connection, [new_item(f"{number}", RETURNED, "C1", due_at=T0, now=T0, facts=facts)])
        for row in connection.execute(sa.select(OUTBOX)).all():
            message = render_message(connection, row, T0)
            assert "1 alert came and went, 2 updates of alerts no longer true, 1 older digest left out" in message.text
            assert "<!channel>" not in f"{message.text} {message.all_blocks}"
