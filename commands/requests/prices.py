"""Changes of prices compared: what is asked for beside what EOSVOLT tells, and whether it came about.

Money is per kWh or per minute, VAT included, in the location's currency. It asks nobody and writes nothing; how prices
read in a message is the matter of `notify.text.prices`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eosvolt.models import PriceBlock, PricingReading
from notify.text.prices import BLOCKING, SHOWN, same_amount

EVERY_DAY = 3
"""How many parts a block has that holds every day: its beginning, its end and its price."""


def as_details(pricing: PricingReading) -> dict[str, Any]:
    """The changeable parts of prices as JSON keeps them."""
    return {
        "default": pricing.default,
        "blocks": [_kept_block(block) for block in pricing.blocks],
        "blocking_fee": pricing.blocking_fee,
        "blocking_fee_interval_minutes": pricing.blocking_fee_interval_minutes,
    }


def as_text(pricing: PricingReading) -> str:
    """The changeable parts of prices as a text, the same for all that read the same: money to `SHOWN` places.

    Their unit is named where it is the minute; else they are taken to be per kWh.
    """
    details = as_details(pricing)
    if pricing.unit == "minute":
        details["unit"] = pricing.unit
    for name in ("default", *BLOCKING):
        details[name] = _kept(details[name])
    details["blocks"] = sorted([begins, ends, _kept(price), *days] for begins, ends, price, *days in details["blocks"])
    return json.dumps(details, sort_keys=True)


def _kept_block(block: PriceBlock) -> list[Any]:
    """A block as JSON keeps it; the weekdays on which it holds are named where it does not hold on all."""
    return [block.begins, block.ends, block.price, *([",".join(block.days)] if block.days else [])]


def _kept(value: float | None) -> float | None:
    return None if value is None else round(float(value), SHOWN)


def as_words(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes as `EosvoltClient.post_price` takes them."""
    words = dict(changes)
    if "blocks" in words:
        words["blocks"] = [PriceBlock(*block) for block in words["blocks"]]
    return words


def with_block(blocks: Sequence[Sequence[Any]], begins: str, ends: str, price: float | None) -> list[list[Any]]:
    """The blocks with the price of one time of day set, or taken away (None); raises ValueError, in words.

    A block of the same times is replaced; one that overlaps another is refused, because which price holds then is a
    question that nobody answered.
    """
    if begins >= ends:
        raise ValueError(
            f"{begins}-{ends} ends before it begins; a block over midnight is two, up to 24:00 and from 00:00"
        )
    if any(len(block) > EVERY_DAY for block in blocks):
        raise ValueError("some blocks here hold on some weekdays only, and those are changed in EOSVOLT's portal alone")
    others = [list(block) for block in blocks if (block[0], block[1]) != (begins, ends)]
    if price is None:
        if len(others) == len(blocks):
            raise ValueError(f"there is no block from {begins} to {ends}")
        return others
    for block in others:
        if block[0] < ends and begins < block[1]:
            raise ValueError(f"it overlaps the block from {block[0]} to {block[1]}: remove that one first")
    return sorted([*others, [begins, ends, price]])


def default_price(price: float) -> dict[str, Any]:
    """The details of a command that sets the default price per kWh, whatever it was."""
    return {"changes": {"default": price}, "unit": "kWh"}


def agrees(told: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the parts of prices that `wanted` names are so in `told`."""
    for name, value in wanted.items():
        if name != "blocks":
            if not same_amount(told[name], value):
                return False
        elif len(told[name]) != len(value) or not all(
            (a[0], a[1], *a[3:]) == (b[0], b[1], *b[3:]) and same_amount(a[2], b[2])
            for a, b in zip(sorted(told[name]), sorted(value), strict=True)
        ):
            return False
    return True
