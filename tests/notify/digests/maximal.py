"""The facts of a digest with one text in every place that comes from outside, its lists as long as they can be."""

import json
from typing import Any

from notify.digests.kinds import MOST

Json = dict[str, Any]

MUCH = 999_999_999_999.0
LAST = 10**9


def maximal(kind: str, name: str, currencies: int = 60, *, without: str | None = None) -> Json:
    """A digest of this kind of a year, late and incomplete, about a location and a label."""
    worst = [_worst(number, name) for number in range(MOST)]
    money = {f"{name[:20]}{number}": MUCH for number in range(currencies - 2)} | {"": MUCH, "DKK": MUCH}
    figures = {"sessions": LAST, "energy_kwh": MUCH, "revenue": money, "zero_energy": LAST, "locations": LAST}
    odd = {"times": LAST, "energy": LAST, "ids": LAST}
    day = {"day": "2026-01-01", "utilisation": 0.9999, "impossible": odd, **figures}
    fleet = {"uptime": 0.00001, "open_alerts": LAST, "silences": LAST}
    named = {"charger_name": name, "location_name": name}
    top = {"connector_id": name, **named, "energy_kwh": MUCH, "sessions": LAST}
    picture = {"file": None if without else "F0CHART01", "alt": name or "x", "without": without}
    return {
        **day,
        "digest": kind,
        "last_day": "2026-12-31",
        "before": day,
        "top": [top] * MOST,
        "zone": name,
        "location": name,
        "label": name,
        "complete": False,
        "complete_to": "2026-12-30T10:00:00+00:00",
        "late": True,
        "fleet": {**fleet, "before": fleet, "worst": worst, "prices": {"count": LAST, "first": [_prices(name)] * MOST}},
        "to_do": {"dangerous": [worst[0]] * MOST, "untaken": LAST, "worst": worst[:1]},
        "kind": _more(name, list(money) if kind == "revenue" else ["DKK"]),
        "picture": picture,
        "backtests": {name: {"why": name} if without else {"was": LAST, "would": LAST, "known_s": MUCH}},
        "may_repeat": True,
        "moved_from": name,
        "moved_because": name,
    }


def _worst(number: int, name: str) -> Json:
    reasons = ("danger", "offline", "disabled", "faulted", "failing", "empty", None)
    told = {"down_s": MUCH, "failed": LAST, "zero_energy": LAST, "reason": reasons[number % len(reasons)]}
    return {"connector_id": name, "charger_name": name, "location_name": name, "error_code": name, **told}


def _prices(name: str) -> Json:
    was: Json = {"default": 0.1, "blocks": [], "blocking_fee": None, "blocking_fee_interval_minutes": None}
    blocks = [[f"{hour:02d}:00", f"{hour + 1:02d}:00", MUCH] for hour in range(23)]
    texts = {"before": json.dumps(was), "value": json.dumps({**was, "default": MUCH, "blocks": blocks})}
    return {"location_name": name, "at": "2026-03-01T10:00:00+00:00", "currency": name, **texts}


def _more(name: str, currencies: list[str]) -> Json:
    """What every kind tells more, in one."""
    place = {"name": name, "uptime": 0.5, "down_s": MUCH}
    rule = {"rule": name, "title": name, "fired": LAST, "lasted_s": MUCH, "short": LAST, "longer_s": 600.0}
    earned = [{"name": name, "currency": code, "amount": MUCH} for code in currencies for _ in range(MOST)]
    people = [{"user": name, "number": LAST}] * MOST
    noisy = [{**rule, "for": "99999d23h59m"}] * MOST
    alerts = {"fired": LAST, "taken": LAST, "rules": [rule] * MOST, "people": people}
    return {
        "availability": 0.99999,
        "time_to_repair_s": MUCH,
        "places": [{**place, **one} for one in earned],
        "noisy": noisy,
        **alerts,
    }
