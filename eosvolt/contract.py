"""Reads the contract: everything that Chargehand assumes about the API, from contract.toml and one file merged over it.

It checks every key and says which one is wrong, on which line; it opens no connection and maps no row.
"""

import re
import tomllib
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from eosvolt.terms.checked import FIELD_KEYS, ROUTE_KEYS, WrongTermError, build
from eosvolt.terms.own_commands import COMMAND_KEYS
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

__all__ = (
    "PAGING_STYLES",
    "TIME_UNITS",
    "UNITS",
    "Contract",
    "ContractError",
    "Envelope",
    "ErrorBody",
    "Field",
    "Limits",
    "Paging",
    "Route",
    "Times",
    "contract_from",
    "load_contract",
)

PACKAGED = Path(__file__).with_name("contract.toml")

_FREE_TABLES = ("errors.kinds", "errors.codes", "commands")
_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_HEADER = re.compile(rf"\s*\[\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*\]")
_SET = re.compile(rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*=")
_NAME = re.compile(_KEY)


class ContractError(ValueError):
    """A contract file is wrong; the text names the file, the line, the key, and what was expected."""


def load_contract(override: Path | None = None) -> Contract:
    """Read the packaged contract, with the TOML file `override` merged over it where one is given.

    Raises ContractError, in one sentence, where the file cannot be read or a key or value is wrong.
    """
    if override is None:
        return build(deepcopy(_PACKAGED_TABLES), _PACKAGED_TABLES, PACKAGED.name)
    return contract_from(_text_of(override), str(override))


def contract_from(text: str, source: str) -> Contract:
    """Make the contract with the text of an override file; `source` names it. Raises ContractError as load_contract."""
    merged = deepcopy(_PACKAGED_TABLES)
    try:
        _merge(merged, _tables_of(text, source), ())
        return build(merged, _PACKAGED_TABLES, f"{PACKAGED.name} with {source}")
    except WrongTermError as error:
        line = line_of(text, error.where)
        raise ContractError(f"{source}{f', line {line}' if line else ''}: {error.where}: {error}") from None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path}: is not UTF-8 text") from error


def _tables_of(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContractError(f"{path}: is not TOML: {error}") from error


def line_of(text: str, where: str) -> int | None:
    """Return the line of a TOML text that says a dotted key, or the nearest one around it."""
    table: list[str] = []
    best: tuple[int, int] | None = None
    wanted = where.split(".")
    for number, line in enumerate(text.splitlines(), 1):
        header, setting = _HEADER.match(line), _SET.match(line)
        if header is not None:
            table = [name.strip("\"'") for name in _NAME.findall(header[1])]
            keys = table
        elif setting is not None:
            keys = [*table, *(name.strip("\"'") for name in _NAME.findall(setting[1]))]
        else:
            continue
        depth = min(len(keys), len(wanted))
        if keys[:depth] == wanted[:depth] and (best is None or depth > best[0]):
            best = depth, number
    return best[1] if best else None


def _merge(base: dict[str, Any], over: dict[str, Any], at: tuple[str, ...]) -> None:
    known = _known_keys(base, at)
    for key, given in over.items():
        where = ".".join((*at, key))
        value = _spelled_out(given) if len(at) == 2 and at[0] == "fields" else given
        if known is not None and key not in known:
            near = get_close_matches(key, known, 1)
            hint = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(known)}"
            raise WrongTermError(where, f'unknown key "{key}"; {hint}')
        if isinstance(value, dict) and (key not in base or not isinstance(base[key], dict)) and len(at) < 3:
            base[key] = {}
        if key in base and isinstance(base[key], dict):
            if not isinstance(value, dict):
                raise WrongTermError(where, f"must be a table, not {given!r}")
            _merge(base[key], value, (*at, key))
        else:
            base[key] = value


def _known_keys(base: dict[str, Any], at: tuple[str, ...]) -> tuple[str, ...] | None:
    """The keys that a table may have; None where it may have any."""
    if ".".join(at) in _FREE_TABLES or at[-1:] == ("values",):
        return None
    if at[:1] in {("routes",), ("commands",)} and len(at) >= 2:
        if len(at) == 2:
            return ROUTE_KEYS if at[0] == "routes" else COMMAND_KEYS
        if at[2] == "paging":
            return tuple(_PACKAGED_TABLES["paging"])
        if at[2] == "params":
            return tuple(base)
        return None
    return FIELD_KEYS if len(at) == 3 and at[0] == "fields" else tuple(base)


def _spelled_out(value: Any) -> Any:
    """A field may be given shortly, as its name or names alone."""
    if isinstance(value, str):
        return {"names": [value]}
    return {"names": value} if isinstance(value, list) else value


_PACKAGED_TABLES = _tables_of(_text_of(PACKAGED), PACKAGED.name)
