"""The reader's own clock and the sites': an answer that tells times says once, below, where the two differ.

Slack shows each time in its reader's zone by itself; nothing here changes a time or reads a clock.
"""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.slack.charge.answer import Answer
from notify.text import blocks
from notify.text.limits import BLOCKS
from notify.text.message import Block

DATE = "<!date^"


def differ(one: str, other: str, at: datetime) -> bool:
    """Whether the clocks of two zones show another time at a moment."""
    return at.astimezone(ZoneInfo(one)).utcoffset() != at.astimezone(ZoneInfo(other)).utcoffset()


def with_site_clock(answer: Answer, own: str, site: str, now: datetime) -> Answer:
    """The answer with the time at the sites below it, where it tells times and its reader has another clock.

    `own` and `site` are zones; the reader's is empty where it is not known.
    """
    if not own or not differ(own, site, now) or len(answer.blocks) >= BLOCKS:
        return answer
    if not any(DATE in str(block) for block in answer.blocks):
        return answer
    said = f"Times are by your own clock. At the sites ({site}) it is now {now.astimezone(ZoneInfo(site)):%H:%M}."
    return replace(answer, blocks=[*answer.blocks, *_note(said)])


def whose_clock(own: str, site: str, now: datetime) -> list[Block]:
    """The same for what stands for long, and so cannot say what time it is."""
    if not own or not differ(own, site, now):
        return []
    return _note(f"Times are by your own clock; the sites' is that of {site}.")


def _note(said: str) -> list[Block]:
    return [{**block, "block_id": "clock"} for block in blocks.context([said], "")]
