"""The words of the cards of resets, unlocking, service and prices: each step in words, harmless whatever the names."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from commands.requests.enqueue import enqueue_command
from notify.render import render_message
from rules.actions.command_kinds import CommandState
from storage.engine import Database
from storage.schema import COMMAND, OUTBOX
from tests.notify.alert_cards.test_card import assert_harmless, check
from tests.notify.records import HOSTILE, MINUTE, T0, insert_connector, insert_location, without_nul

PRICES = {
    "changes": {"default": 5.25},
    "before": {"default": 4.5, "blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None},
    "currency": "DKK",
    "unit": "kWh",
}


def asked(connection: sa.Connection, kind: str, name: str | None = None, **words: Any) -> str:
    """A command of this kind on c1, its charger or its location, asked for at T0."""
    insert_location(connection, **({} if name is None else {"name": name}))
    status = {"status": "Unavailable" if kind == "enable" else "Available"}
    insert_connector(connection, **status, **({} if name is None else {"charger_name": name}))
    charger = connection.execute(sa.text("SELECT id, location_id FROM charger")).one()
    things = {"unlock": {"connector_id": "c1"}, "change_price": {"location_id": charger.location_id, "details": PRICES}}
    target: dict[str, Any] = things.get(kind, {"charger_id": charger.id})
    words = {"user": "U0ADA00001", **words}
    enqueued = enqueue_command(connection, kind=kind, nonce="n", channel="C1", now=T0, **target, **words)
    assert enqueued.command_id is not None, enqueued
    return enqueued.command_id


def shown(connection: sa.Connection, **columns: Any) -> str:
    if columns:
        connection.execute(sa.update(COMMAND).values(**columns))
    message = render_message(connection, connection.execute(sa.select(OUTBOX)).one(), T0 + MINUTE)
    check(message)
    return f"{message.text}\n{message.all_blocks}"


@pytest.mark.parametrize(
    ("kind", "columns", "words"),
    [
        ("reset_soft", {}, "Soft reset of charger"),
        ("reset_hard", {"state": "succeeded"}, "EOSVOLT accepted the hard reset; looking at what comes of it"),
        ("reset_soft", {"state": "verified", "outcome": "it was away and is back"}, "it was away and is back"),
        (
            "unlock",
            {"state": "unverifiable", "outcome": "no lock"},
            "accepted the unlocking; it cannot be seen",
        ),
        ("disable", {"state": "not_verified", "outcome": "x"}, "nothing shows that the disabling worked"),
        (
            "enable",
            {"state": "cancelled", "outcome": "refused", "decided_by": "U0OLE00002"},
            "refused by <@U0OLE00002>",
        ),
        ("enable", {"state": "expired", "outcome": "nobody approved it in time"}, "Not approved in time"),
        ("disable", {"decided_by": "U0OLE00002"}, "approved by <@U0OLE00002>"),
        ("reset_soft", {"details": {"ends": ["s1", "s2"]}}, "It ends sessions `s1`, `s2`."),
        ("change_price", {}, "Default price: 4.50 DKK per kWh → *5.25 DKK per kWh*"),
        ("change_price", {"state": "verified", "outcome": "read back as asked for"}, "read back as asked for"),
    ],
)
def test_each_step_has_its_words(sqlite: Database, kind: str, columns: dict[str, Any], words: str) -> None:
    with sqlite.write() as connection:
        asked(connection, kind)
        assert words in shown(connection, **columns)


def test_only_a_command_that_waits_for_approval_has_its_buttons(sqlite: Database) -> None:
    with sqlite.write() as connection:
        asked(connection, "reset_soft", approve_within=timedelta(minutes=30), user="heal", rule_id="heal")
        waiting = shown(connection)
        assert "Waiting for approval until" in waiting
        assert "asked for by the rule `heal`" in waiting
        assert ("approve_command" in waiting, "refuse_command" in waiting) == (True, True)
        assert "approve_command" not in shown(connection, state="requested")


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["reset_hard", "unlock", "change_price"])
def test_no_name_breaks_its_card(sqlite: Database, name: str, kind: str) -> None:
    name = without_nul(name, sqlite)
    with sqlite.write() as connection:
        asked(connection, kind, name, approve_within=timedelta(minutes=30), user=name, rule_id=name)
        details = {"ends": [name] * 7, **(PRICES if kind == "change_price" else {})}
        for state in CommandState:
            values = {"state": state.value, "outcome": name, "decided_by": name, "details": details}
            connection.execute(sa.update(COMMAND).values(**values))
            message = render_message(connection, connection.execute(sa.select(OUTBOX)).one(), T0 + MINUTE)
            check(message)
            assert_harmless(message, name)
