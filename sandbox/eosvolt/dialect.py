"""How one account's answers are written: the envelope of a list, the names of fields, the units of times and power.

EOSVOLT's answers differ between accounts, so tests try each way of writing. It turns stored fields into JSON and
parameter names into the ones that clients of the dialect use; it knows nothing of routes.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from sandbox.world.state import Fields, Row
from sandbox.world.times import from_ms, parse_iso_ms, to_ms

_TIMES = frozenset({"at", "updatedAt", "startedAt", "endedAt", "statusChangedAt", "lastHeartbeat", "from", "to"})
_POWERS = frozenset({"powerKw", "maxPowerKw"})
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return _HUMP.sub(r"_\1", name).lower()


@dataclass(frozen=True)
class Dialect:
    """One way of writing answers; the default is the one that EOSVOLT.md describes.

    `renames` maps a camelCase name to the name this account uses, before `naming` is looked at. With power "W" the
    power fields hold watts under the same names, as seen on the platform. `totals` adds total, hasNextPage, nextPage.
    """

    envelope: Literal["data", "items", "results", "bare"] = "data"
    naming: Literal["camel", "snake"] = "camel"
    times: Literal["iso", "epoch_ms"] = "iso"
    power: Literal["kW", "W"] = "kW"
    totals: bool = True
    renames: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        return self.naming == "camel" and self.times == "iso" and self.power == "kW" and not self.renames

    def name(self, camel: str) -> str:
        """The dialect's word for a field or a parameter."""
        renamed = self.renames.get(camel)
        if renamed is not None:
            return renamed
        return _snake(camel) if self.naming == "snake" else camel

    def translate(self, value: Any) -> Any:
        """The same facts in the dialect's names and units."""
        if isinstance(value, dict):
            return {self.name(key): self._value(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.translate(inner) for inner in value]
        return value

    def _value(self, key: str, value: Any) -> Any:
        if self.times == "epoch_ms" and key in _TIMES and isinstance(value, str) and len(value) > len("2018-11-01"):
            return parse_iso_ms(value)
        if self.power == "W" and key in _POWERS and value is not None:
            return value * 1000
        return self.translate(value)

    def encode(self, fields: Fields) -> bytes:
        """JSON of one thing."""
        return _to_json(fields if self.is_plain else self.translate(fields)).encode()

    def encode_charger(self, fields: Fields) -> tuple[bytes, bytes]:
        """JSON of a charger in two parts, before and after the value of its last heartbeat."""
        key = f'"{self.name("lastHeartbeat")}":'
        before, _, after = self.encode(fields | {"lastHeartbeat": None}).decode().partition(f"{key}null")
        return (before + key).encode(), after.encode()

    def time(self, iso_text: str) -> bytes:
        return str(parse_iso_ms(iso_text)).encode() if self.times == "epoch_ms" else f'"{iso_text}"'.encode()

    def parse_time(self, text: str) -> int:
        """Milliseconds of a time in a question; ValueError where it is none."""
        if self.times == "epoch_ms" and text.lstrip("-").isdecimal():
            return to_ms(from_ms(int(text)))
        moment = datetime.fromisoformat(text)
        return to_ms(moment)

    def wrap(self, encoded: Iterable[bytes], total: int, paging: Mapping[str, int | bool | None]) -> bytes:
        """The answer of a list: rows already encoded, the number of all, and where the page stands."""
        rows = b"[" + b",".join(encoded) + b"]"
        if self.envelope == "bare":
            return rows
        if not self.totals:
            return f'{{"{self.envelope}":'.encode() + rows + b"}"
        rest = _to_json({self.name(key): value for key, value in ({"total": total} | dict(paging)).items()})
        return f'{{"{self.envelope}":'.encode() + rows + b"," + rest[1:].encode()

    def encode_row(self, row: Row, heartbeat: str | None) -> bytes:
        """JSON of a row, kept until the row changes; `heartbeat` is the moment of the last one, where it beats now."""
        if row.encoded is None or row.encoded_by is not self:
            row.encoded = (self.encode(row.fields), b"") if heartbeat is None else self.encode_charger(row.fields)
            row.encoded_by = self
        before, after = row.encoded
        if heartbeat is None:
            return before
        return before + self.time(heartbeat) + after
