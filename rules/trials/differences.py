"""How what stands in a scratch database differs from what a rule test expects at a moment, in lines for people.

It moves nothing: alerts and digests are read as they stand, ends and events from what was told while the case ran.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.events import Event
from rules.language.expressions import duration_text
from rules.lifecycle import OPEN_STATES, State, Transition
from rules.trials.cases import Case
from rules.trials.expected import Check, ExpectedAlert, ExpectedDigest, ExpectedEnd, ExpectedEvent, ExpectedMessage
from rules.trials.scratch import Scratch, Speaker
from storage.schema import ALERT

W = TypeVar("W")
F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands in the channel: `kind` card, reply, event or digest, and all its text in one line.

    `rule` is the one that it is of, None where it is of several.
    """

    kind: str
    title: str
    text: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest as it was enqueued, with its facts as they stand corrected."""

    rule: str
    slot: str
    facts: Mapping[str, Any]


class ReadableSpeaker(Speaker, Protocol):
    """A speaker that can also show what it said."""

    def standing(self, connection: Connection, now: datetime) -> list[Message]:
        """The messages that stand in the channel, in the order in which they came."""

    def digests(self) -> list[Digest]:
        """The digests that were enqueued, in the order of their slots."""


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert as it stands at a check."""

    rule: str
    subject: str
    state: str
    active_at: datetime
    held: bool


def differences(
    case: Case, check: Check, scratch: Scratch, speaker: ReadableSpeaker, history: Sequence[Transition | Event]
) -> list[str]:
    """What differs at a check, one text a kind of expectation; none where all is as expected."""
    when = f"at {duration_text((check.at - case.start).total_seconds())} ({check.at:%Y-%m-%d %H:%M:%S} UTC)"
    with scratch.database.write() as connection:
        alerts = [one for one in _open_alerts(connection) if case.looks_at(one.rule)]
        speaker.deliver(connection, check.at + timedelta(microseconds=1))
        messages = speaker.standing(connection, check.at) if check.messages is not None else []
    messages = [one for one in messages if one.rule is None or case.looks_at(one.rule)]
    digests = [one for one in speaker.digests() if case.looks_at(one.rule)] if check.digests is not None else []
    history = [item for item in history if case.looks_at(item.rule_id)]
    moved = [item for item in history if isinstance(item, Transition)]
    events = [item for item in history if isinstance(item, Event)]
    ends = [item for item in moved if item.to_state == State.RESOLVED]
    told = [f"    {_moved(item, case)}" for item in moved] or ["    nothing"]
    tail = ["  what moved until then:", *told]
    found = {
        "alerts": check.alerts is not None and _unmatched(_by_name(check.alerts), alerts, _ALERT, case),
        "ended alerts": check.ended is not None and _unmatched(_by_name(check.ended), ends, _END, case),
        "events": check.events is not None and _unmatched(_by_name(check.events), events, _EVENT, case),
        "digests": check.digests is not None and _unmatched(check.digests, digests, _DIGEST, case),
        "messages": check.messages is not None and _message_difference(check.messages, messages),
    }
    return [
        "\n".join([f"{when}, {what}:", *lines, *(tail if what in {"alerts", "ended alerts"} else [])])
        for what, lines in found.items()
        if lines
    ]


def _open_alerts(connection: Connection) -> list[OpenAlert]:
    rows = connection.execute(
        sa.select(ALERT).where(ALERT.c.state.in_(OPEN_STATES)).order_by(ALERT.c.rule_id, ALERT.c.subject)
    )
    return [OpenAlert(row.rule_id, row.subject, row.state, row.active_at, row.held_since is not None) for row in rows]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of expectation is compared: whether it is met, what is near to it, and the words for both."""

    is_as: Callable[[Any, Any], bool]
    is_near: Callable[[Any, Any], bool]
    wanted: Callable[[Any, Case], str]
    found: Callable[[Any, Case], str]


def _by_name(expected: Sequence[Any]) -> list[Any]:
    return sorted(expected, key=lambda one: (one.rule, one.subject))


def _unmatched(expected: Sequence[W], found: Sequence[F], kind: _Kind, case: Case) -> list[str]:
    """Lines with - for what is missing and + for what is too much; none where all is as expected."""
    left = list(found)
    missing: list[W] = []
    for wanted in expected:
        match = next((one for one in left if kind.is_as(wanted, one)), None)
        if match is None:
            missing.append(wanted)
        else:
            left.remove(match)
    lines = []
    for wanted in missing:
        near = next((one for one in left if kind.is_near(wanted, one)), None)
        if near is not None:
            left.remove(near)
        lines.append(f"    - expected  {kind.wanted(wanted, case)}")
        lines.append(f"    + found     {kind.found(near, case) if near is not None else 'nothing of it'}")
    return lines + [f"    + found     {kind.found(one, case)}, which was not expected" for one in left]


def _is_alert(wanted: ExpectedAlert, alert: OpenAlert) -> bool:
    return (
        (wanted.rule, wanted.subject, wanted.state) == (alert.rule, alert.subject, alert.state)
        and wanted.active_at in {None, alert.active_at}
        and wanted.held in {None, alert.held}
    )


def _is_about(wanted: ExpectedAlert, alert: OpenAlert) -> bool:
    return (wanted.rule, wanted.subject) == (alert.rule, alert.subject)


def _alert_text(alert: ExpectedAlert | OpenAlert, case: Case) -> str:
    since = f" since {_ago(alert.active_at, case)}" if alert.active_at else ""
    held = ", held" if alert.held else ""
    if alert.held is False and isinstance(alert, ExpectedAlert):
        held = ", not held"
    return f"{alert.rule} {alert.subject} {alert.state}{since}{held}"


def _is_end(wanted: ExpectedEnd, end: Transition) -> bool:
    same = (wanted.rule, wanted.subject) == (end.rule_id, end.subject)
    return same and wanted.because in {None, end.reason} and wanted.resolved_at in {None, end.at}


def _end_text(wanted: ExpectedEnd, case: Case) -> str:
    at = f" at {_ago(wanted.resolved_at, case)}" if wanted.resolved_at else ""
    return f"{wanted.rule} {wanted.subject} ended{at}" + (f" ({wanted.because})" if wanted.because else "")


def _ended_text(end: Transition, case: Case) -> str:
    return f"{end.rule_id} {end.subject} ended at {_ago(end.at, case)} ({end.reason})"


def _is_event(wanted: ExpectedEvent, event: Event) -> bool:
    return (
        (wanted.rule, wanted.subject) == (event.rule_id, event.subject)
        and wanted.event in {None, event.event}
        and wanted.event_at in {None, event.event_at}
        and wanted.announced_at in {None, event.at}
    )


def _wanted_event_text(wanted: ExpectedEvent, case: Case) -> str:
    at = f" at {_ago(wanted.event_at, case)}" if wanted.event_at else ""
    told = f", announced at {_ago(wanted.announced_at, case)}" if wanted.announced_at else ""
    return f"{wanted.rule} {wanted.subject} {wanted.event or 'any event'}{at}{told}"


def _event_text(event: Event, case: Case) -> str:
    at, told = _ago(event.event_at, case), _ago(event.at, case)
    return f"{event.rule_id} {event.subject} {event.event} at {at}, announced at {told}"


def _is_digest(wanted: ExpectedDigest, digest: Digest) -> bool:
    return wanted.rule == digest.rule and wanted.slot in {None, digest.slot} and _holds(wanted.facts, digest.facts)


def _holds(wanted: Any, found: Any) -> bool:
    """Whether everything that is wanted is found: of a mapping its keys, of a list each place, numbers but for dust."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return all(key in found and _holds(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(wanted) == len(found) and all(map(_holds, wanted, found))
    if isinstance(wanted, float) and isinstance(found, int | float):
        return math.isclose(wanted, found, rel_tol=1e-6, abs_tol=1e-6)
    return bool(wanted == found)


def _wanted_digest_text(wanted: ExpectedDigest, _: Case) -> str:
    facts = f" with {dict(wanted.facts)!r}" if wanted.facts else ""
    return f"{wanted.rule} {wanted.slot or 'any slot'}{facts}"


def _digest_text(digest: Digest, _: Case) -> str:
    return f"{digest.rule} {digest.slot} with {dict(digest.facts)!r}"


_ALERT = _Kind(_is_alert, _is_about, _alert_text, _alert_text)
_END = _Kind(_is_end, lambda one, end: (one.rule, one.subject) == (end.rule_id, end.subject), _end_text, _ended_text)
_EVENT = _Kind(
    _is_event,
    lambda one, event: (one.rule, one.subject) == (event.rule_id, event.subject),
    _wanted_event_text,
    _event_text,
)
_DIGEST = _Kind(_is_digest, lambda one, digest: one.rule == digest.rule, _wanted_digest_text, _digest_text)


def _moved(item: Transition, case: Case) -> str:
    at, since = _ago(item.at, case), _ago(item.active_at, case)
    return f"{at} {item.rule_id} {item.subject} {item.from_state} > {item.to_state} since {since} ({item.reason})"


def _ago(moment: datetime, case: Case) -> str:
    """A moment as time since the case's start."""
    seconds = (moment - case.start).total_seconds()
    return f"-{duration_text(-seconds)}" if seconds < 0 else duration_text(seconds)


def _message_difference(expected: Sequence[ExpectedMessage], found: Sequence[Message]) -> list[str]:
    lines = []
    for number in range(max(len(expected), len(found))):
        wanted = expected[number] if number < len(expected) else None
        message = found[number] if number < len(found) else None
        if wanted is not None and message is not None and _says(wanted, message):
            continue
        lines.append(f"    - expected  {_wanted_text(wanted) if wanted else 'no more messages'}")
        lines.append(f"    + found     {_message_text(message) if message else 'no more messages'}")
    return lines


def _says(wanted: ExpectedMessage, message: Message) -> bool:
    return (
        wanted.kind in {None, message.kind}
        and (wanted.title or "") in message.title
        and " ".join((wanted.text or "").split()) in message.text
    )


def _wanted_text(wanted: ExpectedMessage) -> str:
    parts = [f"title: {wanted.title!r}" if wanted.title else "", f"text: {wanted.text!r}" if wanted.text else ""]
    return ", ".join(part for part in (wanted.kind or "a message", *parts) if part)


def _message_text(message: Message) -> str:
    return f"{message.kind}, title: {message.title!r}, text: {message.text[:400]!r}"
