"""A rule as a document: YAML or a stored mapping in, a frozen `Rule` or every error at once out.

It checks words, types and conditions, and refuses what this version cannot do instead of ignoring it. It reads files
and nothing else: no database, no clock, no network.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from rules.actions.steps import ActionStep, actions_document
from rules.document_reader import (
    ACK_FOR,
    DIGESTS,
    EVENTS,
    MAX_AGE,
    ON_GAP,
    SETTLE,
    SEVERITIES,
    WINDOWS,
    ActionKeys,
    DocumentReader,
    EventKeys,
    Kind,
    OnGap,
    Severity,
    SpeechKeys,
    kind_of_value,
)
from rules.errors import RuleError, RuleErrors
from rules.escalation import Step, steps_document
from rules.expressions import Expression, duration_text
from rules.fields import THINGS, nearest
from rules.inhibition import relation_errors
from rules.speech_plan import PLAIN, PlanReader, SpeechPlan
from rules.yaml_text import MAX_BYTES, YamlItem, YamlSection, read_items, read_sections

FILE_KEYS = ("rules", "routes", "quiet_hours")
"""The keys of a rules file that is not one rule or a list of them."""


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
    ack_for: timedelta = ACK_FOR
    escalate: tuple[Step, ...] = ()
    inhibits: tuple[str, ...] = ()
    safety: bool = False
    on: str | None = None
    settle: timedelta = SETTLE
    max_age: timedelta = MAX_AGE
    actions: tuple[ActionStep, ...] = ()
    alert_at_once: bool = False  # it does not wait for what its actions do
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What files say: the rules, and how all of them speak."""

    rules: tuple[Rule, ...]
    plan: SpeechPlan = PLAIN


def load_rules(paths: Sequence[Path]) -> list[Rule]:
    """Every rule of the files and folders `paths`, as `load_rule_files` finds them."""
    return list(load_rule_files(paths).rules)


def load_rule_files(paths: Sequence[Path]) -> RuleFiles:
    """Every rule of the files and folders `paths`, in the order of paths, file names and text; routes, quiet hours.

    Of a folder it reads each `*.yaml` and `*.yml` below it, without the tests in `*.test.yaml`. Raises RuleErrors with
    what is wrong in all the files together; a name, and each of routes and quiet hours, may stand once in all of them.
    """
    errors: list[RuleError] = []
    rules: list[Rule] = []
    taken: dict[str, tuple[Path, int]] = {}
    plan = PlanReader()
    for path in _files(paths, errors):
        for item in _items(path, errors, plan):
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
    errors = [*errors, *plan.errors] or relation_errors(rules)
    if errors:
        raise RuleErrors(errors)
    return RuleFiles(tuple(rules), plan.plan())


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


def _items(path: Path, errors: list[RuleError], plan: PlanReader) -> list[YamlItem]:
    """The rules of a file; its routes and quiet hours are read into the plan."""
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
    whole = read_sections(text, FILE_KEYS, unless="name")
    if whole is not None:
        sections = dict(whole.sections)
        errors.extend(RuleError(str(path), None, problem.message, problem.line) for problem in whole.problems)
        unknown = [key for key in sections if key not in FILE_KEYS]
        errors.extend(_unknown_section(str(path), key, sections.pop(key)) for key in unknown)
        rules = sections.pop("rules", None)
        plan.read(sections, str(path))
        if rules is not None and not rules.is_list and rules.items[0].value is not None:
            errors.append(RuleError(str(path), None, '"rules" must be a list of rules', rules.line))
        return list(rules.items) if rules is not None and rules.is_list else []
    items, problems = read_items(text)
    errors.extend(RuleError(str(path), None, problem.message, problem.line, problem.column) for problem in problems)
    return items


def _unknown_section(source: str, key: str, section: YamlSection) -> RuleError:
    near = nearest(key, FILE_KEYS)
    hint = f'; did you mean "{near}"?' if near else ""
    told = f'a rules file has no key "{key[:60]}", but {", ".join(FILE_KEYS[:-1])} and {FILE_KEYS[-1]}{hint}'
    return RuleError(source, None, told, section.line)


def _rule(item: YamlItem, source: str) -> Rule:
    reader = DocumentReader(item, source)
    if not isinstance(item.value, dict):
        reader.wrong(None, f"a rule is a mapping of keys, but this is {kind_of_value(item.value)}")
        raise RuleErrors(reader.errors)
    kind = _kind_of_rule(item.value)
    reader.keys(kind)
    name, description = reader.name(), reader.text("description", longest=1000) or ""
    notify, labels = reader.channels(), reader.labels()
    for_each = when = when_text = while_ = while_text = schedule = timezone = digest = window = None
    for_ = keep_firing_for = timedelta()
    on_gap, severity = "keep", "warning"
    group_by: tuple[str, ...] = ("location",)
    speech, event, acting = SpeechKeys(), EventKeys(), ActionKeys()
    if kind == "alert":
        for_each = reader.choice("for_each", THINGS)
        when, when_text = reader.condition("when", for_each)
        while_, while_text = reader.condition("while", for_each)
        for_, keep_firing_for = reader.duration("for"), reader.duration("keep_firing_for")
        on_gap = reader.choice("on_gap", ON_GAP) or "keep"
        severity = reader.choice("severity", SEVERITIES) or "warning"
        group_by = reader.groups(for_each, labels)
        speech = reader.speech()
        acting = reader.acting(for_each)
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
        "ack_for": duration_text(speech.ack_for.total_seconds()) if speech.ack_for != ACK_FOR else None,
        "escalate": steps_document(speech.escalate) or None,
        "inhibits": list(speech.inhibits) or None,
        "safety": speech.safety or None,
        "actions": actions_document(acting.actions) or None,
        "alert": "at_once" if acting.alert_at_once else None,
        "dry_run": acting.dry_run or None,
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
        ack_for=speech.ack_for,
        escalate=speech.escalate,
        inhibits=speech.inhibits,
        safety=speech.safety,
        on=event.on,
        settle=event.settle,
        max_age=event.max_age,
        actions=acting.actions,
        alert_at_once=acting.alert_at_once,
        dry_run=acting.dry_run,
    )


def _kind_of_rule(document: Mapping[Any, Any]) -> Kind:
    if "on" in document:
        return "event"
    return "digest" if {"schedule", "digest", "window"} & document.keys() else "alert"
