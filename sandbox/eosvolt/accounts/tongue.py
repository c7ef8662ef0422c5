"""How an account speaks: what its calls, fields, words, times and envelopes are, and the translation of rows.

It holds names and turns one value into another; it answers nothing and knows no route's meaning.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Literal

from sandbox.eosvolt.pages import Cut, Manner
from sandbox.world.times import from_ms, iso, parse_iso_ms, to_ms

TIMES = frozenset({"updatedAt", "startedAt", "endedAt", "statusChangedAt", "lastHeartbeat", "from", "to"})
_INSIDE = {"connectors": "connector", "blocks": "price_block", "sessions": "session"}
_MOMENT = len("2018-11-01T00:00")  # what is shorter is a time of day

Told = tuple[int, Any]


@dataclass(frozen=True)
class Rule:
    """One call of the account and the plain call that it stands for.

    Words in braces are taken from the account's path or body; `body` is the plain body made of them.
    """

    method: str
    path: str
    plain: str
    plain_method: str = ""
    body: Mapping[str, str] = field(default_factory=dict)


def _wrapped(rows: Cut) -> Any:
    return {"data": rows.rows, **rows.beside}


def _refused(status: int, facts: Mapping[str, Any]) -> Told:
    return status, dict(facts)


@dataclass(frozen=True)
class Tongue:
    """The whole of it.

    `names` are by resource the account's paths of the plain fields ("" leaves one out), `words` by field the account's
    values of plain ones, `factors` what a plain number is multiplied with. `params` are the account's parameters with
    the plain ones. `wrap`, `one` and `refuse` dress a page, a single thing and an error. With `local` a connector is
    only numbered within its charger, with `nested` chargers stand in their locations under that name.
    """

    rules: tuple[Rule, ...]
    manner: Manner = field(default_factory=Manner)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    words: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    times: Literal["iso", "utc", "rfc1123", "epoch_s", "epoch_ms"] = "iso"
    wrap: Callable[[Cut], Any] = _wrapped
    one: Callable[[Any], Any] = lambda thing: thing
    refuse: Callable[[int, Mapping[str, Any]], Told] = _refused
    local: bool = False
    nested: str = ""
    jobs: bool = False

    def tell(self, resource: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """A plain thing in the account's names, words and units."""
        names = self.names.get(resource, {})
        told: dict[str, Any] = {}
        for name, value in row.items():
            path = names.get(name, name)
            if path:
                put(told, path, self._value(resource, name, value))
        return told

    def _value(self, resource: str, name: str, value: Any) -> Any:
        if name in _INSIDE and isinstance(value, list):
            return [self.tell(_INSIDE[name], one) for one in value]
        if self.local and (name == "connectorId" or (name == "id" and resource == "connector")):
            return value.rpartition(".")[2]
        if value is not None and name in self.factors:
            made = value * self.factors[name]
            return round(made) if abs(made - round(made)) < 1e-6 else made
        if name in TIMES and isinstance(value, str) and len(value) >= _MOMENT:
            return self.time(parse_iso_ms(value))
        words = self.words.get(name) or self.words.get(f"{resource}.{name}")
        return words.get(value, value) if words and isinstance(value, str | bool) else value

    def time(self, at_ms: int) -> Any:
        """A moment as the account writes it."""
        if self.times == "rfc1123":
            return format_datetime(from_ms(at_ms // 1000 * 1000), usegmt=True)
        if self.times == "utc":
            return from_ms(at_ms).strftime("%Y-%m-%d %H:%M:%S UTC")
        return {"iso": iso(at_ms), "epoch_s": at_ms / 1000, "epoch_ms": at_ms}[self.times]

    def plain_time(self, text: str) -> str:
        """A moment of a question, in ISO 8601."""
        if text.lstrip("-").isdecimal():
            return iso(int(text) * (1000 if self.times == "epoch_s" else 1))
        try:
            return iso(to_ms(datetime.fromisoformat(text)))
        except ValueError:
            return iso(to_ms(parsedate_to_datetime(text)))

    def plain_word(self, name: str, value: Any) -> Any:
        """A value of a body or a question in the plain word."""
        return next((ours for ours, theirs in self.words.get(name, {}).items() if theirs == value), value)


def put(told: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a dotted path."""
    *outer, last = path.split(".")
    for key in outer:
        told = told.setdefault(key, {})
    told[last] = value


def flat(body: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """The values of a body by their dotted paths; lists stay as they are."""
    paths: dict[str, Any] = {}
    for key, value in body.items():
        paths |= flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return paths
