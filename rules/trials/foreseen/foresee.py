"""The polls after the first one of a backtest, foreseen: written down and spoken of where an alert fires or ends.

An alert that never fires is counted and not written, and what only waits for something else is not either: nothing
is said of it. Rules that act, repeat or keep others quiet are played poll by poll elsewhere.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from rules.alerts.evaluate import Evaluated
from rules.alerts.ledger import Ledger
from rules.alerts.looks import Subject, open_records
from rules.alerts.query import CompiledRule
from rules.alerts.records import AlertRecord
from rules.documents.document import Rule
from rules.lifecycle import Match, State, Transition
from rules.trials.foreseen.lives import Polls, Step, fires_or_ends, steps_of
from rules.trials.foreseen.pasts import read_pasts
from rules.trials.foreseen.stretches import ONLINE, STATUS, find_stretches
from rules.trials.grid import PollGrid
from rules.trials.history import AS_NOW, Change, Kept
from rules.trials.scratch import Scratch

FIELDS = frozenset({STATUS, ONLINE, *AS_NOW})


def can_be_foreseen(rule: Rule, keys: frozenset[str], kept: Kept, grid: PollGrid) -> bool:
    """Whether the polls of a rule that reads present values alone can be foreseen: nothing else moves or speaks.

    Nothing may come into sight, vanish or move meanwhile.
    """
    speaks = rule.actions or rule.repeat or rule.escalate or rule.inhibits or rule.rises
    if speaks or rule.on_gap != "keep" or not keys <= FIELDS:
        return False
    span = (grid.first, grid.until)
    there = kept.whereabouts
    return not there.left and not there.went(*span) and not any(there.appeared(*span))


def foresee(
    scratch: Scratch, rule: Rule, kept: Kept, grid: PollGrid, changes: Mapping[datetime, Sequence[Change]]
) -> tuple[int, list[Transition]]:
    """At how many polls after the first one something moved, and everything that did; `changes` are those of each poll.

    The first poll is recorded and evaluated in `scratch`; there the messages are enqueued.
    """
    (compiled,) = scratch.rules.alerts
    with scratch.database.read() as connection:
        pasts = read_pasts(connection, changes, grid)
        stretches = find_stretches(connection, rule, kept, pasts)
        records = {record.subject: record for record in open_records(connection, rule.name)}
    polls = Polls(grid)
    steps: list[Step] = []
    for subject, mine in stretches.items():
        record = records.get(subject)
        steps += steps_of(mine, None if record is None else record.state, compiled.timing, polls)
    steps.sort(key=lambda step: (step.at, step.subject))
    with scratch.database.write() as connection:
        telling = _Telling(connection, scratch, compiled, records)
        for at, at_once in groupby(steps, key=attrgetter("at")):
            telling.tell(at, list(at_once))
    return len({step.at for step in steps}), _transitions(rule.name, steps, records)


class _Telling:
    """Writes alerts where they fire and end, and lets the speaker speak of it."""

    def __init__(
        self, connection: Connection, scratch: Scratch, compiled: CompiledRule, records: Mapping[str, AlertRecord]
    ) -> None:
        self._connection, self._scratch, self._compiled = connection, scratch, compiled
        self._written = dict(records)

    def tell(self, at: datetime, steps: Sequence[Step]) -> None:
        """What one poll moved."""
        ledger = Ledger(self._connection, self._compiled.id, at)
        moved = [self._follow(ledger, step) for step in steps]
        if not any(moved):
            return
        self._scratch.speaker.deliver(self._connection, at)
        told = ledger.write(self._compiled.severity, self._compiled.group_by)
        self._scratch.speaker.enqueue(self._connection, self._scratch.rules, Evaluated(told, frozenset()), at)

    def _follow(self, ledger: Ledger, step: Step) -> bool:
        """Put a step into the ledger; false where nothing of it is to be written."""
        record = self._written.get(step.subject)
        if record is not None and not step.turns:
            record.state = step.states[-1]
            return False
        if record is None and not fires_or_ends(step):
            return False
        begun = step.begun
        row = begun.row if record is None and begun is not None else None
        match = Subject(_match_of(step), record, row)
        ledger.follow(self._compiled, match, [one for one in step.states if record or one.state == State.FIRING])
        if match.alert is None:
            self._written.pop(step.subject, None)
        else:
            self._written[step.subject] = match.alert
        return True


def _match_of(step: Step) -> Match:
    return Match(step.subject, None) if step.begun is None else step.begun.match


def _transitions(rule_id: str, steps: Sequence[Step], records: Mapping[str, AlertRecord]) -> list[Transition]:
    """Every change of state, as the ledger tells them; an alert that was never written has a number of its own."""
    ids = {subject: record.id or 0 for subject, record in records.items()}
    told: list[Transition] = []
    for step in steps:
        before = step.before
        for after in step.states:
            if before is None:
                ids[step.subject] = -len(told) - 1
            from_state = State.INACTIVE if before is None else before.state
            if after.state != from_state:
                moved = (from_state, after.state, after.active_at, after.reason)
                told.append(Transition(step.at, rule_id, step.subject, *moved, alert_id=ids[step.subject]))
            before = after if after.is_open else None
    return told
