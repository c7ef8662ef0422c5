"""What a rule test expects at a moment: alerts that stand, alerts that ended, events, messages and digests.

It reads and checks the words of a case's `checks`; it compares nothing and runs nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from rules.documents.reader import EVENTS
from rules.language.fields import nearest
from rules.trials.strips import LONGEST_CASE


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """An alert that must be open; what is None is not compared."""

    rule: str
    subject: str
    state: str
    active_at: datetime | None = None
    held: bool | None = None


@dataclass(frozen=True, slots=True)
class ExpectedEnd:
    """An alert that must have fired and ended by then; what is None is not compared."""

    rule: str
    subject: str
    because: str | None = None
    resolved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """An event that must have been announced by then; what is None is not compared.

    `event_at` is when it happened, `announced_at` the poll at which it was announced.
    """

    rule: str
    subject: str
    event: str | None = None
    event_at: datetime | None = None
    announced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExpectedDigest:
    """A digest that must have been enqueued by then, with at least these facts as they stand corrected."""

    rule: str
    slot: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExpectedMessage:
    """A message that must stand in the channel, by its kind and by a part of its title and of all its text."""

    kind: str | None = None
    title: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What must be so right after the poll at `at`; None is not looked at.

    Alerts are those that are open then; everything else is all that there was since the case began.
    """

    at: datetime
    alerts: tuple[ExpectedAlert, ...] | None = None
    ended: tuple[ExpectedEnd, ...] | None = None
    events: tuple[ExpectedEvent, ...] | None = None
    digests: tuple[ExpectedDigest, ...] | None = None
    messages: tuple[ExpectedMessage, ...] | None = None

    def named(self) -> list[tuple[str, str]]:
        """Every rule that it names, with the kind of rule that it must be."""
        alerts = [(one.rule, "alert") for one in self.alerts or ()]
        alerts += [(one.rule, "alert") for one in self.ended or ()]
        events = [(one.rule, "event") for one in self.events or ()]
        return [*alerts, *events, *((one.rule, "digest") for one in self.digests or ())]


CHECK_KEYS = ("eval_time", "expect_alerts", "expect_ended", "expect_events", "expect_digests", "expect_messages")
ALERT_KEYS = ("rule", "subject", "state", "active_at", "held")
END_KEYS = ("rule", "subject", "because", "resolved_at")
EVENT_KEYS = ("rule", "subject", "event", "event_at", "announced_at")
DIGEST_KEYS = ("rule", "slot", "facts")
MESSAGE_KEYS = ("kind", "title", "text")
MESSAGE_KINDS = ("card", "reply", "event", "digest")
REASONS = ("recovered", "removed", "identity changed", "rule changed", "rule removed")


class CaseReader(Protocol):
    """What reads the case around the checks, and notes what is wrong under a key."""

    start: datetime
    interval: timedelta

    def wrong(self, key: str | None, message: str, suggestion: str | None = None) -> None: ...

    def keys(self, values: Mapping[str, Any], known: Sequence[str], key: str | None, where: str) -> None: ...

    def listed(self, key: str, values: Any, where: str) -> list[Mapping[str, Any]]: ...

    def moment(self, key: str, value: Any, where: str) -> datetime: ...


def read_checks(reader: CaseReader, told: Any) -> tuple[Check, ...]:
    """The checks of a case in the order of their time; what is mistyped is noted by the reader."""
    if not told:
        reader.wrong("checks", 'a case needs "checks"')
        return ()
    listed = enumerate(reader.listed("checks", told, "checks"), 1)
    return tuple(sorted((_check(reader, number, one) for number, one in listed), key=lambda check: check.at))


def _check(reader: CaseReader, number: int, told: Mapping[str, Any]) -> Check:
    where = f"checks[{number}]"
    reader.keys(told, CHECK_KEYS, "checks", f"{where}: ")
    if "eval_time" not in told:
        reader.wrong("checks", f'{where}: "eval_time" is missing')
    expected = {key.removeprefix("expect_"): key for key in CHECK_KEYS[1:] if key in told}
    if not expected:
        listed = ", ".join(f'"{key}"' for key in CHECK_KEYS[1:-1])
        reader.wrong("checks", f'{where} expects nothing: say {listed} or "{CHECK_KEYS[-1]}"; [] for none')
    at = reader.moment("checks", told.get("eval_time", "0m"), f"{where}.eval_time")
    steps = (at - reader.start) / reader.interval
    if steps < 0 or steps > LONGEST_CASE or steps != math.floor(steps):
        message = f"{where}.eval_time is no moment of a poll: they are {reader.interval} apart from start"
        reader.wrong("checks", message)
        at = reader.start
    found: dict[str, Any] = {}
    for name, key in expected.items():
        items = enumerate(reader.listed("checks", told[key] or [], f"{where}.{key}"), 1)
        found[name] = tuple(_READ[name](reader, one, f"{where}.{key}[{place}]") for place, one in items)
    return Check(at, **found)


def _needed(reader: CaseReader, told: Mapping[str, Any], known: Sequence[str], needed: Sequence[str], at: str) -> None:
    reader.keys(told, known, "checks", f"{at}: ")
    for name in needed:
        if name not in told:
            reader.wrong("checks", f'{at}: "{name}" is missing')


def _moment(reader: CaseReader, told: Mapping[str, Any], name: str, where: str) -> datetime | None:
    return None if told.get(name) is None else reader.moment("checks", told[name], f"{where}.{name}")


def _subject(told: Mapping[str, Any]) -> tuple[str, str]:
    return str(told.get("rule", "")), str(told.get("subject", ""))


def _alert(reader: CaseReader, told: Mapping[str, Any], where: str) -> ExpectedAlert:
    _needed(reader, told, ALERT_KEYS, ("rule", "subject", "state"), where)
    state = str(told.get("state", "firing"))
    if state not in {"pending", "firing"}:
        message = f'{where}: the state "{state}" is not pending or firing; an ended alert is left out'
        reader.wrong("checks", message)
    since = _moment(reader, told, "active_at", where)
    held = told.get("held")
    if held is not None and not isinstance(held, bool):
        reader.wrong("checks", f'{where}: "held" is true or false')
    return ExpectedAlert(*_subject(told), state, since, held)


def _end(reader: CaseReader, told: Mapping[str, Any], where: str) -> ExpectedEnd:
    _needed(reader, told, END_KEYS, ("rule", "subject"), where)
    because = _one_of(reader, told, ("because", REASONS, "no reason why an alert ends"), where)
    return ExpectedEnd(*_subject(told), because, _moment(reader, told, "resolved_at", where))


def _event(reader: CaseReader, told: Mapping[str, Any], where: str) -> ExpectedEvent:
    _needed(reader, told, EVENT_KEYS, ("rule", "subject"), where)
    event = _one_of(reader, told, ("event", tuple(EVENTS), "no event"), where)
    moments = (_moment(reader, told, name, where) for name in ("event_at", "announced_at"))
    return ExpectedEvent(*_subject(told), event, *moments)


def _digest(reader: CaseReader, told: Mapping[str, Any], where: str) -> ExpectedDigest:
    _needed(reader, told, DIGEST_KEYS, ("rule",), where)
    facts = told.get("facts") or {}
    if not isinstance(facts, dict):
        reader.wrong("checks", f'{where}: "facts" is a mapping from names to values')
        facts = {}
    slot = told.get("slot")
    return ExpectedDigest(str(told.get("rule", "")), None if slot is None else str(slot), facts)


def _message(reader: CaseReader, told: Mapping[str, Any], where: str) -> ExpectedMessage:
    reader.keys(told, MESSAGE_KEYS, "checks", f"{where}: ")
    _one_of(reader, told, ("kind", MESSAGE_KINDS, "no kind of message"), where)
    words = {name: None if told.get(name) is None else str(told[name]) for name in ("kind", "title", "text")}
    return ExpectedMessage(**words)


def _one_of(
    reader: CaseReader, told: Mapping[str, Any], choice: tuple[str, Sequence[str], str], where: str
) -> str | None:
    """The word under the key of `choice`, which must be one of its words, else it is what `choice` calls it."""
    name, words, is_none = choice
    if told.get(name) is None:
        return None
    word = str(told[name])
    if word not in words:
        near = nearest(word, words)
        listed = "" if near else f": {', '.join(words)}"
        reader.wrong("checks", f'{where}: "{word[:60]}" is {is_none}{listed}', near)
    return word


_READ = {"alerts": _alert, "ended": _end, "events": _event, "digests": _digest, "messages": _message}
