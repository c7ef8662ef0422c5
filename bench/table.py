"""The rows of the table: which figure is compared with which peer's, and what is wanted of it.

Numbers in, words out; nothing is measured here. A figure that is missing is said to be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from bench.measuring import Figure


class Sense(Enum):
    """How a figure is set against its peer's."""

    FASTER = "times faster"  # how often the peer's time holds ours
    COSTS = "times the peer"  # how often our value holds the peer's
    ALONE = ""  # the value itself


@dataclass(frozen=True, slots=True)
class Goal:
    """At least or at most so much: of the ratio, or of the value itself where `sense` is ALONE."""

    sense: Sense
    least: float | None = None
    most: float | None = None
    full_only: bool = False  # said for the large fleet alone

    def holds(self, value: float) -> bool:
        """Whether a value is good enough."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def words(self, unit: str) -> str:
        """The goal for people."""
        said = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        return f"{said} {unit if self.sense is Sense.ALONE else self.sense.value}"


@dataclass(frozen=True, slots=True)
class Line:
    """One row: the work, our figure's name, the peer's and how people call it, and the goals."""

    work: str
    ours: str
    peer: str = ""
    peer_name: str = ""
    sense: Sense = Sense.FASTER
    goals: tuple[Goal, ...] = ()


def seconds(most: float) -> Goal:
    """At most so many seconds (or what the figure's unit is), with the large fleet."""
    return Goal(Sense.ALONE, most=most, full_only=True)


def always(most: float) -> Goal:
    """At most so many seconds, with any fleet."""
    return Goal(Sense.ALONE, most=most)


def faster(least: float) -> Goal:
    """At least so many times faster than the peer, with the large fleet."""
    return Goal(Sense.FASTER, least=least, full_only=True)


def costs(most: float) -> Goal:
    """At most so many times what the peer takes."""
    return Goal(Sense.COSTS, most=most)


_PROMETHEUS = ("prometheus group", "Prometheus, one evaluation of the group")
_BARE = "bare sqlite3 upsert"
_BOLT = "a bare Bolt handler"
_PYTHON = "python -c pass"


def _evaluation(kind: str) -> tuple[Line, ...]:
    return (
        Line("every subject matched, nothing moves", f"{kind} full", *_PROMETHEUS, goals=(faster(5),)),
        Line(
            "all powers changed, a quarter of the rules read them", f"{kind} power", *_PROMETHEUS, goals=(seconds(1.5),)
        ),
        Line("1 % of connectors changed", f"{kind} some", *_PROMETHEUS, goals=(faster(30), seconds(0.15))),
        Line("alerts begin", f"{kind} begin", *_PROMETHEUS, goals=(seconds(3),)),
        Line("alerts fire, cards and outbox included", f"{kind} fire", *_PROMETHEUS, goals=(seconds(8),)),
        Line(
            "every subject matched, against the floor",
            f"{kind} full",
            f"bare {kind} full",
            "100 queries by hand",
            Sense.COSTS,
        ),
    )


def _record(work: str, name: str, *goals: Goal) -> Line:
    return Line(f"record {work}", f"record {name}", f"bare sqlite {name}", _BARE, Sense.COSTS, goals)


TABLES: dict[str, tuple[Line, ...]] = {
    "Rules on SQLite": _evaluation("sqlite"),
    "Rules on PostgreSQL": _evaluation("postgresql"),
    "Recording": (
        _record("a first sweep", "first"),
        _record("a sweep, 1 % changed", "one percent", costs(1.5)),
        _record("a sweep, 1 % changed, new heartbeats", "heartbeats", costs(1.5)),
        _record("only the 1 % that changed", "increment"),
    ),
    "One tick of the service": tuple(
        Line(f"{work}: {step}", f"{name} {step}")
        for name, work in (
            ("tick", "1 % of connectors changed"),
            ("rest", "nothing changed, what began fires"),
            ("first sweep", "the first sweep"),
            ("sweep", "a later sweep, after two hours unseen"),
        )
        for step in ("decode", "record", "evaluate", "say")
    ),
    "Digests, words and backtests": (
        *(Line(f"a digest of a {name}", f"digest {name}", goals=(always(2),)) for name in ("day", "week", "month")),
        Line("/charge status", "/charge status", goals=(always(2),)),
        Line("/charge sessions", "/charge sessions", goals=(always(2),)),
        Line("/charge sessions of four weeks", "/charge sessions 2026-02-01..2026-02-28", goals=(always(2),)),
        Line("/charge report month", "/charge report month", goals=(always(2),)),
        Line("a backtest of 14 days of 1,000 connectors", "backtest", goals=(always(5),)),
        Line("one day of it", "backtest day", "every poll", "every minute replayed"),
    ),
    "Slash commands": (
        Line("acknowledged, 99 of 100, 50 at a time", "slash p99", "bare bolt p99", _BOLT, Sense.COSTS, (costs(1.3),)),
        Line(
            "acknowledged and answered, 50 at a time",
            "slash throughput",
            "bare bolt throughput",
            _BOLT,
            Sense.COSTS,
            (Goal(Sense.COSTS, least=0.8),),
        ),
    ),
    "Start": (
        Line("chargehand --help", "start help", "bare python", _PYTHON, Sense.COSTS, (always(0.3),)),
        Line("ready, on a database that is there", "start ready", "bare python", _PYTHON, Sense.COSTS, (always(2),)),
        Line("ready, on a fresh database", "start ready, fresh database", "bare python", _PYTHON, Sense.COSTS),
    ),
    "Memory": (
        Line(
            "the process that evaluates, at its most",
            "sqlite memory",
            "prometheus memory",
            "Prometheus",
            goals=(seconds(300),),
            sense=Sense.COSTS,
        ),
        Line(
            "the service, after a sweep of the fleet",
            "service memory",
            "prometheus memory",
            "Prometheus",
            goals=(seconds(300),),
            sense=Sense.COSTS,
        ),
    ),
}


def rows_of(line: Line, figures: Mapping[str, Figure], *, full: bool) -> list[str]:
    """The cells of a row: work, ours, its processor time, the peer's, the ratio, the goal and whether it is reached."""
    ours = figures.get(line.ours)
    if ours is None:
        return [line.work, "not measured", "", "", "", _goals(line, ""), ""]
    peer = figures.get(line.peer)
    ratio = ratio_of(line.sense, ours, peer)
    against = f"{shown(peer)} ({line.peer_name})" if peer else f"not measured ({line.peer_name})" if line.peer else ""
    cpu = "" if ours.cpu is None else f"{ours.cpu:.3f}"
    verdicts = [_verdict(goal, ours, peer, full=full) for goal in line.goals]
    compared = "" if ratio is None else f"{ratio:.3g} {line.sense.value}"
    return [line.work, shown(ours), cpu, against, compared, _goals(line, ours.unit), ", ".join(verdicts)]


def ratio_of(sense: Sense, ours: Figure, peer: Figure | None) -> float | None:
    """Our median against the peer's; None where there is no peer."""
    if peer is None or not ours.median or not peer.median:
        return None
    return peer.median / ours.median if sense is Sense.FASTER else ours.median / peer.median


def shown(figure: Figure) -> str:
    """A figure as median, and from least to most where there are several."""
    least, most = figure.spread
    spread = f" [{least:.3g} to {most:.3g}, {len(figure.laps)} rounds]" if len(figure.laps) > 1 else ""
    return f"{figure.median:.3g} {figure.unit}{spread}"


def _goals(line: Line, unit: str) -> str:
    return "; ".join(goal.words(unit) for goal in line.goals)


def _verdict(goal: Goal, ours: Figure, peer: Figure | None, *, full: bool) -> str:
    if goal.full_only and not full:
        return "(of the full size)"
    value = ours.median if goal.sense is Sense.ALONE else ratio_of(goal.sense, ours, peer)
    if value is None:
        return "not known"
    return "yes" if goal.holds(value) else "no"
