"""A severity that rises while its alert fires: `[warning, {after: 4h, severity: critical}]`.

It reads and writes the key `severity` of a rule and says what is due; when an alert fired is known to the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rules.language.conditions import QuantityError, parse_duration
from rules.language.expressions import duration_text
from rules.language.fields import nearest

SEVERITIES = ("info", "warning", "critical")
"""From the least to the gravest."""

LONGEST_RISE = timedelta(days=30)
_EXAMPLE = "[warning, {after: 4h, severity: critical}]"


@dataclass(frozen=True, slots=True)
class Rise:
    """From `after` on, counted from when the alert fired, it is of this `severity`."""

    after: timedelta
    severity: str


def graver(one: str, other: str | None) -> str:
    """The graver of two severities; a word that is none counts for nothing."""
    known = [word for word in (one, other) if word in SEVERITIES]
    return max(known, key=SEVERITIES.index) if known else one


def severity_after(rises: Sequence[Rise], fired_for: timedelta) -> str | None:
    """The highest step that is due once an alert has fired for so long; None before the first one."""
    due = [rise.severity for rise in rises if rise.after <= fired_for]
    return due[-1] if due else None


def first_severity(document: Mapping[str, Any]) -> str:
    """The severity that a stored rule begins with."""
    said = document.get("severity") or "warning"
    return str(said[0]) if isinstance(said, list | tuple) and said else str(said)


def read_rises(value: Sequence[Any]) -> tuple[str | None, tuple[Rise, ...], list[str]]:
    """The severity that a list begins with and what it rises to, and what is wrong with it."""
    first, *rest = value or [None]
    if first not in SEVERITIES or not rest or not all(isinstance(entry, Mapping) for entry in rest):
        return None, (), [f'a "severity" that rises is a list of one word and steps, as in {_EXAMPLE}']
    problems: list[str] = []
    rises: list[Rise] = []
    for number, entry in enumerate(rest, 1):
        rise, wrong = _step(entry)
        if rise is not None:
            before = rises[-1] if rises else Rise(timedelta(), str(first))
            if SEVERITIES.index(rise.severity) <= SEVERITIES.index(before.severity):
                wrong.append(f'"{rise.severity}" is no graver than "{before.severity}" before it')
            if rise.after <= before.after:
                wrong.append("it does not come after the step before it")
            rises.append(rise)
        problems += [f'"severity", step {number}: {problem}' for problem in wrong]
    return (None, (), problems) if problems else (str(first), tuple(rises), [])


def rises_document(severity: str, rises: Sequence[Rise]) -> str | list[Any]:
    """The severity as it stands in a stored document."""
    if not rises:
        return severity
    steps = [{"after": duration_text(one.after.total_seconds()), "severity": one.severity} for one in rises]
    return [severity, *steps]


def _step(entry: Mapping[str, Any]) -> tuple[Rise | None, list[str]]:
    problems = [f'unknown key "{str(key)[:60]}"' for key in entry if key not in {"after", "severity"}]
    after: timedelta | None = None
    try:
        after = timedelta(seconds=parse_duration(str(entry.get("after", ""))))
        if not timedelta() < after <= LONGEST_RISE:
            problems.append(f'"after" must be longer than nothing and at most {LONGEST_RISE.days} days')
    except QuantityError as error:
        problems.append(f'"after": {error.message}')
    severity = entry.get("severity")
    if severity not in SEVERITIES:
        near = nearest(str(severity), SEVERITIES)
        meant = f'; did you mean "{near}"?' if near else ""
        problems.append(f'"severity" is "{str(severity)[:60]}", but must be info, warning or critical{meant}')
    return (None if problems or after is None else Rise(after, str(severity))), problems
