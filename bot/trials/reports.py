"""What rule tests, explanations and backtests came to, as plain text for a terminal. It judges nothing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from notify.text.words import duration
from rules.actions.command_kinds import noun_of
from rules.explanations.clause_truths import Clause, Learning, Observed, Unread
from rules.explanations.explain import Explanation
from rules.language.expressions import Literal, duration_text, to_text
from rules.language.fields import Type
from rules.lifecycle import OPEN_STATES, State
from rules.trials.backtest import LONGEST_SHOWN, Backtest
from rules.trials.run import CaseResult
from rules.trials.suppressed import Absorbed


def render_results(results: Sequence[CaseResult]) -> str:
    """What the cases came to: each failure with what was expected and what was found, then the count."""
    lines = []
    for source in dict.fromkeys(result.source for result in results):
        of_file = [result for result in results if result.source == source]
        failed = [result for result in of_file if not result.passed]
        count = f"{len(of_file)} case{'' if len(of_file) == 1 else 's'}"
        lines.append(f"{'FAILED' if failed else 'passed'}  {source}: {count}, {len(failed)} failed")
        for result in failed:
            lines.append(f'  case "{result.name}", line {result.line}:')
            lines += [f"    {line}" for failure in result.failures for line in failure.splitlines()]
    failures = sum(not result.passed for result in results)
    cases = f"{len(results)} case{'' if len(results) == 1 else 's'}"
    lines.append(f"{cases}, {len(results) - failures} passed, {failures} failed.")
    return "\n".join(lines)


def render_backtest(told: Backtest) -> str:
    """What a rule would have done, in a few lines and the ten longest."""
    if told.is_of_events:
        return _render_events(told)
    times = len(told.firings)
    count = f"{times} time{'' if times == 1 else 's'}" if times or told.is_known else "not"
    lines = [
        *_head(told),
        f"  would have fired {count} on {_subjects(len({one.subject for one in told.firings}))}{_in_what(told)}"
        + (f", {told.already} of them already at the start" if told.already else ""),
        f"  pending, but never fired: {told.only_pending}",
    ]
    if told.firings:
        lasted = sorted(one.lasted for one in told.firings)
        total = sum(lasted, timedelta())
        lines.append(f"  lasted {_span(total)} in all, half of them at most {_span(lasted[(len(lasted) - 1) // 2])}")
    lines.append(
        f"  messages: {told.cards + told.replies} ({told.cards} cards, {told.replies} replies in their threads), "
        f"{told.at_night} of them between 22 and 7 o'clock"
    )
    if told.acting is not None:
        what = noun_of(told.acting.kind)
        stopped = f" (limits and the cool-down stopped {told.acting.stopped})" if told.acting.stopped else ""
        lines.append(f"  actions: would have tried a {what} {told.acting.acted} times at most{stopped}")
    absorbed = told.absorbed
    if absorbed != Absorbed():
        lines.append(
            f"  of these firings {absorbed.silenced} were in a silence, {absorbed.inhibited} below another alert,"
            f" and {absorbed.grouped} joined a card that was there"
        )
    if told.firings:
        lines.append(f"  the {'longest' if len(told.longest) == 1 else f'{len(told.longest)} longest'}:")
    for one in told.longest:
        end = f"to {one.resolved_at:%Y-%m-%d %H:%M}" if one.resolved_at else "still firing"
        lines.append(f"    {_span(one.lasted):>10}  {one.subject}, fired {one.fired_at:%Y-%m-%d %H:%M} {end}")
    lines.append(f"  {told.polls} polls, of which {told.evaluated} could move something")
    return "\n".join(lines)


def _head(told: Backtest) -> list[str]:
    """Which time it is about, and how much of that there is history of."""
    lines = [f"{told.rule}, {told.since:%Y-%m-%d %H:%M} to {told.until:%Y-%m-%d %H:%M} UTC:"]
    if not told.is_known:
        lines.append(f"  {duration(told.known)} of {duration(told.until - told.since)} known")
    return lines


def _in_what(told: Backtest) -> str:
    return "" if told.is_known else " in what is known"


def _subjects(number: int) -> str:
    return f"{number} subject{'' if number == 1 else 's'}"


def _render_events(told: Backtest) -> str:
    """What an event rule would have announced, and where most."""
    count, by_subject = len(told.events), Counter(one.subject for one in told.events)
    events = f"{count} event{'' if count == 1 else 's'}" if count or told.is_known else "no event"
    lines = [*_head(told), f"  would have announced {events} on {_subjects(len(by_subject))}{_in_what(told)}"]
    if told.events:
        days = Counter(one.event_at.date() for one in told.events)
        busiest, most = min(days.items(), key=lambda item: (-item[1], item[0]))
        lines.append(f"  the busiest day: {busiest:%Y-%m-%d}, with {most}")
        often = sorted(by_subject.items(), key=lambda item: (-item[1], item[0]))[:LONGEST_SHOWN]
        lines += [f"    {number:>6}  {subject}" for subject, number in often if number > 1]
    lines.append(f"  {told.polls} polls, of which {told.evaluated} could move something")
    return "\n".join(lines)


def _span(span: timedelta) -> str:
    return duration_text(int(span.total_seconds()))


def render_explanation(told: Explanation) -> str:
    """The explanation as plain text for a terminal."""
    rule = told.rule
    lines = [f"{rule.name} on {told.subject}, {_moment(told.now)}", f"  {_standing(told)}"]
    lines += [f"  {note}" for note in [*told.notes, *_quiet_notes(told)]]
    lines += ["", "when:", *_clause_lines(told.when, "  ")]
    if told.while_ is not None:
        lines += ["while:", *_clause_lines(told.while_, "  ")]
    missing = dict.fromkeys([*told.when.missing, *(told.while_.missing if told.while_ else ())])
    if missing:
        lines.append(f"unknown: {', '.join(missing)}")
    if told.earliest is not None:
        lines.append(f"fires: at the earliest {_moment(told.earliest)}, {told.assuming}")
    lines.append("data:")
    for item in told.freshness:
        good = f"last good poll {_moment(item.good_at)}" if item.good_at else "no good poll yet"
        lines.append(f"  {item.resource}: {good}{'' if item.fresh else f'; NOT FRESH ({item.error})'}")
    lines.append("past:" if told.past else "past: nothing moved yet")
    for moved in told.past:
        muted = f", {_muted_text(moved.muted_by)}" if moved.muted_by else ""
        lines.append(f"  {_moment(moved.at)}  {moved.from_state} > {moved.to_state} ({moved.reason}){muted}")
        values = moved.trace.get("values") or {}
        if values:
            lines.append("    " + ", ".join(f"{key} = {plain_value(value)}" for key, value in values.items()))
    return "\n".join(lines)


def _quiet_notes(told: Explanation) -> list[str]:
    notes = []
    if told.muted is not None and told.muted.silence_id is not None:
        until = f" until {_moment(told.muted.until)}" if told.muted.until is not None else ""
        notes.append(f"Silenced by {told.muted.author}{until}: {told.muted.reason}")
    elif told.muted is not None:
        notes.append(f"Kept quiet by {told.muted.rule_id} on {told.muted.subject}.")
    if told.card is not None and told.card.total > 1:
        notes.append(f"Its card tells of {told.card.total} alerts, {told.card.firing} of them firing.")
    if told.card is not None and told.card.inhibits:
        notes.append(f"It keeps {told.card.inhibits} other alert{'' if told.card.inhibits == 1 else 's'} quiet.")
    return notes


def _muted_text(muted_by: Mapping[str, Any]) -> str:
    if "silence" in muted_by:
        return f"silenced by {muted_by['by']}: {muted_by['reason']}"
    if "quiet_hours" in muted_by:
        return f"held in quiet hours until {muted_by['quiet_hours']}"
    if "actions" in muted_by:
        return "held until its rule's actions were over"
    return f"kept quiet by {muted_by['rule']} on {muted_by['subject']}"


def _standing(told: Explanation) -> str:
    alert = told.alert
    if alert is None:
        return "No alert, and there never was one."
    if not alert.fired_at and alert.state not in OPEN_STATES:
        return f"No alert; the last one was never more than pending, since {_moment(alert.active_at)}."
    if alert.state == State.RESOLVED:
        ended = _moment(alert.resolved_at) if alert.resolved_at else "some time ago"
        return f"No alert; the last one ended {ended} ({alert.ended_because or 'recovered'})."
    parts = [f"{alert.state.capitalize()}; true since {_moment(alert.active_at)}"]
    if alert.fired_at is not None:
        parts.append(f"fired {_moment(alert.fired_at)}")
    if alert.held_since is not None or told.held:
        since = f" since {_moment(alert.held_since)}" if alert.held_since else ""
        parts.append(f"held{since}: it neither fires nor resolves")
    if alert.state == State.FIRING and alert.false_since is not None:
        parts.append(f"false since {_moment(alert.false_since)}, resolves {_moment(alert.due_at or told.now)}")
    if alert.acknowledged_by:
        parts.append(f"acknowledged by {alert.acknowledged_by}")
    return ", ".join(parts) + "."


_TRUTHS = {True: "true", False: "false", None: "unknown"}


def _clause_lines(clause: Clause, indent: str) -> list[str]:
    since = f" since {_moment(clause.since)}" if clause.since else ""
    lines = [f"{indent}{_TRUTHS[clause.truth]:8}{clause.text}{since}"]
    lines += [f"{indent}        {item.text} is {value_text(item)}" for item in clause.observed]
    lines += [f"{indent}        {item.text} is learning: {progress(item, clause.truth)}" for item in clause.learning]
    lines += [f"{indent}        {item.text}: {not_read(item)}" for item in clause.unread]
    for below in clause.clauses:
        lines += _clause_lines(below, indent + "  ")
    return lines


def not_read(item: Unread) -> str:
    """On how many things it depends that cannot be read: `2 cannot be read now`."""
    return f"{item.number} cannot be read now"


def progress(item: Learning, truth: bool | None) -> str:
    """How much is known of what is needed, `3 h of 1 d seen`; why a clause of this truth is decided all the same."""
    decided = "" if truth is None else f"; {DECIDED.format('true' if truth else 'false')}"
    if isinstance(item.seen, timedelta):
        needed = duration(item.needed) if isinstance(item.needed, timedelta) else "all"
        return f"{duration(item.seen)} of {needed} seen{decided}"
    number = f"{item.seen} of {item.needed}" if item.needed is not None else str(item.seen)
    sessions = f"{number} session{'' if number == '1' else 's'} seen"
    return f"{sessions}{'' if item.needed is not None else ', and none that ends the streak'}{decided}"


DECIDED = "{} all the same, for what was seen decides it, whatever came before"
"""Why a clause is not unknown though a window of it is not covered yet."""


def value_text(item: Observed) -> str:
    """A stored value in the words of the condition language."""
    if item.value is None:
        return "unknown"
    if item.type is Type.DURATION and isinstance(item.value, int | float):
        return duration(timedelta(seconds=float(item.value)))
    if isinstance(item.value, bool | str | int | float):
        value = item.value if isinstance(item.value, bool | str) else float(item.value)
        return to_text(Literal(value, item.type))
    return plain_value(item.value)


def plain_value(value: Any) -> str:
    """A value that was kept of a transition, as it stands in words."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
