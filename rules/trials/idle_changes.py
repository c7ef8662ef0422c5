"""Which kept changes cannot move an alert, so that a backtest need not look at their polls.

While a condition is false and no alert is open, nothing moves; and a spell that ends before its `for` never fires.
What is true when, the compiled condition says, asked once for each combination of values; nothing is decided here.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from rules.documents.document import Rule
from rules.language.expressions import (
    And,
    Arithmetic,
    Compare,
    Expression,
    Extreme,
    FieldRef,
    IsUnknown,
    Literal,
    Membership,
    Not,
    Or,
    fields_of,
    parts_of,
    walk,
)
from rules.language.fields import FIELDS, FieldSpec, Type
from rules.matching.clauses import compile_condition
from rules.trials.history import AS_NOW, Change, Kept

FALSE, QUIET, LOUD = "false", "quiet", "loud"
Poll = Callable[[datetime], datetime]
"""Gives the first poll that could see what happened at a moment."""


def merge_if_plain(connection: Connection, rule: Rule, kept: Kept) -> bool:
    """Whether a rule has spells: changes between values that mean the same to it are taken out of `kept`.

    It has none where it reads more than the present values of kept fields, or must know what was pending in a gap.
    """
    is_plain = merge_alike(connection, rule, kept)
    is_plain = is_plain and rule.for_hours is None and not kept.whereabouts.left
    return is_plain and rule.for_each in {"connector", "charger"} and not (kept.gaps and rule.on_gap != "keep")


class Spells:
    """The spells of each subject of a rule whose condition reads kept fields alone, poll by poll."""

    def __init__(self, connection: Connection, rule: Rule, kept: Kept, poll: Poll) -> None:
        self.for_each, self.poll = rule.for_each or "", poll
        self.of_charger: dict[str, list[str]] = defaultdict(list)
        for row in kept.connectors.values():
            self.of_charger[row.charger_id].append(row.id)
        assert rule.when is not None  # noqa: S101 - checked before
        self.keys = sorted(fields_of(rule.when))
        self.truths = Truths(connection, rule.when, self.keys)
        self.spells = {subject: self._spells(rule, told) for subject, told in self._timelines(kept, poll).items()}

    def may_move(self, changes: Iterable[Change], open_subjects: Collection[str]) -> bool:
        """Whether changes that are seen at one poll may move an alert; `open_subjects` have one."""
        for change in changes:
            moment = self.poll(change.at)
            for subject in self._subjects(change):
                if subject in open_subjects or LOUD in self._around(subject, moment):
                    return True
        return False

    def _subjects(self, change: Change) -> list[str]:
        if change.thing == self.for_each:
            return [change.thing_id]
        return self.of_charger[change.thing_id] if change.thing == "charger" else []

    def _around(self, subject: str, moment: datetime) -> tuple[str, str]:
        moments, kinds = self.spells.get(subject, ([], []))
        before, after = bisect_left(moments, moment), bisect_right(moments, moment)
        return kinds[before - 1] if before else FALSE, kinds[after - 1] if after else FALSE

    def _timelines(self, kept: Kept, poll: Poll) -> dict[str, list[tuple[datetime, datetime, bool | None]]]:
        """By subject (poll, since, truth): what the condition says after each poll that saw a change of its fields."""
        specs = {(FIELDS[key].thing, FIELDS[key].interval): FIELDS[key] for key in self.keys}
        described = [key for key in self.keys if key in AS_NOW]
        values: dict[str, dict[str, Any]] = {}
        told: dict[str, list[tuple[datetime, datetime, bool | None]]] = defaultdict(list)
        for change in (*kept.before, *kept.changes):
            spec = specs.get((change.thing, change.field))
            if spec is None:
                continue
            for subject in self._subjects(change):
                if subject not in values:
                    values[subject] = {key: kept.description(key, self.for_each, subject) for key in described}
                values[subject][spec.key] = _stored(spec, change.value)
                seen, truth = poll(change.at), self.truths.of(values[subject])
                timeline = told[subject]
                if timeline and timeline[-1][0] == seen:  # of several changes between two polls the last one is seen
                    timeline.pop()
                timeline.append((seen, change.at, truth))
        return told

    def _spells(
        self, rule: Rule, timeline: list[tuple[datetime, datetime, bool | None]]
    ) -> tuple[list[datetime], list[str]]:
        kinds = []
        for place, (_, since, truth) in enumerate(timeline):
            before = timeline[place - 1][2] if place else None
            after = timeline[place + 1] if place + 1 < len(timeline) else None
            if truth is False:
                kinds.append(FALSE)
                continue
            alone = before is False and truth is True and after is not None and after[2] is False
            ends_first = after is not None and self.poll(since + rule.for_) >= after[0]
            kinds.append(QUIET if alone and ends_first else LOUD)
        return [seen for seen, _, _ in timeline], kinds


class Truths:
    """What a compiled condition says of each combination of values, asked once for each."""

    def __init__(self, connection: Connection, condition: Expression, keys: list[str]) -> None:
        self.connection, self.condition, self.keys = connection, condition, keys
        self.known: dict[tuple[Any, ...], bool | None] = {}

    def of(self, values: dict[str, Any]) -> bool | None:
        """The truth with these values by field; a field without one is unknown."""
        combination = tuple(values.get(key) for key in self.keys)
        if combination not in self.known:
            truth = compile_condition(self.condition, lambda key: _literal(values.get(key)))
            column = sa.type_coerce(truth, sa.Boolean())
            self.known[combination] = self.connection.execute(sa.select(column)).scalar()
        return self.known[combination]


def _stored(spec: FieldSpec, value: str | None) -> Any:
    if spec.type is Type.BOOLEAN:
        return {"true": True, "false": False}.get(value or "")
    return value


def _literal(value: Any) -> ColumnElement[Any]:
    return sa.cast(sa.null(), sa.String) if value is None else sa.literal(value)


_PLAIN = (Compare, Membership, IsUnknown, FieldRef, Literal, Arithmetic, Extreme)


def _leaves(expression: Expression) -> list[Expression]:
    if isinstance(expression, And | Or | Not):
        return [leaf for part in parts_of(expression) for leaf in _leaves(part)]
    return [expression]


def merge_alike(connection: Connection, rule: Rule, kept: Kept) -> bool:
    """Whether the rule reads present values of kept fields alone, and what describes the things that have them.

    Leaves out the changes between values that no clause of the rule tells apart, as Available and Charging here.

    Which values are alike, the compiled clauses themselves say. Where a clause compares several fields, or looks at
    more than the present value, every change counts.
    """
    conditions = [part for part in (rule.when, rule.while_) if part is not None]
    keys = frozenset(key for part in conditions for key in fields_of(part))
    leaves = [leaf for part in conditions for leaf in _leaves(part)]
    if not all(isinstance(node, _PLAIN) for leaf in leaves for node in walk(leaf)):
        return False
    alike: dict[tuple[str, str], Mapping[str | None, Any]] = {}
    for key in keys:
        spec = FIELDS[key]
        reading = [leaf for leaf in leaves if key in fields_of(leaf)]
        if spec.interval is not None and spec.kept is None and all(len(fields_of(leaf)) == 1 for leaf in reading):
            told = (*kept.before, *kept.changes)
            values = {item.value for item in told if (item.thing, item.field) == (spec.thing, spec.interval)}
            alike[spec.thing, spec.interval] = _classes(connection, reading, values, spec)
    last: dict[tuple[Any, ...], Any] = {}
    for item in kept.before:
        last[_of_one_life(kept, item)] = alike.get((item.thing, item.field), {}).get(item.value, item)
    news = []
    for item in kept.changes:
        of_it = _of_one_life(kept, item)
        kind = alike.get((item.thing, item.field), {}).get(item.value, item)
        if of_it not in last or last[of_it] != kind:
            news.append(item)
        last[of_it] = kind
    kept.changes = news
    return all((FIELDS[key].interval is not None and FIELDS[key].kept is None) or key in AS_NOW for key in keys)


def _of_one_life(kept: Kept, item: Change) -> tuple[Any, ...]:
    """A field of a thing in one of its lives: what comes back is at first sight again."""
    return item.thing, item.thing_id, item.field, kept.whereabouts.which_life((item.thing, item.thing_id), item.at)


def _classes(
    connection: Connection, leaves: Iterable[Expression], values: Iterable[str | None], spec: FieldSpec
) -> Mapping[str | None, Any]:
    """For each stored value, what the compiled clauses say of it: equal answers are alike."""
    told = [Truths(connection, leaf, [spec.key]) for leaf in leaves]
    return {value: tuple(truth.of({spec.key: _stored(spec, value)}) for truth in told) for value in values}
