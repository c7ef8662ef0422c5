"""What the kept powers say of a window that ends now: the mean over the time that was seen, the least, the greatest.

Time in which nothing was polled, or no power could be read, is left out. Whether history
covers the window is for `learning` to say.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, FromClause

from rules.language.expressions import Windowed
from rules.matching.scope import NOW, Scope
from storage.dialects import greatest, least
from storage.recording.powers import KEPT, KEPT_SINCE
from storage.schema import GAP, POWER
from storage.sql import seconds_between


def power_known_since(node: Windowed, scope: Scope) -> ColumnElement[Any]:
    """From when on the power of a thing is known without a break; null where none is kept."""
    kept = KEPT_SINCE.scalar_subquery()
    first_seen: ColumnElement[Any] = scope.tables[node.of].c.first_seen_at
    return sa.case((kept.is_not(None), greatest(kept, first_seen)))


def power_is_covered(node: Windowed, start: ColumnElement[Any], scope: Scope) -> ColumnElement[bool]:
    """Whether the power of a thing is known without a break since `start`."""
    return sa.and_(KEPT_SINCE.scalar_subquery() <= start, scope.tables[node.of].c.first_seen_at <= start)


def seen_of_power(node: Windowed, start: ColumnElement[Any], scope: Scope) -> ColumnElement[Any]:
    """`avg`, `min` or `max` of a power over what is kept of the window."""
    over = _Power(node, start, scope)
    return over.mean() if node.name == "avg" else over.extreme(node.name)


class _Power:
    """The kept powers of one thing in a window, so far as they are known without a break."""

    def __init__(self, node: Windowed, start: ColumnElement[Any], scope: Scope) -> None:
        self.outer = scope.tables[node.of]
        self.power, kept = POWER.alias(), POWER.alias()
        mine = self.power.c
        self.start = greatest(start, kept.c.valid_from, self.outer.c.first_seen_at)
        self.source: FromClause = self.power.join(
            kept, sa.and_(kept.c.thing == KEPT, kept.c.thing_id == "", kept.c.valid_to.is_(None))
        )
        self.where = [
            *(mine.thing == node.of, mine.thing_id == self.outer.c.id, mine.kw.is_not(None)),
            sa.or_(mine.valid_to.is_(None), mine.valid_to > self.start),
        ]

    def extreme(self, name: str) -> ColumnElement[Any]:
        """The least or greatest power that was told in the window, or stood at its beginning."""
        found = sa.select(getattr(sa.func, name)(self.power.c.kw)).select_from(self.source)
        return self._of_it(found.where(*self.where, self.power.c.valid_from <= NOW))

    def mean(self) -> ColumnElement[Any]:
        """The mean over the time that was seen: all of it, less the gaps in polling."""
        seen = self._spans()
        began = greatest(self.start, self.power.c.valid_from, seen.c.valid_from)
        ended = least(NOW, *(sa.func.coalesce(span.c.valid_to, NOW) for span in (self.power, seen)))
        seconds = seen.c.sign * seconds_between(began, ended)
        mean = sa.func.sum(self.power.c.kw * seconds) / sa.func.nullif(sa.func.sum(seconds), 0.0)
        found = sa.select(mean).select_from(self.source.join(seen, sa.true()))
        return self._of_it(found.where(*self.where, began < ended))

    def _of_it(self, found: sa.Select[Any]) -> ColumnElement[Any]:
        return found.correlate(self.outer).scalar_subquery()

    @staticmethod
    def _spans() -> FromClause:
        moment = POWER.c.valid_from.type
        always = sa.select(
            sa.literal(_LONG_AGO, moment).label("valid_from"),
            sa.cast(sa.null(), moment).label("valid_to"),
            sa.literal(1.0).label("sign"),
        )
        gaps = sa.select(GAP.c.valid_from, GAP.c.valid_to, sa.literal(-1.0)).where(GAP.c.resource == "chargers")
        return sa.union_all(always, gaps).subquery()


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
