"""Speaks for rules that run on a scratch database: messages are enqueued, shown and rendered, and nothing is sent.

Rule tests read what stands in the channel, backtests count it. The words and the rows are those of the service; only
Slack's answer is made up.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from commands.automations.advance import advance_try, due_tries
from commands.automations.facts import Automating
from commands.automations.tries import plan_tries
from notify.alert_cards.card import enqueue_alert_messages, refresh_alert_cards
from notify.alert_cards.due_messages import speak_due
from notify.digests.digest import DigestEnqueued, enqueue_due_digests, refresh_digests
from notify.events import enqueue_event_messages
from notify.outbox import ALERT_CARD, ALERT_REPLY, DIGEST, EVENT, ROLL_UP
from notify.render import render_message
from notify.routing import Routing
from rules.actions.automations import Mode
from rules.alerts.evaluate import Evaluated
from rules.alerts.events import Event
from rules.documents.document import Rule
from rules.registry.store import RulesInForce
from rules.trials.backtest import Backtest, CannotBacktest, Said, backtest, period
from rules.trials.cases import find_case_files
from rules.trials.differences import Digest, Message
from rules.trials.run import CaseResult, load_all, run_case
from storage.engine import Database
from storage.prepared import Prepared
from storage.schema import INCIDENT, LOCATION, OUTBOX

CHANNEL = "#alerts"
NIGHT_FROM, NIGHT_TO = 22, 7  # o'clock
KINDS = {ALERT_CARD: "card", ROLL_UP: "card", ALERT_REPLY: "reply", DIGEST: "digest", EVENT: "event"}
_TS = "1700000000.000100"  # where a message stands does not matter here, but that it stands does

_DUE = sa.and_(
    OUTBOX.c.shown_version < OUTBOX.c.version,
    OUTBOX.c.due_at < sa.bindparam("before", type_=OUTBOX.c.due_at.type),
    OUTBOX.c.abandoned_at.is_(None),
)
_SHOW = Prepared(
    sa.update(OUTBOX)
    .where(_DUE)
    .values(
        shown_version=OUTBOX.c.version,
        shown_at=OUTBOX.c.due_at,
        sent_at=sa.func.coalesce(OUTBOX.c.sent_at, OUTBOX.c.due_at),
        message_channel=OUTBOX.c.channel,
        message_ts=_TS,
    )
)


def run_rule_tests(paths: Sequence[Path]) -> list[CaseResult]:
    """Run every case of the test files meant by `paths`. Raises CaseErrors and RuleErrors with all that is wrong."""
    return [run_case(case, rules, lambda _: Rehearsal()) for case, rules in load_all(find_case_files(paths))]


def backtest_rules(
    database: Database,
    rules: Sequence[Rule],
    *,
    days: timedelta,
    interval: timedelta,
    default_zone: str,
    speaker: Callable[[], "Rehearsal"] | None = None,
) -> Iterator[Backtest | CannotBacktest]:
    """Backtest each rule over what `database` has kept, or say why that one cannot be.

    `speaker` makes what counts the messages of each; it may raise CannotBacktest where one takes too long.
    Raises CannotBacktest where there is no history at all.
    """
    with database.read() as connection:
        period(connection, days)
    for rule in rules:
        with database.read() as connection:
            since, until = period(connection, days)
            counting = speaker() if speaker is not None else Rehearsal(default_zone=default_zone)
            try:
                yield backtest(connection, rule, since=since, until=until, interval=interval, speaker=counting)
            except CannotBacktest as wrong:
                yield wrong


class Rehearsal:
    """Enqueues what the service would, into `channel` for a rule that names none, and shows it when it is due."""

    def __init__(self, *, default_zone: str = "UTC", channel: str = CHANNEL) -> None:
        self.default_zone = default_zone
        self.channel = channel
        self._digests: dict[tuple[str, str], DigestEnqueued] = {}

    def deliver(self, connection: Connection, now: datetime) -> None:
        """Show what was due before `now`, as if Slack had answered at once."""
        _SHOW.run(connection, {"before": now})

    def enqueue(self, connection: Connection, rules: RulesInForce, evaluated: Evaluated, now: datetime) -> None:
        """Enqueue what one evaluation makes worth saying."""
        if evaluated.transitions:
            told = plan_tries(connection, evaluated.transitions, self._routing(rules, now), Mode.DRY_RUN)
            enqueue_alert_messages(connection, told, self._routing(rules, now))
        if evaluated.held_incidents:
            refresh_alert_cards(connection, evaluated.held_incidents, now)

    def enqueue_events(
        self, connection: Connection, rules: RulesInForce, events: Sequence[Event], now: datetime
    ) -> None:
        """Enqueue the messages of the events that are announced."""
        enqueue_event_messages(connection, events, self._routing(rules, now))

    def act(self, connection: Connection, rules: RulesInForce, interval: timedelta, now: datetime) -> None:
        """Decide what rules would try by themselves, and do none of it: the cards say what it would have been."""
        work = Automating(Mode.DRY_RUN, interval, self._routing(rules, now))
        for try_id in due_tries(connection, now):
            advance_try(connection, try_id, work, now)

    def remind(self, connection: Connection, rules: RulesInForce, now: datetime) -> None:
        """Enqueue what speaks because time passed or because nothing keeps it quiet any more."""
        speak_due(connection, self._routing(rules, now))

    def enqueue_digests(self, connection: Connection, rules: RulesInForce, now: datetime) -> None:
        """Enqueue the digests that are due, and correct those whose figures have changed."""
        routing = self._routing(rules, now)
        told = enqueue_due_digests(connection, rules.digests, routing)
        told += refresh_digests(connection, [rule.name for rule in rules.digests], routing)
        self._digests |= {(one.rule, one.slot): one for one in told}

    def digests(self) -> list[Digest]:
        """The digests that were enqueued, in the order of their slots, with their facts as they stand corrected."""
        told = sorted(self._digests.values(), key=lambda one: (datetime.fromisoformat(one.slot), one.slot, one.rule))
        return [Digest(one.rule, one.slot, one.facts) for one in told]

    def standing(self, connection: Connection, now: datetime) -> list[Message]:
        """The messages that stand in the channels, in the order in which they came, in their newest words."""
        rows = connection.execute(
            sa.select(OUTBOX).where(OUTBOX.c.sent_at.is_not(None)).order_by(OUTBOX.c.sent_at, OUTBOX.c.natural_key)
        ).all()
        return [_message(connection, row, now) for row in rows]

    def said(self, connection: Connection) -> list[Said]:
        """The messages that were shown, and which of them between 22 and 7 o'clock at their location."""
        statement = (
            sa.select(OUTBOX.c.kind, OUTBOX.c.sent_at, LOCATION.c.timezone)
            .select_from(
                OUTBOX.outerjoin(INCIDENT, INCIDENT.c.id == OUTBOX.c.incident_id).outerjoin(
                    LOCATION, LOCATION.c.id == INCIDENT.c.location_id
                )
            )
            .where(OUTBOX.c.sent_at.is_not(None))
            .order_by(OUTBOX.c.sent_at, OUTBOX.c.natural_key)
        )
        return [
            Said(KINDS.get(row.kind, row.kind), row.sent_at, self._at_night(row.sent_at, row.timezone))
            for row in connection.execute(statement)
        ]

    def _at_night(self, moment: datetime, zone: str | None) -> bool:
        try:
            local = moment.astimezone(ZoneInfo(zone or self.default_zone))
        except (OSError, ValueError, KeyError):  # the API's name for a zone may be any text
            local = moment.astimezone(ZoneInfo(self.default_zone))
        return local.hour >= NIGHT_FROM or local.hour < NIGHT_TO

    def _routing(self, rules: RulesInForce, now: datetime) -> Routing:
        usual = {name: rule.notify or (self.channel,) for name, rule in rules.documents.items()}
        return Routing(now, usual, rules=rules.documents, default_zone=self.default_zone)


def _message(connection: Connection, row: Row[Any], now: datetime) -> Message:
    rendered = render_message(connection, row, now)
    titles = [block["text"]["text"] for block in rendered.blocks if block["type"] == "header"]
    texts = [rendered.text, *_texts(rendered.all_blocks)]
    return Message(KINDS.get(row.kind, row.kind), " ".join(titles), " ".join(" ".join(texts).split()), row.rule_id)


def _texts(block: Any) -> list[str]:
    """Every text in a block, wherever Block Kit puts it."""
    if isinstance(block, list):
        return [text for item in block for text in _texts(item)]
    if not isinstance(block, dict):
        return []
    if isinstance(block.get("text"), str):
        return [block["text"]]
    return [text for item in block.values() for text in _texts(item)]
