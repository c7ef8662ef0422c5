"""The ladder of a rule's actions: what each step does, how often it may, who approves, and how its help is seen.

It reads and writes the key `actions` of a rule and nothing else. Whether a step is due, and whether anything speaks
against it, is decided in `automations`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rules.language.conditions import QuantityError, parse_condition, parse_duration
from rules.language.errors import ConditionErrors
from rules.language.expressions import Expression, duration_text
from rules.language.fields import nearest

MOST_STEPS = 5
MOST_TIMES = 1000
LONGEST_WINDOW = timedelta(days=30)
LONGEST_WAIT = timedelta(hours=24)
SHORTEST_WITHIN = timedelta(minutes=1)

MOST_MONEY = 1_000_000.0
"""The highest price that anybody may set, in any currency."""

CHANNEL = re.compile(r"#[^\s#@,.:A-Z]{1,80}|[CG][A-Z0-9]{2,20}")
"""A Slack channel's name, or its id."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` times within `window`."""

    count: int
    window: timedelta

    def __str__(self) -> str:
        return f"{self.count} per {duration_text(self.window.total_seconds())}"


LIMIT = Limit(2, timedelta(hours=24))
"""How often one charger is acted on by one kind of action, where the step does not say."""

LIMIT_TOTAL = Limit(10, timedelta(hours=24))
"""How often all chargers together are: what a mistaken rule can do in a night stays small."""

COOL_DOWN = timedelta(minutes=10)
WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Act:
    """An action as it is written: its values with the kind of command each makes, and what alerts it needs."""

    kinds: Mapping[str, str]
    needs: frozenset[str]  # the `for_each` that lead to what it acts on
    targets: Mapping[str, str] = field(default_factory=dict)  # by value; without one, what the alert is about


_AT_CHARGER = frozenset({"charger", "connector", "session"})
_AT_CONNECTOR = frozenset({"connector", "session"})

ACTS: Mapping[str, Act] = {
    "reset": Act({"soft": "reset_soft", "hard": "reset_hard"}, _AT_CHARGER, {"soft": "charger", "hard": "charger"}),
    "unlock": Act({"connector": "unlock"}, _AT_CONNECTOR),
    "enable": Act({"connector": "enable", "charger": "enable"}, _AT_CHARGER),
    "disable": Act({"connector": "disable", "charger": "disable"}, _AT_CHARGER),
    "start": Act({"session": "start_session"}, frozenset({"connector"}), {"session": "connector"}),
    "stop": Act({"session": "stop_session"}, _AT_CONNECTOR),
}
"""What a step can do: the word, its values, and the kind of the command that it makes."""

PRICE = "price"
"""The one action whose value is a number: the default price per kWh of the alert's location."""

WORDS = (*ACTS, PRICE)
STEP_KEYS = (*WORDS, "limit", "limit_total", "cool_down", "after", "approval", "verify", "within")
_EXAMPLE = "[{reset: soft, limit: 2 per 24h, within: 5m}]"
_READ_BACK = ("verify", "within")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_LIMIT = re.compile(r"\s*([0-9]{1,6})\s+per\s+(.+)")


@dataclass(frozen=True, slots=True)
class ActionStep:
    """One step. `kind` is the kind of the command it makes, `target` the thing that is acted on.

    `price` is per kWh, VAT included, in the location's currency; None where the step changes no price.
    `verify` None: it helped when the rule's own condition is false. `after` counts from the step before, or from the
    firing; `approval` is the channel that is asked first.
    """

    kind: str
    target: str  # charger | connector | session | location
    limit: Limit = LIMIT
    limit_total: Limit = LIMIT_TOTAL
    cool_down: timedelta = COOL_DOWN
    after: timedelta = timedelta()
    approval: str | None = None
    verify: Expression | None = None
    verify_text: str | None = None
    within: timedelta = WITHIN
    written: tuple[str, str | float] = ("", "")  # the action's word and value, as in the document
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with `actions`; one inside `verify` has its column and the condition's text."""

    message: str
    suggestion: str | None = None
    column: int | None = None
    condition: str | None = None


def read_actions(value: Any, for_each: str | None) -> tuple[tuple[ActionStep, ...], list[Problem]]:
    """The steps that a document's `actions` says, and everything that is wrong with it."""
    entries = [value] if isinstance(value, Mapping) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(entry, Mapping) for entry in entries):
        return (), [Problem(f'"actions" must be a list of steps, as in {_EXAMPLE}')]
    if not entries:
        return (), [Problem(f'"actions" is empty; a step looks like {_EXAMPLE}')]
    if len(entries) > MOST_STEPS:
        return (), [Problem(f'"actions" has {len(entries)} steps, which is more than {MOST_STEPS}')]
    steps: list[ActionStep] = []
    problems: list[Problem] = []
    for number, entry in enumerate(entries, 1):
        reader = _StepReader(entry, number, for_each)
        step = reader.step()
        problems += reader.problems
        if step is not None:
            steps.append(step)
    if sum(PRICE in entry for entry in entries) > 1:
        problems.append(Problem(f'"actions": more than one step says "{PRICE}"; an alert changes a price once'))
    return (() if problems else tuple(steps)), problems


def actions_document(steps: Sequence[ActionStep]) -> list[dict[str, Any]]:
    """The steps as they stand in a stored document: what is as by default is left out."""
    return [_step_document(step) for step in steps]


def _step_document(step: ActionStep) -> dict[str, Any]:
    word, said = step.written
    told: dict[str, Any] = {
        word: said,
        "limit": str(step.limit) if step.limit != LIMIT else None,
        "limit_total": str(step.limit_total) if step.limit_total != LIMIT_TOTAL else None,
        "cool_down": duration_text(step.cool_down.total_seconds()) if step.cool_down != COOL_DOWN else None,
        "after": duration_text(step.after.total_seconds()) if step.after else None,
        "approval": step.approval,
        "verify": step.verify_text,
        "within": duration_text(step.within.total_seconds()) if step.within != WITHIN else None,
    }
    return {key: value for key, value in told.items() if value is not None}


class _StepReader:
    """Reads one step and notes each of its errors; what is wrong reads as the default."""

    def __init__(self, entry: Mapping[Any, Any], number: int, for_each: str | None) -> None:
        self.entry, self.number, self.for_each = entry, number, for_each
        self.problems: list[Problem] = []

    def wrong(self, message: str, suggestion: str | None = None) -> None:
        self.problems.append(Problem(f'"actions", step {self.number}: {message}', suggestion))

    def step(self) -> ActionStep | None:
        for key in map(str, self.entry):
            if key not in STEP_KEYS:
                self.wrong(f'unknown key "{key[:60]}"', nearest(key, STEP_KEYS))
        act = self._act()
        if PRICE in self.entry:
            for key in _READ_BACK:
                if key in self.entry:
                    self.wrong(f'"{key}" has no meaning with "{PRICE}": the prices are read back from EOSVOLT')
            if self.problems:
                return None
        verify, text = self._verify()
        limit, total = self._limit("limit", LIMIT), self._limit("limit_total", LIMIT_TOTAL)
        if total.count < limit.count and "limit_total" not in self.entry:
            total = Limit(limit.count, LIMIT_TOTAL.window)
        cool_down = self._duration("cool_down", COOL_DOWN, shortest=timedelta())
        after = self._duration("after", timedelta(), shortest=timedelta())
        within = self._duration("within", WITHIN, shortest=SHORTEST_WITHIN)
        approval = self._approval()
        if act is None or self.problems:
            return None
        kind, target, written = act
        price = float(written[1]) if written[0] == PRICE else None
        return ActionStep(
            kind, target, limit, total, cool_down, after, approval, verify, text, within, written=written, price=price
        )

    def _act(self) -> tuple[str, str, tuple[str, str | float]] | None:
        words = [word for word in WORDS if word in self.entry]
        if len(words) > 1:
            self.wrong(f"it says {' and '.join(words)}; one step does one thing")
        elif not words:
            self.wrong(f"it does nothing; expected one of {', '.join(WORDS)}")
        if len(words) != 1:
            return None
        word, said = words[0], self.entry[words[0]]
        if word == PRICE:
            return self._price(said)
        act = ACTS[word]
        if not isinstance(said, str) or said not in act.kinds:
            near = nearest(str(said), act.kinds)
            self.wrong(f'"{word}" is "{str(said)[:60]}", but must be {" or ".join(act.kinds)}', near)
            return None
        target = act.targets.get(said) or (said if word in {"enable", "disable"} else self.for_each or "")
        needs = _AT_CONNECTOR if target == "connector" and word in {"enable", "disable"} else act.needs
        if self.for_each is not None and self.for_each not in needs:
            given = ", ".join(sorted(needs))
            self.wrong(f'"{word}: {said}" needs a rule for each of {given}: an alert on a {self.for_each} names none')
            return None
        if word == "unlock":
            target = "connector"
        return act.kinds[said], target, (word, said)

    def _price(self, said: Any) -> tuple[str, str, tuple[str, str | float]] | None:
        if isinstance(said, int | float) and not isinstance(said, bool) and 0 < said <= MOST_MONEY:
            return "change_price", "location", (PRICE, said)
        named = said.strip().replace(",", ".", 1) if isinstance(said, str) else ""
        near = named if _AMOUNT.fullmatch(named) and 0 < float(named) <= MOST_MONEY else None
        self.wrong(
            f'"{PRICE}" is "{str(said)[:60]}", but must be a number per kWh above 0 and at most {MOST_MONEY:,.0f}', near
        )
        return None

    def _limit(self, key: str, default: Limit) -> Limit:
        if key not in self.entry:
            return default
        value = self.entry[key]
        found = _LIMIT.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            self.wrong(f'"{key}" is "{str(value)[:60]}", but must look like "2 per 24h"')
            return default
        try:
            # "2 per day" counts over one of them
            window = timedelta(seconds=parse_duration(found[2] if found[2][0].isdigit() else f"1 {found[2]}"))
        except QuantityError as error:
            self.wrong(f'"{key}": {error.message}', error.suggestion)
            return default
        count = int(found[1])
        if not 1 <= count <= MOST_TIMES:
            self.wrong(f'"{key}" is {count} times, but must be 1 to {MOST_TIMES:,}')
            return default
        if not timedelta() < window <= LONGEST_WINDOW:
            self.wrong(f'"{key}" counts over longer than nothing and at most {LONGEST_WINDOW.days} days')
            return default
        return Limit(count, window)

    def _duration(self, key: str, default: timedelta, *, shortest: timedelta) -> timedelta:
        if key not in self.entry:
            return default
        value = self.entry[key]
        if value == 0 and not isinstance(value, bool) and not shortest:
            return timedelta()
        try:
            read = timedelta(seconds=parse_duration(str(value)))
        except QuantityError as error:
            self.wrong(f'"{key}": {error.message}', error.suggestion)
            return default
        if not shortest <= read <= LONGEST_WAIT:
            least = f"at least {duration_text(shortest.total_seconds())} and " if shortest else ""
            self.wrong(f'"{key}" must be {least}at most {duration_text(LONGEST_WAIT.total_seconds())}')
            return default
        return read

    def _approval(self) -> str | None:
        if "approval" not in self.entry:
            return None
        value = self.entry["approval"]
        if isinstance(value, str) and CHANNEL.fullmatch(value):
            return value
        named = f"#{str(value).lower()}"
        near = named if CHANNEL.fullmatch(named) else None
        self.wrong(f'"approval" is "{str(value)[:60]}", which is no Slack channel, such as "#ev-ops"', near)
        return None

    def _verify(self) -> tuple[Expression | None, str | None]:
        if "verify" not in self.entry:
            return None, None
        text = self.entry["verify"]
        if not isinstance(text, str) or not text.strip():
            self.wrong('"verify" must be a condition, such as connector.status != "Faulted"')
            return None, None
        if self.for_each is None:
            return None, None
        try:
            return parse_condition(text, for_each=self.for_each), text.strip()
        except ConditionErrors as errors:
            for error in errors.errors:
                message = f'"actions", step {self.number}: {error.sentence()}'
                self.problems.append(Problem(message, None, error.column, text))
            return None, None
