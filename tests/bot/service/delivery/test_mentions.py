"""An escalation pages the user group that it names, and says the name of a group that Slack does not know."""

from datetime import timedelta

import sqlalchemy as sa

from notify.alert_cards.card import enqueue_alert_messages
from notify.alert_cards.reminders import enqueue_due_reminders
from notify.routing import Routing
from rules.documents.document import rule_from_document
from storage import tables
from tests.bot.service.delivery.bench import Bench
from tests.notify.records import fired, one_alert, table

RULE = {
    "name": "faulted",
    "for_each": "connector",
    "when": 'connector.status == "Faulted"',
    "escalate": [{"after": "30m", "notify": ["@oncall", "@nobody-knows"]}],
}


async def escalated(bench: Bench) -> None:
    """A card that stands, and half an hour later its first step."""
    with bench.database.write() as connection:
        one_alert(connection)
        connection.execute(sa.update(table(tables.Alert)).values(fired_at=bench.now))
        enqueue_alert_messages(connection, [fired(at=bench.now)], Routing(bench.now, {"faulted": ("#ev-alerts",)}))
    bench.after(30)
    await bench.deliver()
    bench.after(timedelta(minutes=30).total_seconds())
    with bench.database.write() as connection:
        assert (
            enqueue_due_reminders(connection, Routing(bench.now, rules={"faulted": rule_from_document(RULE, "t")})) == 1
        )


async def test_a_step_pages_the_group_in_the_thread_and_in_the_channel(bench: Bench) -> None:
    await escalated(bench)
    await bench.deliver()
    card, reply = bench.messages()
    group = next(group for group in bench.workspace.groups.values() if group.handle == "oncall")
    assert reply.text.startswith(f"<!subteam^{group.id}> `@nobody-knows` ")
    assert (reply.thread_ts, reply.broadcast) == (card.ts, True)


async def test_where_the_groups_cannot_be_read_the_step_is_said_with_their_names(bench: Bench) -> None:
    await escalated(bench)
    bench.workspace.scopes = tuple(scope for scope in bench.workspace.scopes if scope != "usergroups:read")
    await bench.deliver()
    _, reply = bench.messages()
    assert reply.text.startswith("`@oncall` `@nobody-knows` ")
