"""The form of a change of prices: which location, which part of its prices, how much.

It says `/charge price ...`: the words show what it was and becomes and who charges there now, and ask.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.acting.prices import BLOCK, NotUnderstood, read_amount, read_time
from bot.slack.charge.answer import Answer, Asked, refused
from bot.slack.permissions import Role
from bot.slack.views.form import Form, Said
from bot.slack.views.inputs import Choice, FieldErrors, Typed, select_field, text_field
from notify.text.message import Block
from notify.text.prices import INTERVALS
from storage.queries.state import find_location
from storage.schema import LOCATION

Json = dict[str, Any]

PARTS = (
    Choice("default", "The default price"),
    Choice("block", "The price of a time of day"),
    Choice("no block", "No price of its own for a time of day"),
    Choice("blocking", "The blocking fee"),
)


def opened(connection: Connection, _asked: Asked, given: Json) -> Sequence[Block] | Answer:
    """The location, chosen already where the form was opened at one; the part; the amount."""
    there = sa.select(LOCATION.c.id, LOCATION.c.name).where(LOCATION.c.gone_at.is_(None)).order_by(LOCATION.c.name)
    wanted = str(given.get("location", ""))
    rows = connection.execute(there.order_by(LOCATION.c.id).limit(100)).all()
    chosen = find_location(connection, wanted) if wanted else None
    choices = [Choice(row.id, f"{row.name or row.id} ({row.id})") for row in rows]
    if chosen is not None:
        choices = [Choice(chosen.id, f"{chosen.name or chosen.id} ({chosen.id})"), *choices]
    choices = [one for one in choices if len(one.value) <= 150]
    if not choices:
        return refused("No location is known yet", mend="See:", examples=["/charge locations"])
    return [
        select_field("location", "Location", choices, initial=chosen.id if chosen is not None else None),
        select_field("part", "What is changed", PARTS, initial="default", radio=True),
        text_field(
            "amount",
            "New amount",
            optional=True,
            placeholder="0.45",
            longest=20,
            hint="For each kWh or minute, VAT included, in the location's currency. What it was is shown next.",
        ),
        text_field("times", "From and to, for a time of day", optional=True, placeholder="17:00-20:00", longest=20),
        select_field(
            "interval",
            "For each, of the blocking fee",
            [Choice(str(n), f"{n} minutes after the first {n}") for n in INTERVALS],
            optional=True,
        ),
    ]


def sent(_connection: Connection, _asked: Asked, typed: Typed) -> Said:
    """The words of the change; the amount and the times are read by themselves first."""
    location, part = typed.text("location"), typed.text("part")
    amount, times = typed.text("amount"), "".join(typed.text("times").split())
    errors = {}
    if part != "no block":
        try:
            read_amount(amount)
        except NotUnderstood as wrong:
            errors["amount"] = str(wrong) if amount else "How much? For example 0.45."
    if "block" in part.split():
        found = BLOCK.fullmatch(times)
        try:
            for time in found.groups() if found is not None else ():
                read_time(time)
        except NotUnderstood as wrong:
            errors["times"] = str(wrong)
        if found is None:
            errors["times"] = "From when to when? For example 17:00-20:00."
    if errors:
        raise FieldErrors(errors)
    interval = f" after {typed.text('interval')}m" if typed.text("interval") else ""
    change = {
        "default": f"set default {amount}",
        "block": f"set block {times} {amount}",
        "no block": f"remove block {times}",
        "blocking": f"set blocking {amount}{interval}",
    }[part]
    return Said(f"price {location} {change}")


FORM = Form("price", "Change prices", "Next", Role.ADMIN, opened, sent)
