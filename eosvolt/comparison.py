"""Compares a real answer with the contract: what is read, what differs, and the line that an override file needs.

It looks at one JSON document and asks nothing of anybody. What it proposes is a guess for a person to look at; nothing
here changes how answers are read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from eosvolt.answers import AnswerReader
from eosvolt.contract import Contract
from eosvolt.errors import MalformedAnswer, one_line
from eosvolt.mapping import RowMapper, RowUnreadable
from eosvolt.models import CONNECTOR_STATUSES

MOST_ROWS = 500
"""So many rows of a document are looked at."""

_TIMES = frozenset({"updated_at", "status_changed_at", "last_heartbeat", "started_at", "ended_at"})
_IN_THOUSANDS = {"power_kw": ("W", 1_000), "max_power_kw": ("W", 1_000), "energy_kwh": ("Wh", 3_000)}
_NEAR = 0.7
_STATUS_WORDS = {
    "free": "Available",
    "idle": "Available",
    "ready": "Available",
    "inuse": "Charging",
    "occupied": "Charging",
    "busy": "Charging",
    "broken": "Faulted",
    "error": "Faulted",
    "outoforder": "Faulted",
    "inoperative": "Unavailable",
    "disabled": "Unavailable",
    "blocked": "Unavailable",
}
_OF_PEOPLE = ("tag", "card", "rfid", "token", "secret", "driver", "user", "mail", "phone")
_YES = frozenset({"up", "online", "connected", "yes", "true", "1", "on"})


@dataclass(frozen=True, slots=True)
class Difference:
    """Something is not as the contract says: the field, what was seen, and a TOML line (empty: none is known)."""

    field: str
    told: str
    line: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a document holds, seen through the contract.

    `resource` is location, charger or session, None where none was recognised. `read` maps our fields to the names they
    were found under ("connector.status" for what stands inside a charger), `absent` lists those no row has, `unknown`
    maps the API's further names to one value each, as JSON (not shown where it may name a person).
    """

    resource: str | None
    rows: int
    unreadable: int
    read: Mapping[str, str]
    absent: tuple[str, ...]
    unknown: Mapping[str, str]
    differences: tuple[Difference, ...]


def compare(document: Any, contract: Contract, resource: str | None = None) -> Comparison:
    """Compare one answer with the contract; `resource` is recognised by its fields where it is not given."""
    rows, differences = _rows_of(document, contract)
    dicts = [row for row in rows[:MOST_ROWS] if isinstance(row, dict)]
    resource = resource or _recognised(dicts, contract)
    if resource is None or not dicts:
        told = "no list of rows and no single thing was recognised" if not rows else "no field is known"
        more = () if differences or (resource and not rows) else (Difference("", told),)
        return Comparison(resource, len(rows), len(rows) - len(dicts), {}, (), {}, (*differences, *more))
    seen = _Seen(resource, contract, dicts)
    parts = [seen]
    if resource == "charger":
        inner = seen.values("connectors")
        connectors = [item for value in inner if isinstance(value, list) for item in value if isinstance(item, dict)]
        if connectors:
            parts.append(_Seen("connector", contract, connectors))
    return Comparison(
        resource=resource,
        rows=len(rows),
        unreadable=len(rows[:MOST_ROWS]) - len(dicts) + sum(part.unreadable for part in parts),
        read={part.named(name): key for part in parts for name, key in part.read.items()},
        absent=tuple(part.named(name) for part in parts for name in part.absent),
        unknown={part.named(key): _shown(key, value) for part in parts for key, value in part.unknown.items()},
        differences=(*differences, *(one for part in parts for one in part.differences())),
    )


def _rows_of(document: Any, contract: Contract) -> tuple[list[Any], tuple[Difference, ...]]:
    """The rows of a list, or the single thing as one row; with what the envelope should have been."""
    reader = AnswerReader(contract, lambda text: text)
    try:
        return reader.page(document, "").rows, ()
    except MalformedAnswer:
        pass
    if not isinstance(document, dict):
        return [], ()
    mappers = [RowMapper(resource, contract) for resource in ("charger", "session", "location")]
    one = reader.one(document, lambda thing: any(mapper.key_of(thing) is not None for mapper in mappers))
    if one is not None:
        return [one], ()
    for key, value in document.items():
        if isinstance(value, list) and any(isinstance(row, dict) for row in value):
            line = f"envelope.rows = [{_quoted(key)}]"
            return value, (Difference("envelope", f"the rows stand under {key!r}", line),)
        if isinstance(value, dict) and len(document) <= 3 and len(value) > 3:
            line = f"envelope.one = [{_quoted(key)}]"
            return [value], (Difference("envelope", f"a single thing stands under {key!r}", line),)
    return [document], ()


def _recognised(rows: list[dict[str, Any]], contract: Contract) -> str | None:
    keys = {key for row in rows for key in row}
    scores = {}
    for resource in ("charger", "session", "location"):
        known = _Seen(resource, contract, rows)
        near = sum(known.nearest(name) is not None for name in known.absent)
        scores[resource] = len(known.read) + near / 2
    best = max(scores, key=lambda resource: scores[resource])
    return best if keys and scores[best] >= 2 else None


class _Seen:
    """Rows of one resource: which of our fields they have, which names are unknown, and what could not be read."""

    def __init__(self, resource: str, contract: Contract, rows: list[dict[str, Any]]) -> None:
        self.resource, self._rows = resource, rows
        self._specs = contract.fields[resource]
        self._mapper = RowMapper(resource, contract)
        samples: dict[str, Any] = {}
        for row in rows:
            for key, value in row.items():
                if samples.get(key) is None:
                    samples[key] = value
        self.read: dict[str, str] = {}
        known: set[str] = set()
        for name, spec in self._specs.items():
            found = next((alias for alias in spec.names if alias.partition(".")[0] in samples), None)
            if found is not None:
                self.read[name] = found
            known |= {alias if alias in samples else alias.partition(".")[0] for alias in spec.names}
        self.absent = tuple(name for name in self._specs if name not in self.read)
        self.unknown = {key: value for key, value in samples.items() if key not in known}
        self.unreadable = 0
        self._problems: dict[str, str] = {}
        for row in rows:
            try:
                self._mapper.read(row)
            except RowUnreadable as error:
                self.unreadable += 1
                self._problems.setdefault(error.field, str(error))

    def named(self, name: str) -> str:
        """The name, with "connector." before it for what stands inside a charger."""
        return f"connector.{name}" if self.resource == "connector" else name

    def values(self, name: str) -> list[Any]:
        """Every value of one of our fields that is there."""
        told = (self._mapper.member(row, name) for row in self._rows)
        return [value for value in told if value is not None]

    def nearest(self, name: str) -> str | None:
        """The unknown name most like one of our field's names, where it is like enough."""
        wanted = {_folded(alias) for alias in (name, *self._specs[name].names)}
        scored = [(max(_likeness(_folded(key), word) for word in wanted), key) for key in self.unknown]
        score, key = max(scored, default=(0.0, ""))
        if score >= _NEAR:
            return key
        if name == "status":
            return next((key for key, value in self.unknown.items() if _is_status(value)), None)
        if name == "connectors":
            return next((key for key, value in self.unknown.items() if _holds_things(value)), None)
        return None

    def differences(self) -> list[Difference]:
        """What to correct, the fields that make rows unreadable first."""
        told = [self._unreadable_field(field, problem) for field, problem in self._problems.items()]
        said = {one.field for one in told}
        for name in self.absent:
            key = self.nearest(name)
            if key is not None and self.named(name) not in said:
                seen = f"no {name}, but {key!r} with {_shown(key, self.unknown[key])}"
                told.append(Difference(self.named(name), seen, self._line(name, key, self.unknown[key])))
        for name, key in self.read.items():
            told += self._doubts(name, key)
        return told

    def _unreadable_field(self, field: str, problem: str) -> Difference:
        name = next((n for n, spec in self._specs.items() if field in (n, *spec.names)), "")
        if not name:
            return Difference(field, one_line(problem))
        key = self.read.get(name) or self.nearest(name)
        if key is None:
            return Difference(self.named(name), one_line(problem), f"{self._place(name)} = ...")
        value = self.unknown.get(key, next(iter(self.values(name)), None))
        return Difference(self.named(name), one_line(problem), self._line(name, key, value))

    def _doubts(self, name: str, key: str) -> list[Difference]:
        """Values that can be read but are hardly meant so."""
        unit = self._specs[name].unit
        if name in _IN_THOUSANDS and unit in ("kW", "kWh"):
            smaller, most = _IN_THOUSANDS[name]
            large = [value for value in self.values(name) if type(value) in (int, float) and value > most]
            if large:
                line = f"{self._place(name)} = {{ names = [{_quoted(key)}], unit = {_quoted(smaller)} }}"
                return [Difference(self.named(name), f"{key!r} is {large[0]}: hardly {unit}", line)]
        if name == "status" and self.resource == "connector":
            odd = sorted({v for v in self.values(name) if isinstance(v, str) and self._reads_as_unknown(v)})
            if odd:
                return [Difference(self.named(name), f"not OCPP's: {', '.join(odd[:8])}", self._values_line(name, odd))]
        return []

    def _reads_as_unknown(self, status: str) -> bool:
        return status not in self._specs["status"].values and not _is_status(status)

    def _line(self, name: str, key: str, value: Any) -> str:
        place, quoted = self._place(name), _quoted(key)
        if name in _TIMES and isinstance(value, int | float):
            unit = "epoch_ms" if abs(value) > 1e11 else "epoch_s"
            return f'{place} = {{ names = [{quoted}], unit = "{unit}" }}'
        if name in _TIMES and isinstance(value, str) and self._specs[name].unit != "iso8601":
            return f'{place} = {{ names = [{quoted}], unit = "iso8601" }}'
        if name == "online" and isinstance(value, str | int) and not isinstance(value, bool):
            told = {str(row[key]) for row in self._rows if row.get(key) is not None}
            words = ", ".join(f"{_quoted(word)} = {str(word.lower() in _YES).lower()}" for word in sorted(told)[:8])
            return f"{place} = {{ names = [{quoted}], values = {{ {words} }} }}"
        return f"{place} = {quoted}"

    def _values_line(self, name: str, words: list[str]) -> str:
        guessed = [f"{_quoted(word)} = {_quoted(_STATUS_WORDS.get(_folded(word), 'Unavailable'))}" for word in words]
        return f"{self._place(name)}.values = {{ {', '.join(guessed[:8])} }}"

    def _place(self, name: str) -> str:
        return f"fields.{self.resource}.{name}"


def _folded(word: str) -> str:
    return "".join(c for c in word if c.isalnum()).lower()


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def _is_status(value: Any) -> bool:
    return isinstance(value, str) and _folded(value) in {_folded(status) for status in CONNECTOR_STATUSES}


def _holds_things(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _shown(key: str, value: Any) -> str:
    """A value as JSON, short; of one that may name a person only its type, because samples are sent to others."""
    if any(word in _folded(key) for word in _OF_PEOPLE):
        return f"({type(value).__name__}, not shown)"
    text = one_line(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 60 else text[:59] + "…"
