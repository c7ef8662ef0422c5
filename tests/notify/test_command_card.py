"""The words of a command's card at each step: exact goldens, hostile names, and Slack's limits on all of them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commands.outcomes.sending import end_command, show_command
from commands.requests.enqueue import enqueue_command
from notify.render import render_message
from notify.text.message import SlackMessage
from rules.actions.command_kinds import CommandState
from storage.engine import Database
from storage.schema import COMMAND, OUTBOX
from tests.notify.alert_cards.test_card import assert_harmless, check
from tests.notify.records import (
    HOSTILE,
    MINUTE,
    T0,
    insert_connector,
    insert_location,
    insert_session,
    without_nul,
)

pytestmark = pytest.mark.on_either_database

GOLDEN = Path(__file__).parent / "golden"
NOT_SENT = "EOSVOLT asks for fewer calls; wait 30 s"
NOT_FREE = "the connector is not free: look at its status, end its session or choose another one"
UNSEEN = "the connector is Preparing; look at the charger, or ask EOSVOLT"
STEPS: dict[str, tuple[str, CommandState, str | None, dict[str, Any]]] = {
    "requested": ("start_session", CommandState.REQUESTED, None, {}),
    "postponed": ("start_session", CommandState.REQUESTED, NOT_SENT, {}),
    "sending": ("start_session", CommandState.SENDING, None, {}),
    "succeeded": ("start_session", CommandState.SUCCEEDED, None, {"session_id": "s9"}),
    "verified": ("start_session", CommandState.VERIFIED, "charging", {"session_id": "s9"}),
    "failed": ("start_session", CommandState.FAILED, NOT_FREE, {"error_code": "connector_not_available"}),
    "unknown": ("start_session", CommandState.UNKNOWN, "EOSVOLT did not answer in time (504)", {}),
    "not_verified": ("start_session", CommandState.NOT_VERIFIED, UNSEEN, {"session_id": "s9"}),
    "expired": ("start_session", CommandState.EXPIRED, "it could not be sent in time, so nothing was done", {}),
    "stop_succeeded": ("stop_session", CommandState.SUCCEEDED, None, {"session_id": "s2"}),
    "stop_verified": ("stop_session", CommandState.VERIFIED, "ended", {"session_id": "s2"}),
}


def written(connection: sa.Connection, kind: str = "start_session", name: str | None = None) -> str:
    """A command on c1 (for a stop, on its session s2), written down at T0."""
    insert_location(connection, **({} if name is None else {"name": name}))
    charging = {"status": "Charging"} if kind == "stop_session" else {"status": "Available"}
    insert_connector(connection, **charging, **({} if name is None else {"charger_name": name}))
    if kind == "stop_session":
        insert_session(connection, "s2", T0, status="Active", started_at=T0 - timedelta(hours=1), energy_kwh=12.34)
        sessions = sa.table("charging_session", sa.column("ended_at"))
        connection.execute(sa.update(sessions).values(ended_at=None))
    asked = enqueue_command(
        connection, kind=kind, nonce="n", user="U0ADA00001", channel="C1", now=T0, connector_id="c1"
    )
    assert asked.command_id is not None
    return asked.command_id


def render(connection: sa.Connection) -> SlackMessage:
    item = connection.execute(sa.select(OUTBOX)).one()
    message = render_message(connection, item, T0 + MINUTE)
    check(message)
    return message


@pytest.mark.parametrize("name", STEPS)
def test_each_step_has_its_words(database: Database, name: str) -> None:
    kind, state, outcome, columns = STEPS[name]
    with database.write() as connection:
        command_id = written(connection, kind)
        connection.execute(sa.update(COMMAND).values(state=state.value, outcome=outcome, **columns))
        since = {"since": (T0 + 5 * MINUTE).isoformat()} if state is CommandState.VERIFIED else {}
        show_command(connection, command_id, T0 + MINUTE, **since)
        message = render(connection)
    golden = (GOLDEN / f"command_{name}.json").read_text(encoding="utf-8")
    assert {"text": message.text, "blocks": message.blocks} == json.loads(golden)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("state", [CommandState.FAILED, CommandState.NOT_VERIFIED, CommandState.VERIFIED])
def test_no_name_breaks_a_commands_card(database: Database, name: str, state: CommandState) -> None:
    name = without_nul(name, database)
    with database.write() as connection:
        written(connection, name=name)
        strange = {"session_id": name, "error_code": name, "state": "sending"}
        command = connection.execute(sa.update(COMMAND).values(**strange).returning(*COMMAND.c)).one()
        assert end_command(connection, command, state, f"EOSVOLT said: {name}", T0)
        assert_harmless(render(connection), name)
        connection.execute(
            sa.update(OUTBOX).values(facts={**facts_of(connection), "moved_from": name, "moved_because": name})
        )
        assert_harmless(render(connection), name)


def facts_of(connection: sa.Connection) -> dict[str, Any]:
    return dict(connection.execute(sa.select(OUTBOX.c.facts)).scalar_one())
