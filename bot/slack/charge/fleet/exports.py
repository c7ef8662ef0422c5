"""`/charge export sessions FROM TO [LOCATION] [from history]`: a CSV file of sessions, sent to the person who asked.

The answer comes at once and the file when it is ready. A file that was being made when the service stopped is not made
later: whoever asked is told so, and asks again.
"""

import asyncio
import contextlib
import io
import tempfile
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, not_in_plan, refused, told
from bot.slack.charge.days import NoSuchDays, read_days
from bot.slack.charge.fleet.own_exports import answer_own
from bot.slack.charge.fleet.places import Places, places_of
from bot.slack.charge.fleet.progress import Progress
from bot.slack.charge.things_by_id import need_thing
from bot.slack.permissions import Role
from bot.slack.uploads import UploadRefused, tell_person, upload_to_person
from bot.slack.web_client import SLACK_FAULTS
from eosvolt.errors import EosvoltError, Forbidden
from eosvolt.exports import fetch_exports, parts_of
from notify.render import render_words
from notify.text.session_csv import write_header, write_sessions
from rules.documents.windows import Period
from storage.audit import record_act
from storage.health import record_switched_off

log = structlog.get_logger()

HISTORY = "history"
"""The last word of an export that is made of our own history."""

MOST_DAYS = 400
MOST_BYTES = 200_000_000
IN_MEMORY_BYTES = 2_000_000
FAREWELL_SECONDS = 3
EXAMPLE = "/charge export sessions 2026-01-01 2026-03-31"


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What was asked for: local days, both included, each location's its own, and all their instants in UTC."""

    user: str
    first: date
    last: date
    since: datetime
    until: datetime
    zone: str
    location_id: str | None
    now: datetime
    places: Places

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones whose days these are, in which locations count: mostly one."""
        return tuple(sorted(self.places.zones))

    @property
    def parts(self) -> int:
        """How many pieces EOSVOLT is asked for."""
        return len(parts_of(self.since, self.until))


class TooLarge(Exception):  # noqa: N818 - read as a sentence
    """The file would be larger than is sent."""


def answer_export(connection: Connection, asked: Asked) -> Answer | Errand:
    """Order an export and say so; the file comes later."""
    words = asked.words
    if len(words) > 1 and words[0].lower() == "sessions" and words[-1].lower() == HISTORY:
        rest = words[1:-2] if words[-2].lower() == "from" else words[1:-1]
        return answer_own("sessions")(connection, replace(asked, words=rest))
    if not words or words[0].lower() != "sessions":
        return refused(
            "Only sessions, alerts, audit and uptime can be exported", mend="For example:", examples=[EXAMPLE]
        )
    try:
        days, rest = read_days(words[1:], asked.now.astimezone(ZoneInfo(asked.zone)).date())
    except (NoSuchDays, OverflowError) as wrong:
        problem = "An export needs a first and a last day, in this order"
        return refused(problem, reasons=[str(wrong)], mend="For example:", examples=[EXAMPLE])
    if days is None:
        return refused("An export needs a first and a last day", mend="For example:", examples=[EXAMPLE])
    return _ordered(connection, asked, days, " ".join(rest) or None)


def _ordered(connection: Connection, asked: Asked, days: Period, location_id: str | None) -> Answer | Errand:
    first, last = days.first, days.last
    if location_id is not None:
        location_id = need_thing(connection, location_id, f"export sessions {first} {last}", ["location"]).id
    places = places_of(connection, asked.zone, location_id)
    since, until = places.bounds(first, last)
    until = min(until, asked.now)
    if since >= until:
        problem = "The last day is before the first, or nothing has happened yet"
        return refused(problem, mend="For example:", examples=[EXAMPLE])
    if days.days > MOST_DAYS:
        return refused(f"An export covers at most {MOST_DAYS} days", mend="Ask in parts:", examples=[EXAMPLE])
    zone = places.zone_of(location_id)
    order = ExportOrder(asked.user, first, last, since, until, zone, location_id, asked.now, places)
    return Errand("export_sessions", lambda office: begin(office, order))


class CutOff(Exception):  # noqa: N818 - read as a sentence
    """The service stops."""


async def begin(office: Office, order: ExportOrder) -> Answer:
    """Start making the file, one at a time for each person."""
    name = f"export:{order.user}"
    if any(task.get_name() == name for task in office.work):
        mend = "It comes to your messages with me when it is ready, and one is made at a time. Then ask for this one:"
        again = f"/charge export sessions {order.first} {order.last} {order.location_id or ''}".strip()
        return refused("Your last export is still being made", mend=mend, examples=[again])
    task = asyncio.create_task(make(office, order), name=name)
    office.work.add(task)
    task.add_done_callback(office.work.discard)
    return told("answer_export", order=order)


async def make(office: Office, order: ExportOrder) -> None:
    """Make the file and send it, or tell the person why there is none."""
    progress = Progress(office.slack, order.user, f"sessions, {order.first} to {order.last}")
    try:
        rows, aside = await _make(office, order, progress)
    except (EosvoltError, UploadRefused, TooLarge, *SLACK_FAULTS) as error:
        log.warning("an export failed", user=order.user, error=str(error))
        await progress.over(made=False)
        await _tell_failure(office, order, error)
        return
    except asyncio.CancelledError:
        log.warning("an export was cut off by the stop", user=order.user)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await _tell_failure(office, order, CutOff("Chargehand was stopped while it was being made"))
        raise
    except Exception:
        log.exception("an export broke", user=order.user)
        await progress.over(made=False)
        await _tell_failure(office, order, None)
        return
    await progress.over(made=True)
    log.info("export sent", user=order.user, rows=rows, set_aside=aside)
    await asyncio.to_thread(_audit, office, order, rows)


async def _make(office: Office, order: ExportOrder, progress: Progress) -> tuple[int, int]:
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as raw:
        file = cast("BinaryIO", raw)
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")  # so that Excel knows it for UTF-8
        try:
            rows, aside = await _write(office, order, text, file, progress)
        finally:
            text.detach()
        words = render_words("export_file.mrkdwn.j2", order=order, rows=rows, aside=aside)
        name = f"sessions-{order.first}-{order.last}.csv"
        title = f"Sessions {order.first} to {order.last}"
        await upload_to_person(office.slack, order.user, file, name=name, title=title, comment=words["body"])
    return rows, aside


async def _write(
    office: Office, order: ExportOrder, text: io.TextIOWrapper, file: BinaryIO, progress: Progress
) -> tuple[int, int]:
    """Write all parts below one header; how many sessions, and how many could not be read."""
    rows = aside = done = 0
    write_header(text)
    asked = fetch_exports(office.client, order.since, order.until, order.location_id, wait=office.wait)
    async with contextlib.aclosing(asked) as parts:
        async for part in parts:
            mine = order.places.told_of(part.sessions, order.first, order.last)
            rows += await asyncio.to_thread(write_sessions, text, mine)
            aside += len(part.set_aside)
            if file.tell() > MOST_BYTES:
                raise TooLarge(f"the file is larger than {MOST_BYTES // 1_000_000} MB: ask for fewer days at once")
            done += 1
            await progress.reached(done, order.parts)
    return rows, aside


async def _tell_failure(office: Office, order: ExportOrder, error: Exception | None) -> None:
    if isinstance(error, Forbidden):
        await asyncio.to_thread(_switch_off, office, order.now)
        answer = not_in_plan("export", error.kind, error.message)
    else:
        reason = str(error) if error is not None else "Chargehand has a fault of its own; the log has it"
        again = f"/charge export sessions {order.first} {order.last}"
        answer = refused("The export could not be made", reasons=[reason], mend="Try again:", examples=[again])
    await tell_person(office.slack, order.user, answer.text, answer.blocks)


def _switch_off(office: Office, now: datetime) -> None:
    with office.database.write() as connection:
        record_switched_off(connection, "export_sessions", "forbidden", now)


def _audit(office: Office, order: ExportOrder, rows: int) -> None:
    facts = {"from": str(order.first), "to": str(order.last), "location": order.location_id, "rows": rows}
    subject = order.location_id or ""
    with office.database.write() as connection:
        record_act(connection, order.user, "export_sessions", subject, order.now, outcome="sent", facts=facts)


WORDS = (
    Word(
        "export",
        "export sessions FROM TO [LOCATION] [from history]",
        "a CSV file of the sessions that ended on these days, EOSVOLT's or from our own history, sent to you",
        "export sessions 2026-01-01 2026-03-31",
        answer_export,
        needs=Role.OPERATOR,
        acts=True,
        route="export_sessions",
        spared=HISTORY,
    ),
)
