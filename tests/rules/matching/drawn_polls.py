"""Polls of a small fleet over some hours, drawn: sessions begin, grow and end, things vanish, and polling has gaps.

`record` stores them as the service would; nothing here judges anything.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st
from sqlalchemy import Connection

from storage.recording.powers import keep_power
from storage.recording.staleness import mark_stale
from tests.readings import MINUTE, T0, charger, connector, location, record_poll, session

PLACES = {"ch1": "l1", "ch2": "l1", "ch3": "l2"}
PLUGS = {"ch1": ("ch1.a", "ch1.b"), "ch2": ("ch2.a",), "ch3": ("ch3.a",)}
EVERY_PLUG = tuple(plug for plugs in PLUGS.values() for plug in plugs)
TAGS = {"s1": "one", "s2": "one", "s3": "two", "s4": None}  # who charges
ZONES = {"l1": "Europe/Copenhagen", "l2": "America/New_York"}
INTERVAL = timedelta(minutes=20)  # between polls, as far as gaps are concerned
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@dataclass(frozen=True)
class Step:
    """One poll, `minutes` after the one before it."""

    minutes: int
    resource: str
    readings: tuple[Any, ...]
    seen: frozenset[str] | None = None
    set_aside: frozenset[str] = frozenset()


def _chargers() -> st.SearchStrategy[tuple[Any, ...]]:
    statuses = st.sampled_from(["Available", "Faulted", "Unavailable", "Rebooting", "Charging"])
    powers = st.sampled_from([None, 0.0, 3.5, 7.25])

    def one(id_: str) -> st.SearchStrategy[Any]:
        plugs = st.tuples(
            *(
                st.builds(lambda s, p, plug=plug: connector(plug, s, charger=id_, power_kw=p), statuses, powers)
                for plug in PLUGS[id_]
            )
        )
        online = st.sampled_from([True, True, False, None])
        return st.builds(
            lambda plugs, on: charger(*plugs, charger_id=id_, location_id=PLACES[id_], online=on), plugs, online
        )

    chosen = st.lists(st.sampled_from(list(PLACES)), unique=True, min_size=1)
    return chosen.flatmap(lambda ids: st.tuples(*(one(id_) for id_ in ids)))


@st.composite
def scripts(draw: st.DrawFn) -> tuple[Step, ...]:
    """Polls of a small fleet over some hours: sessions begin, grow and end, things vanish, polling has gaps."""
    steps = [Step(0, "locations", tuple(location(one, timezone=zone) for one, zone in ZONES.items()))]
    now = T0
    sessions: dict[str, Any] = {}
    for _ in range(draw(st.integers(2, 12))):
        minutes = draw(st.sampled_from([1, 1, 5, 10, 30, 90]))
        now += minutes * MINUTE
        kind = draw(st.sampled_from(["chargers", "chargers", "sessions", "sessions", "sweep", "set aside"]))
        if kind == "chargers":
            steps.append(Step(minutes, "chargers", draw(_chargers())))
        elif kind == "set aside":
            resource = draw(st.sampled_from(["chargers", "chargers", "sessions"]))
            things = [*PLACES, *EVERY_PLUG] if resource == "chargers" else list(sessions)
            old = draw(st.frozensets(st.sampled_from(things))) if things else frozenset()
            plugs = {plug for one in old & PLUGS.keys() for plug in PLUGS[one]}
            steps.append(Step(minutes, resource, (), set_aside=old | plugs))
        elif kind == "sweep":
            seen = draw(st.frozensets(st.sampled_from([*PLACES, *EVERY_PLUG])))
            steps.append(Step(minutes, "chargers", (), seen))
        else:
            id_ = draw(st.sampled_from(["s1", "s2", "s3", "s4"]))
            plug, started, ended, energy = sessions.get(id_, ("", None, None, None))
            plug = plug or draw(st.sampled_from(["ch1.a", "ch1.a", "ch1.b", "ch3.a"]))
            started = started or now - draw(st.sampled_from([0, 1, 20])) * MINUTE
            energy = draw(st.sampled_from([energy, None, 0.0, 0.25, 1.5]))
            if ended is None and draw(st.booleans()):
                ended = now - draw(st.sampled_from([0, 1])) * MINUTE
            sessions[id_] = (plug, started, ended, energy)
            charger_id = plug.split(".")[0]
            status = draw(st.sampled_from(["Completed", "Failed"])) if ended else draw(st.sampled_from(["Active", "?"]))
            values: dict[str, Any] = {"connector_id": plug, "charger_id": charger_id, "ended_at": ended}
            values |= {"location_id": PLACES[charger_id], "status": status, "energy_kwh": energy, "id_tag": TAGS[id_]}
            steps.append(Step(minutes, "sessions", (session(id_, started=started, **values),)))
    return tuple(steps)


def record(connection: Connection, script: tuple[Step, ...]) -> datetime:
    now = T0
    for number, step in enumerate(script):
        now += step.minutes * MINUTE
        if number == 1:  # what is kept of powers begins when a rule asks for them
            keep_power(connection, now, wanted=True)
        seen = None if step.seen is None else {"charger": set(step.seen), "connector": set(step.seen)}
        record_poll(
            connection, now, *step.readings, resource=step.resource, interval=INTERVAL, seen=seen, plain_tags=True
        )
        names = ("charging_session",) if step.resource == "sessions" else ("charger", "connector")
        mark_stale(connection, {name: set(step.set_aside) for name in names}, now)
    return now
