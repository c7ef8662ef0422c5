"""The steps of a command that starts or stops a session, each in its own transaction, and what they left behind."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from commands.outcomes.sending import claim_next_command, mark_command_answer, verify_commands
from commands.requests.enqueue import Enqueued, enqueue_command
from rules.actions.command_kinds import CommandState
from storage.engine import Database
from storage.schema import AUDIT, COMMAND, OUTBOX
from tests.readings import T0, charger, connector, poll

SECOND = timedelta(seconds=1)


START, STOP = "start_session", "stop_session"


def sees(database: Database, now: Any, status: str | None, *, online: bool | None = True, name: str = "c1") -> None:
    """A good poll of the chargers that shows one connector so."""
    poll(database, now, charger(connector(name, status), online=online))


def ask(database: Database, kind: str = START, now: Any = T0, nonce: str = "n1", **words: Any) -> Enqueued:
    target = words or ({"connector_id": "c1"} if kind == START else {"session_id": "s2"})
    who = target.pop("user", "U0ADA00001")
    with database.write() as connection:
        return enqueue_command(connection, kind=kind, nonce=nonce, user=who, channel="C1", now=now, **target)


def claim(database: Database, now: Any = T0) -> Any:
    with database.write() as connection:
        return claim_next_command(connection, now)


def answer(database: Database, command: Any, now: Any = T0, **told: Any) -> CommandState | None:
    with database.write() as connection:
        return mark_command_answer(connection, command, now, **told)


def verify(database: Database, now: Any) -> int:
    with database.write() as connection:
        return verify_commands(connection, now)


def the_command(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(sa.select(COMMAND)).one()


def card(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(sa.select(OUTBOX).where(OUTBOX.c.kind == "command_card")).one()


def audit(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.outcome for row in connection.execute(sa.select(AUDIT).order_by(AUDIT.c.id))]


def accepted(database: Database, kind: str = START, session_id: str | None = "s9") -> Any:
    """A command that EOSVOLT accepted at T0."""
    ask(database, kind)
    answer(database, claim(database), session_id=session_id)
    return the_command(database)
