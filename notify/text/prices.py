"""Prices in words: each part as people read it, before and after a change.

Money is per kWh or per minute, VAT included, in the location's currency. It asks nobody and writes nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eosvolt.models import PricingReading

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


def measure_of(pricing: PricingReading) -> dict[str, str]:
    """The currency and the unit of prices, each empty where it is none that there is."""
    return {
        "currency": currency_of(pricing.currency),
        "unit": pricing.unit if pricing.unit in UNITS else "",
    }


def currency_of(text: str | None) -> str:
    """A currency's code (ISO 4217), empty where the text is none."""
    return text if text and re.fullmatch(r"[A-Z]{3}", text) else ""


def lines_of(before: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[PriceLine, ...]:
    """What changes, part by part; parts that stay are left out."""
    after = {**before, **changes}
    lines = []
    if not same_amount(before["default"], after["default"]):
        lines.append(PriceLine("default price", amount(before["default"]), amount(after["default"])))
    was, becomes = ({(b[0], b[1], *b[3:]): b[2] for b in part["blocks"]} for part in (before, after))
    for times in sorted(was.keys() | becomes.keys()):
        if not same_amount(was.get(times), becomes.get(times)):
            what = f"from {_time(times[0])} to {_time(times[1])}"
            lines.append(PriceLine(what, amount(was.get(times)), amount(becomes.get(times))))
    if any(not same_amount(before[name], after[name]) for name in BLOCKING):
        lines.append(PriceLine("blocking fee", _fee(before), _fee(after)))
    return tuple(lines)


def command_lines(details: Mapping[str, Any]) -> tuple[PriceLine, ...]:
    """What the command of these details changes; nothing where it is about no prices."""
    if "changes" not in details:
        return ()
    if "before" in details:
        return lines_of(details["before"], details["changes"])
    return (PriceLine("default price", None, amount(details["changes"]["default"]), absolute=True),)


def same_amount(one: float | None, other: float | None) -> bool:
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
