"""What fails of one rule stops nothing of the others, and is noted by the rule's name until it is over."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection

from bot.service import automating, digesting
from bot.service.automating import automate
from bot.service.jobs import CORRECTION, DIGEST, SPEAKING, STEPS, Broken
from bot.service.speaking import speak
from commands.automations import advance
from notify.alert_cards import due_messages
from notify.alert_cards.reminders import enqueue_due_reminders
from notify.digests import digest
from notify.routing import Routing
from storage.engine import Database
from tests.bot.service.jobs.site import Site
from tests.commands.automations.place import RULE, Place, place_on
from tests.readings import T0, at, charger, connector, location

NAMES = ("a", "b", "c")
CAUSE = "RuntimeError"


def noted(work: Any, what: str) -> dict[str, Broken]:
    found: dict[str, Broken] = work.broken.get(what, {})
    return found


def test_a_digest_that_fails_holds_up_no_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    daily = {"schedule": "0 8 * * *", "timezone": "UTC", "digest": "sessions", "notify": ["#daily"]}
    made = Site(database, *({"name": name, **daily} for name in NAMES), now=at("07:00"))
    facts_of, corrected = digest.facts_at, digest._corrected

    def break_one(connection: Connection, rule: Any, *rest: Any, **how: Any) -> Any:
        if rule.name == "b":
            raise RuntimeError("no such day")
        return facts_of(connection, rule, *rest, **how)

    def break_its_correction(connection: Connection, row: Any, *rest: Any) -> Any:
        if row.rule_id == "b":
            raise RuntimeError("no such day")
        return corrected(connection, row, *rest)

    monkeypatch.setattr(digest, "facts_at", break_one)
    later = at("09:00")
    assert [one.rule for one in digesting.enqueue_digests(made.work, later)] == ["a", "c"]
    assert noted(made.work, DIGEST) == {"b": Broken(later, CAUSE)}
    digesting.enqueue_digests(made.work, at("09:01"))
    assert noted(made.work, DIGEST)["b"].since == later
    monkeypatch.undo()
    assert [one.rule for one in digesting.enqueue_digests(made.work, at("09:02"))] == ["b"], "it is tried again"
    assert made.work.broken == {}
    monkeypatch.setattr(digest, "_corrected", break_its_correction)
    digesting.correct_digests(made.work, at("09:03"))
    assert noted(made.work, CORRECTION) == {"b": Broken(at("09:03"), CAUSE)}


def faulted(name: str) -> dict[str, Any]:
    when = 'connector.status == "Faulted"'
    return {"name": name, "for_each": "connector", "when": when, "repeat": "10m", "notify": [f"#{name}"]}


def repeated(made: Site) -> set[str]:
    """The rules whose alerts are said again."""
    return {row.channel for row in made.messages() if row.kind == "alert_reply" and row.facts.get("repeated")}


def test_what_is_due_of_one_rule_and_fails_keeps_no_other_quiet(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Site(database, *map(faulted, NAMES), now=T0)
    made.tick(T0, location(), resource="locations")
    made.tick(at("10:01"), charger(connector("c1", "Faulted")))

    def break_one(connection: Connection, routing: Routing, only: str | None = None) -> int:
        if only in {None, "b"}:
            raise RuntimeError("cannot be said")
        return enqueue_due_reminders(connection, routing, only)

    monkeypatch.setattr(due_messages, "enqueue_due_reminders", break_one)
    made.tick(at("10:13"))
    made.show(at("10:14"))
    assert repeated(made) == {"#a", "#c"}
    assert noted(made.work, SPEAKING) == {"b": Broken(at("10:13"), CAUSE)}
    monkeypatch.undo()
    speak(made.work, at("10:15"))
    made.show(at("10:16"))
    assert repeated(made) == {"#a", "#b", "#c"}, "it is said once it can be"
    assert made.work.broken == {}


def test_a_fault_of_every_rule_is_no_rules_fault(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Site(database, *map(faulted, NAMES), now=T0)
    made.tick(T0, location(), resource="locations")
    made.tick(at("10:01"), charger(connector("c1", "Faulted")))

    def break_all(*_: Any) -> int:
        raise RuntimeError("cannot be said")

    monkeypatch.setattr(due_messages, "enqueue_due_reminders", break_all)
    with pytest.raises(ExceptionGroup):
        speak(made.work, at("10:13"))
    assert made.work.broken == {}


@pytest.fixture
async def place(database: Database) -> AsyncIterator[Place]:
    async with place_on(database, *({**RULE, "name": name} for name in NAMES[:2])) as made:
        yield made


async def test_a_step_that_fails_holds_up_no_step_of_another_rule(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_one(connection: Connection, try_id: int, *rest: Any) -> bool:
        if advance.due_tries(connection, rest[-1])[try_id] == "a":
            raise RuntimeError("no such step")
        return advance.advance_try(connection, try_id, *rest)

    monkeypatch.setattr(automating, "advance_try", break_one)
    place.ends = None  # a reset does not help, so both stay true
    place.fault()
    await place.minutes(6)
    assert set(noted(place.jobs, STEPS)) == {"a"}
    assert {row.rule_id for row in place.commands()} == {"b"}
    monkeypatch.undo()
    automate(place.jobs, place.clock.now)
    assert place.jobs.broken == {}
