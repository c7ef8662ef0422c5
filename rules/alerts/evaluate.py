"""One rule's evaluation: look, ask the lifecycle, write down what moved; all in the caller's transaction.

It returns the transitions, so that the messages which tell them are enqueued in the same transaction. It calls nothing
outside, and how an alert moves is decided by `lifecycle` alone.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from rules.alerts.ledger import Ledger
from rules.alerts.looks import Look, Subject, open_records, subjects_to_judge
from rules.alerts.positions import length_of, new_gaps, read_position, store_position
from rules.alerts.query import CompiledRule
from rules.lifecycle import AlertState, Edit, Transition, end, path


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation of one rule moved, and the incidents whose members came to be held or were let go.

    Being held is no transition, but a card says so.
    """

    transitions: list[Transition]
    held_incidents: frozenset[int]


def evaluate_rule(
    connection: Connection, compiled: CompiledRule, now: datetime, ahead: Look | None = None
) -> Evaluated:
    """Evaluate one rule at `now` and write down every transition; at most two for one subject (a reset by a gap).

    1. See how far the rule has come, and which gaps are new to it.
    2. Look at the subjects that may move. `ahead` is what `look_ahead` found at this `now`; where anything has changed
       since, the rule is matched again.
    3. Ask the lifecycle which states each goes through.
    4. Write alerts, incidents and transitions, and how far the rule has come now.
    """
    position = read_position(connection, compiled.id)
    if position is None:
        raise LookupError(f'rule "{compiled.id}" is not in the database')
    gaps = new_gaps(connection, compiled, position)
    gap = length_of(gaps)
    subjects = subjects_to_judge(connection, compiled, position, now, ahead, every=bool(gaps))
    edits = (Edit(compiled.timing), Edit(compiled.timing, edited=True))
    paths: list[tuple[Subject, list[AlertState]]] = []
    for subject in subjects:
        alert = subject.alert
        edited = alert is not None and alert.rule_version < compiled.version
        paths.append((subject, path(alert.state if alert else None, subject.match, edits[edited], gap, now)))
    ledger = Ledger(connection, compiled.id, now)
    for subject, states in paths:
        ledger.follow(compiled, subject, states)
    if position.evaluated_seq == 0:
        ledger.note_switch_on()
    transitions = ledger.write(compiled.severity, compiled.group_by)
    store_position(connection, compiled, position, gaps, now)
    return Evaluated(transitions, frozenset(ledger.held_incidents))


def end_alerts(connection: Connection, rule_id: str, reason: str, now: datetime) -> list[Transition]:
    """End every open alert of a rule for a reason of the rule's own ("rule removed")."""
    ledger = Ledger(connection, rule_id, now)
    for record in open_records(connection, rule_id):
        ledger.move(record, end(record.state, now, reason))
    return ledger.write()
