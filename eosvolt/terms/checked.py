"""Checks the tables of a contract and makes its records of them: each wrong value is told with its key and what to do.

What a file says and the client cannot do is wrong too. It reads no file.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from zoneinfo import ZoneInfo

from eosvolt.errors import KINDS
from eosvolt.terms.own_commands import NAME, OF, WHO, OwnCommand, why_no_verification
from eosvolt.terms.paths import why_wrong
from eosvolt.terms.shapes import (
    PAGING_STYLES,
    TIME_UNITS,
    UNITS,
    Contract,
    Envelope,
    ErrorBody,
    Field,
    Limits,
    Paging,
    Route,
    Times,
)

ROUTE_KEYS = (
    "call", "limit", "sort", "params", "body", "values", "query", "headers", "fixed", "inside", "each", "paging",
)  # fmt: skip
FIELD_KEYS = ("names", "unit", "required", "values", "default")
ESSENTIAL_ROUTES = frozenset({"locations", "chargers"})
"""Without these there is nothing to watch; the `call` of any other may be empty."""

MOST_DOES = 80
_CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/[^\s?#]*)")
_WORD = re.compile(r"\{(\w*)\}")
_OF_CONNECTOR = ("connector_id", "charger_id", "location_id")
WORDS: dict[str, tuple[str, ...]] = {
    "location": ("id",),
    "charger": ("id", "location_id"),
    "charger_reset": ("id", "location_id", "type"),
    "charger_unlock": ("id", "location_id", "connector_id"),
    "charger_availability": ("id", "location_id", "connector_id", "operative"),
    "session": ("id",),
    "session_start": (*_OF_CONNECTOR, "id_tag"),
    "session_stop": ("session_id", *_OF_CONNECTOR),
    "pricing": ("id",),
    "pricing_change": ("id",),
    "export": ("id",),
    "command": ("id",),
    "command of charger": ("id", "location_id"),
    "command of connector": ("id", "location_id", "connector_id"),
}
"""The words that may stand in the path or body of a route, besides those that its packaged tables name."""

NEEDED: dict[str, tuple[str, ...]] = {
    "charger_reset": ("id",),
    "charger_unlock": ("id", "connector_id"),
    "charger_availability": ("id", "operative"),
    "session_start": ("connector_id",),
    "session_stop": ("session_id",),
    "command of charger": ("id",),
    "command of connector": ("connector_id",),
}
"""Without these a command would not say what it is about."""

_OUTER = {"chargers": "location", "charger": "location", "sessions": "charger"}
_FORBIDDEN_HEADERS = frozenset({"authorization", "host", "content-length", "content-type", "cookie", "if-none-match"})


class WrongTermError(ValueError):
    """A key or value is wrong; `where` is its key, and the text says what was expected."""

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(expected)
        self.where = where


class Checked:
    """Typed reading of one table; each wrong value becomes a WrongTermError that names its key."""

    def __init__(self, table: Any, where: str) -> None:
        self.where = where
        if not isinstance(table, dict):
            raise WrongTermError(where, f"must be a table, not {table!r}")
        self.table: dict[str, Any] = table

    def wrong(self, key: str, expected: str) -> WrongTermError:
        return WrongTermError(f"{self.where}.{key}", f"must be {expected}, not {self.table.get(key)!r}")

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

    def paths(self, key: str) -> tuple[str, ...]:
        names = self.words(key)
        for name in names:
            if why := why_wrong(name):
                raise WrongTermError(f"{self.where}.{key}", f"{name!r} cannot be found in an answer: {why}")
        return names

    def texts(self, key: str) -> dict[str, str]:
        value = self.table.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(one, str | int | float) for one in value.values()):
            raise self.wrong(key, "a table of texts and numbers")
        return {name: str(one).lower() if isinstance(one, bool) else str(one) for name, one in value.items()}

    def inner(self, key: str) -> dict[str, Any]:
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "a table")
        return value

    def names(self, key: str) -> dict[str, str]:
        value = self.table.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
            raise self.wrong(key, "a table of names")
        return value


def build(tables: dict[str, Any], packaged: Mapping[str, Any], source: str) -> Contract:
    """Make the contract of its tables; `packaged` are those of the file that comes with Chargehand."""
    limits = Checked(tables["limits"], "limits")
    paging = _paging(Checked(tables["paging"], "paging"))
    own = [(_own_command(name, table), table) for name, table in tables["commands"].items()]
    return Contract(
        source=source,
        paging=paging,
        routes={
            **{
                name: _route(name, name, Checked(table, f"routes.{name}"), tables["paging"], packaged)
                for name, table in tables["routes"].items()
            },
            **{
                one.route: _route(
                    one.route, f"command of {one.of}", Checked(table, one.route), tables["paging"], packaged
                )
                for one, table in own
            },
        },
        commands={one.name: one for one, _ in own},
        fields={
            resource: {name: _field(resource, name, spec, packaged) for name, spec in table.items()}
            for resource, table in tables["fields"].items()
        },
        envelope=_envelope(Checked(tables["envelope"], "envelope")),
        errors=_error_body(Checked(tables["errors"], "errors")),
        limits=Limits(
            calls_per_second=limits.number("calls_per_second", 0),
            longest_retry_wait_seconds=limits.number("longest_retry_wait_seconds", 0),
            longest_answer_seconds=limits.number("longest_answer_seconds", 0.001),
            most_pages=limits.whole("most_pages", 1),
            most_answer_bytes=limits.whole("most_answer_bytes", 1),
            most_answer_values=limits.whole("most_answer_values", 1),
            most_rows=limits.whole("most_rows", 1),
            most_things=limits.whole("most_things", 1),
            longest_list_seconds=limits.number("longest_list_seconds", 0.001),
        ),
        times=_times(Checked(tables["times"], "times")),
    )


def _paging(table: Checked) -> Paging:
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


def _own_command(name: str, given: Any) -> OwnCommand:
    table = Checked(given, f"commands.{name}")
    if NAME.fullmatch(name) is None:
        raise WrongTermError(
            table.where, "its name is typed after `/charge do`: lower case letters, digits and hyphens"
        )
    does = table.text("does", default="")
    if not does or len(does) > MOST_DOES or not does.isprintable():
        raise table.wrong("does", f"what it does in at most {MOST_DOES} characters, as people are told it")
    verified_by = table.table.get("verified_by", {})
    if why := why_no_verification(verified_by):
        raise table.wrong("verified_by", why)
    return OwnCommand(
        name,
        table.text("of", OF, "charger"),
        does,
        table.text("who", WHO, "operator"),
        table.yes("ends_sessions"),
        verified_by,
    )


def _route(name: str, kind: str, route: Checked, paging: dict[str, Any], packaged: Mapping[str, Any]) -> Route:
    """One call; `kind` says which words it has."""
    method, path = _call(route, kind)
    each = route.text("each", default="")
    for key in ("inside", "each"):
        if (why := why_wrong(route.text(key, default="-") or "-")) or "{" in route.text(key, default=""):
            raise route.wrong(key, f"a path ({why or 'without braces'})")
    if each and name not in _OUTER:
        raise route.wrong("each", f"left out: only {', '.join(_OUTER)} can stand inside other rows")
    made = Route(
        name=name,
        method=method,
        path=path,
        limit=route.whole("limit", 1, 100),
        sort=route.text("sort", default=""),
        params=route.names("params"),
        body=route.names("body"),
        paging=_paging(Checked({**paging, **route.inner("paging")}, f"{route.where}.paging")),
        values={
            word: Checked(inner, f"{route.where}.values.{word}").table for word, inner in route.inner("values").items()
        },
        query=route.texts("query"),
        headers=_headers(route),
        fixed=route.inner("fixed"),
        inside=route.text("inside", default=""),
        each=each,
        outer=_OUTER.get(name, "") if each else "",
    )
    known = {*WORDS.get(kind, ()), *packaged["routes"].get(kind, {}).get("body", {}), *made.params}
    _check_words(made, kind, route, known)
    return made


def _call(route: Checked, name: str) -> tuple[str, str]:
    is_own = name.startswith("command of ")
    text = route.text("call", default="" if is_own else None)
    if not text and name not in ESSENTIAL_ROUTES and not is_own:
        return "", ""
    call = _CALL.fullmatch(text)
    if is_own and call is None:
        raise route.wrong("call", 'a method and a path, such as "POST /v1/chargers/{id}/locate"')
    if call is None:
        raise route.wrong("call", 'a method and a path, such as "GET /v1/chargers"')
    words = WORDS.get(name, ())
    for word in _WORD.findall(call[2]):
        if word not in words:
            said = (
                f"a path with none but {', '.join(f'{{{one}}}' for one in words)}" if words else "a path without {...}"
            )
            raise route.wrong("call", said)
    if "{" in _WORD.sub("", call[2]) or "}" in _WORD.sub("", call[2]):
        raise route.wrong("call", "a path in which every { has its }")
    if call[1] == "GET" and words and "{id}" not in call[2] and "id" in words:
        raise route.wrong("call", "a path with {id}")
    return call[1], call[2]


def _headers(route: Checked) -> dict[str, str]:
    headers = route.texts("headers")
    for name, value in headers.items():
        if name.lower() in _FORBIDDEN_HEADERS or not re.fullmatch(r"[A-Za-z0-9-]+", name) or not value.isprintable():
            raise WrongTermError(f"{route.where}.headers.{name}", "is a header that a contract file cannot set")
    return headers


def _check_words(made: Route, kind: str, route: Checked, known: set[str]) -> None:
    for table in ("body", "values"):
        for word in getattr(made, table):
            if word not in known:
                words = ", ".join(sorted(known)) or "no word"
                raise WrongTermError(f"{route.where}.{table}.{word}", f"this call has no such word; it has {words}")
    for word in NEEDED.get(kind, ()) if made.method else ():
        if not made.says(word):
            mend = f'put {{{word}}} into its path, or body.{word} = "the account\'s name"'
            raise WrongTermError(f"{route.where}.call", f"nothing says {word}: {mend}")
    if made.method == "GET" and (any(made.body.values()) or made.fixed):
        mend = "put {its words} into the path, and leave their names in body empty" if made.acts else "leave it out"
        raise WrongTermError(f"{route.where}.call", f"a GET has no body: {mend}")


def _field(resource: str, name: str, spec: Any, packaged: Mapping[str, Any]) -> Field:
    field = Checked(spec, f"fields.{resource}.{name}")
    unit_given = packaged["fields"][resource][name].get("unit")
    unit: str | None = None
    if unit_given is not None:
        family = TIME_UNITS if unit_given in TIME_UNITS else tuple(UNITS[unit_given])
        unit = field.text("unit", family)
    elif "unit" in field.table:
        raise field.wrong("unit", "left out (this field has no unit)")
    names = field.paths("names")
    default = field.table.get("default")
    if default is not None and unit_given in TIME_UNITS:
        raise field.wrong("default", "left out: a moment has none that is true of every row")
    if default is not None and not isinstance(default, int | float if unit else str | bool):
        raise field.wrong("default", "a number" if unit else "text, true or false")
    if field.yes("required") and not names and default is None:
        raise field.wrong("names", "at least one name, because the field is required")
    if any("{" in one for one in names) and name != "id" and not name.endswith("_id"):
        raise field.wrong("names", "a name without braces: only ids are made of several parts")
    return Field(names, unit, field.yes("required"), field.inner("values"), default)


def _envelope(table: Checked) -> Envelope:
    return Envelope(**{field.name: table.paths(field.name) for field in fields(Envelope)})


def _error_body(table: Checked) -> ErrorBody:
    kinds = table.names("kinds")
    for code, kind in kinds.items():
        if kind not in KINDS:
            raise WrongTermError(f"errors.kinds.{code}", f"must be one of {', '.join(KINDS)}, not {kind!r}")
    overrides = frozenset(table.words("overrides"))
    for code in sorted(overrides - kinds.keys()):
        raise WrongTermError("errors.overrides", f"{code!r} overrides the status by what? Add errors.kinds.{code}")
    return ErrorBody(
        success=table.paths("success"),
        good=table.words("good"),
        bad=table.words("bad"),
        code=table.paths("code"),
        message=table.paths("message"),
        kinds=kinds,
        overrides=overrides,
        codes=table.names("codes"),
    )


def _times(table: Checked) -> Times:
    zone = table.text("naive_timezone")
    try:
        return Times(table.text("sent", TIME_UNITS), ZoneInfo(zone))
    except (OSError, ValueError, LookupError) as error:
        raise table.wrong("naive_timezone", 'an IANA time zone, such as "Europe/Copenhagen"') from error
