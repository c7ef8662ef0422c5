"""Runs rule tests: the polls that a case draws, recorded and evaluated as the service does it, and what differs.

It holds no opinion about a rule: what a condition means is the compiled query's answer alone. Words of messages come
from the speaker it is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.cases import Case, CaseError, CaseErrors, Check, ExpectedAlert, ExpectedMessage, load_cases
from rules.document import Rule, load_rules
from rules.drawn import World
from rules.expressions import duration_text
from rules.incidents import ALERT
from rules.lifecycle import OPEN_STATES, Transition
from rules.scratch import Scratch, Speaker


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands in the channel: `kind` card, reply or digest; `text` is all its text in one line."""

    kind: str
    title: str
    text: str


class ReadableSpeaker(Speaker, Protocol):
    """A speaker that can also show what it said."""

    def standing(self, connection: Connection, now: datetime) -> list[Message]:
        """The messages that stand in the channel, in the order in which they came."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended: `failures` is empty where it passed. `seconds` is left to the caller."""

    source: str
    name: str
    line: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def load_all(paths: Sequence[Path]) -> list[tuple[Case, list[Rule]]]:
    """The cases of these files with the rules they test. Raises CaseErrors with what is wrong with all the files.

    Raises RuleErrors where a rule file is wrong.
    """
    cases: list[Case] = []
    errors: list[CaseError] = []
    for path in paths:
        try:
            cases += load_cases(path)
        except CaseErrors as wrong:
            errors += wrong.errors
    loaded: list[tuple[Case, list[Rule]]] = []
    read: dict[tuple[Path, ...], list[Rule]] = {}
    for case in cases:
        if case.rules not in read:
            read[case.rules] = load_rules(case.rules)
        errors += _unknown_names(case, read[case.rules])
        loaded.append((case, read[case.rules]))
    if errors:
        raise CaseErrors(errors)
    return loaded


def run_case(
    case: Case, rules: Sequence[Rule], make_speaker: Callable[[Sequence[Rule]], ReadableSpeaker]
) -> CaseResult:
    """Run one case from its start to its last check."""
    speaker = make_speaker(rules)
    world = World(case)
    failures: list[str] = []
    history: list[Transition] = []
    waiting = list(case.checks)
    now, step = case.start, 0
    with Scratch(rules, case.start, speaker) as scratch:
        while waiting:
            history += scratch.tick(now, world.answers(step, now))
            while waiting and waiting[0].at == now:
                failures += _differences(case, waiting.pop(0), scratch, speaker, history)
            step += 1
            now = case.start + step * case.interval
    return CaseResult(case.source, case.name, case.line, tuple(failures))


def junit(results: Sequence[CaseResult]) -> str:
    """The results as JUnit XML: a test suite a file."""
    root = ElementTree.Element("testsuites", tests=str(len(results)), failures=str(_failed(results)))
    for source in dict.fromkeys(result.source for result in results):
        of_file = [result for result in results if result.source == source]
        suite = ElementTree.SubElement(
            root, "testsuite", name=source, tests=str(len(of_file)), failures=str(_failed(of_file)), errors="0"
        )
        for result in of_file:
            told = ElementTree.SubElement(
                suite, "testcase", classname=source, name=result.name, file=source, line=str(result.line)
            )
            if not result.passed:
                failure = ElementTree.SubElement(told, "failure", message=result.failures[0].splitlines()[0])
                failure.text = "\n".join(result.failures)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _failed(results: Sequence[CaseResult]) -> int:
    return sum(not result.passed for result in results)


def _unknown_names(case: Case, rules: Sequence[Rule]) -> list[CaseError]:
    known = {rule.name for rule in rules}
    named = {alert.rule for check in case.checks for alert in check.alerts or ()}
    message = 'no tested rule is called "{}"; there is {}'
    return [
        CaseError(case.source, case.name, case.line, message.format(name, ", ".join(sorted(known)) or "none"))
        for name in sorted(named - known)
    ]


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert as it stands at a check."""

    rule: str
    subject: str
    state: str
    active_at: datetime
    held: bool


def _differences(
    case: Case, check: Check, scratch: Scratch, speaker: ReadableSpeaker, history: Sequence[Transition]
) -> list[str]:
    when = f"at {duration_text((check.at - case.start).total_seconds())} ({check.at:%Y-%m-%d %H:%M:%S} UTC)"
    failures = []
    with scratch.database.write() as connection:
        alerts = _open_alerts(connection)
        speaker.deliver(connection, check.at + timedelta(microseconds=1))
        messages = speaker.standing(connection, check.at) if check.messages is not None else []
    if check.alerts is not None:
        lines = _alert_difference(check.alerts, alerts, case)
        if lines:
            told = [f"    {_moved(item, case)}" for item in history] or ["    nothing"]
            failures.append("\n".join([f"{when}, alerts:", *lines, "  what moved until then:", *told]))
    if check.messages is not None:
        lines = _message_difference(check.messages, messages)
        if lines:
            failures.append("\n".join([f"{when}, messages:", *lines]))
    return failures


def _open_alerts(connection: Connection) -> list[OpenAlert]:
    rows = connection.execute(
        sa.select(ALERT).where(ALERT.c.state.in_(OPEN_STATES)).order_by(ALERT.c.rule_id, ALERT.c.subject)
    )
    return [OpenAlert(row.rule_id, row.subject, row.state, row.active_at, row.held_since is not None) for row in rows]


def _alert_difference(expected: Sequence[ExpectedAlert], found: Sequence[OpenAlert], case: Case) -> list[str]:
    """Lines with - for what is missing and + for what is too much; none where all is as expected."""
    left = list(found)
    lines = []
    for wanted in sorted(expected, key=lambda alert: (alert.rule, alert.subject)):
        match = next((alert for alert in left if _is_as(wanted, alert)), None)
        if match is not None:
            left.remove(match)
            continue
        near = next((alert for alert in left if (alert.rule, alert.subject) == (wanted.rule, wanted.subject)), None)
        lines.append(f"    - expected  {_alert_text(wanted, case)}")
        if near is not None:
            left.remove(near)
        lines.append(f"    + found     {_alert_text(near, case) if near else 'nothing of it'}")
    return lines + [f"    + found     {_alert_text(alert, case)}, which was not expected" for alert in left]


def _is_as(wanted: ExpectedAlert, alert: OpenAlert) -> bool:
    return (
        (wanted.rule, wanted.subject, wanted.state) == (alert.rule, alert.subject, alert.state)
        and wanted.active_at in {None, alert.active_at}
        and wanted.held in {None, alert.held}
    )


def _alert_text(alert: ExpectedAlert | OpenAlert, case: Case) -> str:
    since = f" since {_ago(alert.active_at, case)}" if alert.active_at else ""
    held = ", held" if alert.held else ""
    if alert.held is False and isinstance(alert, ExpectedAlert):
        held = ", not held"
    return f"{alert.rule} {alert.subject} {alert.state}{since}{held}"


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
