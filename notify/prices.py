"""Prices as people change them: one change at a time, how it reads before and after, and whether it came about.

Money is per kWh or per minute, VAT included, in the location's currency. It asks nobody and writes nothing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eosvolt.models import PriceBlock, PricingReading

UNITS = ("kWh", "minute")
SAME = 1e-6
SHOWN = 4
"""How many places of money people are shown."""

INTERVALS = (5, 15, 30, 60)
"""The blocking-fee intervals that EOSVOLT knows, in minutes."""

BLOCKING = ("blocking_fee", "blocking_fee_interval_minutes")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One part of prices: what it is, what it was and what it becomes (None: there is none).

    `absolute`: nobody was shown what it was, so nothing is said of that.
    """

    what: str
    before: str | None
    after: str | None
    absolute: bool = False


def as_details(pricing: PricingReading) -> dict[str, Any]:
    """The changeable parts of prices as JSON keeps them."""
    return {
        "default": pricing.default,
        "blocks": [[block.begins, block.ends, block.price] for block in pricing.blocks],
        "blocking_fee": pricing.blocking_fee,
        "blocking_fee_interval_minutes": pricing.blocking_fee_interval_minutes,
    }


def measure_of(pricing: PricingReading) -> dict[str, str]:
    """The currency and the unit of prices, each empty where it is none that there is."""
    return {
        "currency": currency_of(pricing.currency),
        "unit": pricing.unit if pricing.unit in UNITS else "",
    }


def currency_of(text: str | None) -> str:
    """A currency's code (ISO 4217), empty where the text is none."""
    return text if text and re.fullmatch(r"[A-Z]{3}", text) else ""


def as_text(pricing: PricingReading) -> str:
    """The changeable parts of prices as a text, the same for all that read the same: money to `SHOWN` places."""
    details = as_details(pricing)
    for name in ("default", *BLOCKING):
        details[name] = _kept(details[name])
    details["blocks"] = sorted([begins, ends, _kept(price)] for begins, ends, price in details["blocks"])
    return json.dumps(details, sort_keys=True)


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
    others = [list(block) for block in blocks if (block[0], block[1]) != (begins, ends)]
    if price is None:
        if len(others) == len(blocks):
            raise ValueError(f"there is no block from {begins} to {ends}")
        return others
    for block in others:
        if block[0] < ends and begins < block[1]:
            raise ValueError(f"it overlaps the block from {block[0]} to {block[1]}: remove that one first")
    return sorted([*others, [begins, ends, price]])


def lines_of(before: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[PriceLine, ...]:
    """What changes, part by part; parts that stay are left out."""
    after = {**before, **changes}
    lines = []
    if not _same(before["default"], after["default"]):
        lines.append(PriceLine("default price", amount(before["default"]), amount(after["default"])))
    was, becomes = ({(b[0], b[1]): b[2] for b in part["blocks"]} for part in (before, after))
    for times in sorted(was.keys() | becomes.keys()):
        if not _same(was.get(times), becomes.get(times)):
            what = f"from {_time(times[0])} to {_time(times[1])}"
            lines.append(PriceLine(what, amount(was.get(times)), amount(becomes.get(times))))
    if any(not _same(before[name], after[name]) for name in BLOCKING):
        lines.append(PriceLine("blocking fee", _fee(before), _fee(after)))
    return tuple(lines)


def default_price(price: float) -> dict[str, Any]:
    """The details of a command that sets the default price per kWh, whatever it was."""
    return {"changes": {"default": price}, "unit": "kWh"}


def command_lines(details: Mapping[str, Any]) -> tuple[PriceLine, ...]:
    """What the command of these details changes; nothing where it is about no prices."""
    if "changes" not in details:
        return ()
    if "before" in details:
        return lines_of(details["before"], details["changes"])
    return (PriceLine("default price", None, amount(details["changes"]["default"]), absolute=True),)


def agrees(told: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether the parts of prices that `wanted` names are so in `told`."""
    for name, value in wanted.items():
        if name != "blocks":
            if not _same(told[name], value):
                return False
        elif len(told[name]) != len(value) or not all(
            (a[0], a[1]) == (b[0], b[1]) and _same(a[2], b[2])
            for a, b in zip(sorted(told[name]), sorted(value), strict=True)
        ):
            return False
    return True


def _same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < SAME)


def amount(value: float | None) -> str | None:
    """An amount of money in figures, with two decimals or as many as it needs; None where there is none."""
    if value is None:
        return None
    return f"{value:,.2f}" if abs(round(value, 2) - value) < SAME else f"{value:,.4f}".rstrip("0")


def _time(text: str) -> str:
    """A block's time of day as it stands in a message: what is none could be anybody's words."""
    return text if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text) else "?"


def _fee(prices: Mapping[str, Any]) -> str | None:
    fee, minutes = (prices[name] for name in BLOCKING)
    if fee is None or fee == 0:
        return None
    return f"{amount(fee)} for each {minutes:g} min after the first" if minutes else amount(fee)
