"""Compares a real answer with the contract: what is read, what differs, and the lines that an override file needs.

It looks at one JSON document and asks nothing of anybody. What it proposes is a guess for a person to look at, and only
what fits by its type; nothing here changes how answers are read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from eosvolt.contract import Contract, Route
from eosvolt.mapping import RowMapper, RowUnreadable
from eosvolt.survey.differences import Difference, shown
from eosvolt.survey.envelopes import rows_in
from eosvolt.survey.fits import (
    NEAR,
    NUMBERS,
    Fit,
    fit_of,
    guessed_words,
    likeness,
    paths_in,
    unit_of,
)
from eosvolt.survey.lines import as_toml
from eosvolt.terms.identities import outer_word
from eosvolt.terms.paths import heads_of, is_composite, reach, steps_of
from eosvolt.terms.shapes import spelled

__all__ = ("MOST_ROWS", "Comparison", "Difference", "compare")

MOST_ROWS = 500
"""So many rows of a document are looked at."""

_SHOWN_IDS = 4
_DEAR = 15.0  # money for a kWh, in any major unit but the smallest of currencies
_ASSUMED = frozenset({"kW", "kWh", "s", "min", "major"})  # another one was said by somebody who looked
_EXPECTED = frozenset({("charger", "location_id"), ("session", "started_at"), ("connector", "status")})
_POINTS = {"id": "", "location_id": "locations", "charger_id": "chargers", "connector_id": "connectors"}


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


def compare(
    document: Any,
    contract: Contract,
    resource: str | None = None,
    *,
    route: Route | None = None,
    known_ids: Mapping[str, frozenset[str]] | None = None,
) -> Comparison:
    """Compare one answer with the contract; `resource` is recognised by its fields where it is not given.

    `known_ids` are ids of locations, chargers and connectors that are known, by which references are recognised.
    """
    mappers = [RowMapper(name, contract) for name in ((resource,) if resource else ("charger", "session", "location"))]

    def is_one(thing: Any) -> bool:
        return any(_is_one(mapper, thing) for mapper in mappers)

    rows, differences = rows_in(document, contract, is_one, route)
    dicts = [row for row in rows[:MOST_ROWS] if isinstance(row, dict)]
    resource = resource or _recognised(dicts, contract)
    if resource is None or not dicts:
        told = "no list of rows and no single thing was recognised" if not rows else "no field is known"
        more = () if differences or (resource and not rows) else (Difference("", told),)
        return Comparison(resource, len(rows), len(rows) - len(dicts), {}, (), {}, (*differences, *more))
    parts = [_Seen(resource, contract, dicts, known_ids or {})]
    inner = {"charger": ("connectors", "connector"), "pricing": ("blocks", "price_block")}.get(resource)
    if inner is not None:
        things = parts[0].things(inner[0])
        if things:
            parts.append(_Seen(inner[1], contract, things, {}))
    return Comparison(
        resource=resource,
        rows=len(rows),
        unreadable=len(rows[:MOST_ROWS]) - len(dicts) + sum(part.unreadable for part in parts),
        read={part.named(name): key for part in parts for name, key in part.read.items()},
        absent=tuple(part.named(name) for part in parts for name in part.absent),
        unknown={part.named(key): shown(key, value) for part in parts for key, value in part.unknown.items()},
        differences=(*differences, *(one for part in parts for one in part.differences())),
    )


def _is_one(mapper: RowMapper, thing: Any) -> bool:
    if mapper.resource in {"location", "charger", "session"}:
        return mapper.key_of(thing) is not None
    return sum(mapper.member(thing, name) is not None for name in mapper.fields) >= 2


def _recognised(rows: list[dict[str, Any]], contract: Contract) -> str | None:
    keys = {key for row in rows for key in row}
    scores = {}
    for resource in ("charger", "session", "location"):
        seen = _Seen(resource, contract, rows, {})
        scores[resource] = len(seen.read) + len(seen.assigned) / 2
    best = max(scores, key=lambda resource: scores[resource])
    return best if keys and scores[best] >= 2 else None


class _Seen:
    """Rows of one resource: which of our fields they have, which names are unknown, and what could not be read."""

    def __init__(
        self,
        resource: str,
        contract: Contract,
        rows: list[dict[str, Any]],
        known_ids: Mapping[str, frozenset[str]],
    ) -> None:
        self.resource, self._contract, self._rows, self._known_ids = resource, contract, rows, known_ids
        self._specs = contract.fields[resource]
        self._mapper = RowMapper(resource, contract)
        self._paths = paths_in(rows)
        self.read = {name: found for name in self._specs if (found := self._found(name)) is not None}
        self.absent = tuple(name for name in self._specs if name not in self.read)
        used = {head for spec in self._specs.values() for name in spec.names for head in self._heads(name)}
        self._free = {path: values for path, values in self._paths.items() if path.partition(".")[0] not in used}
        self.unknown = {path: next(iter(values), None) for path, values in self._free.items() if "." not in path}
        self.unreadable = sum(self._is_unreadable(row) for row in rows)
        self._failing = {name: told for name in self.read if (told := self._failure(name))}
        self.assigned = self._assigned()

    def named(self, name: str) -> str:
        """The name, with "connector." before it for what stands inside a charger."""
        return f"{self.resource}.{name}" if self.resource in {"connector", "price_block"} else name

    def values(self, name: str) -> list[Any]:
        """Every value of one of our fields that is there."""
        told = (self._mapper.member(row, name) for row in self._rows)
        return [value for value in told if value is not None and value != ""]

    def things(self, name: str) -> list[dict[str, Any]]:
        """What stands inside, in a list that is read or would be."""
        fit = self.assigned.get(name)
        things: list[dict[str, Any]] = []
        for row in self._rows:
            value = reach(row, steps_of(fit.path)) if fit is not None else self._mapper.member(row, name)
            around = {"charger": {**row, "id": self._mapper.key_of(row)}} if self._reaches_out(name) else {}
            things += [
                {**around, **item} for item in (value if isinstance(value, list) else ()) if isinstance(item, dict)
            ]
        return things

    def _reaches_out(self, name: str) -> bool:
        """Whether the contract reads what stands inside by what stands around it too."""
        return name == "connectors" and RowMapper("connector", self._contract).reaches_out

    def _heads(self, name: str) -> tuple[str, ...]:
        return (name,) if name in self._paths and "." not in name else heads_of(name)

    def _found(self, name: str) -> str | None:
        if any(self._mapper.member(row, name) is not None for row in self._rows):
            names = self._specs[name].names
            return next((alias for alias in names if is_composite(alias) or alias in self._paths), names[0])
        return next((alias for alias in self._specs[name].names if alias in self._paths), None)

    def _is_unreadable(self, row: dict[str, Any]) -> bool:
        try:
            self._mapper.read(row)
        except RowUnreadable:
            return True
        return False

    def _failure(self, name: str) -> str:
        """Why a field that is there cannot be read, in some row."""
        for value in self.values(name):
            problem = self._mapper.problem_with(name, value)
            if problem:
                return f"{self.read[name]}: {problem}"
        return ""

    def _assigned(self) -> dict[str, Fit]:
        """How what is not there, or cannot be read, may be found: the likest names first, each used once."""
        pairs: list[tuple[float, str, Fit]] = []
        for name in (*self.absent, *self._failing):
            spec = self._specs[name]
            here = {self.read[name]: self.values(name)} if name in self._failing else {}
            for path, values in {**self._free, **here}.items():
                fit = fit_of(self._contract, self.resource, name, path, values)
                if fit is None:
                    continue
                score = 2.0 if path in here else likeness(path, name, spec.names)
                score = max(score, self._by_value(name, fit, values))
                if score >= NEAR:
                    pairs.append((score, name, fit))
        chosen: dict[str, Fit] = {}
        for _, name, fit in sorted(pairs, key=lambda pair: -pair[0]):
            if name not in chosen and all(fit.path != one.path for one in chosen.values()):
                chosen[name] = fit
        return chosen

    def _by_value(self, name: str, fit: Fit, values: Sequence[Any]) -> float:
        """How sure the values alone are: ids that are known, statuses, lists of things with a status."""
        known = self._known_ids.get(_POINTS.get(name, ""), frozenset())
        if known and all(str(value) in known for value in values):
            return 0.9
        if name == "status" and self.resource == "connector":
            return 0.8 if len(fit.values) < len(set(values)) else 0.75
        if name == "connectors":
            inner = {key for value in values for item in value for key in item}
            of_connector = self._contract.fields["connector"]
            wanted = {one for part in ("status", "power_kw", "max_power_kw") for one in of_connector[part].names}
            return 0.85 if inner & wanted else 0.0
        return 0.0

    def differences(self) -> list[Difference]:
        """What to correct, the fields that make rows unreadable first."""
        told: list[Difference] = []
        for name, problem in self._failing.items():
            told.append(Difference(self.named(name), problem, self._lines(name)))
        for name in self.absent:
            fit, spec = self.assigned.get(name), self._specs[name]
            if fit is not None:
                value = next(iter(self._paths.get(fit.path, [])), None)
                seen = f"no {name}, but {fit.path!r} with {shown(fit.path, value)}"
                told.append(Difference(self.named(name), seen, self._lines(name)))
            elif self._is_expected(name) and spec.default is None:
                none = f"no {name} under {', '.join(spec.names) or 'any name'}"
                told.append(Difference(self.named(name), none + self._hint(name)))
        for name, key in self.read.items():
            if name not in self._failing:
                told += self._doubts(name, key)
        return told

    def _hint(self, name: str) -> str:
        """What a person is to look up, where words stand under a name that is likely and none says what they mean."""
        if name == "id":
            alone = [path for path, values in self._paths.items() if self._tells_apart(values)][:_SHOWN_IDS]
            return f"; each row has another value under {', '.join(alone)}: is one of them its id?" if alone else ""
        if name != "status":
            return ""
        near = [(likeness(path, name, self._specs[name].names), path) for path in self._free]
        score, path = max(near, default=(0.0, ""))
        words = sorted({spelled(one) for one in self._free.get(path, ()) if isinstance(one, str | int)})[:12]
        if score < NEAR or not words:
            return ""
        spec = as_toml({"names": [path], "values": {words[0]: "Available"}})
        line = f"{self._place(name)} = {spec}"
        return f"; {path!r} holds {', '.join(words)}: look up which is which, and write {line} with all of them"

    def _tells_apart(self, values: Sequence[Any]) -> bool:
        """Whether every row has a text or number of its own here."""
        plain = [value for value in values if isinstance(value, str | int) and not isinstance(value, bool)]
        return len(plain) == len(self._rows) > 1 and len({str(value) for value in plain}) == len(plain)

    def _is_expected(self, name: str) -> bool:
        """Whether hardly an account is without it; what stands around a row is not looked for in it."""
        if any(outer_word(one) for one in self._specs[name].names):
            return False
        return self._specs[name].required or self._mapper.is_essential(name) or (self.resource, name) in _EXPECTED

    def _lines(self, name: str) -> dict[str, Any]:
        fit = self.assigned.get(name)
        if fit is None:
            return {}
        spec = self._specs[name]
        values = {**spec.values, **fit.values} if fit.path == self.read.get(name) else fit.values
        unit = fit.unit or spec.unit
        return {self._place(name): Fit(fit.path, unit, values).line(spec.unit)}

    def _doubts(self, name: str, key: str) -> list[Difference]:
        """Values that can be read but are hardly meant so."""
        spec, values = self._specs[name], self.values(name)
        if name in NUMBERS and spec.unit in _ASSUMED:
            numbers = [float(value) for value in values if not isinstance(value, bool | list | dict)]
            unit = unit_of(name, key, numbers, spec.unit) if numbers else spec.unit
            if name == "cost" and self._is_dear():
                unit = "minor"
            if name == "power_kw" and spec.unit == "kW" and self._is_in_watts(numbers):
                unit = "W"
            if unit != spec.unit:
                told = f"{key!r} is {max(numbers):g}: hardly {spec.unit}"
                return [Difference(self.named(name), told, {self._place(name): Fit(key, unit).line(spec.unit)})]
        if name == "status" and self.resource in {"connector", "session"}:
            words = {value for value in values if isinstance(value, str)}
            guessed, unknown = guessed_words(self.resource, words, spec.values)
            lines = {f"{self._place(name)}.values": {**spec.values, **guessed}} if guessed else {}
            if guessed or unknown:
                odd = ", ".join([*guessed, *unknown][:8])
                whose = "OCPP's" if self.resource == "connector" else "known"
                return [Difference(self.named(name), f"not {whose}: {odd}", lines)]
        return []

    def _is_in_watts(self, power: Sequence[float]) -> bool:
        """Whether the power now is in W because the most power is, unless its size speaks for kW."""
        if self._specs["max_power_kw"].unit == "W":
            return False
        rated = [float(value) for value in self.values("max_power_kw") if type(value) in (int, float)]
        return max(rated, default=0) > 1_000 and (not any(power) or max(power) > 1.2 * max(rated) / 1_000)

    def _is_dear(self) -> bool:
        """Whether whole numbers of money for the energy are so many that they must be cents."""
        pairs = []
        for row in self._rows:
            cost, energy = self._mapper.member(row, "cost"), self._mapper.member(row, "energy_kwh")
            if type(cost) in (int, float) and type(energy) in (int, float) and cost and energy and energy > 1:
                pairs.append((cost, cost / energy))
        if len(pairs) < 3 or not all(float(cost).is_integer() for cost, _ in pairs):
            return False
        return bool(median(ratio for _, ratio in pairs) > _DEAR)

    def _place(self, name: str) -> str:
        return f"fields.{self.resource}.{name}"
