"""What gives pause before prices are changed: a change that is unusually large, and who is charging there now.

It reads what is stored and compares figures; nothing is refused here, it is only asked again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from slack_sdk.models.blocks import ConfirmObject, MarkdownTextObject, PlainTextObject
from sqlalchemy import Connection

from notify.text.prices import amount
from notify.text.words import slack_escape
from storage.queries.state import is_open
from storage.schema import SESSION

HALF = 0.5
NAMED = 5


@dataclass(frozen=True, slots=True)
class Steep:
    """The largest change of one amount: what it was, what it becomes, and how that is to be read."""

    before: str
    after: str
    words: str


@dataclass(frozen=True, slots=True)
class ChargingNow:
    """Who is charging at a location: how many sessions are open, and the connectors of the first."""

    sessions: int
    connectors: tuple[str, ...]


def charging_now(connection: Connection, location_id: str) -> ChargingNow:
    """The sessions that go on at a location."""
    mine = (SESSION.c.location_id == location_id, is_open())
    total = connection.execute(sa.select(sa.func.count()).select_from(SESSION).where(*mine)).scalar_one()
    first = sa.select(SESSION.c.connector_id).where(*mine, SESSION.c.connector_id.is_not(None))
    return ChargingNow(total, tuple(connection.execute(first.order_by(SESSION.c.connector_id).limit(NAMED)).scalars()))


def steep_change(before: Mapping[str, Any], changes: Mapping[str, Any]) -> Steep | None:
    """The largest change of an amount, if it is more than half of what it was."""
    after = {**before, **changes}
    pairs = [(before["default"], after["default"]), (before["blocking_fee"], after["blocking_fee"])]
    was, becomes = ({tuple(b[:2]): b[2] for b in part["blocks"]} for part in (before, after))
    pairs += [(was.get(times, before["default"]), price) for times, price in becomes.items()]
    found = [(_grows(one, other), one, other) for one, other in pairs if one is not None and other is not None]
    steep = [told for told in found if told[0] > HALF]
    if not steep:
        return None
    _, one, other = max(steep, key=lambda told: told[0])
    return Steep(amount(one) or "0", amount(other) or "0", _words(one, other))


def _grows(one: float, other: float) -> float:
    """How large a change is, as a share of what it was; to less than half counts by how many times less."""
    if one == other:
        return 0.0
    if min(one, other) <= 0:
        return float("inf")
    share = abs(other - one) / one
    return max(share, one / other) if share > HALF else share


def _words(one: float, other: float) -> str:
    if one <= 0:
        return "it was free until now"
    if other <= 0:
        return "it becomes free"
    if other >= one * 2:
        return f"{other / one:,.3g} times what it was"
    if one >= other * 2:
        return f"{one / other:,.3g} times less than it was"
    return f"{abs(other - one) / one:.0%} {'more' if other > one else 'less'} than it was"


def ask_again(steep: Steep) -> ConfirmObject:
    """What Slack asks before such a change is confirmed."""
    text = (
        f"*{slack_escape(steep.before)}* becomes *{slack_escape(steep.after)}*: {steep.words}. Is that what you mean?"
    )
    return ConfirmObject(
        title=PlainTextObject(text="A large change", emoji=False),
        text=MarkdownTextObject(text=text),
        confirm=PlainTextObject(text="Yes, change it", emoji=False),
        deny=PlainTextObject(text="No", emoji=False),
        style="danger",
    )
