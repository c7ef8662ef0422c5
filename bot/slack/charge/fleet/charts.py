"""`/charge chart energy|status|uptime [DAYS]`: a picture of our own figures, sent to whoever asked.

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
from bot.slack.uploads import UploadRefused, tell_person, upload_to_person
from bot.slack.web_client import SLACK_FAULTS
from notify.charts.drawing import Chart, NoFonts, png_of
from notify.charts.figures import CHARTS
from notify.kpis.places import by_zone, location_zones
from notify.kpis.scope import Scope
from notify.render import render_words
from rules.documents.windows import ONE_DAY, Period

log = structlog.get_logger()

MOST_DAYS = 31
DRAWS = {
    "energy": "energy and sessions by hour or day, as a picture sent to you",
    "status": "how many connectors were in use, free or out of order, as a picture sent to you",
    "uptime": "a map of days by connectors, the worst first, as a picture sent to you",
}


@dataclass(frozen=True, slots=True)
class ChartOrder:
    """What was asked for: a chart and local days, both included; `zone` is that of what has no location."""

    kind: str
    user: str
    first: date
    last: date
    zone: str
    now: datetime


def _answer_for(kind: str) -> Callable[[Connection, Asked], Answer | Errand]:
    def answer(connection: Connection, asked: Asked) -> Answer | Errand:
        examples = [f"/charge chart {kind}", f"/charge chart {kind} last 7 days"]
        today = asked.now.astimezone(ZoneInfo(asked.zone)).date()
        try:
            days, rest = read_days(asked.words, today)
        except (NoSuchDays, OverflowError) as wrong:
            return refused("These are no days", reasons=[str(wrong)], mend="For example:", examples=examples)
        days = days or Period(today - 7 * ONE_DAY, today - ONE_DAY)
        if rest or days.first > today:
            problem = "A chart is of days that have begun, and of the whole network"
            return refused(problem, mend="For example:", examples=examples)
        if days.days > MOST_DAYS:
            return refused(f"A chart shows at most {MOST_DAYS} days", mend="For example:", examples=examples)
        order = ChartOrder(kind, asked.user, days.first, min(days.last, today), asked.zone, asked.now)
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
        scope = Scope(zones, Period(order.first, order.last))
        chart = CHARTS[order.kind](connection, scope, order.zone, order.now)
    return chart, png_of(chart)


async def _tell_failure(office: Office, order: ChartOrder, reason: str) -> None:
    again = f"/charge chart {order.kind} {order.first} {order.last}"
    answer = refused("The chart could not be drawn", reasons=[reason], mend="Try again:", examples=[again])
    await tell_person(office.slack, order.user, answer.text, answer.blocks)


WORDS = tuple(
    Word(
        f"chart {kind}", f"chart {kind} [DAYS]", does, f"chart {kind} last 7 days", _answer_for(kind), needs_data=False
    )
    for kind, does in DRAWS.items()
)
