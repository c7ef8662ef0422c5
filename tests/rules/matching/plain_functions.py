"""A slow, plain reading of the functions of a condition: over all rows that are stored, in Python alone.

It reads whole tables and walks through them; it imports nothing that compiles.
"""

import itertools
import math
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection

from eosvolt.models import SESSION_STATUSES
from rules.language.expressions import Aggregate, FieldRef, LocalTime, Since, Windowed, fields_of, walk
from rules.language.fields import FIELDS, REACHABLE, RELATIONS
from rules.language.paths import starts_at
from storage.schema import CHARGER, CONNECTOR, GAP, INTERVAL, LOCATION, POLL, SAMPLE, SESSION
from tests.rules.matching.plain_conditions import Between, Function, Subject, Value, truth
from tests.rules.matching.plain_powers import Powers

Row = Any
Chain = dict[str, Row]
"""A thing and the things above it, by their kind; None where one is not known."""

COLUMNS = {
    "connector.id": ("id", "first_seen_at"),
    "connector.status": ("status", "status_changed_at"),
    "connector.power": ("power_kw", "power_changed_at"),
    "charger.online": ("online", "online_changed_at"),
    "location.name": ("name", "changed_at"),
    "location.timezone": ("timezone", "changed_at"),
    "session.energy": ("energy_kwh", "energy_changed_at"),
    "session.status": ("status", "status_changed_at"),
    "session.duration": (None, None),
    "session.type": ("type", "changed_at"),
}


OF_DRIVER = "driver.sessions"


class Network:
    """The one network, which has no row."""

    id = "network"


class Stored:
    """Everything that is stored, and what can be said of it at `now`."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        tables = {"location": LOCATION, "charger": CHARGER, "connector": CONNECTOR, "session": SESSION}
        self.now = now
        self.rows = {thing: list(connection.execute(sa.select(table))) for thing, table in tables.items()}
        self.intervals = list(connection.execute(sa.select(INTERVAL).order_by(INTERVAL.c.valid_from, INTERVAL.c.id)))
        self.samples = list(connection.execute(sa.select(SAMPLE).order_by(SAMPLE.c.at)))
        self.powers = Powers(connection, now)
        self.began = {row.resource: row.first_good_at for row in connection.execute(sa.select(POLL))}
        self.gaps = [gap for gap in connection.execute(sa.select(GAP)) if gap.resource == "chargers"]

    def subjects(self, for_each: str) -> dict[str, Subject]:
        """Each thing that a rule looks at, ready to be asked."""
        if for_each == "network":
            return {"network": self.subject("network", Network())}
        looked_at = [
            row for row in self.rows[for_each] if (row.ended_at if for_each == "session" else row.gone_at) is None
        ]
        return {row.id: self.subject(for_each, row) for row in looked_at}

    def subject(self, thing: str, row: Row) -> Subject:
        chain = self.chain(thing, row)
        values = {key: self.value(key, chain) for key in COLUMNS if key.split(".")[0] in chain}
        return Subject(values, lambda function: self.work_out(function, chain))

    def chain(self, thing: str, row: Row) -> Chain:
        chain: Chain = {thing: row}
        for above in REACHABLE[thing][1:]:
            named = getattr(row, f"{above}_id")
            chain[above] = next((one for one in self.rows[above] if one.id == named), None)
        return chain

    def value(self, key: str, chain: Chain) -> Value:
        row = chain[key.split(".", maxsplit=1)[0]]
        if row is None:
            return None
        if key == "session.duration":
            if row.ended_at is not None and row.ended_at < row.started_at:
                return None
            return float(((row.ended_at or self.now) - row.started_at).total_seconds())
        value: Value = getattr(row, COLUMNS[key][0] or "")
        return None if key == "session.status" and value not in SESSION_STATUSES else value

    def work_out(self, function: Function, chain: Chain) -> Any:  # noqa: PLR0911 (one return a kind)
        match function:
            case Aggregate():
                return self.aggregate(function, chain)
            case Since(FieldRef(key)):
                row = chain[key.split(".", maxsplit=1)[0]]
                known = self.value(key, chain) is not None
                return (self.now - getattr(row, COLUMNS[key][1] or "")).total_seconds() if known else None
            case LocalTime():
                return self.local_time(function, chain)
            case Windowed("changes"):
                return self.changes(function, chain)
            case Windowed("increase"):
                return self.increase(function, chain["session"])
            case Windowed("avg" | "min" | "max"):
                return self.powers.over(function, chain[function.of])
        return self.uptime(function, chain[function.of])

    def aggregate(self, node: Aggregate, chain: Chain) -> Any:  # noqa: PLR0911 (one return a kind)
        """Its value, or all that it may be where what is kept does not reach back far enough."""
        seen = self.seen(node, chain)
        start = chain[starts_at(node.path)]
        if start is None or (node.path == OF_DRIVER and start.id_tag is None):
            return seen
        if node.window is None and node.last is None and node.name != "streak":
            return self.within(node, start, seen)
        if node.window is not None:
            known_since = self.sessions_known_since(starts_at(node.path), start)
            begin = self.now - timedelta(seconds=float(node.window.value))
            if known_since is not None and known_since <= begin:
                return seen
        elif node.name == "streak":
            assert node.where is not None
            if any(truth(node.where, subject) is False for _, subject in self.ended(node, chain)):
                return seen
        elif node.name in {"share", "avg"} or len(self.ended(node, chain)) >= (node.last or 0):
            return seen
        if seen is None or node.name in {"share", "avg"}:
            return None
        return Between(-math.inf, seen) if node.name == "min" else Between(seen, math.inf)

    def within(self, node: Aggregate, start: Row, seen: Any) -> Any:  # noqa: PLR0911 (one return a function)
        """All that it may be, whatever those members are that cannot be read now."""
        if node.name == "count" and node.where is None:
            return seen
        inner = RELATIONS[node.path]
        rows = self.below(inner, starts_at(node.path), start)
        rows = [row for row in rows if (row.ended_at if inner == "session" else row.gone_at) is None]
        told = [self.without_what_is_old(inner, row, node) for row in rows]
        answers = [answer for answer, _, _ in told]
        unread = sum(old and answer is not False and value is None for answer, value, old in told)
        values = [value for answer, value, _ in told if answer and value is not None]
        if not unread and not any(old for _, _, old in told):
            return seen
        if node.where is not None and any(isinstance(below, Windowed) for below in walk(node.where)):
            return None if any(old for _, _, old in told) else seen
        yes, no = answers.count(True), answers.count(False)
        if node.name == "count":
            return Between(yes, yes + unread)
        if node.name == "share":
            return Between(yes / (yes + no + unread), (yes + unread) / (yes + no + unread)) if yes + no else None
        if not unread or node.name == "avg":
            return seen if not unread else None
        if node.name == "sum":
            return Between(sum(values), math.inf)
        if not values:
            return None
        return Between(max(values), math.inf) if node.name == "max" else Between(-math.inf, min(values))

    def without_what_is_old(self, inner: str, row: Row, node: Aggregate) -> tuple[bool | None, Any, bool]:
        """What is said of a member, its value, and whether anything that is read of it is old."""
        keys = {below.key for below in walk(node.where) if isinstance(below, FieldRef)} if node.where else set()
        keys |= {node.value} if node.value else set()
        for below in walk(node.where) if node.where else ():
            if isinstance(below, Windowed) and below.name in {"uptime", "downtime"}:
                keys |= {"connector.status", "charger.online"} if below.of == "connector" else {f"{below.of}.id"}
            if isinstance(below, Windowed) and below.name in {"avg", "min", "max"}:
                keys |= {f"{below.of}.id"}
        chain = self.chain(inner, row)
        old = {
            thing
            for thing in {inner, *(key.split(".")[0] for key in keys)} - {"location"}
            if chain.get(thing) is not None and chain[thing].stale_since is not None
        }
        hidden = {key: None for key in COLUMNS if key.split(".")[0] in old and not FIELDS[key].describes}
        subject = Subject(
            {**self.subject(inner, row), **hidden}, lambda function: self.since_read(function, chain, old)
        )
        answer = True if node.where is None else truth(node.where, subject)
        value = subject[node.value] if node.value else (1 if answer is not None else None)
        return answer, value, bool(old)

    def since_read(self, function: Function, chain: Chain, old: set[str]) -> Any:
        reads_old = isinstance(function, Since) and function.operand.key.split(".")[0] in old
        return None if reads_old else self.work_out(function, chain)

    def sessions_known_since(self, thing: str, row: Row) -> datetime | None:
        if thing in {"network", "session"}:
            return None if self.began.get("sessions") is None else self.began["sessions"] - timedelta(days=35)
        polled = self.began.get({"location": "locations"}.get(thing, "chargers"))
        if self.began.get("sessions") is None:
            return None
        read_back: datetime = self.began["sessions"] - timedelta(days=35)
        there_from_the_first = polled is not None and row.first_seen_at <= polled
        return read_back if there_from_the_first else max(row.first_seen_at, read_back)

    def ended(self, node: Aggregate, chain: Chain) -> list[tuple[Row, Subject]]:
        """The sessions that have ended; with `last`, the latest so many of those that it is about."""
        start = starts_at(node.path)
        rows = [row for row in self.below("session", start, chain[start]) if row.ended_at]
        members = [(row, self.subject("session", row)) for row in rows]
        if node.last is None:
            return members
        members = [one for one in members if node.among is None or truth(node.among, one[1])]
        return sorted(members, key=lambda one: (one[0].ended_at, one[0].id), reverse=True)[: node.last]

    def below(self, inner: str, start: str, row: Row) -> list[Row]:
        rows = self.rows[inner]
        if start == "session":
            return [one for one in rows if one.id_tag is not None and one.id_tag == row.id_tag]
        return rows if start == "network" else [one for one in rows if getattr(one, f"{start}_id") == row.id]

    def seen(self, node: Aggregate, chain: Chain) -> Any:  # noqa: PLR0911 (one return a function)
        start, inner = starts_at(node.path), RELATIONS[node.path]
        if chain[start] is None or (node.path == OF_DRIVER and chain[start].id_tag is None):
            return None
        rows = self.below(inner, start, chain[start])
        if inner != "session":
            rows = [row for row in rows if row.gone_at is None]
        elif node.window is not None:
            begin = self.now - timedelta(seconds=float(node.window.value))
            rows = [row for row in rows if row.ended_at is not None and row.ended_at > begin]
        elif node.last is None and node.name != "streak":
            rows = [row for row in rows if row.ended_at is None]
        members = [(row, self.subject(inner, row)) for row in rows]
        if node.last is not None or node.name == "streak":
            members = self.ended(node, chain)
        if node.name == "streak":
            return self.streak(node, members)
        answers = [True if node.where is None else truth(node.where, subject) for _, subject in members]
        if node.last is not None and node.name in {"share", "avg"} and len(members) < node.last:
            return None
        if node.name == "share":
            known = [answer for answer in answers if answer is not None]
            return sum(known) / len(known) if known else None
        chosen = [subject for (_, subject), answer in zip(members, answers, strict=True) if answer]
        if node.name == "count":
            return len(chosen)
        values: list[Any] = [subject[node.value or ""] for subject in chosen]
        values = [value for value in values if value is not None]
        if node.name == "sum":
            return sum(values)
        if not values:
            return None
        return {"avg": sum(values) / len(values), "min": min(values), "max": max(values)}[node.name]

    def streak(self, node: Aggregate, members: list[tuple[Row, Subject]]) -> int:
        assert node.where is not None
        where = node.where
        stops = [row.ended_at for row, subject in members if truth(where, subject) is False]
        later = [subject for row, subject in members if not stops or row.ended_at > max(stops)]
        return sum(truth(where, subject) is True for subject in later)

    def of_field(self, key: str, row: Row) -> list[Row]:
        thing, field = key.split(".")
        return [one for one in self.intervals if (one.thing, one.thing_id, one.field) == (thing, row.id, field)]

    def changes(self, node: Windowed, chain: Chain) -> int | Between | None:
        assert node.operand is not None
        (key,) = fields_of(node.operand)
        row = chain[key.split(".", maxsplit=1)[0]]
        if row is None:
            return None
        begin = self.now - timedelta(seconds=float(node.window.value))
        changes, before = 0, None
        for interval in self.of_field(key, row):
            value = interval.value if key != "charger.online" else {"true": True, "false": False}.get(interval.value)
            said = value if isinstance(node.operand, FieldRef) else truth(node.operand, {key: value})
            if said is None:
                continue
            changes += before is not None and said != before and interval.valid_from > begin
            before = said
        in_sight = [one for one in self.of_field(key, row) if one.valid_to is None or one.valid_to > row.first_seen_at]
        known = min([row.first_seen_at, *(one.valid_from for one in in_sight)])
        return changes if known <= begin else Between(changes, math.inf)

    def increase(self, node: Windowed, row: Row) -> float | None:
        """Walk along everything that is known of the energy, as a counter that may begin anew at any step."""
        begin = self.now - timedelta(seconds=float(node.window.value))
        if row.energy_kwh is None:
            return None
        if row.energy_changed_at <= begin:
            return 0.0
        samples = [one for one in self.samples if one.session_id == row.id and one.energy_kwh is not None]
        before = [one.energy_kwh for one in samples if one.at <= begin]
        if not before:
            return None
        steps = [before[-1], *(one.energy_kwh for one in samples if one.at > begin), row.energy_kwh]
        fallen = [old for old, new in itertools.pairwise(steps) if new < old]
        return float(steps[-1] - steps[0] + sum(fallen))

    def uptime(self, node: Windowed, row: Row) -> float | Between | None:
        """Second by second is too slow: between any two moments at which something changed, nothing does."""
        if row is None:
            return None
        begin = self.now - timedelta(seconds=float(node.window.value))
        connectors = (
            [one for one in self.below("connector", node.of, row) if one.gone_at is None]
            if node.of != "connector"
            else [row]
        )
        spells = [self.up_and_down(node, one, begin) for one in connectors]
        up, down = sum(one for one, _ in spells), sum(other for _, other in spells)
        if node.name == "downtime":
            return down if row.first_seen_at <= begin else Between(down, math.inf)
        return up / (up + down) if up + down and row.first_seen_at <= begin else None

    def up_and_down(self, node: Windowed, row: Row, begin: datetime) -> tuple[float, float]:
        charger = next((one for one in self.rows["charger"] if one.id == row.charger_id), None)
        statuses = self.of_field("connector.status", row)
        onlines = self.of_field("charger.online", charger) if charger else []
        key = next(iter(fields_of(node.where)), "") if node.where is not None else ""
        counted = onlines if key == "charger.online" else self.of_field(key, row) if key else []
        stale = self.of_field("connector.stale", row)
        spans = [*statuses, *onlines, *self.gaps, *counted, *stale]
        moments = {moment for one in spans for moment in (one.valid_from, one.valid_to) if moment is not None}
        edges = sorted({begin, self.now, *(moment for moment in moments if begin < moment < self.now)})
        up = down = 0.0
        for start, end in itertools.pairwise(edges):
            if self.then(self.gaps, start, "resource") is not None or self.then(stale, start, "value") is not None:
                continue
            if not self.counts(node, key, counted, start):
                continue
            status, online = self.then(statuses, start, "value"), self.then(onlines, start, "value")
            if status in {"Faulted", "Unavailable"} or online == "false":
                down += (end - start).total_seconds()
            elif status is not None and online == "true":
                up += (end - start).total_seconds()
        return up, down

    def counts(self, node: Windowed, key: str, counted: list[Row], moment: datetime) -> bool:
        if node.where is None:
            return True
        if not any(one.valid_from <= moment and (one.valid_to is None or moment < one.valid_to) for one in counted):
            return False  # before anything was known of it
        value = self.then(counted, moment, "value")
        return truth(node.where, {key: {"true": True, "false": False}.get(value, value)}) is not False

    @staticmethod
    def then(spans: list[Row], moment: datetime, name: str) -> Any:
        for one in spans:
            if one.valid_from <= moment and (one.valid_to is None or moment < one.valid_to):
                return getattr(one, name)
        return None

    def local_time(self, node: LocalTime, chain: Chain) -> Any:
        zone = None if chain["location"] is None else chain["location"].timezone
        if zone is None:
            return None
        local = self.now.astimezone(ZoneInfo(zone))
        if node.name == "weekday":
            return f"{local:%A}"
        begin, end, time = *node.text.split("-"), f"{local:%H:%M}"
        within = begin <= time < end if begin < end else time >= begin or time < end
        return within and (node.name == "hours" or local.weekday() < 5)
