"""The outbox: what a transition enqueues, who may claim it, and what the mark leaves behind."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.claims import (
    RATE_LIMITED,
    claim_next,
    mark_may_repeat,
    mark_sent,
    mark_uncertain,
    postpone,
    reset_message_place,
)
from notify.outbox import ALERT_CARD, ALERT_REPLY, enqueue_message
from notify.routing import Routing
from rules.lifecycle import Transition
from storage import tables
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import (
    MINUTE,
    T0,
    fired,
    insert_alert,
    insert_connector,
    insert_incident,
    one_alert,
    resolve_incident,
    resolved,
    table,
)

LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
CHANNELS = {"faulted": ["C1"]}
SHOWN = T0 + 31 * SECOND


def prepared(database: Database) -> Database:
    with database.write() as connection:
        one_alert(connection)
    return database


def tell(
    database: Database, transitions: Sequence[Transition], now: Any, channels: dict[str, list[str]] | None = None
) -> None:
    with database.write() as connection:
        enqueue_alert_messages(connection, transitions, Routing(now, channels or CHANNELS))


def claim(database: Database, now: Any, worker: str = "w1") -> Any:
    with database.write() as connection:
        return claim_next(connection, worker, now, LEASE)


def sent(database: Database, item: Any, now: Any, ts: str = "1.0") -> bool:
    with database.write() as connection:
        return mark_sent(connection, item, message_channel=item.channel, message_ts=ts, version=item.version, now=now)


def show_next(database: Database, now: Any, ts: str = "1.0") -> Any:
    item = claim(database, now)
    assert item is not None
    assert sent(database, item, now, ts)
    return item


def items(database: Database, kind: str | None = None) -> list[Any]:
    with database.read() as connection:
        rows = connection.execute(sa.select(OUTBOX).order_by(OUTBOX.c.created_at, OUTBOX.c.natural_key)).all()
    return [row for row in rows if kind in {None, row.kind}]


def test_a_firing_makes_one_card_a_channel_due_after_group_wait(database: Database) -> None:
    tell(prepared(database), [fired()], T0, {"faulted": ["C1", "C2", "C1"]})
    cards = items(database)
    assert [card.natural_key for card in cards] == ["incident:1:C1", "incident:1:C2"]
    assert {card.due_at for card in cards} == {T0 + 30 * SECOND}
    assert claim(database, T0 + 29 * SECOND) is None
    assert claim(database, T0 + 30 * SECOND) is not None


def test_a_second_firing_before_the_card_is_shown_neither_delays_it_nor_adds_a_reply(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    tell(database, [fired(2)], T0 + 10 * SECOND)
    (card,) = items(database)
    assert (card.version, card.due_at) == (2, T0 + 30 * SECOND)


def test_a_new_member_of_a_shown_card_edits_it_at_once_and_speaks_in_the_thread(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    card = show_next(database, SHOWN)
    tell(database, [fired(2)], T0 + MINUTE)
    again, reply = claim(database, T0 + MINUTE), claim(database, T0 + MINUTE)
    assert {again.kind, reply.kind} == {"alert_card", "alert_reply"}
    found = reply if reply.kind == ALERT_REPLY else again
    assert (found.thread_of, found.broadcast) == (card.id, True)
    assert found.facts == {"fired": [2], "resolved": [], "full_resolve": False}


def test_an_unsent_reply_absorbs_later_news_and_the_next_is_due_a_group_interval_after_the_last(
    database: Database,
) -> None:
    tell(prepared(database), [fired()], T0)
    show_next(database, SHOWN)
    tell(database, [fired(2)], T0 + MINUTE)
    tell(database, [fired(3)], T0 + 2 * MINUTE)
    (reply,) = items(database, ALERT_REPLY)
    assert (reply.facts["fired"], reply.version, reply.due_at) == ([2, 3], 2, T0 + MINUTE)
    for _ in range(2):
        show_next(database, T0 + 2 * MINUTE, "2.0")
    tell(database, [fired(4)], T0 + 3 * MINUTE)
    tell(database, [fired(5), resolved(2)], T0 + 4 * MINUTE)
    second = items(database, ALERT_REPLY)[-1]
    assert second.due_at == T0 + 7 * MINUTE
    assert second.facts == {"fired": [4, 5], "resolved": [2], "full_resolve": False}


def test_a_partial_resolve_only_edits_the_card(database: Database) -> None:
    tell(prepared(database), [fired(), fired(2)], T0)
    show_next(database, SHOWN)
    with database.write() as connection:
        insert_alert(connection, 2)
    tell(database, [resolved(2)], T0 + MINUTE)
    assert [(item.kind, item.version) for item in items(database)] == [("alert_card", 2)]


def test_the_full_resolve_of_a_shown_card_is_said_in_the_thread(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    show_next(database, SHOWN)
    with database.write() as connection:
        resolve_incident(connection, T0 + MINUTE)
    tell(database, [resolved()], T0 + MINUTE)
    (reply,) = items(database, ALERT_REPLY)
    assert (reply.facts["full_resolve"], reply.due_at) == (True, T0 + MINUTE)


def test_an_incident_that_ends_before_its_card_was_shown_gets_one_card_and_no_reply(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    with database.write() as connection:
        resolve_incident(connection, T0 + 10 * SECOND)
    tell(database, [resolved()], T0 + 10 * SECOND)
    (card,) = items(database)
    assert (card.kind, card.version, card.due_at) == ("alert_card", 2, T0 + 30 * SECOND)


def test_news_while_the_card_is_being_posted_is_said_in_the_thread_after_it(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    card = claim(database, SHOWN)
    tell(database, [fired(2)], SHOWN)
    assert claim(database, SHOWN) is None  # the card is being posted, its reply waits for it
    assert sent(database, card, SHOWN)
    assert {claim(database, SHOWN).kind, claim(database, SHOWN).kind} == {"alert_card", "alert_reply"}


def test_a_resolve_makes_no_card_in_a_channel_that_never_heard_of_it(database: Database) -> None:
    tell(prepared(database), [resolved()], T0)
    assert items(database) == []


def test_pending_and_ended_pending_alerts_say_nothing(database: Database) -> None:
    pending = Transition(T0, "faulted", "c1", "inactive", "pending", T0, "condition true", 1, None)  # type: ignore[arg-type]
    tell(prepared(database), [pending], T0)
    assert items(database) == []


def test_two_workers_on_two_connections_never_claim_one_message(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    if database.engine.dialect.name == "postgresql":  # SQLite lets one transaction write at a time
        with database.engine.begin() as one, database.engine.begin() as other:
            assert claim_next(one, "w1", SHOWN, LEASE) is not None
            assert claim_next(other, "w2", SHOWN, LEASE) is None
    else:
        assert claim(database, SHOWN, "w1") is not None
    assert claim(database, SHOWN, "w2") is None


def test_two_workers_take_two_messages_without_waiting_for_each_other(database: Database) -> None:
    tell(prepared(database), [fired()], T0, {"faulted": ["C1", "C2"]})
    if database.engine.dialect.name == "postgresql":
        with database.engine.begin() as one, database.engine.begin() as other:
            claimed = [claim_next(one, "w1", SHOWN, LEASE), claim_next(other, "w2", SHOWN, LEASE)]
    else:
        claimed = [claim(database, SHOWN, "w1"), claim(database, SHOWN, "w2")]
    assert {item.channel for item in claimed if item} == {"C1", "C2"}


def test_processes_that_race_for_many_messages_share_them_out(database: Database) -> None:
    with database.write() as connection:
        for number in range(40):
            enqueue_message(connection, natural_key=f"{number}", kind="notice", channel="C1", facts={}, now=T0)
    other = Database(database.url, durable=False)

    def claim_all(process: Database) -> list[str]:
        return [item.id for item in iter(lambda: claim(process, T0), None)]

    try:
        with ThreadPoolExecutor(2) as pool:
            claimed = [item_id for ids in pool.map(claim_all, (database, other)) for item_id in ids]
    finally:
        other.close()
    assert sorted(claimed) == sorted(item.id for item in items(database))


def test_a_claim_whose_lease_ran_out_comes_back_as_uncertain(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    first = claim(database, SHOWN, "w1")
    assert not first.uncertain
    assert claim(database, SHOWN + LEASE - SECOND, "w2") is None
    second = claim(database, SHOWN + LEASE, "w2")
    assert (second.id, second.uncertain, second.claimed_by, second.attempts) == (first.id, True, "w2", 2)


def test_a_worker_that_lost_its_claim_notes_the_place_and_leaves_the_rest_to_the_other(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    slow = claim(database, SHOWN, "w1")
    claim(database, SHOWN + LEASE, "w1")  # the same name after a restart
    assert not sent(database, slow, SHOWN + LEASE, "7.0")
    (row,) = items(database)
    assert (row.message_ts, row.shown_version, row.claimed_by) == ("7.0", 0, "w1")


def test_a_message_that_changed_while_it_was_sent_is_due_again(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    card = claim(database, SHOWN)
    tell(database, [fired(2)], SHOWN)
    sent(database, card, SHOWN)
    kinds = [claim(database, SHOWN).kind for _ in range(2)]
    assert "alert_card" in kinds


def test_a_sent_message_is_not_sent_again(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    show_next(database, SHOWN)
    assert claim(database, SHOWN + timedelta(days=1)) is None


def test_an_unanswered_call_is_claimed_again_later_as_uncertain(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    item = claim(database, SHOWN)
    with database.write() as connection:
        assert mark_uncertain(connection, item, SHOWN + 10 * SECOND, "timeout")
    assert claim(database, SHOWN + 9 * SECOND) is None
    again = claim(database, SHOWN + 10 * SECOND)
    assert (again.uncertain, again.error) == (True, "timeout")


def test_a_rate_limited_channel_waits_and_the_others_do_not(database: Database) -> None:
    prepared(database)
    with database.write() as connection:
        for key, channel in (("a", "C1"), ("b", "C1"), ("c", "C2")):
            enqueue_message(connection, natural_key=key, kind="notice", channel=channel, facts={}, now=T0)
    limited = next(item for item in (claim(database, T0), claim(database, T0), claim(database, T0)) if item)
    with database.write() as connection:
        assert postpone(connection, limited, T0 + 30 * SECOND, RATE_LIMITED)
        connection.execute(
            sa.update(OUTBOX).where(OUTBOX.c.id != limited.id).values(claimed_by=None, claimed_until=None)
        )
    blocked = {item.id for item in items(database) if item.channel == limited.channel}
    free = {item.id for item in items(database)} - blocked
    claimed = [claim(database, T0 + SECOND) for _ in range(3)]
    assert {item.id for item in claimed if item} == free
    later = [claim(database, T0 + 30 * SECOND) for _ in range(3)]
    assert {item.id for item in later if item} == blocked
    assert not any(item.uncertain for item in later if item)


def test_new_news_does_not_shorten_a_wait_that_slack_asked_for(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    show_next(database, SHOWN)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U1", SHOWN)
    item = claim(database, SHOWN)
    with database.write() as connection:
        postpone(connection, item, SHOWN + MINUTE, RATE_LIMITED)
    with database.write() as connection:
        insert_alert(connection, 2)
    tell(database, [fired(2)], SHOWN + SECOND)
    assert claim(database, SHOWN + 2 * SECOND) is None
    assert claim(database, SHOWN + MINUTE) is not None


def test_a_vanished_message_is_posted_anew_and_replies_wait_for_it(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    show_next(database, SHOWN)
    tell(database, [fired(2)], SHOWN)
    claimed = [claim(database, SHOWN), claim(database, SHOWN)]
    card = next(item for item in claimed if item.kind == "alert_card")
    with database.write() as connection:
        reset_message_place(connection, card, SHOWN)
    again = claim(database, SHOWN + LEASE)
    assert (again.id, again.message_ts, again.uncertain) == (card.id, None, False)
    assert claim(database, SHOWN + LEASE) is None


def test_the_same_facts_enqueue_once_and_other_facts_edit(database: Database) -> None:
    def enqueue(facts: dict[str, Any]) -> bool:
        with database.write() as connection:
            return enqueue_message(connection, natural_key="k", kind="notice", channel="C1", facts=facts, now=T0)

    assert [enqueue({"a": 1}), enqueue({"a": 1}), enqueue({"a": 2})] == [True, False, True]
    item = claim(database, T0)
    with database.write() as connection:
        mark_may_repeat(connection, item)
    assert not enqueue({"a": 2})
    assert enqueue({"a": 3})
    (row,) = items(database)
    assert (row.facts, row.version) == ({"a": 3, "may_repeat": True}, 3)


def test_acknowledging_covers_the_present_members_once_and_tells_who_was_first(database: Database) -> None:
    tell(prepared(database), [fired()], T0)
    with database.write() as connection:
        first = acknowledge_incident(connection, 1, "U1", T0)
    with database.write() as connection:
        second = acknowledge_incident(connection, 1, "U2", T0 + MINUTE)
    assert (first.outcome, first.by, first.members) == ("acknowledged", "U1", 1)
    assert (second.outcome, second.by, second.at) == ("already acknowledged", "U1", T0)
    assert items(database)[0].version == 2


def test_acknowledging_covers_a_member_that_joined_later(database: Database) -> None:
    prepared(database)
    with database.write() as connection:
        acknowledge_incident(connection, 1, "U1", T0)
        insert_alert(connection, 2)
        assert acknowledge_incident(connection, 1, "U2", T0 + MINUTE).members == 1
        alert = table(tables.Alert)
        by = connection.execute(sa.select(alert.c.acknowledged_by).order_by(alert.c.id)).scalars().all()
    assert by == ["U1", "U2"]


def test_acknowledging_what_is_over_or_unknown_says_so(database: Database) -> None:
    prepared(database)
    with database.write() as connection:
        resolve_incident(connection, T0 + MINUTE)
        assert acknowledge_incident(connection, 1, "U1", T0).outcome == "already resolved"
        assert acknowledge_incident(connection, 77, "U1", T0).outcome == "unknown incident"


def test_a_thousand_incidents_are_enqueued_in_slices(database: Database) -> None:
    with database.write() as connection:
        insert_connector(connection)
        for incident_id in range(1, 1201):
            insert_incident(connection, incident_id, location_id=None)
    tell(database, [fired(n, incident_id=n) for n in range(1, 1201)], T0)
    assert len(items(database, ALERT_CARD)) == 1200
