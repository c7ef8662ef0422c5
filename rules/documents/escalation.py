"""The ladder of an alert that nobody acknowledges: after how long it speaks again, and whom it then mentions.

It reads and writes the key `escalate` of a rule and nothing else; when a step is due is known to the database.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rules.language.conditions import QuantityError, parse_duration
from rules.language.expressions import duration_text

MOST_STEPS = 10
LONGEST_WAIT = timedelta(days=30)

_EXAMPLE = '[{after: 30m, notify: ["@oncall"]}]'
_MENTION = re.compile(r"@[a-z0-9][a-z0-9._-]{0,79}")  # a user group's handle


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `after` counts from the first message; `notify` are user groups by their handles, with the @."""

    after: timedelta
    notify: tuple[str, ...]


def read_steps(value: Any) -> tuple[tuple[Step, ...], list[str]]:
    """The steps that a document's `escalate` says, and what is wrong with it."""
    entries = [value] if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, Mapping) for entry in entries):
        return (), [f'"escalate" must be a list of steps, as in {_EXAMPLE}']
    if len(entries) > MOST_STEPS:
        return (), [f'"escalate" has {len(entries)} steps, which is more than {MOST_STEPS}']
    steps: list[Step] = []
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        step, wrong = _step(entry)
        problems += [f'"escalate", step {number}: {problem}' for problem in wrong]
        if step is not None:
            if steps and step.after <= steps[-1].after:
                problems.append(f'"escalate", step {number}: it does not come after the step before it')
            steps.append(step)
    return (() if problems else tuple(steps)), problems


def steps_document(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The steps as they stand in a stored document."""
    return [{"after": duration_text(step.after.total_seconds()), "notify": list(step.notify)} for step in steps]


def _step(entry: Mapping[str, Any]) -> tuple[Step | None, list[str]]:
    problems = [f'unknown key "{str(key)[:60]}"' for key in entry if key not in {"after", "notify"}]
    after: timedelta | None = None
    try:
        after = timedelta(seconds=parse_duration(str(entry.get("after", ""))))
        if not timedelta() < after <= LONGEST_WAIT:
            problems.append(f'"after" must be longer than nothing and at most {LONGEST_WAIT.days} days')
    except QuantityError as error:
        problems.append(f'"after": {error.message}')
    named = entry.get("notify", ())
    mentions = [named] if isinstance(named, str) else named
    if not isinstance(mentions, list | tuple) or not mentions:
        problems.append('"notify" must be a list of user groups, as in ["@oncall"]')
        mentions = ()
    for mention in mentions:
        named_well = isinstance(mention, str) and _MENTION.fullmatch(mention)
        problems += [] if named_well else [f'"{str(mention)[:60]}" is no user group, such as "@oncall"']
    if problems or after is None:
        return None, problems
    return Step(after, tuple(dict.fromkeys(mentions))), []
