"""Evaluates, after a good poll and at its `now`, every rule for which something may move, and enqueues what that says.

One transaction a rule: its transitions or events and the messages that tell them are written together. It calls nothing
outside.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from bot.service.jobs import RULE, Jobs, note_broken
from commands.automations.tries import plan_tries, tell_recovered
from notify.alert_cards.card import enqueue_alert_messages, refresh_alert_cards
from notify.events import enqueue_event_messages
from notify.routing import Routing
from rules.alerts.evaluate import evaluate_rule
from rules.alerts.events import CompiledEventRule, Event, evaluate_events, event_rules_to_evaluate
from rules.alerts.looks import look_ahead
from rules.alerts.positions import rules_to_evaluate
from rules.alerts.query import CompiledRule
from rules.documents.document import Rule
from rules.lifecycle import Transition
from rules.registry.store import is_in_force


def evaluate(jobs: Jobs, now: datetime, fresh: Collection[str]) -> list[Transition | Event]:
    """Evaluate, at the `now` of a poll, every rule whose resources are fresh and for which something may move.

    What moved comes back, and the events that are announced. One transaction a rule: its transitions or events and
    the messages that tell them are written together. A rule that cannot be evaluated holds up no other, and is noted
    in `jobs.broken`. Where all of several fail, it is not for the rules to be mended: raises an ExceptionGroup.
    """
    alerts = [rule for rule in jobs.rules.alerts if rule.resources <= frozenset(fresh)]
    events = [rule for rule in jobs.rules.events if rule.resources <= frozenset(fresh)]
    if not alerts and not events:
        return []
    with jobs.database.read() as connection:
        due: list[CompiledRule | CompiledEventRule] = [
            *rules_to_evaluate(connection, alerts, now),
            *(event_rules_to_evaluate(connection, events, now) if events else ()),
        ]
    routing = jobs.routing(now)
    told: list[Transition | Event] = []
    failed: dict[str, Exception] = {}
    for rule in due:
        try:
            if isinstance(rule, CompiledEventRule):
                told += _announce(jobs, rule, routing)
            else:
                told += _evaluate_one(jobs, rule, routing)
        except Exception as error:
            error.add_note(f'while rule "{rule.id}" was evaluated')
            failed[rule.id] = error
    note_broken(jobs, RULE, failed, now, [rule.id for rule in due])
    return told


def _announce(jobs: Jobs, rule: CompiledEventRule, routing: Routing) -> list[Event]:
    with jobs.database.write() as connection:
        if not is_in_force(connection, rule.id, rule.version):  # somebody changed it a moment ago
            return []
        events = evaluate_events(connection, rule, routing.now)
        enqueue_event_messages(connection, events, routing)
    return events


def _evaluate_one(jobs: Jobs, rule: CompiledRule, routing: Routing) -> list[Transition]:
    with jobs.database.read() as connection:
        ahead = look_ahead(connection, rule, routing.now)
    with jobs.database.write() as connection:
        if not is_in_force(connection, rule.id, rule.version):
            return []
        evaluated = evaluate_rule(connection, rule, routing.now, ahead)
        if evaluated.transitions:
            tell(connection, jobs, evaluated.transitions, routing)
        if evaluated.held_incidents:
            refresh_alert_cards(connection, evaluated.held_incidents, routing.now)
    return evaluated.transitions


def tell_of_rule(
    jobs: Jobs, connection: Connection, rule: Rule, transitions: Sequence[Transition], now: datetime
) -> None:
    """Tell, in the caller's transaction, what a change of a rule moved."""
    usual = jobs.usual_channels({rule.name: rule})
    routing = replace(jobs.routing(now), usual=usual, rules={**jobs.rules.documents, rule.name: rule})
    tell(connection, jobs, transitions, routing)


def tell(connection: Connection, jobs: Jobs, transitions: Sequence[Transition], routing: Routing) -> None:
    """Enqueue, in the caller's transaction, what transitions say and what is tried because of them."""
    # what is tried first is planned first: it may hold the messages back
    told = plan_tries(connection, transitions, routing, jobs.automations)
    enqueue_alert_messages(connection, told, routing)
    tell_recovered(connection, told, routing)
