"""Histories of a small fleet, drawn: things appear, vanish, come back and move; sessions, prices, gaps and all.

`live` plays one through the service's own functions, poll by poll; nothing here judges anything.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection

from rules.alerts.events import Event, evaluate_events, event_rules_to_evaluate
from rules.registry.store import load_rules
from storage.engine import Database
from storage.polls import after_good_poll, poll_states, store_poll_states
from storage.recording.prices import record_prices
from tests.readings import MINUTE, T0, charger, connector, location, poll, session
from tests.rules.engine import Engine

ZONES = {"l1": "Europe/Copenhagen", "l2": "America/New_York"}
CURRENCIES = {"l1": "EUR", "l2": "SEK"}
CHARGERS = {"ch1": "l1", "ch2": "l1", "ch3": "l2"}
CONNECTORS = {"c1": "ch1", "c2": "ch1", "c3": "ch2", "c4": "ch3"}
EVERYTHING = (*ZONES, *CHARGERS, *CONNECTORS)
Act = tuple[str, str, Any]


@dataclass
class Fleet:
    """What the API tells now."""

    there: set[str] = field(default_factory=lambda: set(EVERYTHING))
    place: dict[str, str] = field(default_factory=lambda: {**CHARGERS, **CONNECTORS})
    status: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(CONNECTORS, "Available"))
    code: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(CONNECTORS, None))
    power: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(CONNECTORS, 0.0))
    online: dict[str, bool | None] = field(default_factory=lambda: dict.fromkeys(CHARGERS, True))
    prices: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ZONES, 0.5))
    sessions: dict[str, Any] = field(default_factory=dict)

    def act(self, what: str, which: str, value: Any, now: datetime) -> None:
        """Let something happen just before the poll of `now`."""
        if what == "toggle":
            self.there ^= {which}
        elif what == "begin":
            name = f"s{len(self.sessions) + 1}"
            above = {"charger_id": self.place[which], "location_id": self.place[self.place[which]]}
            told = {"connector_id": which, **above, "energy_kwh": 0.0, "status": value}
            self.sessions[name] = session(name, started=now, **told)
        elif what in {"charge", "end", "activate"}:
            self._go_on(what, value, now)
        else:
            getattr(self, what)[which] = value

    def _go_on(self, what: str, value: Any, now: datetime) -> None:
        open_ = sorted(name for name, one in self.sessions.items() if one.ended_at is None and one.started_at < now)
        for name in open_[:1]:
            changed = {
                "charge": {"energy_kwh": value},
                "end": {"ended_at": now, "status": value},
                "activate": {"status": "Active"},
            }[what]
            self.sessions[name] = replace(self.sessions[name], **changed)

    def chargers(self) -> list[Any]:
        return [
            charger(
                *(self._plug(one, id_) for one in self._plugs(id_)),
                charger_id=id_,
                location_id=self.place[id_],
                online=self.online[id_],
            )
            for id_ in CHARGERS
            if id_ in self.there
        ]

    def _plug(self, one: str, charger_id: str) -> Any:
        told = {"error_code": self.code[one], "power_kw": self.power[one]}
        return connector(one, self.status[one], charger=charger_id, **told)

    def _plugs(self, charger_id: str) -> list[str]:
        return [one for one in CONNECTORS if self.place[one] == charger_id and one in self.there]


def _acts() -> st.SearchStrategy[Act]:
    def act(what: str, which: Any, values: list[Any]) -> st.SearchStrategy[Act]:
        return st.tuples(st.just(what), st.sampled_from(sorted(which)), st.sampled_from(values))

    return st.one_of(
        act("status", CONNECTORS, ["Available", "Faulted", "Faulted", "Unavailable", "Charging", None]),
        act("code", CONNECTORS, [None, "NoError", "GroundFailure"]),
        act("power", CONNECTORS, [None, 0.0, 6.0, 11.0, 50.0]),
        act("online", CHARGERS, [True, False, False, None]),
        act("place", CHARGERS, list(ZONES)),
        act("place", CONNECTORS, list(CHARGERS)),
        act("toggle", EVERYTHING, [None]),
        act("prices", ZONES, [0.5, 2.5]),
        act("begin", CONNECTORS, ["Active", "Pending"]),
        act("activate", CONNECTORS, [None]),
        act("charge", CONNECTORS, [0.0, 0.3, 1.2, 4.0]),
        act("end", CONNECTORS, ["Completed", "Failed"]),
    )


STRETCH = st.tuples(st.integers(2, 9), st.booleans() | st.just(True), st.lists(_acts(), max_size=4))
HISTORIES = st.tuples(st.frozensets(st.sampled_from(EVERYTHING), max_size=3), st.lists(STRETCH, min_size=3, max_size=9))
"""What is not there at first; then so many minutes in which the API answers or does not, and what happened before."""


def live(database: Database, documents: list[dict[str, Any]], drawn: Any) -> tuple[Engine, list[Event], datetime]:
    """Play a history: the engine with its transitions, the events that were announced, and the last poll."""
    absent, story = drawn
    fleet, now = Fleet(), T0
    fleet.there -= absent
    engine = Engine(database, *documents, now=T0)
    engine.default_zone = "UTC"
    with database.read() as connection:
        rules = load_rules(connection, "UTC").events
    events = _poll(database, engine, rules, fleet, now)
    for minutes, answers, acts in (*story, (1, True, [])):
        for number in range(minutes if answers else max(minutes, 4)):  # of a poll or two that fail nothing is kept
            now += MINUTE
            for what, which, value in acts if number == 0 else []:
                fleet.act(what, which, value, now)
            if answers:
                events += _poll(database, engine, rules, fleet, now)
    return engine, events, now


def _poll(database: Database, engine: Engine, rules: Sequence[Any], fleet: Fleet, now: datetime) -> list[Event]:
    places = [location(one, timezone=ZONES[one], currency=CURRENCIES[one]) for one in ZONES if one in fleet.there]
    poll(database, now, *places, resource="locations", seen={"location": {one.id for one in places}})
    told = fleet.chargers()
    seen = {"charger": {one.id for one in told}, "connector": {plug.id for one in told for plug in one.connectors}}
    poll(database, now, *told, seen=seen)
    with database.write() as connection:
        _price(connection, fleet, now)
    poll(database, now, *fleet.sessions.values(), resource="sessions")
    with database.read() as connection:
        waiting = event_rules_to_evaluate(connection, rules, now)
    events: list[Event] = []
    for rule in waiting:
        with database.write() as connection:
            events += evaluate_events(connection, rule, now)
    engine.evaluate(now)
    return events


def _price(connection: Connection, fleet: Fleet, now: datetime) -> None:
    rest: dict[str, Any] = {"blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None}
    told = {
        one: json.dumps({"default": price, **rest}, sort_keys=True)
        for one, price in fleet.prices.items()
        if one in fleet.there
    }
    record_prices(connection, told, now)
    state = poll_states(connection).get("prices")
    store_poll_states(connection, [after_good_poll(connection, "prices", now, MINUTE, state=state)])
