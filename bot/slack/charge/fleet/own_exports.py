"""`/charge export alerts|audit|uptime FROM TO`, and sessions `from history`: CSV files, sent to whoever asked.

They are of what Chargehand itself knows and ask EOSVOLT nothing. The answer comes at once, the file when it is ready;
one that was being made when the service stopped is asked for again.
"""

import asyncio
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, BinaryIO, cast
from zoneinfo import ZoneInfo

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, refused, told
from bot.slack.charge.days import NoSuchDays, read_days
from bot.slack.charge.fleet.progress import Progress
from bot.slack.charge.governing.audit import read_wanted
from bot.slack.charge.things_by_id import WrongWords, need_thing
from bot.slack.permissions import Role
from bot.slack.uploads import UploadRefused, tell_person, upload_to_person
from bot.slack.web_client import SLACK_FAULTS
from notify.kpis.places import Narrow, by_zone, location_zones
from notify.kpis.scope import By, Scope, with_location
from notify.kpis.sessions import CURRENCY
from notify.kpis.times import stood
from notify.render import render_words
from notify.text.session_csv import HEADER
from notify.text.table_csv import write_table
from rules.documents.windows import ONE_DAY, Period, day_bounds, one_day
from storage.audit import record_act
from storage.queries.acts import ActFilter, acts_of
from storage.schema import ALERT, CONNECTOR, SESSION

log = structlog.get_logger()

MOST_DAYS = 400
LONG_DAYS = 31
"""Beyond so many days a person is told how far it has come."""

IN_MEMORY_BYTES = 2_000_000
Rows = Iterator[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """What was asked for: a kind of history, and local days, both included; `zone` is that of what has no location.

    `which` narrows acts further, as the words that were `said` ask, and `location` sessions. `reached` is told how many
    parts of a long one are done.
    """

    kind: str
    user: str
    first: date
    last: date
    zone: str
    now: datetime
    which: ActFilter | None = None
    said: tuple[str, ...] = ()
    location: str | None = None
    reached: Callable[[int, int], None] = field(default=lambda _done, _parts: None, compare=False)


@dataclass(frozen=True, slots=True)
class OwnExport:
    """A table of our own history: its header and rows, who may have it.

    `audit`'s filters narrow a `filtered` one, a location one `of_place`.
    """

    header: tuple[str, ...]
    rows: Callable[[Connection, OwnOrder], Rows]
    does: str
    needs: Role = Role.OPERATOR
    filtered: bool = False
    of_place: bool = False


def _scope(connection: Connection, order: OwnOrder, period: Period) -> Scope:
    zones = by_zone(location_zones(connection, order.zone), None, order.zone)
    return Scope(zones, period.cut(order.now))


def _alerts(connection: Connection, order: OwnOrder) -> Rows:
    columns = [ALERT.c[name] for name in ("id", "rule_id", "subject", "location_id", "charger_id", "connector_id")]
    columns += [ALERT.c[name] for name in ("state", "active_at", "fired_at", "resolved_at", "ended_because")]
    columns += [ALERT.c.acknowledged_at, ALERT.c.acknowledged_by]
    in_it = _scope(connection, order, Period(order.first, order.last)).within(ALERT.c.fired_at)
    statement = sa.select(*columns).select_from(with_location(ALERT)).where(in_it)
    yield from map(tuple, connection.execute(statement.order_by(ALERT.c.fired_at, ALERT.c.id)))


def _sessions(connection: Connection, order: OwnOrder) -> Rows:
    names = ("id", "connector_id", "charger_id", "location_id", "status", "type")
    columns: list[sa.ColumnElement[Any]] = [SESSION.c[name] for name in names]
    columns += [SESSION.c.started_at, SESSION.c.ended_at, SESSION.c.energy_kwh, SESSION.c.cost]
    columns += [sa.case((SESSION.c.cost.is_not(None), CURRENCY.element)), SESSION.c.stop_reason, SESSION.c.fail_reason]
    scope = _scope(connection, order, Period(order.first, order.last))
    ended = (scope.within(SESSION.c.ended_at), Narrow(order.location).of(SESSION))
    statement = sa.select(*columns).select_from(with_location(SESSION)).where(*ended)
    yield from map(tuple, connection.execute(statement.order_by(SESSION.c.ended_at, SESSION.c.id)))


def _audit(connection: Connection, order: OwnOrder) -> Rows:
    since, until = day_bounds(order.first, order.zone)[0], day_bounds(order.last, order.zone)[1]
    yield from acts_of(connection, replace(order.which or ActFilter(), since=since, until=until))


def _uptime(connection: Connection, order: OwnOrder) -> Rows:
    places = sa.select(CONNECTOR.c.id, CONNECTOR.c.charger_id, CONNECTOR.c.location_id)
    place_of = {row.id: (row.charger_id, row.location_id) for row in connection.execute(places)}
    parts = (order.last - order.first).days + 1
    for number in range(parts):
        day = order.first + number * ONE_DAY
        for connector, one in sorted(stood(connection, _scope(connection, order, one_day(day)), By.CONNECTOR).items()):
            yield day, connector, *place_of[connector], one.up, one.down, one.free, one.uptime
        if parts > LONG_DAYS:
            order.reached(number + 1, parts)


EXPORTS: Mapping[str, OwnExport] = {
    "sessions": OwnExport(
        HEADER, _sessions, "a CSV file of the sessions that ended on these days, sent to you", of_place=True
    ),
    "alerts": OwnExport(
        (
            *("alert", "rule", "subject", "location", "charger", "connector", "state", "active_utc", "fired_utc"),
            *("resolved_utc", "ended_because", "acknowledged_utc", "acknowledged_by"),
        ),
        _alerts,
        "a CSV file of the alerts that fired on these days, sent to you",
    ),
    "audit": OwnExport(
        ("at_utc", "user", "action", "subject", "outcome", "facts"),
        _audit,
        "a CSV file of who did what on these days, sent to you",
        Role.ADMIN,
        filtered=True,
    ),
    "uptime": OwnExport(
        ("day", "connector", "charger", "location", "up_s", "down_s", "free_s", "uptime"),
        _uptime,
        "a CSV file of how long each connector was up on each of these days, sent to you",
    ),
}


def answer_own(kind: str) -> Callable[[Connection, Asked], Answer | Errand]:
    def answer(connection: Connection, asked: Asked) -> Answer | Errand:
        own = " from history" if EXPORTS[kind].of_place else ""
        example = [f"/charge export {kind} {days}{own}" for days in ("2026-01-01 2026-01-31", "last month")]
        today = asked.now.astimezone(ZoneInfo(asked.zone)).date()
        try:
            days, rest = read_days(asked.words, today)
            wanted, place = None, None
            if days is not None and rest and EXPORTS[kind].of_place:
                about = f"export {kind} {days.first} {days.last}"
                place = need_thing(connection, " ".join(rest), about, ["location"]).id
            elif days is not None and rest and EXPORTS[kind].filtered:
                wanted = read_wanted(connection, rest, asked.zone, today)
        except (NoSuchDays, OverflowError) as wrong:
            return refused(
                "There must be two days, the last not before the first",
                reasons=[str(wrong)],
                mend="For example:",
                examples=example,
            )
        except WrongWords as wrong:
            return wrong.answer
        if days is None:
            return refused("An export needs a first and a last day", mend="For example:", examples=example)
        if days.first > today or (rest and wanted is None and place is None):
            problem = "There must be two days, the last not before the first and the first not to come"
            return refused(problem, mend="For example:", examples=example)
        if days.days > MOST_DAYS:
            return refused(f"An export covers at most {MOST_DAYS} days", mend="Ask in parts:", examples=example)
        last = min(days.last, asked.now.date() + ONE_DAY)
        which = wanted.which if wanted is not None else None
        order = OwnOrder(kind, asked.user, days.first, last, asked.zone, asked.now, which, rest, place)
        return Errand(f"own_{kind}", lambda office: _begin(office, order))

    return answer


async def _begin(office: Office, order: OwnOrder) -> Answer:
    """Start making the file, one at a time for each person."""
    name = f"export:{order.user}"
    if any(task.get_name() == name for task in office.work):
        mend = "It comes to your messages with me when it is ready, and one is made at a time. Then ask for this one:"
        again = _words_of(order)
        return refused("Your last export is still being made", mend=mend, examples=[again])
    task = asyncio.create_task(_make(office, order), name=name)
    office.work.add(task)
    task.add_done_callback(office.work.discard)
    return told("answer_own_export", order=order)


def _words_of(order: OwnOrder) -> str:
    """What asks for the same file again."""
    own = " from history" if EXPORTS[order.kind].of_place else ""
    said = " ".join(order.said)
    return " ".join(f"/charge export {order.kind} {order.first} {order.last} {said}{own}".split())


async def _make(office: Office, order: OwnOrder) -> None:
    """Make the file and send it, or tell the person why there is none."""
    progress = Progress(office.slack, order.user, f"{order.kind}, {order.first} to {order.last}")
    loop = asyncio.get_running_loop()

    def reached(done: int, parts: int) -> None:  # it waits for no answer: the table is read in one transaction
        asyncio.run_coroutine_threadsafe(progress.reached(done, parts), loop)

    order = replace(order, reached=reached)
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as raw:
        file = cast("BinaryIO", raw)
        try:
            rows = await asyncio.to_thread(_write, office, order, file)
            words = render_words("own_export_file.mrkdwn.j2", order=order, rows=rows)
            name = f"{order.kind}-{order.first}-{order.last}.csv"
            title = f"{order.kind.capitalize()} {order.first} to {order.last}"
            await upload_to_person(office.slack, order.user, file, name=name, title=title, comment=words["body"])
        except (UploadRefused, *SLACK_FAULTS) as error:
            log.warning("an export failed", user=order.user, what=order.kind, error=str(error))
            await progress.over(made=False)
            await _tell_failure(office, order, str(error))
            return
        except Exception:
            log.exception("an export broke", user=order.user, what=order.kind)
            await progress.over(made=False)
            await _tell_failure(office, order, "Chargehand has a fault of its own; the log has it")
            return
    await progress.over(made=True)
    log.info("export sent", user=order.user, what=order.kind, rows=rows)
    await asyncio.to_thread(_record, office, order, rows)


def _write(office: Office, order: OwnOrder, file: BinaryIO) -> int:
    """Write the table, straight from the database; how many rows."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # so that Excel knows it for UTF-8
    try:
        with office.database.read() as connection:
            export = EXPORTS[order.kind]
            return write_table(text, export.header, export.rows(connection, order))
    finally:
        text.detach()


async def _tell_failure(office: Office, order: OwnOrder, reason: str) -> None:
    answer = refused("The export could not be made", reasons=[reason], mend="Try again:", examples=[_words_of(order)])
    await tell_person(office.slack, order.user, answer.text, answer.blocks)


def _record(office: Office, order: OwnOrder, rows: int) -> None:
    facts = {"from": str(order.first), "to": str(order.last), "rows": rows}
    facts |= {"only": " ".join(order.said)} if order.said else {}
    with office.database.write() as connection:
        record_act(connection, order.user, f"export_{order.kind}", "", order.now, outcome="sent", facts=facts)


WORDS = tuple(
    Word(
        f"export {kind}",
        f"export {kind} FROM TO" + (" [FILTERS]" if export.filtered else ""),
        export.does,
        f"export {kind} 2026-01-01 2026-01-31",
        answer_own(kind),
        needs=export.needs,
        acts=True,
        needs_data=False,
    )
    for kind, export in EXPORTS.items()
    if not export.of_place  # that is said with the word of EOSVOLT's own
)
