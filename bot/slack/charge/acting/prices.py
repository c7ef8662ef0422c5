"""`/charge price LOCATION` shows the prices of a location; with `set ...` it asks whether to change them.

Prices are asked of EOSVOLT at that moment, never remembered: a price list that is out of date would be worse than none.
Nothing is changed here: what is confirmed is checked again and written down by `bot.slack.listeners.block_actions`.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from slack_sdk.models.blocks import ButtonElement
from sqlalchemy import Connection

from bot.slack.charge.acting.price_doubts import ChargingNow, Steep, ask_again, charging_now, steep_change
from bot.slack.charge.acting.session_commands import Intent, not_possible
from bot.slack.charge.answer import (
    Answer,
    Asked,
    Errand,
    Office,
    Word,
    button,
    form_button,
    missing_id,
    refused,
    told,
    unknown_id,
)
from bot.slack.charge.things_by_id import need_thing
from bot.slack.permissions import Role
from commands.requests.checks import check_command
from commands.requests.prices import as_details, with_block
from eosvolt.errors import NotFound
from eosvolt.models import PricingReading
from notify.text.action_ids import ActionId
from notify.text.prices import INTERVALS, lines_of, measure_of
from rules.actions.command_kinds import CommandKind
from rules.actions.steps import MOST_MONEY
from storage.queries.state import find_location

BLOCK = re.compile(r"(\d{1,2}:\d{2})(?:-|\N{EN DASH})(\d{1,2}:\d{2})", re.ASCII)
AMOUNT = re.compile(r"\d{1,7}(?:[.,]\d{1,6})?", re.ASCII)
USAGE = (
    "/charge price {id} set default 0.45",
    "/charge price {id} set blocking 0.10 after 30m",
    "/charge price {id} set block 17:00-20:00 0.60",
    "/charge price {id} remove block 17:00-20:00",
)


class NotUnderstood(ValueError):  # noqa: N818 - it says what was not understood
    """A change of prices that cannot be made out, in words."""


def answer_price(connection: Connection, asked: Asked) -> Answer | Errand:
    """The prices of a location, or a preview of changing them."""
    if not asked.words:
        return missing_id("price", "location", "/charge locations")
    at = next((n for n, word in enumerate(asked.words) if n and word.lower() in {"set", "remove"}), len(asked.words))
    location_id, change = " ".join(asked.words[:at]), asked.words[at:]
    location_id = need_thing(connection, location_id, "price", ["location"], change).id
    location = find_location(connection, location_id)
    if location is None:
        return unknown_id(connection, "location", location_id, "price")
    if not change:
        may = asked.role >= Role.ADMIN
        return Errand("pricing", lambda office: _show(office, location_id, location.name, may), of_thing=True)
    problem = _change_refused(connection, asked, location_id)
    if problem is not None:
        return problem
    now = charging_now(connection, location_id)
    place = (location_id, location.name, now)
    return Errand("pricing", lambda office: _preview(office, asked, place, change), of_thing=True)


def _change_refused(connection: Connection, asked: Asked, location_id: str) -> Answer | None:
    """Why this person cannot change the prices of a location now, if so."""
    if asked.role < Role.ADMIN:
        return refused(
            f"Changing prices needs the role {Role.ADMIN.word}; you are {asked.role.word}",
            mend="Whoever runs Chargehand names people and user groups in CHARGEHAND_ADMINS. You can look at them:",
            examples=[f"/charge price {location_id}"],
        )
    check = check_command(connection, CommandKind.CHANGE_PRICE, location_id, asked.now)
    return None if check.allowed else not_possible(check)


async def _show(office: Office, location_id: str, name: str, may_change: bool) -> Answer:
    try:
        pricing = await office.client.fetch_price(location_id)
    except NotFound:
        problem = "EOSVOLT tells no prices of the location"
        return refused(problem, about=location_id, mend="Another one:", examples=["/charge locations"])
    buttons = [form_button("Change…", "price", location=location_id)] if may_change else []
    return told("answer_prices", buttons=buttons, pricing=pricing, location_id=location_id, name=name)


async def _preview(office: Office, asked: Asked, place: tuple[str, str, ChargingNow], words: tuple[str, ...]) -> Answer:
    location_id, name, charging = place
    pricing = await office.client.fetch_price(location_id)
    try:
        changes = read_change(words, pricing)
    except NotUnderstood as problem:
        bare = [f"/charge price {location_id} set default {words[1]}"] if _is_bare(words) else []
        mend = "Did you mean the first of these?" if bare else "For example:"
        examples = [*bare, *(usage.format(id=location_id) for usage in USAGE[len(bare) :])]
        wrong = "The change of prices could not be made out"
        return refused(
            wrong,
            reasons=[str(problem)],
            mend=mend,
            examples=examples,
        )
    before = as_details(pricing)
    lines = lines_of(before, changes)
    if not lines:
        return refused("The prices are so already", mend="Look at them:", examples=[f"/charge price {location_id}"])
    details = {
        "changes": changes,
        "before": before,
        **measure_of(pricing),
    }
    approval = office.approvals.get(CommandKind.CHANGE_PRICE)
    channel = approval or asked.card_channel
    intent = Intent(CommandKind.CHANGE_PRICE.value, location_id, "location", uuid.uuid4().hex, channel, details=details)
    steep = steep_change(before, changes)
    buttons = _buttons(intent, steep)
    return told(
        "answer_price_preview",
        buttons=buttons,
        lines=lines,
        measure=measure_of(pricing),
        location_id=location_id,
        name=name,
        approval=approval,
        charging=charging,
        steep=steep,
    )


def _is_bare(words: Sequence[str]) -> bool:
    """Whether an amount is set without saying of what."""
    return len(words) == 2 and words[0].lower() == "set" and AMOUNT.fullmatch(words[1]) is not None


def _buttons(intent: Intent, steep: Steep | None) -> list[ButtonElement]:
    again = ask_again(steep) if steep is not None else None
    return [
        button("Confirm", ActionId.CONFIRM_COMMAND, asdict(intent), style="danger", confirm=again),
        button("Cancel", ActionId.CANCEL_COMMAND, {"verb": "price"}),
    ]


def read_change(words: Sequence[str], pricing: PricingReading) -> dict[str, Any]:
    """What words such as `set default 0.45` change, as `notify.text.prices` keeps it; raises NotUnderstood."""
    verb, part, *rest = [word.lower() for word in words] + [""] * (2 - min(2, len(words)))
    if verb == "set" and part == "default" and len(rest) == 1:
        return {"default": read_amount(rest[0])}
    if verb == "set" and part == "blocking" and rest:
        return _blocking(rest, pricing)
    if part == "block" and len(rest) == (2 if verb == "set" else 1):
        times = BLOCK.fullmatch(rest[0])
        if times is None:
            raise NotUnderstood(f"{rest[0]} is no time of day, such as 17:00-20:00")
        begins, ends = (read_time(time) for time in times.groups())
        blocks = as_details(pricing)["blocks"]
        try:
            return {"blocks": with_block(blocks, begins, ends, read_amount(rest[1]) if verb == "set" else None)}
        except ValueError as error:
            raise NotUnderstood(str(error)) from None
    raise NotUnderstood(f"{' '.join(words)} names neither a default price, nor a blocking fee, nor a block")


def _blocking(rest: Sequence[str], pricing: PricingReading) -> dict[str, Any]:
    fee = read_amount(rest[0])
    if len(rest) == 1:
        if pricing.blocking_fee_interval_minutes is None:
            raise NotUnderstood("a blocking fee needs its interval, such as: after 30m")
        return {"blocking_fee": fee}
    minutes = re.fullmatch(r"(\d{1,3})\s?(?:m|min)?", " ".join(rest[2:]))
    if rest[1] != "after" or minutes is None or int(minutes[1]) not in INTERVALS:
        known = ", ".join(f"{interval}m" for interval in INTERVALS)
        raise NotUnderstood(f"the interval of a blocking fee is one of {known}, such as: after 30m")
    return {"blocking_fee": fee, "blocking_fee_interval_minutes": int(minutes[1])}


def read_amount(text: str) -> float:
    """An amount of money as somebody wrote it; raises NotUnderstood."""
    if AMOUNT.fullmatch(text) is None or (amount := float(text.replace(",", "."))) > MOST_MONEY:
        raise NotUnderstood(f"{text} is no amount, such as 0.45")
    return amount


def read_time(text: str) -> str:
    """A time of day as prices keep it; raises NotUnderstood."""
    hours, minutes = text.split(":")
    if int(minutes) > 59 or int(hours) > 24 or (int(hours) == 24 and minutes != "00"):
        raise NotUnderstood(f"{text} is no time of day")
    return f"{int(hours):02d}:{minutes}"


WORDS = (
    Word(
        "price",
        "price LOCATION [set default|blocking|block ...]",
        "prices of a location; admins change them, after a preview and a confirmation",
        "price {location}",
        answer_price,
        acts=True,
        route="pricing",
    ),
)
