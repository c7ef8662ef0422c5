"""Reads the contract: everything that Chargehand assumes about the API, from contract.toml and one file merged over it.

It checks every key and says which one is wrong; it opens no connection and maps no row.
"""

import re
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from eosvolt.errors import KINDS

PACKAGED = Path(__file__).with_name("contract.toml")

UNITS: dict[str, dict[str, float]] = {
    "kW": {"W": 0.001, "kW": 1, "MW": 1000},
    "kWh": {"Wh": 0.001, "kWh": 1, "MWh": 1000},
    "s": {"ms": 0.001, "s": 1, "min": 60, "h": 3600},
    "min": {"ms": 1 / 60000, "s": 1 / 60, "min": 1, "h": 60},
    "major": {"minor": 0.01, "major": 1},
    "ratio": {"percent": 0.01, "ratio": 1},
}
"""How many of our unit (the key) one of the API's is."""

TIME_UNITS = ("iso8601", "epoch_s", "epoch_ms")

PAGING_STYLES = ("page", "offset", "cursor", "link", "none")

_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?#]*)")
_SPEC_KEYS = ("names", "unit", "required", "values")
_FREE_TABLES = ("errors.kinds",)


class ContractError(ValueError):
    """A contract file is wrong; the text names the file, the key, and what was expected."""


@dataclass(frozen=True, slots=True)
class Paging:
    """How pages are asked for; `style` is one of PAGING_STYLES, an empty name is a parameter that is not there."""

    style: str
    page: str
    offset: str
    cursor: str
    limit: str
    first_page: int
    first_offset: int
    empty_pages: bool


@dataclass(frozen=True, slots=True)
class Route:
    """One call: its method, path with {id}, page size, sort key, our words with the API's names, and how it pages."""

    name: str
    method: str
    path: str
    limit: int
    sort: str
    params: Mapping[str, str]
    body: Mapping[str, str]
    paging: Paging

    def path_of(self, thing_id: str | None = None) -> str:
        """Return the path, with the id quoted so that it can never name another route."""
        if thing_id is None:
            return self.path
        quoted = quote(thing_id, safe="")
        # Clients and proxies resolve dot segments, even quoted ones; no id may climb out of its route.
        return self.path.replace("{id}", quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted)


@dataclass(frozen=True, slots=True)
class Field:
    """Where one value of ours is found in a row, and in which unit and words it comes."""

    names: tuple[str, ...]
    unit: str | None
    required: bool
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """The keys around rows and around a single thing."""

    rows: tuple[str, ...]
    one: tuple[str, ...]
    about: tuple[str, ...]
    total: tuple[str, ...]
    limit: tuple[str, ...]
    has_next: tuple[str, ...]
    next_page: tuple[str, ...]
    last_page: tuple[str, ...]
    total_headers: tuple[str, ...]
    limit_headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The keys of an error's body, and which kind of error each of the API's codes is."""

    success: tuple[str, ...]
    code: tuple[str, ...]
    message: tuple[str, ...]
    kinds: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Our own bounds on pace, waiting and size."""

    calls_per_second: float
    longest_retry_wait_seconds: float
    longest_answer_seconds: float
    most_pages: int
    most_answer_bytes: int


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written in parameters, and the zone of one that came without."""

    sent: str
    naive_timezone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Contract:
    """The whole contract; `source` names the files it was read from."""

    source: str
    routes: Mapping[str, Route]
    fields: Mapping[str, Mapping[str, Field]]
    paging: Paging
    envelope: Envelope
    errors: ErrorBody
    limits: Limits
    times: Times


def load_contract(override: Path | None = None) -> Contract:
    """Read the packaged contract, with the TOML file `override` merged over it where one is given.

    Raises ContractError, in one sentence, where the file cannot be read or a key or value is wrong.
    """
    tables = _read_toml(PACKAGED)
    if override is None:
        return _build(tables, PACKAGED.name, PACKAGED.name)
    merged = deepcopy(tables)
    _merge(merged, _read_toml(override), (), str(override))
    return _build(merged, str(override), f"{PACKAGED.name} with {override}")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"{path}: is not TOML: {error}") from error


def _merge(base: dict[str, Any], over: dict[str, Any], at: tuple[str, ...], file: str) -> None:
    free = ".".join(at) in _FREE_TABLES or at[-1:] == ("values",)
    in_field = len(at) == 3 and at[0] == "fields"
    known = _SPEC_KEYS if in_field else _route_keys(at) or tuple(base)
    if len(at) == 3 and at[0] == "routes" and at[2] == "paging":
        known = tuple(_PACKAGED_TABLES["paging"])
    for key, given in over.items():
        where = ".".join((*at, key))
        value = _spelled_out(given) if len(at) == 2 and at[0] == "fields" else given
        if not free and key not in known:
            near = get_close_matches(key, known, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(known)}"
            raise ContractError(f'{file}: {where}: unknown key "{key}"; {hint}')
        if len(at) == 2 and at[0] == "routes" and key == "paging":
            base.setdefault("paging", {})
        if key in base and isinstance(base[key], dict):
            if not isinstance(value, dict):
                raise ContractError(f"{file}: {where}: must be a table, not {given!r}")
            _merge(base[key], value, (*at, key), file)
        else:
            base[key] = value


def _route_keys(at: tuple[str, ...]) -> tuple[str, ...]:
    return ("call", "limit", "sort", "params", "body", "paging") if len(at) == 2 and at[0] == "routes" else ()


def _spelled_out(value: Any) -> Any:
    """A field may be given shortly, as its name or names alone."""
    if isinstance(value, str):
        return {"names": [value]}
    return {"names": value} if isinstance(value, list) else value


class _Checked:
    """Typed reading of one table; each wrong value becomes a ContractError that names file and key."""

    def __init__(self, table: Any, where: str, file: str) -> None:
        self.where, self.file = where, file
        if not isinstance(table, dict):
            raise ContractError(f"{file}: {where}: must be a table, not {table!r}")
        self.table: dict[str, Any] = table

    def wrong(self, key: str, expected: str) -> ContractError:
        return ContractError(f"{self.file}: {self.where}.{key}: must be {expected}, not {self.table.get(key)!r}")

    def text(self, key: str, choices: tuple[str, ...] = (), default: str | None = None) -> str:
        value: Any = self.table.get(key, default)
        if not isinstance(value, str) or (choices and value not in choices):
            raise self.wrong(key, f"one of {', '.join(choices)}" if choices else "text")
        return value

    def number(self, key: str, least: float, default: float | None = None) -> float:
        value = self.table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
            raise self.wrong(key, f"a number of at least {least:g}")
        return value

    def whole(self, key: str, least: int, default: int | None = None) -> int:
        value = self.number(key, least, default)
        if not isinstance(value, int):
            raise self.wrong(key, "a whole number")
        return value

    def yes(self, key: str) -> bool:
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key)
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
            raise self.wrong(key, "a list of names")
        return tuple(value)

    def names(self, key: str) -> dict[str, str]:
        value = self.table.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
            raise self.wrong(key, "a table of names")
        return value


def _build(tables: dict[str, Any], file: str, source: str) -> Contract:
    limits = _Checked(tables["limits"], "limits", file)
    return Contract(
        source=source,
        paging=_paging(_Checked(tables["paging"], "paging", file)),
        routes={name: _route(name, table, tables["paging"], file) for name, table in tables["routes"].items()},
        fields={
            resource: {name: _field(resource, name, spec, file) for name, spec in fields.items()}
            for resource, fields in tables["fields"].items()
        },
        envelope=_envelope(_Checked(tables["envelope"], "envelope", file)),
        errors=_error_body(_Checked(tables["errors"], "errors", file)),
        limits=Limits(
            calls_per_second=limits.number("calls_per_second", 0),
            longest_retry_wait_seconds=limits.number("longest_retry_wait_seconds", 0),
            longest_answer_seconds=limits.number("longest_answer_seconds", 0.001),
            most_pages=limits.whole("most_pages", 1),
            most_answer_bytes=limits.whole("most_answer_bytes", 1),
        ),
        times=_times(_Checked(tables["times"], "times", file)),
    )


def _paging(table: _Checked) -> Paging:
    return Paging(
        style=table.text("style", PAGING_STYLES),
        page=table.text("page"),
        offset=table.text("offset"),
        cursor=table.text("cursor"),
        limit=table.text("limit"),
        first_page=table.whole("first_page", 0),
        first_offset=table.whole("first_offset", 0),
        empty_pages=table.yes("empty_pages"),
    )


def _route(name: str, table: Any, paging: dict[str, Any], file: str) -> Route:
    route = _Checked(table, f"routes.{name}", file)
    call = _CALL.fullmatch(route.text("call"))
    if call is None:
        raise route.wrong("call", 'a method and a path, such as "GET /v1/chargers"')
    has_id = "{id}" in _PACKAGED_CALLS[name]
    if has_id != ("{id}" in call[2]) or "{" in call[2].replace("{id}", ""):
        raise route.wrong("call", "a path with {id}" if has_id else "a path without {...}")
    return Route(
        name=name,
        method=call[1],
        path=call[2],
        limit=route.whole("limit", 1, 100),
        sort=route.text("sort", default=""),
        params=route.names("params"),
        body=route.names("body"),
        paging=_paging(_Checked({**paging, **route.table.get("paging", {})}, f"{route.where}.paging", file)),
    )


def _field(resource: str, name: str, spec: Any, file: str) -> Field:
    field = _Checked(spec, f"fields.{resource}.{name}", file)
    packaged = _PACKAGED_UNITS[resource, name]
    unit: str | None = None
    if packaged is not None:
        family = TIME_UNITS if packaged in TIME_UNITS else tuple(UNITS[packaged])
        unit = field.text("unit", family)
    elif "unit" in field.table:
        raise field.wrong("unit", "left out (this field has no unit)")
    required = field.yes("required")
    values = field.table.get("values", {})
    if not isinstance(values, dict):
        raise field.wrong("values", "a table of the API's words and ours")
    names = field.words("names")
    if required and not names:
        raise field.wrong("names", "at least one name, because the field is required")
    return Field(names=names, unit=unit, required=required, values=values)


def _envelope(table: _Checked) -> Envelope:
    return Envelope(**{field.name: table.words(field.name) for field in fields(Envelope)})


def _error_body(table: _Checked) -> ErrorBody:
    kinds = table.names("kinds")
    for code, kind in kinds.items():
        if kind not in KINDS:
            raise ContractError(f"{table.file}: errors.kinds.{code}: must be one of {', '.join(KINDS)}, not {kind!r}")
    return ErrorBody(table.words("success"), table.words("code"), table.words("message"), kinds)


def _times(table: _Checked) -> Times:
    zone = table.text("naive_timezone")
    try:
        return Times(table.text("sent", TIME_UNITS), ZoneInfo(zone))
    except (OSError, ValueError, LookupError) as error:
        raise table.wrong("naive_timezone", 'an IANA time zone, such as "Europe/Copenhagen"') from error


_PACKAGED_TABLES = _read_toml(PACKAGED)
_PACKAGED_CALLS: dict[str, str] = {name: table["call"] for name, table in _PACKAGED_TABLES["routes"].items()}
_PACKAGED_UNITS: dict[tuple[str, str], str | None] = {
    (resource, name): spec.get("unit")
    for resource, fields in _PACKAGED_TABLES["fields"].items()
    for name, spec in fields.items()
}
