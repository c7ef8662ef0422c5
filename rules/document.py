"""A rule as a document: YAML or a stored mapping in, a frozen `Rule` or every error at once out.

It checks words, types and conditions, and refuses what this version cannot do instead of ignoring it. It reads files
and nothing else: no database, no clock, no network.
"""

import functools
import re
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

from cronsim import CronSim, CronSimError

from rules.errors import ConditionErrors, RuleError, RuleErrors
from rules.escalation import Step, read_steps, steps_document
from rules.expressions import Expression, duration_text
from rules.fields import REACHABLE, THINGS, nearest
from rules.inhibition import relation_errors
from rules.language import QuantityError, parse_condition, parse_duration
from rules.yaml_text import MAX_BYTES, YamlItem, read_items

Kind = Literal["alert", "digest", "event"]
OnGap = Literal["keep", "pause", "reset"]
Severity = Literal["info", "warning", "critical"]

SEVERITIES = ("info", "warning", "critical")
ON_GAP = ("keep", "pause", "reset")
DIGESTS = ("sessions",)
WINDOWS = ("yesterday",)
GROUPS = ("location", "charger", "connector")

EVENTS = {
    "session.started": "session",
    "session.ended": "session",
    "session.failed": "session",
    "status.changed": "connector",
    "charger.online": "charger",
    "charger.offline": "charger",
}
"""What `on` can name, and the thing that each happens to: its fields, and those of the things above, can be read."""

EVENTS_TO_COME = ("price.changed",)
SETTLE = timedelta(minutes=2)
MAX_AGE = timedelta(hours=1)

KEYS_OF_ALL = ("name", "description", "notify", "labels")
SPEECH_KEYS = ("repeat", "escalate", "inhibits", "safety")
KEYS_OF: dict[Kind, tuple[str, ...]] = {
    "alert": ("for_each", "when", "while", "for", "keep_firing_for", "on_gap", "severity", "group_by", *SPEECH_KEYS),
    "digest": ("schedule", "timezone", "digest", "window"),
    "event": ("on", "when", "settle", "max_age", "severity"),
}
KEYS_TO_COME = ("actions", "approval")
"""Keys of the rule form as planned, which this version refuses by name."""

NEEDED: dict[Kind, tuple[str, ...]] = {
    "alert": ("name", "for_each", "when"),
    "digest": ("name", "schedule", "digest"),
    "event": ("name", "on"),
}

SHORTEST_REPEAT = timedelta(minutes=5)
"""The shortest `repeat`: no thread is spoken in more often than a group may be."""

LONGEST_DURATION = timedelta(days=400)
"""The longest `for`: as long as history is kept by default."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_LABEL = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_CHANNEL = re.compile(r"#[^\s#@,.:A-Z]{1,80}|[CG][A-Z0-9]{2,20}")  # a Slack channel's name, or its id


@dataclass(frozen=True, slots=True)
class Rule:
    """One checked rule. An alert has `for_each` and `when`; a digest has `schedule`, `timezone`, `digest`, `window`;
    an event rule has `on`, `settle`, `max_age` and maybe `when`.

    `document` is the normalised, JSON-able form that is stored: `rule_from_document(rule.document, rule.source)`
    gives an equal rule. `timezone` is an IANA name, or "location" for one message a zone.
    """

    name: str
    description: str
    kind: Kind
    for_each: str | None
    when: Expression | None
    when_text: str | None
    while_: Expression | None
    while_text: str | None
    for_: timedelta
    keep_firing_for: timedelta
    on_gap: OnGap
    severity: Severity
    group_by: tuple[str, ...]
    notify: tuple[str, ...]
    labels: dict[str, str]
    schedule: str | None
    timezone: str | None
    digest: str | None
    window: str | None
    document: dict[str, Any]
    source: str
    repeat: timedelta | None = None
    escalate: tuple[Step, ...] = ()
    inhibits: tuple[str, ...] = ()
    safety: bool = False
    on: str | None = None
    settle: timedelta = SETTLE
    max_age: timedelta = MAX_AGE


def load_rules(paths: Sequence[Path]) -> list[Rule]:
    """Every rule of the files and folders `paths`, in the order of paths, file names and text.

    Of a folder it reads each `*.yaml` and `*.yml` below it, without the tests in `*.test.yaml`. Raises RuleErrors with
    what is wrong in all the files together; a name may stand once in all of them.
    """
    errors: list[RuleError] = []
    rules: list[Rule] = []
    taken: dict[str, tuple[Path, int]] = {}
    for path in _files(paths, errors):
        for item in _items(path, errors):
            name = item.value.get("name") if isinstance(item.value, dict) else None
            if isinstance(name, str) and name in taken:
                other, line = taken[name]
                errors.append(RuleError(str(path), name[:80], f"the name is taken by {other}, line {line}", item.line))
            elif isinstance(name, str):
                taken[name] = (path, item.line)
            try:
                rules.append(_rule(item, str(path)))
            except RuleErrors as wrong:
                errors.extend(wrong.errors)
    errors = errors or relation_errors(rules)
    if errors:
        raise RuleErrors(errors)
    return rules


def rule_from_document(document: Mapping[str, Any], source: str) -> Rule:
    """The rule that one mapping says; `source` names where it came from, for errors. Raises RuleErrors."""
    return _rule(YamlItem(dict(document), 0, {}, ()), source)


def _files(paths: Iterable[Path], errors: list[RuleError]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = (file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"} and file.is_file())
            files.extend(sorted(file for file in below if not file.stem.endswith(".test")))
        elif path.exists():
            files.append(path)
        else:
            errors.append(RuleError(str(path), None, "there is no such file or folder"))
    return list(dict.fromkeys(files))


def _items(path: Path, errors: list[RuleError]) -> list[YamlItem]:
    try:
        content = path.read_bytes()
        text = content.decode()
    except UnicodeDecodeError as wrong:
        errors.append(RuleError(str(path), None, f"the file is not UTF-8 text (byte {wrong.start + 1})"))
        return []
    except OSError as wrong:
        errors.append(RuleError(str(path), None, f"the file cannot be read: {wrong.strerror}"))
        return []
    if len(content) > MAX_BYTES:
        errors.append(RuleError(str(path), None, f"the file has more than {MAX_BYTES:,} bytes"))
        return []
    items, problems = read_items(text)
    errors.extend(RuleError(str(path), None, problem.message, problem.line, problem.column) for problem in problems)
    return items


def _rule(item: YamlItem, source: str) -> Rule:
    reader = _Reader(item, source)
    if not isinstance(item.value, dict):
        reader.wrong(None, f"a rule is a mapping of keys, but this is {_kind_of(item.value)}")
        raise RuleErrors(reader.errors)
    kind = _kind_of_rule(item.value)
    reader.keys(kind)
    name, description = reader.name(), reader.text("description", longest=1000) or ""
    notify, labels = reader.channels(), reader.labels()
    for_each = when = when_text = while_ = while_text = schedule = timezone = digest = window = None
    for_ = keep_firing_for = timedelta()
    on_gap, severity = "keep", "warning"
    group_by: tuple[str, ...] = ("location",)
    speech, event = _Speech(), _Event()
    if kind == "alert":
        for_each = reader.choice("for_each", THINGS)
        when, when_text = reader.condition("when", for_each)
        while_, while_text = reader.condition("while", for_each)
        for_, keep_firing_for = reader.duration("for"), reader.duration("keep_firing_for")
        on_gap = reader.choice("on_gap", ON_GAP) or "keep"
        severity = reader.choice("severity", SEVERITIES) or "warning"
        group_by = reader.groups(for_each)
        speech = reader.speech()
    elif kind == "event":
        event = reader.event()
        when, when_text = reader.condition("when", EVENTS.get(event.on or ""))
        severity = reader.choice("severity", SEVERITIES) or "warning"
    else:
        schedule, timezone = reader.schedule(), reader.timezone()
        digest, window = reader.choice("digest", DIGESTS), reader.choice("window", WINDOWS) or "yesterday"
    if reader.errors:
        raise RuleErrors(sorted(reader.errors, key=lambda error: error.line or 0))
    document = {
        "name": name,
        "description": description or None,
        "on": event.on,
        "for_each": for_each,
        "when": when_text,
        "while": while_text,
        "for": duration_text(for_.total_seconds()) if for_ else None,
        "keep_firing_for": duration_text(keep_firing_for.total_seconds()) if keep_firing_for else None,
        "on_gap": on_gap if on_gap != "keep" else None,
        "settle": duration_text(event.settle.total_seconds()) if event.settle != SETTLE else None,
        "max_age": duration_text(event.max_age.total_seconds()) if event.max_age != MAX_AGE else None,
        "severity": severity if severity != "warning" else None,
        "group_by": list(group_by) if group_by != ("location",) else None,
        "repeat": duration_text(speech.repeat.total_seconds()) if speech.repeat else None,
        "escalate": steps_document(speech.escalate) or None,
        "inhibits": list(speech.inhibits) or None,
        "safety": speech.safety or None,
        "schedule": schedule,
        "timezone": timezone if timezone != "location" else None,
        "digest": digest,
        "window": window if window != "yesterday" else None,
        "notify": list(notify) or None,
        "labels": labels or None,
    }
    return Rule(
        name=name,
        description=description,
        kind=kind,
        for_each=for_each,
        when=when,
        when_text=when_text,
        while_=while_,
        while_text=while_text,
        for_=for_,
        keep_firing_for=keep_firing_for,
        on_gap=cast("OnGap", on_gap),
        severity=cast("Severity", severity),
        group_by=group_by,
        notify=notify,
        labels=labels,
        schedule=schedule,
        timezone=timezone,
        digest=digest,
        window=window,
        document={key: value for key, value in document.items() if value is not None},  # what is default may move
        source=source,
        repeat=speech.repeat,
        escalate=speech.escalate,
        inhibits=speech.inhibits,
        safety=speech.safety,
        on=event.on,
        settle=event.settle,
        max_age=event.max_age,
    )


def _kind_of_rule(document: Mapping[Any, Any]) -> Kind:
    if "on" in document:
        return "event"
    return "digest" if {"schedule", "digest", "window"} & document.keys() else "alert"


@dataclass(frozen=True, slots=True)
class _Event:
    """What an event rule waits for, and when it judges it."""

    on: str | None = None
    settle: timedelta = SETTLE
    max_age: timedelta = MAX_AGE


@dataclass(frozen=True, slots=True)
class _Speech:
    """How the alerts of a rule speak, and which others they keep quiet."""

    repeat: timedelta | None = None
    escalate: tuple[Step, ...] = ()
    inhibits: tuple[str, ...] = ()
    safety: bool = False


class _Reader:
    """Reads the keys of one document and notes each error with its line; what is wrong reads as the default."""

    def __init__(self, item: YamlItem, source: str) -> None:
        self.item = item
        self.source = source
        self.values: dict[str, Any] = item.value if isinstance(item.value, dict) else {}
        name = self.values.get("name")
        self.rule = name[:80] if isinstance(name, str) and name.strip() else None
        self.errors: list[RuleError] = []
        for problem in item.problems:
            self.errors.append(RuleError(source, self.rule, problem.message, problem.line))

    def wrong(self, key: str | None, message: str, suggestion: str | None = None) -> None:
        line = self.item.key_lines.get(key, self.item.line) if key is not None else self.item.line
        message += f'; did you mean "{suggestion}"?' if suggestion else ""
        self.errors.append(RuleError(self.source, self.rule, message, line or None))

    def keys(self, kind: Kind) -> None:
        """Every key is known, belongs to the kind of rule, and none that it needs is missing."""
        known = tuple(dict.fromkeys((*KEYS_OF_ALL, *(key for keys in KEYS_OF.values() for key in keys))))
        for key in map(str, self.values):
            if key in KEYS_TO_COME:
                self.wrong(key, f'"{key}" is not available in this version yet')
            elif key not in known:
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
            self.wrong(key, f'"{key}" must be a text, but this is {_kind_of(value)}')
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

    def choice(self, key: str, words: tuple[str, ...]) -> str | None:
        text = self.text(key)
        if text is None or text in words:
            return text
        self.wrong(key, f'"{key}" is "{text[:60]}", but must be {_listed(words)}', nearest(text, words))
        return None

    def event(self) -> _Event:
        """What an event rule waits for."""
        on = self.text("on")
        if on in EVENTS_TO_COME:
            self.wrong("on", f'"on": "{on}" is not available in this version yet')
            on = None
        elif on is not None:
            on = self.choice("on", tuple(EVENTS))
        settle = self.duration("settle") if "settle" in self.values else SETTLE
        max_age = self.duration("max_age") if "max_age" in self.values else MAX_AGE
        if max_age <= settle:
            self.wrong("max_age", '"max_age" is not longer than "settle": no event would ever be announced')
        return _Event(on, settle, max_age)

    def duration(self, key: str) -> timedelta:
        value = self.values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if value == 0:
                return timedelta()
            self.wrong(key, f'"{key}" is {value}, which has no unit', f"{value}m" if value > 0 else None)
            return timedelta()
        text = self.text(key)
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
        if text is None or for_each is None:
            return None, None
        try:
            return parse_condition(text, for_each=for_each), text
        except ConditionErrors as wrong:
            line = self.item.key_lines.get(key)
            for error in wrong.errors:
                sentence = error.sentence()
                self.errors.append(RuleError(self.source, self.rule, sentence, line, error.column, key, text))
            return None, None

    def _list(self, key: str, example: str) -> list[str]:
        """The texts at `key`: a list, or one text for a list of one."""
        value = self.values.get(key, [])
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if all(isinstance(entry, str) for entry in listed):
            return listed
        self.wrong(key, f'"{key}" must be a list of texts, as in {example}')
        return []

    def groups(self, for_each: str | None) -> tuple[str, ...]:
        if "group_by" not in self.values:
            return ("location",)
        groups = self._list("group_by", "[location]")
        possible = [group for group in GROUPS if for_each is None or group in REACHABLE[for_each]]
        for group in groups:
            if group not in possible:
                message = f'cannot group by "{group[:60]}", but by {_listed(possible)}, or by [] for one group'
                self.wrong("group_by", message, nearest(group, possible))
        if len(set(groups)) < len(groups):
            self.wrong("group_by", '"group_by" names a thing twice')
        return tuple(groups)

    def speech(self) -> _Speech:
        """The keys that say how alerts speak."""
        repeat = self.duration("repeat") or None
        if repeat is not None and repeat < SHORTEST_REPEAT:
            self.wrong("repeat", f'"repeat" is shorter than {duration_text(SHORTEST_REPEAT.total_seconds())}')
        steps, problems = read_steps(self.values.get("escalate", []))
        for problem in problems:
            self.wrong("escalate", problem)
        inhibits = self._list("inhibits", "[connector-faulted]")
        if self.rule in inhibits:
            self.wrong("inhibits", '"inhibits" names the rule itself')
        safety = self.values.get("safety", False)
        if not isinstance(safety, bool):
            self.wrong("safety", f'"safety" must be true or false, but this is {_kind_of(safety)}')
        return _Speech(repeat, steps, tuple(dict.fromkeys(inhibits)), safety is True)

    def channels(self) -> tuple[str, ...]:
        channels = self._list("notify", '["#ev-alerts"] (in quotes: # begins a comment)')
        for channel in channels:
            if not _CHANNEL.fullmatch(channel):
                message = f'"{channel[:60]}" is no Slack channel, such as "#ev-alerts", and no channel id'
                named = f"#{channel.lower()}"
                self.wrong("notify", message, named if _CHANNEL.fullmatch(named) else None)
        return tuple(dict.fromkeys(channels))

    def labels(self) -> dict[str, str]:
        value = self.values.get("labels", {})
        if not isinstance(value, Mapping):
            self.wrong("labels", f'"labels" must be a mapping, as in {{team: north}}, but this is {_kind_of(value)}')
            return {}
        for key, text in value.items():
            if not _LABEL.fullmatch(str(key)):
                self.wrong("labels", f'the label "{str(key)[:60]}" is not a-z, 0-9 and "_"')
            elif key in THINGS:
                self.wrong("labels", f'the label "{key}" is one that every alert has')
            elif not isinstance(text, str):
                self.wrong("labels", f'the label "{key}" must be a text in quotes, but this is {_kind_of(text)}')
        return {str(key): str(text) for key, text in value.items()}

    def schedule(self) -> str | None:
        text = self.text("schedule", longest=100)
        if text is None:
            return None
        fields = text.split()
        if len(fields) != 5:
            message = f'the schedule "{text}" has {len(fields)} fields, not 5: minute, hour, day, month, weekday'
            self.wrong("schedule", message)
            return None
        try:
            next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            self.wrong("schedule", f'the schedule "{text}" is no cron expression: {str(error).lower()}')
            return None
        except StopIteration:
            self.wrong("schedule", f'the schedule "{text}" never comes')
            return None
        return " ".join(fields)

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


def _kind_of(value: Any) -> str:
    words = {bool: "true or false", int: "a number", float: "a number", str: "a text", type(None): "empty"}
    return words.get(type(value), "a list" if isinstance(value, list | tuple) else "a mapping")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
