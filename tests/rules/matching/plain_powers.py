"""A slow, plain reading of `avg`, `min` and `max` of a power over a time, over all rows that are stored."""

import itertools
import math
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.language.expressions import Windowed
from storage.schema import GAP, INTERVAL, POWER
from tests.rules.matching.plain_conditions import Between

Row = Any


class Powers:
    """Everything that is kept of powers."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.now = now
        self.rows = list(connection.execute(sa.select(POWER).order_by(POWER.c.valid_from, POWER.c.id)))
        self.gaps = list(connection.execute(sa.select(GAP).where(GAP.c.resource == "chargers")))
        is_stale = (INTERVAL.c.thing == "connector", INTERVAL.c.field == "stale")
        self.stale = list(connection.execute(sa.select(INTERVAL).where(*is_stale)))

    def over(self, node: Windowed, row: Row) -> float | Between | None:
        """What is said of a thing: a value, or all that it may be where the window is not covered."""
        kept = [one.valid_from for one in self.rows if one.thing == "kept" and one.valid_to is None]
        if row is None or not kept:
            return None
        begin = self.now - timedelta(seconds=float(node.window.value))
        known = max(kept[0], row.first_seen_at)
        seen = self.mean(node, row, max(begin, known)) if node.name == "avg" else self.extreme(node, row, begin, known)
        if known <= begin:
            return seen
        if seen is None or node.name == "avg":
            return None
        return Between(seen, math.inf) if node.name == "max" else Between(-math.inf, seen)

    def of(self, node: Windowed, row: Row) -> list[Row]:
        return [one for one in self.rows if (one.thing, one.thing_id) == (node.of, row.id) and one.kw is not None]

    def extreme(self, node: Windowed, row: Row, begin: datetime, known: datetime) -> float | None:
        start = max(begin, known)
        told = [one.kw for one in self.of(node, row) if one.valid_to is None or one.valid_to > start]
        return None if not told else max(told) if node.name == "max" else min(told)

    def mean(self, node: Windowed, row: Row, begin: datetime) -> float | None:
        """Between any two moments at which something changed, nothing does."""
        mine = self.of(node, row)
        unseen = [*self.gaps, *(one for one in self.stale if node.of == "connector" and one.thing_id == row.id)]
        moments = {moment for one in (*mine, *unseen) for moment in (one.valid_from, one.valid_to) if moment}
        edges = sorted({begin, self.now, *(moment for moment in moments if begin < moment < self.now)})
        total = lasted = 0.0
        for start, end in itertools.pairwise(edges):
            held = [one for one in mine if _holds(one, start)]
            if held and not any(_holds(one, start) for one in unseen):
                total += held[0].kw * (end - start).total_seconds()
                lasted += (end - start).total_seconds()
        return total / lasted if lasted else None


def _holds(one: Row, moment: datetime) -> bool:
    return bool(one.valid_from <= moment and (one.valid_to is None or moment < one.valid_to))
