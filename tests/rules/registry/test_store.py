"""The rules in force: what has not changed since it was made ready is not made ready again, and all else is."""

from dataclasses import replace
from typing import Any

from rules.documents.document import rule_from_document
from rules.registry.store import load_rules, sync_rules
from storage.engine import Database
from tests.readings import MINUTE, T0

FAULTED = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
OFFLINE = {"name": "offline", "for_each": "charger", "when": "not charger.online"}
PRICED = {"name": "priced", "on": "price.changed"}


def loaded(database: Database, *documents: dict[str, Any], minute: int = 0, zone: str | None = None) -> dict[str, Any]:
    rules = [rule_from_document(document, "test") for document in documents]
    with database.write() as connection:
        sync_rules(connection, rules, T0 + minute * MINUTE)
        made = load_rules(connection, zone)
    ready: tuple[Any, ...] = (*made.alerts, *made.events)
    return {one.id: one for one in ready}


def test_only_a_rule_that_changed_is_made_ready_anew(database: Database) -> None:
    before = loaded(database, FAULTED, OFFLINE, PRICED)
    after = loaded(database, FAULTED, OFFLINE | {"for": "5m"}, PRICED, minute=1)
    assert [name for name in before if after[name] is before[name]] == ["faulted", "priced"]
    assert after["offline"].timing == replace(before["offline"].timing, for_=5 * MINUTE)
    assert after["offline"].version == 2


def test_a_rule_that_comes_back_or_is_read_for_another_zone_is_the_one_that_is_asked_for(database: Database) -> None:
    loaded(database, FAULTED)
    loaded(database, FAULTED | {"severity": "critical"}, minute=1)
    again = loaded(database, FAULTED, minute=2)["faulted"]
    assert (again.version, again.severity) == (3, "warning")
    there = loaded(database, FAULTED, minute=3, zone="Europe/Copenhagen")["faulted"]
    assert (again.default_zone, there.default_zone) == (None, "Europe/Copenhagen")
