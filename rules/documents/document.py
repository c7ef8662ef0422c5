"""A rule as a document: YAML or a stored mapping in, a frozen `Rule` or every error at once out.

It checks words, types and conditions, and refuses what this version cannot do instead of ignoring it. It reads no file
and no database: where documents come from is its callers' matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from rules.actions.steps import ActionStep, actions_document
from rules.documents.escalation import Step, steps_document
from rules.documents.reader import (
    ACK_FOR,
    DIGESTS,
    EVENTS,
    MAX_AGE,
    ON_GAP,
    SETTLE,
    DocumentReader,
    Kind,
    OnGap,
    Severity,
    kind_of_value,
)
from rules.documents.windows import WINDOWS, YESTERDAY
from rules.documents.yaml_text import YamlItem
from rules.hours import Hours
from rules.language.errors import RuleErrors
from rules.language.expressions import Expression, duration_text
from rules.language.fields import SUBJECTS
from rules.rising import SEVERITIES, Rise, rises_document


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
    source: str
    document: dict[str, Any]
    notify: tuple[str, ...]
    labels: dict[str, str]
    for_each: str | None = None
    when: Expression | None = None
    when_text: str | None = None
    while_: Expression | None = None
    while_text: str | None = None
    for_: timedelta = timedelta()
    for_hours: Hours | None = None  # those in which it counts
    keep_firing_for: timedelta = timedelta()
    on_gap: OnGap = "keep"
    severity: Severity = "warning"
    rises: tuple[Rise, ...] = ()
    title: str | None = None
    group_by: tuple[str, ...] | None = None  # None: its alerts join the card of what stands on their charger or place
    schedule: str | None = None
    timezone: str | None = None
    digest: str | None = None
    window: str | None = None
    each: str | None = None  # of a digest: "location" for one message a location
    location: str | None = None  # of a digest: the id of the one that it tells about
    label: str | None = None  # of a digest: it tells about the chargers with this label
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


def rule_from_document(document: Mapping[str, Any], source: str) -> Rule:
    """The rule that one mapping says; `source` names where it came from, for errors. Raises RuleErrors."""
    return read_rule(YamlItem(dict(document), 0, {}, ()), source)


def read_rule(item: YamlItem, source: str) -> Rule:
    """The rule that one item of a YAML text says, with its lines for errors. Raises RuleErrors."""
    reader = DocumentReader(item, source)
    if not isinstance(item.value, dict):
        reader.wrong(None, f"a rule is a mapping of keys, but this is {kind_of_value(item.value)}")
        raise RuleErrors(reader.errors)
    kind = _kind_of_rule(item.value)
    reader.keys(kind)
    name, description = reader.name(), reader.text("description", longest=1000) or ""
    notify, labels = reader.channels(), reader.labels()
    if kind == "alert":
        rest = _read_alert(reader, labels)
    elif kind == "event":
        rest = _read_event(reader)
    else:
        rest = _read_digest(reader)
    if reader.errors:
        raise RuleErrors(sorted(reader.errors, key=lambda error: error.line or 0))
    rule = Rule(name, description, kind, source, document={}, notify=notify, labels=labels, **rest)
    return replace(rule, document=_stored_form(rule))


def _kind_of_rule(document: Mapping[Any, Any]) -> Kind:
    if "on" in document:
        return "event"
    return "digest" if {"schedule", "digest", "window"} & document.keys() else "alert"


def _read_alert(reader: DocumentReader, labels: dict[str, str]) -> dict[str, Any]:
    """What an alert rule says beside its name, channels and labels, by the names of `Rule`."""
    for_each = reader.choice("for_each", SUBJECTS)
    when, when_text = reader.condition("when", for_each)
    while_, while_text = reader.condition("while", for_each)
    said: dict[str, Any] = {
        "for_each": for_each,
        "when": when,
        "when_text": when_text,
        "while_": while_,
        "while_text": while_text,
        "keep_firing_for": reader.duration("keep_firing_for"),
        "on_gap": reader.choice("on_gap", ON_GAP) or "keep",
        "title": reader.title(for_each),
        "group_by": reader.groups(for_each, labels),
    }
    said["severity"], said["rises"] = reader.severity()
    said["for_"], said["for_hours"] = reader.lasting()
    speech, acting = reader.speech(), reader.acting(for_each)
    said |= {name: getattr(speech, name) for name in ("repeat", "ack_for", "escalate", "inhibits", "safety")}
    return said | {name: getattr(acting, name) for name in ("actions", "alert_at_once", "dry_run")}


def _read_event(reader: DocumentReader) -> dict[str, Any]:
    event = reader.event()
    when, when_text = reader.condition("when", EVENTS.get(event.on or ""))
    severity = reader.choice("severity", SEVERITIES) or "warning"
    title = reader.title(EVENTS.get(event.on or ""), lasts=False)
    said = {"on": event.on, "title": title, "settle": event.settle, "max_age": event.max_age, "severity": severity}
    return {**said, "when": when, "when_text": when_text}


def _read_digest(reader: DocumentReader) -> dict[str, Any]:
    schedule, timezone = reader.schedule(), reader.timezone()
    digest, window = reader.choice("digest", DIGESTS), reader.choice("window", WINDOWS) or YESTERDAY
    only = {
        "each": reader.choice("each", ("location",)),
        "location": reader.text("location", longest=200),
        "label": reader.text("label", longest=200),
    }
    return {"schedule": schedule, "timezone": timezone, "digest": digest, "window": window, **only}


def _stored_form(rule: Rule) -> dict[str, Any]:
    """The document of a rule, in the order in which it is shown. What is default is left out: it may move."""
    document = {
        "name": rule.name,
        "description": rule.description or None,
        "on": rule.on,
        "for_each": rule.for_each,
        "when": rule.when_text,
        "while": rule.while_text,
        "for": _text(rule.for_) + (f" of {rule.for_hours}" if rule.for_hours else "") if rule.for_ else None,
        "keep_firing_for": _text(rule.keep_firing_for) if rule.keep_firing_for else None,
        "on_gap": rule.on_gap if rule.on_gap != "keep" else None,
        "settle": _text(rule.settle) if rule.settle != SETTLE else None,
        "max_age": _text(rule.max_age) if rule.max_age != MAX_AGE else None,
        "severity": rises_document(rule.severity, rule.rises) if rule.severity != "warning" or rule.rises else None,
        "title": rule.title,
        "group_by": list(rule.group_by) if rule.group_by is not None else None,
        "repeat": _text(rule.repeat) if rule.repeat else None,
        "ack_for": _text(rule.ack_for) if rule.ack_for != ACK_FOR else None,
        "escalate": steps_document(rule.escalate) or None,
        "inhibits": list(rule.inhibits) or None,
        "safety": rule.safety or None,
        "actions": actions_document(rule.actions) or None,
        "alert": "at_once" if rule.alert_at_once else None,
        "dry_run": rule.dry_run or None,
        "schedule": rule.schedule,
        "timezone": rule.timezone if rule.timezone != "location" else None,
        "digest": rule.digest,
        "window": rule.window if rule.window != YESTERDAY else None,
        "each": rule.each,
        "location": rule.location,
        "label": rule.label,
        "notify": list(rule.notify) or None,
        "labels": rule.labels or None,
    }
    return {key: value for key, value in document.items() if value is not None}


def _text(duration: timedelta) -> str:
    return duration_text(duration.total_seconds())
