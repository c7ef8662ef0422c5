"""The reader's own clock and the sites': an answer that tells times says once, below, where the two differ.

Slack shows each time in its reader's zone by itself; nothing here changes a time or reads a clock.
"""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.slack.charge.answer import Answer, Asked
from notify.text import blocks
from notify.text.limits import BLOCKS

DATE = "<!date^"


def differ(one: str, other: str, at: datetime) -> bool:
    """Whether the clocks of two zones show another time at a moment."""
    return at.astimezone(ZoneInfo(one)).utcoffset() != at.astimezone(ZoneInfo(other)).utcoffset()


def with_site_clock(answer: Answer, asked: Asked) -> Answer:
    """The answer with the time at the sites below it, where it tells times and whoever asked has another clock."""
    told = any(DATE in str(block) for block in answer.blocks)
    if not told or not asked.own_zone or not differ(asked.own_zone, asked.zone, asked.now):
        return answer
    if len(answer.blocks) >= BLOCKS:
        return answer
    here = asked.now.astimezone(ZoneInfo(asked.zone))
    said = f"Times are by your own clock. At the sites ({asked.zone}) it is now {here:%H:%M}."
    (note,) = blocks.context([said], "")
    return replace(answer, blocks=[*answer.blocks, {**note, "block_id": "clock"}])
