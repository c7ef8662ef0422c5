"""What is known about a step of a rule's actions when it is decided or looked at, read from the database.

It only reads. Limits count the rows that everybody's commands make, so that rules and people share them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Row

from commands.requests.checks import check_command
from commands.requests.unread import why_unseen
from notify.routing import Routing
from rules.actions.automations import Mode, ReadBack, Sight, Situation, TryState
from rules.actions.command_kinds import CHARGING, COMMANDS_PER_DAY, CommandCheck, CommandKind, CommandState, Reason
from rules.actions.steps import ActionStep
from rules.documents.document import Rule
from rules.language.expressions import Not
from rules.lifecycle import State
from rules.matching.compile import compile_check
from rules.matching.windows import local_clocks
from storage.polls import PollState, poll_states
from storage.schema import CHARGER, COMMAND, CONNECTOR, INTERVAL, LOCATION, TRY

NEVER_SENT = (CommandState.EXPIRED.value, CommandState.CANCELLED.value)
"""How a command ends that certainly never left: limits do not count it."""

BUSY = (TryState.AWAITING_APPROVAL.value, TryState.SENT.value)
STALE_INTERVALS = 3
NOT_KNOWN = "whether EOSVOLT took it is not known"


@dataclass(frozen=True, slots=True)
class Automating:
    """What deciding needs from outside: the mode that the setting says, the polls' interval, where rules speak."""

    default: Mode
    interval: timedelta
    routing: Routing
    price_approval: str | None = None  # the channel that is asked about each change of prices, whoever asks for it
    per_day: int = COMMANDS_PER_DAY


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try with its alert, the rule's version that said it, and its step with the approval that it needs here."""

    row: Row[Any]
    alert: Row[Any]
    rule: Rule
    step: ActionStep
    in_force: bool

    @property
    def target(self) -> Mapping[str, str | None]:
        """What is acted on, as `enqueue_command` takes it; its value is None where the alert names none."""
        return {f"{self.step.target}_id": getattr(self.row, f"{self.step.target}_id")}

    @property
    def place(self) -> "Place":
        """Where limits count, and where one step is at work at a time."""
        if self.step.price is not None:
            return Place("location_id", self.row.location_id or "")
        return Place("charger_id", self.row.charger_id or "")


@dataclass(frozen=True, slots=True)
class Place:
    """A charger, or of prices a location: the column that names it, and its id, empty where none is known."""

    column: str
    id: str

    @property
    def noun(self) -> str:
        """The thing in words."""
        return self.column.removesuffix("_id")

    def here(self, table: sa.Table) -> list[ColumnElement[bool]]:
        """The rows of TRY or COMMAND that are about it: of a location those that change its prices."""
        of_prices = table.c.kind == CommandKind.CHANGE_PRICE.value
        return [table.c[self.column] == self.id, of_prices if self.column == "location_id" else ~of_prices]


def situation_of(connection: Connection, attempt: Attempt, mode: Mode, work: Automating, now: datetime) -> Situation:
    """What is known about a step that has sent nothing yet."""
    row, alert, step = attempt.row, attempt.alert, attempt.step
    polls = poll_states(connection, now)
    check = _check(connection, attempt, work.per_day, now)
    dry = attempt.rule.dry_run or mode is Mode.DRY_RUN
    return Situation(
        mode=mode,
        firing=alert.state == State.FIRING,
        in_force=attempt.in_force,
        due_at=row.due_at,
        fresh=_is_fresh(polls.get("chargers"), work.interval, now) and not _is_unread(connection, attempt),
        done=_count(connection, step.kind, now - step.limit.window, attempt.place, dry=dry),
        done_total=_count(connection, step.kind, now - step.limit_total.window, None, dry=dry),
        last_at=_last_at(connection, attempt, dry=dry),
        codes=error_codes(connection, alert) if step.price is None else (),  # a price hides no danger
        in_the_way=_in_the_way(connection, attempt, check, now),
        against=_against(connection, attempt, check),
    )


def error_codes(connection: Connection, alert: Row[Any]) -> list[str]:
    """Every error code of the alert's charger (of all its connectors) now and since the fault began.

    The fault may be older than the alert, whose condition may hold only since a code is no longer told.
    """
    mine = sa.or_(CONNECTOR.c.charger_id == alert.charger_id, CONNECTOR.c.id == alert.connector_id)
    here = sa.select(CONNECTOR.c.id).where(mine)
    codes = (CONNECTOR.c.error_code, CONNECTOR.c.vendor_error_code)
    now = [sa.select(code.label("code")).where(mine, code.is_not(None)) for code in codes]
    status = INTERVAL.alias()
    faulted = (status.c.field == "status", status.c.value == "Faulted", status.c.valid_to.is_(None))
    of_connector = (status.c.thing == "connector", status.c.thing_id == INTERVAL.c.thing_id)
    fault_began = sa.select(status.c.valid_from).where(*of_connector, *faulted).scalar_subquery()
    kept = sa.select(INTERVAL.c.value.label("code")).where(
        INTERVAL.c.thing == "connector",
        INTERVAL.c.field == "error_code",
        INTERVAL.c.thing_id.in_(here),
        sa.or_(INTERVAL.c.valid_to.is_(None), INTERVAL.c.valid_to > alert.active_at, INTERVAL.c.valid_to > fault_began),
        INTERVAL.c.value.is_not(None),
    )
    found = list(connection.execute(sa.union(*now, kept)).scalars())
    evidence = (alert.evidence or {}).get("error_code")
    return [*found, str(evidence)] if evidence else found


def sight_of(
    connection: Connection, attempt: Attempt, command: Row[Any], now: datetime, default_zone: str | None = None
) -> Sight:
    """What the polls since the answer say about a step that was sent."""
    if command.answered_at is None:
        return Sight(None)
    rule, alert = attempt.rule, attempt.alert
    assert rule.when is not None  # noqa: S101 - an alert rule has one
    assert rule.for_each is not None  # noqa: S101
    check = compile_check(attempt.step.verify or Not(rule.when), rule.for_each)
    polls = poll_states(connection, now)
    # a location's own facts are read too rarely to be waited for
    read = {"chargers", *check.resources} - {"locations"}
    seen = [_seen_at(polls.get(resource), command.answered_at) for resource in sorted(read)]
    known = [moment for moment in seen if moment is not None]
    parameters: dict[str, Any] = {"subject": alert.subject, "now": now}
    if check.local_time:
        zones = connection.execute(sa.select(LOCATION.c.timezone).distinct()).scalars()
        parameters["clocks"] = local_clocks([zone for zone in zones if zone], now, default_zone)
    truth = connection.execute(check.statement, parameters).scalar()
    blind = _blind(connection, attempt, truth)
    # once noted it stays so: the command's own state moves on when it was looked at
    unknown = command.state == CommandState.UNKNOWN or attempt.row.reason == NOT_KNOWN
    return Sight(command.answered_at, min(known) if len(known) == len(seen) else None, truth, blind, unknown)


def read_back_of(command: Row[Any]) -> ReadBack:
    """What the command of a change of prices that was sent has come to."""
    return ReadBack(
        ended=command.ended_at is not None,
        as_asked=command.state == CommandState.VERIFIED,
        outcome=command.outcome or "",
        unknown="answer" not in command.details,
    )


def _blind(connection: Connection, attempt: Attempt, truth: bool | None) -> str | None:
    statement = sa.select(CHARGER.c.online, CHARGER.c.gone_at, CHARGER.c.stale_since).where(
        CHARGER.c.id == attempt.row.charger_id
    )
    charger = connection.execute(statement).first()
    if (unseen := why_unseen(charger, "charger")) is not None:
        return unseen
    return "what should be verified is not known" if truth is None else None


def _seen_at(poll: PollState | None, answered_at: datetime) -> datetime | None:
    if poll is None or poll.good_at is None or poll.good_at <= answered_at:
        return None
    return poll.good_at


def _is_fresh(poll: PollState | None, interval: timedelta, now: datetime) -> bool:
    if poll is None or poll.good_at is None or poll.failures:
        return False
    return now - poll.good_at <= STALE_INTERVALS * interval


def _is_unread(connection: Connection, attempt: Attempt) -> bool:
    """Whether what EOSVOLT tells of the charger, or of the alert's connector, cannot be read at present."""
    if attempt.step.price is not None:
        return False
    here = sa.union_all(
        sa.select(CHARGER.c.id).where(CHARGER.c.id == attempt.row.charger_id, CHARGER.c.stale_since.is_not(None)),
        sa.select(CONNECTOR.c.id).where(
            CONNECTOR.c.id == attempt.alert.connector_id, CONNECTOR.c.stale_since.is_not(None)
        ),
    )
    return connection.execute(here.limit(1)).first() is not None


def _counted(kind: str, since: datetime, place: Place | None) -> list[ColumnElement[bool]]:
    here = [] if place is None else place.here(COMMAND)
    return [COMMAND.c.kind == kind, COMMAND.c.requested_at > since, COMMAND.c.state.not_in(NEVER_SENT), *here]


def _told(kind: str, since: datetime, place: Place | None) -> list[ColumnElement[bool]]:
    here = [] if place is None else place.here(TRY)
    return [
        TRY.c.kind == kind,
        TRY.c.state == TryState.WOULD_HAVE.value,
        TRY.c.ended_at > since,
        *here,
    ]


def _count(connection: Connection, kind: str, since: datetime, place: Place | None, *, dry: bool) -> int:
    """The commands of a kind since a moment; a dry run counts what it would have sent as if it had been."""
    count = sa.select(sa.func.count())
    found = int(connection.execute(count.select_from(COMMAND).where(*_counted(kind, since, place))).scalar_one())
    if dry:
        told = count.select_from(TRY).where(*_told(kind, since, place))
        found += int(connection.execute(told).scalar_one())
    return found


def _last_at(connection: Connection, attempt: Attempt, *, dry: bool) -> datetime | None:
    row, since = attempt.row, datetime.min.replace(tzinfo=attempt.row.planned_at.tzinfo)
    own = sa.select(TRY.c.command_id).where(TRY.c.alert_id == row.alert_id, TRY.c.command_id.is_not(None))
    last = sa.select(sa.func.max(COMMAND.c.requested_at)).where(
        *_counted(row.kind, since, attempt.place), COMMAND.c.id.not_in(own)
    )
    moments = [connection.execute(last).scalar()]
    if dry:
        told = sa.select(sa.func.max(TRY.c.ended_at)).where(
            *_told(row.kind, since, attempt.place), TRY.c.alert_id != row.alert_id
        )
        moments.append(connection.execute(told).scalar())
    return max((moment for moment in moments if moment is not None), default=None)


def _check(connection: Connection, attempt: Attempt, per_day: int, now: datetime) -> CommandCheck | None:
    target = next(iter(attempt.target.values()))
    if target is None:
        return None
    whole = attempt.step.target == "charger"
    return check_command(connection, attempt.step.kind, target, now, whole_charger=whole, per_day=per_day)


def _in_the_way(connection: Connection, attempt: Attempt, check: CommandCheck | None, now: datetime) -> str | None:
    """What a step waits for: people who want quiet here, another rule's step, a command that is under way."""
    row, alert, place = attempt.row, attempt.alert, attempt.place
    if any(getattr(alert, name) is not None for name in ("silence_id", "inhibited_by", "snoozed_until")):
        return "the alert is kept quiet"
    other = sa.select(TRY.c.rule_id).where(*place.here(TRY), TRY.c.state.in_(BUSY), TRY.c.id != row.id)
    rule = connection.execute(other.limit(1)).scalar()
    if rule is not None:
        return f"rule {rule} is at work on the {place.noun}"
    asked = sa.select(COMMAND.c.id).where(
        *place.here(COMMAND),
        COMMAND.c.state == CommandState.AWAITING_APPROVAL.value,
        COMMAND.c.expires_at > now,
    )
    if connection.execute(asked.limit(1)).first() is not None:
        return f"a command to the {place.noun} waits for approval"
    under_way = [r.text for r in check.refusals if r.reason is Reason.UNDER_WAY] if check is not None else []
    return under_way[0] if under_way else None


def _against(connection: Connection, attempt: Attempt, check: CommandCheck | None) -> str | None:
    if check is None:
        return f"which {attempt.step.target} it is about is not known"
    told = [refusal.text for refusal in check.refusals if refusal.reason is not Reason.UNDER_WAY]
    if attempt.step.kind in {"reset_soft", "reset_hard"} and not told:
        # an account may hide its sessions; a connector that charges tells all the same
        charging = sa.select(CONNECTOR.c.id).where(
            CONNECTOR.c.charger_id == attempt.row.charger_id,
            CONNECTOR.c.gone_at.is_(None),
            CONNECTOR.c.status.in_(CHARGING),
        )
        busy = connection.execute(charging.order_by(CONNECTOR.c.id).limit(1)).scalar()
        told = [f"connector {busy} is charging, and this would end it"] if busy is not None else []
    return "; ".join(told) or None
