"""The keys of a rule's document, each read and checked: names, durations, channels, schedules, conditions.

It notes every error with its line instead of raising at the first, and reads what is wrong as the default.
"""

import functools
import re
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cronsim import CronSim, CronSimError

from rules.actions.audience import place_of, wrong_place
from rules.actions.steps import ActionStep, read_actions
from rules.documents.escalation import Step, read_steps
from rules.documents.plain_schedules import cron_of
from rules.documents.titles import title_places, title_problem
from rules.documents.yaml_text import YamlItem
from rules.hours import Hours, read_hours
from rules.language.conditions import QuantityError, parse_duration
from rules.language.errors import RuleError
from rules.language.expressions import Expression, duration_text
from rules.language.fields import REACHABLE, THINGS, nearest
from rules.language.guesses import parse_for
from rules.rising import SEVERITIES, Rise, read_rises

Kind = Literal["alert", "digest", "event"]
OnGap = Literal["keep", "pause", "reset"]
Severity = Literal["info", "warning", "critical"]

ON_GAP = ("keep", "pause", "reset")
DIGESTS = ("sessions", "uptime", "alerts", "revenue", "maintenance")
GROUPS = ("location", "charger", "connector", "session")

EVENTS = {
    "session.started": "session",
    "session.ended": "session",
    "session.failed": "session",
    "status.changed": "connector",
    "error_code.changed": "connector",
    "charger.online": "charger",
    "charger.offline": "charger",
    "price.changed": "location",
}
"""What `on` can name, and the thing that each happens to: its fields, and those of the things above, can be read."""

SETTLE = timedelta(minutes=2)
MAX_AGE = timedelta(hours=1)

KEYS_OF_ALL = ("name", "description", "notify", "labels")
SPEECH_KEYS = ("repeat", "ack_for", "escalate", "inhibits", "safety")
ACTION_KEYS = ("actions", "alert", "dry_run")
ALERT_WHEN = ("after_actions", "at_once")
ALERT_KEYS = ("for_each", "when", "while", "for", "keep_firing_for", "on_gap", "severity", "group_by")
KEYS_OF: dict[Kind, tuple[str, ...]] = {
    "alert": (
        "for_each",
        "when",
        "while",
        "for",
        "keep_firing_for",
        "on_gap",
        "severity",
        "title",
        "group_by",
        *SPEECH_KEYS,
        *ACTION_KEYS,
    ),
    "digest": ("schedule", "timezone", "digest", "window", "each", "location", "label"),
    "event": ("on", "when", "settle", "max_age", "severity", "title"),
}
NEEDED: dict[Kind, tuple[str, ...]] = {
    "alert": ("name", "for_each", "when"),
    "digest": ("name", "schedule", "digest"),
    "event": ("name", "on"),
}

SHORTEST_REPEAT = timedelta(minutes=5)
"""The shortest `repeat`: no thread is spoken in more often than a group may be."""

ACK_FOR = timedelta(hours=24)
"""How long an acknowledgement lasts where the rule says nothing."""

LONGEST_DURATION = timedelta(days=400)
"""The longest `for`: as long as history is kept by default."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_LABEL = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class EventKeys:
    """What an event rule waits for, and when it judges it."""

    on: str | None = None
    settle: timedelta = SETTLE
    max_age: timedelta = MAX_AGE


@dataclass(frozen=True, slots=True)
class SpeechKeys:
    """How the alerts of a rule speak, and which others they keep quiet."""

    repeat: timedelta | None = None
    ack_for: timedelta = ACK_FOR
    escalate: tuple[Step, ...] = ()
    inhibits: tuple[str, ...] = ()
    safety: bool = False


@dataclass(frozen=True, slots=True)
class ActionKeys:
    """What a rule does about its alerts, and whether they speak before that."""

    actions: tuple[ActionStep, ...] = ()
    alert_at_once: bool = False
    dry_run: bool = False


class DocumentReader:
    """Reads the keys of one document and notes each error with its line; what is wrong reads as the default."""

    def __init__(self, item: YamlItem, source: str) -> None:
        self.item = item
        self.source = source
        self.values: dict[str, Any] = item.value if isinstance(item.value, dict) else {}
        name = self.values.get("name")
        self.rule = name[:80] if isinstance(name, str) and name.strip() else None
        self.errors: list[RuleError] = []
        for problem in item.problems:
            where = (problem.line, problem.column, None, problem.written, True)
            self.errors.append(RuleError(source, self.rule, problem.message, *where))

    def wrong(self, key: str | None, message: str, suggestion: str | None = None) -> None:
        line = self.item.key_lines.get(key, self.item.line) if key is not None else self.item.line
        message += f'; did you mean "{suggestion}"?' if suggestion else ""
        self.errors.append(RuleError(self.source, self.rule, message, line or None))

    def keys(self, kind: Kind) -> None:
        """Every key is known, belongs to the kind of rule, and none that it needs is missing."""
        known = tuple(dict.fromkeys((*KEYS_OF_ALL, *(key for keys in KEYS_OF.values() for key in keys))))
        for key in map(str, self.values):
            if key not in known:
                self.wrong(key, f'unknown key "{key[:60]}"', nearest(key, known))
            elif key not in KEYS_OF_ALL and key not in KEYS_OF[kind]:
                self.wrong(key, f'"{key}" does not belong in a rule {_whose(kind, key)}')
        for key in NEEDED[kind]:
            if key not in self.values:
                self.wrong(None, f'the key "{key}" is missing')

    def text(self, key: str, longest: int = 2000) -> str | None:
        """The text at `key` without spaces around it; None where the key is absent or its value is no text."""
        if key not in self.values:
            return None
        value = self.values[key]
        if value is None or (isinstance(value, str) and not value.strip()):
            self.wrong(key, f'"{key}" is empty')
            return None
        if not isinstance(value, str):
            self.wrong(key, f'"{key}" must be a text, but this is {kind_of_value(value)}')
            return None
        if len(value) > longest:
            self.wrong(key, f'"{key}" has more than {longest:,} characters')
            return None
        return value.strip()

    def name(self) -> str:
        text = self.text("name")
        if text is None or _NAME.fullmatch(text):
            return text or ""
        slug = re.sub(r"[^a-z0-9]+", "-", text.lower())[:80].strip("-")
        shown = text if len(text) <= 80 else f"{text[:79]}…"
        self.wrong("name", f'the name "{shown}" is not 1 to 80 of a-z, 0-9 and "-" between them', slug or None)
        return ""

    def title(self, for_each: str | None, *, lasts: bool = True) -> str | None:
        """The title in words; its places are checked."""
        text = self.text("title")
        if text is None or for_each is None:
            return text
        problem = title_problem(text, title_places(for_each, lasts=lasts))
        if problem is not None:
            self.wrong("title", *problem)
        return text

    def choice(self, key: str, words: tuple[str, ...]) -> str | None:
        text = self.text(key)
        if text is None or text in words:
            return text
        self.wrong(key, f'"{key}" is "{text[:60]}", but must be {_listed(words)}', nearest(text, words))
        return None

    def severity(self) -> tuple[str, tuple[Rise, ...]]:
        """The severity of an alert, and what it rises to."""
        value = self.values.get("severity")
        if not isinstance(value, list | tuple):
            return self.choice("severity", SEVERITIES) or "warning", ()
        severity, rises, problems = read_rises(value)
        for problem in problems:
            self.wrong("severity", problem)
        return severity or "warning", rises

    def event(self) -> EventKeys:
        """What an event rule waits for."""
        on = self.text("on")
        if on is not None:
            on = self.choice("on", tuple(EVENTS))
        settle = self.duration("settle") if "settle" in self.values else SETTLE
        max_age = self.duration("max_age") if "max_age" in self.values else MAX_AGE
        if max_age <= settle:
            self.wrong("max_age", '"max_age" is not longer than "settle": no event would ever be announced')
        return EventKeys(on, settle, max_age)

    def lasting(self) -> tuple[timedelta, Hours | None]:
        """How long `when` must be true, and the hours of the day in which that counts."""
        value = self.values.get("for")
        found = read_hours(value) if isinstance(value, str) else None
        if isinstance(found, str):
            self.wrong("for", found)
            return timedelta(), None
        return (self.duration("for"), None) if found is None else (self.duration("for", found[0]), found[1])

    def duration(self, key: str, written: str | None = None) -> timedelta:
        """The duration at `key`, or the one that is `written` there beside other words."""
        value = self.values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value == 0:
                return timedelta()
            self.wrong(key, f'"{key}" is {value}, which has no unit', f"{value}m" if value > 0 else None)
            return timedelta()
        text = written or self.text(key)
        if text is None:
            return timedelta()
        try:
            seconds = parse_duration(text)
        except QuantityError as error:
            self.wrong(key, f'"{key}": {error.message}', error.suggestion)
            return timedelta()
        if seconds > LONGEST_DURATION.total_seconds():
            self.wrong(key, f'"{key}" is longer than {LONGEST_DURATION.days} days')
            return timedelta()
        return timedelta(seconds=seconds)

    def condition(self, key: str, for_each: str | None) -> tuple[Expression | None, str | None]:
        text = self.text(key, longest=10_000)
        if text is None:
            return None, None
        expression, errors = parse_for(text, for_each)
        for error in errors:
            line = self.item.line_in(key, text, error.column)
            where = (line, error.column, key, text, key in self.item.spans)
            self.errors.append(RuleError(self.source, self.rule, error.sentence(), *where))
        return (expression, text) if expression is not None else (None, None)

    def _list(self, key: str, example: str) -> list[str]:
        """The texts at `key`: a list, or one text for a list of one."""
        value = self.values.get(key, [])
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if all(isinstance(entry, str) for entry in listed):
            return listed
        self.wrong(key, f'"{key}" must be a list of texts, as in {example}')
        return []

    def groups(self, for_each: str | None, labels: Mapping[str, str]) -> tuple[str, ...] | None:
        """What shares a card of the rule's own: things above a subject, or labels; None for that of the problem."""
        if "group_by" not in self.values:
            return None
        groups = self._list("group_by", "[location]")
        possible = [group for group in GROUPS if for_each is None or group in REACHABLE[for_each]]
        possible += [label for label in labels if label not in possible]
        for group in groups:
            if group not in possible:
                message = f'cannot group by "{group[:60]}", but by {_listed(possible)}, or by [] for one group'
                self.wrong("group_by", message, nearest(group, possible))
        if len(set(groups)) < len(groups):
            self.wrong("group_by", '"group_by" names a thing twice')
        return tuple(groups)

    def speech(self) -> SpeechKeys:
        """The keys that say how alerts speak."""
        repeat = self.duration("repeat") or None
        if repeat is not None and repeat < SHORTEST_REPEAT:
            self.wrong("repeat", f'"repeat" is shorter than {duration_text(SHORTEST_REPEAT.total_seconds())}')
        ack_for = self.duration("ack_for") if "ack_for" in self.values else ACK_FOR
        if timedelta() < ack_for < SHORTEST_REPEAT or self.values.get("ack_for") == 0:
            self.wrong("ack_for", f'"ack_for" is shorter than {duration_text(SHORTEST_REPEAT.total_seconds())}')
        steps, problems = read_steps(self.values.get("escalate", []))
        for problem in problems:
            self.wrong("escalate", problem)
        inhibits = self._list("inhibits", "[connector-faulted]")
        if self.rule in inhibits:
            self.wrong("inhibits", '"inhibits" names the rule itself')
        safety = self.values.get("safety", False)
        if not isinstance(safety, bool):
            self.wrong("safety", f'"safety" must be true or false, but this is {kind_of_value(safety)}')
        return SpeechKeys(repeat, ack_for, steps, tuple(dict.fromkeys(inhibits)), safety is True)

    def acting(self, for_each: str | None) -> ActionKeys:
        """The keys that say what is done about alerts."""
        alert = self.choice("alert", ALERT_WHEN)
        dry_run = self.values.get("dry_run", False)
        if not isinstance(dry_run, bool):
            self.wrong("dry_run", f'"dry_run" must be true or false, but this is {kind_of_value(dry_run)}')
        if "actions" not in self.values:
            for key in ("alert", "dry_run"):
                if key in self.values:
                    self.wrong(key, f'"{key}" has no meaning without "actions"')
            return ActionKeys()
        steps, problems = read_actions(self.values["actions"], for_each)
        line = self.item.key_lines.get("actions")
        for problem in problems:
            if problem.column is None:
                self.wrong("actions", problem.message, problem.suggestion)
            else:
                where = (line, problem.column, "verify", problem.condition)
                self.errors.append(RuleError(self.source, self.rule, problem.message, *where))
        if self.values.get("safety") is True:
            self.wrong("actions", '"actions" have no place in a rule about safety: nothing may act on its alerts')
        return ActionKeys(steps, alert == "at_once", dry_run is True)

    def channels(self) -> tuple[str, ...]:
        channels = [*map(place_of, self._list("notify", '["#ev-alerts"] (in quotes: # begins a comment)'))]
        for channel in channels:
            message, meant = wrong_place(channel)
            if message:
                self.wrong("notify", message, meant)
        return tuple(dict.fromkeys(channels))

    def labels(self) -> dict[str, str]:
        value = self.values.get("labels", {})
        if not isinstance(value, Mapping):
            self.wrong(
                "labels", f'"labels" must be a mapping, as in {{team: north}}, but this is {kind_of_value(value)}'
            )
            return {}
        for key, text in value.items():
            if not _LABEL.fullmatch(str(key)):
                self.wrong("labels", f'the label "{str(key)[:60]}" is not a-z, 0-9 and "_"')
            elif key in THINGS:
                self.wrong("labels", f'the label "{key}" is one that every alert has')
            elif not isinstance(text, str):
                self.wrong("labels", f'the label "{key}" must be a text in quotes, but this is {kind_of_value(text)}')
        return {str(key): str(text) for key, text in value.items()}

    def schedule(self) -> str | None:
        text = self.text("schedule", longest=100)
        if text is None:
            return None
        try:
            fields = cron_of(text).split()
        except ValueError as error:
            self.wrong("schedule", str(error))
            return None
        if len(fields) != 5:
            message = f'the schedule "{text}" has {len(fields)} fields, not 5: minute, hour, day, month, weekday'
            self.wrong("schedule", message)
            return None
        try:
            next(CronSim(" ".join(fields), datetime(2024, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            self.wrong("schedule", f'the schedule "{text}" is no cron expression: {str(error).lower()}')
            return None
        except StopIteration:
            self.wrong("schedule", f'the schedule "{text}" never comes')
            return None
        return " ".join(text.split())

    def timezone(self) -> str:
        text = self.text("timezone")
        if text is None or text == "location" or text in _zones():
            return text or "location"
        message = f'unknown time zone "{text[:60]}"; expected "location" or a name such as Europe/Copenhagen'
        self.wrong("timezone", message, nearest(text, _zones()))
        return "location"


def _whose(kind: Kind, key: str) -> str:
    """The rules that a key has no place in, in words."""
    if kind == "event":
        return 'that has "on"'
    if kind == "alert" and key in KEYS_OF["event"]:
        return 'without "on"'
    return "that has a schedule" if kind == "digest" else "that has none"


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def kind_of_value(value: Any) -> str:
    words = {bool: "true or false", int: "a number", float: "a number", str: "a text", type(None): "empty"}
    return words.get(type(value), "a list" if isinstance(value, list | tuple) else "a mapping")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
