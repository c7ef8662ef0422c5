"""The chart of a message on its way: drawn, uploaded to Slack and noted, before the message that shows it is posted.

A message is never lost or held up for its chart: what cannot be drawn or uploaded is left out, and its small print says
so. A file that was uploaded and not noted, because the process died between, is shown to nobody.
"""

import asyncio
import io
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row

from bot.service.delivering.delivery import Delivery, Rendered
from bot.slack.client import NotNow, Refused
from bot.slack.uploads import UploadRefused, upload_file
from bot.slack.web_client import SLACK_FAULTS
from notify.charts.drawing import NoFonts, png_of
from notify.charts.picture import BROKEN, CHART, NO_FONT, PICTURE, REFUSED, Drawn, draw_picture, mark_picture
from storage.engine import Database

log = structlog.get_logger()

SECONDS = 25
"""How long drawing and uploading may take: with the sending of the message, less than its lease."""

SETTLES = timedelta(seconds=3)
TRIES = 3
"""How often Slack is given time to look through a file that it has just taken, before the message goes without."""


async def prepare_picture(delivery: Delivery, item: Row[Any]) -> None:
    """Upload the chart of a message and note its file, unless the one that is noted shows the same."""
    if CHART not in item.facts:
        return
    noted = item.facts.get(PICTURE, {})
    if noted.get("version") == item.version:  # tried for these very words already
        return
    told: dict[str, Any] = {"version": item.version}
    try:
        async with asyncio.timeout(SECONDS):
            drawn, picture = await delivery.run(_drawn, delivery.database, item)
            told |= {"of": drawn.mark, "alt": drawn.chart.alt[:1000]}
            if noted.get("of") == drawn.mark and "file" in noted:
                told["file"] = noted["file"]
            else:
                file = io.BytesIO(picture)
                name, title = f"{item.facts[CHART]['name']}-{item.facts['day']}.png", drawn.chart.title
                told["file"] = await upload_file(delivery.slack, file, name=name, title=title, alt=told["alt"])
    except NoFonts:
        told["without"] = NO_FONT
    except (UploadRefused, TimeoutError, *SLACK_FAULTS) as error:
        log.warning("a message goes without its chart", item=item.id, error=f"{type(error).__name__}: {error}"[:200])
        told["without"] = REFUSED
    except Exception:
        log.exception("the chart of a message cannot be drawn", item=item.id)
        told["without"] = BROKEN
    delivery.crash_at("picture_uploaded")
    await delivery.run(_mark, delivery.database, item, told)
    delivery.crash_at("picture_noted")


async def spare_picture(delivery: Delivery, rendered: Rendered, refused: Refused) -> None:
    """Where Slack refuses what a message with a chart says: give it time for the file, then leave the chart out.

    Raises NotNow for both; returns where there is no chart that could be at fault.
    """
    picture = rendered.row.facts.get(PICTURE, {})
    if "file" not in picture:
        return
    if rendered.row.attempts >= TRIES:
        log.warning("a message goes without its chart", item=rendered.row.id, error=refused.error)
        without = {"version": rendered.row.version, "alt": picture.get("alt", ""), "without": REFUSED}
        await delivery.run(_mark, delivery.database, rendered.row, without)
    raise NotNow(f"its chart may not be ready: {refused.error}", SETTLES)


def _drawn(database: Database, item: Row[Any]) -> tuple[Drawn, bytes]:
    with database.read() as connection:
        drawn = draw_picture(connection, item.facts)
    return drawn, png_of(drawn.chart)


def _mark(database: Database, item: Row[Any], picture: dict[str, Any]) -> None:
    with database.write() as connection:
        mark_picture(connection, item, picture)
