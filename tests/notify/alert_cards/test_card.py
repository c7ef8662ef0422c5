"""The words and blocks of every message: exact goldens, hostile names, and Slack's limits on all of them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import Block

from notify.alert_cards.card import acknowledge_incident, enqueue_alert_messages
from notify.digests.session_figures import session_digest
from notify.digests.tables import tables_of
from notify.outbox import ALERT_CARD, ALERT_REPLY, enqueue_message, insert_items, new_item
from notify.render import render_message, render_or_fallback
from notify.routing import Routing
from notify.text.limits import check_message
from notify.text.message import SlackMessage
from rules.documents.windows import one_day
from storage import tables
from storage.engine import Database
from storage.schema import OUTBOX
from tests.notify.records import (
    HOSTILE,
    MINUTE,
    T0,
    fired,
    insert_alert,
    insert_connector,
    insert_incident,
    insert_location,
    insert_poll,
    insert_rule,
    insert_session,
    one_alert,
    resolve_incident,
    table,
    without_nul,
)

pytestmark = pytest.mark.on_either_database

GOLDEN = Path(__file__).parent / "golden"
NOW = T0 + 40 * MINUTE


def enqueue_card(connection: sa.Connection, now: Any = NOW, channels: tuple[str, ...] = ("C1",)) -> None:
    enqueue_alert_messages(connection, [fired()], Routing(now, {"faulted": channels}))


def render(connection: sa.Connection, kind: str = ALERT_CARD, now: Any = NOW) -> SlackMessage:
    item = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == kind).order_by(OUTBOX.c.natural_key)).first()
    assert item is not None
    message = render_message(connection, item, now)
    check(message)
    return message


def check(message: SlackMessage) -> None:
    """Our own limits, then the SDK's own models, which raise on what they do not like."""
    assert check_message(message) == []
    for block in message.all_blocks:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
    for attached in message.attachments:
        BlockAttachment(blocks=Block.parse_all(attached["blocks"]), color=attached["color"]).validate_json()


def compare_with_golden(name: str, message: SlackMessage) -> None:
    shown: dict[str, Any] = {"text": message.text, "blocks": message.blocks}
    if message.attachments:
        shown["attachments"] = message.attachments
    assert shown == json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def add_reply(connection: sa.Connection, **facts: Any) -> None:
    """A reply in the thread of the one card, which stands in C1 at 1.0."""
    connection.execute(sa.update(OUTBOX).values(message_channel="C1", message_ts="1.0", shown_version=1))
    card_id = connection.execute(sa.select(OUTBOX.c.id).where(OUTBOX.c.kind == ALERT_CARD)).scalar_one()
    told = {"fired": [], "resolved": [], "full_resolve": False, **facts}
    place = {"thread_of": card_id, "incident_id": 1, "broadcast": True, "rule_id": "faulted"}
    insert_items(connection, [new_item("r", ALERT_REPLY, "C1", due_at=NOW, now=NOW, facts=told, **place)])


def test_a_firing_card_says_what_where_since_when_and_with_which_code(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        compare_with_golden("alert_firing", render(connection))


def test_an_acknowledged_card_says_by_whom_and_offers_to_take_that_back(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        acknowledge_incident(connection, 1, "U0ANNA", NOW)
        compare_with_golden("alert_acknowledged", render(connection))


def test_a_resolved_card_keeps_the_duration_and_the_first_code(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        resolve_incident(connection, T0 + 134 * MINUTE)
        compare_with_golden("alert_resolved", render(connection))


def test_a_digest_stands_against_the_same_weekday_a_week_before(database: Database) -> None:
    with database.write() as connection:
        insert_location(connection)
        insert_connector(connection)
        insert_poll(connection, T0)
        for number, days, kwh in ((1, 1, 10.0), (2, 1, 0.05), (3, 8, 8.0)):
            insert_session(connection, f"s{number}", T0 - timedelta(days=days), energy_kwh=kwh)
        facts = session_digest(connection, None, one_day((T0 - timedelta(days=1)).date()), T0, default_zone="UTC")
        enqueue_message(connection, natural_key="d", kind="digest", channel="C1", facts=facts, now=T0)
        compare_with_golden("digest_sessions", render(connection, "digest"))


def test_a_digest_tells_how_the_fleet_stood(database: Database) -> None:
    with database.write() as connection:
        insert_poll(connection, T0)
        facts = session_digest(connection, None, one_day((T0 - timedelta(days=1)).date()), T0, default_zone="UTC")
        before = {"uptime": 0.99, "open_alerts": 4, "silences": 0}
        place: dict[str, Any] = {"connector_id": "c1", "charger_name": "<!here>", "location_name": None}
        worst = {**place, "down_s": 5400.0, "failed": 0, "zero_energy": 2}
        facts |= {"utilisation": 0.123, "fleet": {"uptime": 0.9999, "open_alerts": 1, "silences": 2}}
        was = {"default": 0.4, "blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None}
        blocks = [[f"{hour:02d}:00", f"{hour + 1:02d}:00", 0.6] for hour in range(5)]
        texts = {"before": json.dumps(was), "value": json.dumps(was | {"default": 0.45, "blocks": blocks})}
        changed = {"location_name": "<!here>", "at": T0.isoformat(), "currency": "EUR", **texts}
        facts["fleet"] |= {"worst": [worst], "before": before, "prices": {"count": 7, "first": [changed] * 5}}
        enqueue_message(connection, natural_key="d", kind="digest", channel="C1", facts=facts, now=T0)
        lists = tables_of(facts)
        enqueue_message(connection, natural_key="t", kind="digest_tables", channel="C1", facts=lists, now=T0)
        shown = render(connection, "digest").blocks + render(connection, "digest_tables").blocks
    text = json.dumps(shown, ensure_ascii=False)
    for words in (
        "*Utilisation:* 12.3 %\\n*Uptime:* over 99.9 % (99.0 % the week before)\\n*Open alerts:* 1 (4 the week before)",
        "*Active silences:* 2 (0 the week before)",
        "*Worst connectors*\\n1. `c1` `&lt;!here&gt;` · down 1 h 30 min · 2 without energy",
        "*Prices changed*\\n• `&lt;!here&gt;`: default price 0.40 → 0.45; from 00:00 to 01:00 none → 0.60",
        "EUR and more\\nand 2 more",
    ):
        assert words in text


def test_a_held_alert_says_since_when_and_what_was_last_known(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        charger, alert = table(tables.Charger), table(tables.Alert)
        connection.execute(sa.update(charger).values(online=False))
        connection.execute(sa.update(alert).values(held_since=NOW))
        enqueue_card(connection)
        body = json.dumps(render(connection).all_blocks)
    assert "on hold: offline since <!date^" in body
    assert "2026-03-02 10:05 UTC>, last known Faulted" in body


STANDS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "firing": ({"acknowledged_at": None}, "Faulted", "#C62B2B", "*Firing, critical*"),
    "on hold": ({"held_since": NOW}, "On hold", "#C62B2B", "*On hold, critical*"),
    "acknowledged": ({"acknowledged_at": NOW, "acknowledged_by": "U0A"}, "Acknowledged", "#CC79A7", "Acknowledged by"),
    "snoozed": ({"snoozed_until": NOW + MINUTE}, "Snoozed", "#868A91", "Snoozed until"),
    "inhibited": ({"inhibited_by": 1}, "Quiet", "#868A91", "Kept quiet by"),
    "held": ({"quiet_since": NOW}, "Held", "#868A91", "Held from"),
}
"""By state: the row of its alert, the word after the sign in the title, the colour of the bar and its first words."""


@pytest.mark.parametrize("state", STANDS)
def test_the_title_and_a_bar_in_its_colour_say_how_a_card_stands(database: Database, state: str) -> None:
    values, word, colour, first = STANDS[state]
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        connection.execute(sa.update(table(tables.Alert)).values(**values))
        message = render(connection)
    assert message.blocks[0]["text"]["text"].split(" ", 1)[1].startswith(f"{word}: ")
    (bar,) = message.attachments
    assert bar["color"] == colour
    assert bar["blocks"][0]["elements"][0]["text"].startswith(first)


@pytest.mark.parametrize(("because", "colour"), [("recovered", "#009E73"), ("removed", "#C8CACF")])
def test_what_recovered_is_green_and_what_ended_otherwise_is_not(database: Database, because: str, colour: str) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        resolve_incident(connection, NOW, because=because)
        message = render(connection)
    assert [one["color"] for one in message.attachments] == [colour]
    assert "actions" not in [block["type"] for block in message.blocks]


def test_a_removed_thing_is_never_said_to_have_recovered(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        resolve_incident(connection, NOW, because="removed")
        message = render(connection)
    assert message.blocks[0]["text"]["text"].startswith("\N{MEDIUM WHITE CIRCLE} Ended")
    assert "No longer reported by EOSVOLT; whether it recovered is not known" in json.dumps(message.all_blocks)
    assert "Recovered" not in json.dumps(message.all_blocks)
    assert "esolved" not in json.dumps(message.all_blocks) + message.text


def test_a_card_with_many_members_lists_ten_and_counts_the_rest(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        for number in range(2, 25):
            insert_connector(connection, f"c{number}")
            insert_alert(connection, number)
        enqueue_card(connection)
        message = render(connection)
    lines = [line for block in message.blocks if "text" in block for line in block["text"]["text"].split("\n")]
    assert sum(line.startswith("\N{BULLET}") for line in lines) == 10
    assert "and 14 more" in lines


def test_a_reply_names_the_new_members_in_the_thread_and_to_the_channel(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        insert_connector(connection, "c2")
        insert_alert(connection, 2)
        enqueue_card(connection)
        add_reply(connection, fired=[2])
        message = render(connection, ALERT_REPLY)
    assert (message.channel, message.thread_ts, message.reply_broadcast) == ("C1", "1.0", True)
    body = "\n".join(block["text"]["text"] for block in message.blocks)
    assert "*1 more*" in body
    assert "`c2`" in body
    assert "`c1`" not in body


def test_a_reply_at_the_end_says_how_long_it_lasted(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        resolve_incident(connection, T0 + 134 * MINUTE)
        add_reply(connection, full_resolve=True, resolved=[1])
        message = render(connection, ALERT_REPLY)
    assert (
        message.text == "\N{WHITE HEAVY CHECK MARK} Resolved: Faulted: Charger of c1 c1 · Location l1, after 2 h 14 min"
    )


def test_a_reply_whose_card_stands_nowhere_is_refused(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        add_reply(connection, fired=[1])
        connection.execute(sa.update(OUTBOX).values(message_ts=None))
        with pytest.raises(LookupError, match="stands nowhere yet"):
            render(connection, ALERT_REPLY)


def test_a_moved_message_explains_itself(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        facts = {"moved_from": "C0GONE", "moved_because": "channel_not_found", "may_repeat": True}
        connection.execute(sa.update(OUTBOX).values(facts=facts))
        context = json.dumps(render(connection).all_blocks)
    assert "Meant for <#C0GONE>, which did not take it: `channel_not_found`." in context
    assert "This may repeat an earlier message." in context


def test_the_metadata_names_the_outbox_row_and_its_version(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        item = connection.execute(sa.select(OUTBOX)).one()
        message = render(connection)
    assert message.metadata["event_payload"] == {"item": item.id, "version": 1}
    button = message.blocks[-1]["elements"][0]
    assert (button["action_id"], json.loads(button["value"])) == (
        "acknowledge_incident",
        {"incident": 1, "version": 1, "alerts": "1"},
    )


def hostile_fleet(connection: sa.Connection, name: str) -> None:
    """Everything that comes from outside says `name`: places, things, codes, people, channels."""
    insert_location(connection, name=name, address=name)
    insert_rule(connection, name=name, description=name)
    insert_incident(connection)
    for number in range(1, 13):
        things = {"charger_name": name, "status": None, "status_raw": name}
        insert_connector(connection, f"c{number}", **things, online=number % 2 == 0)
        evidence = {"error_code": name, "vendor_error_code": name, "status": name}
        held = {"held_since": NOW} if number % 3 else {}
        insert_alert(connection, number, evidence=evidence, subject=f"{number}{name}", **held)
    acknowledged = {"acknowledged_by": name, "acknowledged_at": NOW}
    alert = table(tables.Alert)
    connection.execute(sa.update(alert).where(alert.c.id == 1).values(**acknowledged))
    insert_poll(connection, T0)
    for number in range(6):
        insert_session(connection, f"s{number}", T0 - timedelta(days=1), connector_id=f"{number}{name}", currency=name)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_an_alert_message(database: Database, name: str) -> None:
    name = without_nul(name, database)
    with database.write() as connection:
        hostile_fleet(connection, name)
        enqueue_card(connection)
        connection.execute(sa.update(OUTBOX).values(facts={"moved_from": name, "moved_because": name}))
        add_reply(connection, fired=list(range(1, 13)))
        messages = [render(connection), render(connection, ALERT_REPLY)]
        reply = {"fired": [2, 3], "resolved": [], "full_resolve": True, "moved_from": name, "moved_because": name}
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.kind == ALERT_REPLY).values(facts=reply))
        for because in ("recovered", "removed", "rule changed"):
            resolve_incident(connection, NOW, because=because)
            messages += [render(connection), render(connection, ALERT_REPLY)]
    for message in messages:
        assert_harmless(message, name)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_breaks_a_digest_or_a_notice(database: Database, name: str) -> None:
    name = without_nul(name, database)
    with database.write() as connection:
        hostile_fleet(connection, name)
        facts = session_digest(connection, None, one_day((T0 - timedelta(days=1)).date()), T0, default_zone="UTC")
        enqueue_message(connection, natural_key="d", kind="digest", channel="C1", facts=facts, now=T0)
        said = {"title": name, "text": name}
        enqueue_message(connection, natural_key="n", kind="notice", channel="C1", facts=said, now=T0)
        for kind in ("digest", "notice") if name.strip() else ("digest",):
            assert_harmless(render(connection, kind), name if kind == "notice" else "")
        enqueue_message(connection, natural_key="t", kind="digest_tables", channel="C1", facts=tables_of(facts), now=T0)
        assert_harmless(render(connection, "digest_tables"), name)


def assert_harmless(message: SlackMessage, name: str) -> None:
    """No markup of the name's own survives in mrkdwn: no mention, no link, no code span that it opened or closed."""
    for text in mrkdwn_of(message):
        assert text.count("`") % 2 == 0
        outside = "".join(text.split("`")[::2])
        for mark in ("channel>", "evil.example", "U0AAAA", ":tada:", "&lt;", "{{", "\u05e9", "xxx"):
            assert mark not in outside
        assert "<!channel" not in text
        assert "<@U0AAAA" not in text
        assert "\u202e" not in text
        assert "&#34;" not in text.replace("&amp;#34;", "")
    assert "\u202e" not in json.dumps(message.all_blocks, ensure_ascii=False)
    if name.startswith("&<>"):
        assert any("&amp;&lt;&gt;\"'&amp;lt;&amp;#34;" in text for text in mrkdwn_of(message))


def mrkdwn_of(message: SlackMessage) -> list[str]:
    found = [message.text]
    for block in message.all_blocks:
        texts = [block["text"]] if "text" in block else []
        texts += [element for element in block.get("elements", []) if "text" in element]
        found += [text["text"] for text in texts if text.get("type") == "mrkdwn"]
    return found


def test_a_message_that_cannot_be_rendered_is_said_plainly_with_its_error(database: Database) -> None:
    with database.write() as connection:
        facts = {"digest": "<!channel>"}
        enqueue_message(connection, natural_key="d", kind="digest", channel="C1", facts=facts, now=T0, rule_id="daily")
        item = connection.execute(sa.select(OUTBOX)).one()
        message, error = render_or_fallback(connection, item, NOW)
    assert error == "KeyError: 'complete_to'"
    assert message.text == "digest of `daily`: the message could not be written (`KeyError`); the log says why"
    check(message)


def test_a_message_that_can_be_rendered_has_no_error(database: Database) -> None:
    with database.write() as connection:
        one_alert(connection)
        enqueue_card(connection)
        item = connection.execute(sa.select(OUTBOX)).one()
        message, error = render_or_fallback(connection, item, NOW)
        assert (message, error) == (render(connection), None)
