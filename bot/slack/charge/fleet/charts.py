"""`/charge chart energy|status|uptime|revenue|alerts [ID] [DAYS]`: a picture of our own figures, sent to whoever asked.

The answer comes at once, the picture when it is drawn; its text says the same facts. It asks EOSVOLT nothing.
"""

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Errand, Office, Word, refused, told
from bot.slack.charge.days import NoSuchDays, read_days
from bot.slack.charge.things_by_id import Thing, WrongWords, need_thing
from bot.slack.uploads import UploadRefused, tell_person, upload_to_person
from bot.slack.web_client import SLACK_FAULTS
from notify.charts.drawing import Chart, NoFonts, png_of
from notify.charts.figures import CHARTS
from notify.kpis.places import Narrow, by_zone, location_zones
from notify.kpis.scope import Scope
from notify.render import render_words
from rules.documents.windows import ONE_DAY, Period
from storage.queries.state import Kind

log = structlog.get_logger()

MOST_DAYS = 31
ABOUT: tuple[Kind, ...] = ("charger", "location")
DRAWS = {
    "energy": "energy and sessions by hour or day, as a picture sent to you",
    "status": "how many connectors were in use, free or out of order, as a picture sent to you",
    "uptime": "a map of days by connectors, the worst first, as a picture sent to you",
    "revenue": "what sessions cost by hour or day, as a picture sent to you",
    "alerts": "how many alerts fired by hour or day, as a picture sent to you",
}


@dataclass(frozen=True, slots=True)
class ChartOrder:
    """What was asked for: a chart and local days, both included; `zone` is that of what has no location.

    `about` is the one location or charger that it is of, None for the whole network.
    """

    kind: str
    user: str
    first: date
    last: date
    zone: str
    now: datetime
    about: Thing | None = None


def _answer_for(kind: str) -> Callable[[Connection, Asked], Answer | Errand]:
    def answer(connection: Connection, asked: Asked) -> Answer | Errand:
        examples = [f"/charge chart {kind}", f"/charge chart {kind} last 7 days"]
        today = asked.now.astimezone(ZoneInfo(asked.zone)).date()
        try:
            days, rest = read_days(asked.words, today)
        except (NoSuchDays, OverflowError) as wrong:
            return refused("These are no days", reasons=[str(wrong)], mend="For example:", examples=examples)
        days = days or Period(today - 7 * ONE_DAY, today - ONE_DAY)
        if days.first > today:
            return refused("A chart is of days that have begun", mend="For example:", examples=examples)
        if days.days > MOST_DAYS:
            return refused(f"A chart shows at most {MOST_DAYS} days", mend="For example:", examples=examples)
        try:
            about = need_thing(connection, " ".join(rest), f"chart {kind}", ABOUT) if rest else None
        except WrongWords as wrong:
            return wrong.answer
        order = ChartOrder(kind, asked.user, days.first, min(days.last, today), asked.zone, asked.now, about)
        return Errand(f"chart_{kind}", lambda office: _begin(office, order))

    return answer


async def _begin(office: Office, order: ChartOrder) -> Answer:
    """Start drawing, one picture at a time for each person."""
    name = f"chart:{order.user}"
    if any(task.get_name() == name for task in office.work):
        return refused("Your last chart is still being drawn", mend="It comes to your messages with me.")
    task = asyncio.create_task(_draw(office, order), name=name)
    office.work.add(task)
    task.add_done_callback(office.work.discard)
    return told("answer_chart", order=order)


async def _draw(office: Office, order: ChartOrder) -> None:
    """Draw the picture and send it, or tell the person why there is none."""
    try:
        chart, picture = await asyncio.to_thread(_drawn, office, order)
        words = render_words("chart_file.mrkdwn.j2", alt=chart.alt)
        name = f"{order.kind}-{order.first}-{order.last}.png"
        file = io.BytesIO(picture)
        sent = {"name": name, "title": chart.title, "comment": words["body"], "alt": chart.alt[:1000]}
        await upload_to_person(office.slack, order.user, file, **sent)
    except (NoFonts, UploadRefused, *SLACK_FAULTS) as error:
        log.warning("a chart failed", user=order.user, what=order.kind, error=str(error))
        await _tell_failure(office, order, str(error))
    except Exception:
        log.exception("a chart broke", user=order.user, what=order.kind)
        await _tell_failure(office, order, "Chargehand has a fault of its own; the log has it")
    else:
        log.info("chart sent", user=order.user, what=order.kind)


def _drawn(office: Office, order: ChartOrder) -> tuple[Chart, bytes]:
    with office.database.read() as connection:
        zones = by_zone(location_zones(connection, order.zone), None, order.zone)
        about = {order.about.kind: order.about.id} if order.about is not None else {}
        scope = Scope(zones, Period(order.first, order.last), Narrow(**about))
        chart = CHARTS[order.kind](connection, scope, order.zone, order.now)
    return chart, png_of(chart)


async def _tell_failure(office: Office, order: ChartOrder, reason: str) -> None:
    about = f"{order.about.id} " if order.about is not None else ""
    again = f"/charge chart {order.kind} {about}{order.first} {order.last}"
    answer = refused("The chart could not be drawn", reasons=[reason], mend="Try again:", examples=[again])
    await tell_person(office.slack, order.user, answer.text, answer.blocks)


WORDS = tuple(
    Word(
        f"chart {one}", f"chart {one} [ID] [DAYS]", does, f"chart {one} last 7 days", _answer_for(one), needs_data=False
    )
    for one, does in DRAWS.items()
)
