"""Evaluates, after a good poll and at its `now`, every rule for which something may move, and enqueues what that says.

A rule's transitions or events and the messages that tell them are written together. Rules that are soon done share a
transaction for a moment, each in a savepoint of its own; what fails is that rule's alone. It calls nothing outside.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from bot.service.jobs import RULE, Jobs, note_broken
from bot.service.operating.collecting import uncollected
from commands.automations.tries import plan_tries, tell_recovered
from notify.acts import Act, enqueue_act
from notify.alert_cards.card import enqueue_alert_messages, refresh_alert_cards
from notify.alert_cards.channels import freeze_channels
from notify.events import enqueue_event_messages
from notify.routing import Routing
from rules.alerts.evaluate import Evaluated, evaluate_rule
from rules.alerts.events import CompiledEventRule, Event, evaluate_events, event_rules_to_evaluate
from rules.alerts.looks import Look, look_ahead
from rules.alerts.positions import read_positions, rules_in_full, rules_to_evaluate
from rules.alerts.query import CompiledRule
from rules.documents.document import Rule
from rules.lifecycle import Transition
from rules.registry.store import in_force
from storage.dialects import AnyRow
from storage.prepared import asking_once, savepoint


def evaluate(jobs: Jobs, now: datetime, fresh: Collection[str]) -> list[Transition | Event]:
    """Evaluate, at the `now` of a poll, every rule whose resources are fresh and for which something may move.

    What moved comes back, and the events that are announced. A rule that cannot be evaluated holds up no
    other, and is noted in `jobs.broken`. Where all of several fail, it is not for the rules to be mended: raises an
    ExceptionGroup.
    """
    alerts = [rule for rule in jobs.rules.alerts if rule.resources <= frozenset(fresh)]
    events = [rule for rule in jobs.rules.events if rule.resources <= frozenset(fresh)]
    if not alerts and not events:
        return []
    with jobs.database.read() as connection:
        moving = rules_to_evaluate(connection, alerts, now)
        full = rules_in_full(connection, moving, now)
        happening = event_rules_to_evaluate(connection, events, now) if events else []
    due: list[AnyRule] = [*moving, *happening]
    routing = jobs.routing(now)
    told: list[Transition | Event] = []
    failed: dict[str, Exception] = {}
    for rule, done in _evaluated(jobs, due, full, routing):
        if isinstance(done, Exception):
            done.add_note(f'while rule "{rule.id}" was evaluated')
            failed[rule.id] = done
        else:
            told += done
    note_broken(jobs, RULE, failed, now, [rule.id for rule in due])
    return told


AnyRule = CompiledRule | CompiledEventRule
Asked = tuple[AnyRule, Look | None]
Done = tuple[AnyRule, Sequence[Transition | Event] | Exception]

SLICE = 0.05
"""For how many seconds rules go on in one transaction: a click never waits long to be written."""

TOGETHER = 32
"""How many rules at the most are asked about at once: where they stand, and whether they still count."""


def _evaluated(jobs: Jobs, due: Iterable[AnyRule], full: Collection[str], routing: Routing) -> Iterator[Done]:
    """What came of each rule, in their order.

    A rule that is matched in full is so before the transaction that writes; where that finds something, this is written
    at once.
    """
    waiting: list[Asked] = []
    for rule in due:
        ahead = None
        if isinstance(rule, CompiledRule) and rule.id in full:
            try:
                with jobs.database.read() as connection:
                    ahead = look_ahead(connection, rule, routing.now)
            except Exception as error:
                yield rule, error
                continue
        waiting.append((rule, ahead))
        if ahead is not None and (ahead.rows or ahead.wakes):
            yield from _written(jobs, waiting, routing)
            waiting = []
    yield from _written(jobs, waiting, routing)


def _written(jobs: Jobs, asked: Sequence[Asked], routing: Routing) -> Iterator[Done]:
    """Evaluate rules in as few transactions as their time allows; where one cannot end well, each in its own."""
    left = list(asked)
    while left:
        done: list[Done] = []
        try:
            with jobs.database.write() as connection, uncollected(), asking_once(connection):
                began = time.monotonic()
                while len(done) < len(left) and (not done or time.monotonic() - began < SLICE):
                    if len(done) % TOGETHER == 0:
                        standing = _standing(connection, left[len(done) : len(done) + TOGETHER], routing.now)
                    done.append(_in_savepoint(jobs, connection, left[len(done)], standing, routing))
        except Exception as error:
            if len(left) == 1 or len(done) == 1:
                done = [(left[0][0], error)]
            else:  # of what was asked about all of them, one may be the cause
                done = [one for rule in left[: len(done) or TOGETHER] for one in _written(jobs, [rule], routing)]
        yield from done
        left = left[len(done) :]


def _standing(connection: Connection, asked: Sequence[Asked], now: datetime) -> Mapping[str, AnyRow]:
    """Where each of these rules stands; one that somebody changed a moment ago is left out."""
    counting = in_force(connection, {rule.id: rule.version for rule, _ in asked})
    return read_positions(connection, sorted(counting), now) if counting else {}


def _in_savepoint(
    jobs: Jobs, connection: Connection, asked: Asked, standing: Mapping[str, AnyRow], routing: Routing
) -> Done:
    rule, ahead = asked
    if rule.id not in standing:
        return rule, []
    try:
        with savepoint(connection):
            if isinstance(rule, CompiledEventRule):
                return rule, _announce(connection, rule, routing)
            evaluated = evaluate_rule(connection, rule, routing.now, ahead, standing[rule.id])
            _tell_of(jobs, connection, evaluated, routing)
            return rule, evaluated.transitions
    except Exception as error:
        return rule, error


def _announce(connection: Connection, rule: CompiledEventRule, routing: Routing) -> list[Event]:
    events = evaluate_events(connection, rule, routing.now)
    enqueue_event_messages(connection, events, routing)
    return events


def _tell_of(jobs: Jobs, connection: Connection, evaluated: Evaluated, routing: Routing) -> None:
    if evaluated.transitions:
        tell(connection, jobs, evaluated.transitions, routing)
    if evaluated.held_incidents:
        refresh_alert_cards(connection, evaluated.held_incidents, routing.now)


def tell_of_rule(
    jobs: Jobs, connection: Connection, rule: Rule, transitions: Sequence[Transition], now: datetime
) -> None:
    """Tell, in the caller's transaction, what a change of a rule moved."""
    usual = jobs.usual_channels({rule.name: rule})
    routing = replace(jobs.routing(now), usual=usual, rules={**jobs.rules.documents, rule.name: rule})
    tell(connection, jobs, transitions, routing)


def tell_of_act(jobs: Jobs, connection: Connection, act: Act, now: datetime, rule: Rule | None = None) -> None:
    """Tell, in the caller's transaction, the channels that it concerns what somebody did, about `rule` if about one."""
    routing = jobs.routing(now)
    if rule is not None:
        usual = {**routing.usual, **jobs.usual_channels({rule.name: rule})}
        routing = replace(routing, usual=usual, rules={**routing.rules, rule.name: rule})
    enqueue_act(connection, act, routing, jobs.alert_channel)


def tell(connection: Connection, jobs: Jobs, transitions: Sequence[Transition], routing: Routing) -> None:
    """Enqueue, in the caller's transaction, what transitions say and what is tried because of them."""
    frozen = freeze_channels(connection, transitions, routing)
    # what is tried first is planned first: it may hold the messages back
    told = plan_tries(connection, frozen.transitions, routing, jobs.automations)
    enqueue_alert_messages(connection, told, routing, frozen.places)
    tell_recovered(connection, told, routing)
