"""The contract as frozen records: routes, fields, paging, envelope, errors, limits and times.

They hold what a file said, already checked; they read no file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from eosvolt.terms.own_commands import OwnCommand
from eosvolt.terms.paths import is_composite

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


_OF_CHARGERS = frozenset({"charger_reset", "charger_unlock", "charger_availability"})
_ACTING = _OF_CHARGERS | {"session_start", "session_stop", "pricing_change", "export_sessions"}


@dataclass(frozen=True, slots=True)
class Route:
    """One call: its method (empty: the account has none), its path with our words in braces, and what is sent.

    `limit` is the page size, `sort` a key whose order does not change while we page. `params` and `body` are our words
    with the API's names, `values` our values of a word with the API's. `query`, `headers` and `fixed` (in the body) are
    sent as they are. `inside` is the path to the rows or the one thing, in place of the envelope's; `each` the path
    from a row to those that are meant, which then hold it under `outer`.
    """

    name: str
    method: str
    path: str
    limit: int
    sort: str
    params: Mapping[str, str]
    body: Mapping[str, str]
    paging: Paging
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    inside: str = ""
    each: str = ""
    outer: str = ""

    @property
    def acts(self) -> bool:
        """Whether this call changes something, whatever its method: some accounts restart a charger by a GET."""
        return self.name in _ACTING or self.name.startswith("commands.")

    def path_of(self, thing_id: str | None = None, **words: str) -> str:
        """Return the path, with each id quoted so that it can never name another route."""
        path = self.path
        for word, value in ({"id": thing_id} | words).items():
            if value is not None:
                path = path.replace(f"{{{word}}}", _quoted(value))
        return path

    def says(self, word: str) -> bool:
        """Whether a word of ours is part of this call, in its path, parameters or body."""
        return f"{{{word}}}" in self.path or bool(self.body.get(word) or self.params.get(word))

    def spoken(self, word: str, value: Any) -> Any:
        """Return a value of ours in the API's words."""
        words = self.values.get(word)
        return value if not words else words.get(spelled(value), value)


def spelled(value: Any) -> str:
    """Return a value as it is written on the left of a table of values: `true` and `false` for booleans."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(thing_id: str) -> str:
    quoted = quote(thing_id, safe="")
    # Clients and proxies resolve dot segments, even quoted ones; no id may climb out of its route.
    return quoted.replace(".", "%2E") if quoted in {".", ".."} else quoted


@dataclass(frozen=True, slots=True)
class Field:
    """Where one value of ours is found in a row, in which unit and words it comes, and what stands in for none."""

    names: tuple[str, ...]
    unit: str | None
    required: bool
    values: Mapping[str, Any]
    default: Any = None

    @property
    def composite(self) -> str:
        """The name that is made of several parts, where there is one."""
        return next((name for name in self.names if is_composite(name)), "")


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
    """The keys of an error's body, and which kind of error each of the API's codes is.

    `good` and `bad` are patterns for what stands under `success`; `overrides` are codes that decide against the status;
    `codes` are the API's codes with EOSVOLT's, by which people are told what a refusal means.
    """

    success: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]
    code: tuple[str, ...]
    message: tuple[str, ...]
    kinds: Mapping[str, str]
    overrides: frozenset[str]
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """Our own bounds on pace, waiting and size."""

    calls_per_second: float
    longest_retry_wait_seconds: float
    longest_answer_seconds: float
    most_pages: int
    most_answer_bytes: int
    most_answer_values: int
    most_rows: int
    most_things: int
    longest_list_seconds: float


@dataclass(frozen=True, slots=True)
class Times:
    """How times are written in parameters, and the zone of one that came without."""

    sent: str
    naive_timezone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Contract:
    """The whole contract; `source` names the files it was read from, `commands` are the account's own, by name."""

    source: str
    routes: Mapping[str, Route]
    fields: Mapping[str, Mapping[str, Field]]
    paging: Paging
    envelope: Envelope
    errors: ErrorBody
    limits: Limits
    times: Times
    commands: Mapping[str, OwnCommand] = field(default_factory=dict)
