"""Lines of an override file: written as TOML, one a key, tried before they are printed, and put into the file.

A line that the contract would refuse is never given out.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from eosvolt.contract import Contract, ContractError, contract_from

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")

Lines = Mapping[str, Any]
"""Dotted keys with their values, such as `fields.charger.name` with "title"."""


def written(lines: Lines) -> list[str]:
    """Return each as one line of TOML, for the top of an override file."""
    return [f"{key} = {as_toml(value)}" for key, value in lines.items()]


def as_toml(value: Any) -> str:
    """Return a text, number, boolean, list or table as it stands on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(str(key))} = {as_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def tried(override: str, lines: Lines, source: str = "the override file") -> Contract | None:
    """Return the contract with these lines, or None where it would refuse them."""
    try:
        return contract_from(merged(override, lines), source)
    except ContractError:
        return None


def merged(override: str, lines: Lines) -> str:
    """Return the text of an override file with these lines in it; comments stay where the tables allow it."""
    text = override
    for key, value in lines.items():
        text = _with_line(text, key.split("."), value)
    try:
        if _holds(tomllib.loads(text), lines):
            return text
    except tomllib.TOMLDecodeError:
        pass
    tables = tomllib.loads(override)
    for key, value in lines.items():
        _set(tables, key.split("."), value)
    return "\n".join(written(_flat(tables))) + "\n"


def _with_line(text: str, path: list[str], value: Any) -> str:
    """The text with one key set: under the table that is there for it, else at the top."""
    rows = text.splitlines()
    begin, depth = 0, 0
    for number, row in enumerate(rows):
        header = _HEADER.match(row)
        names = [name.strip().strip("\"'") for name in header[1].split(".")] if header else []
        if names and len(names) < len(path) and path[: len(names)] == names and len(names) > depth:
            begin, depth = number + 1, len(names)
    rest = path[depth:]
    end = next((n for n in range(begin, len(rows)) if _HEADER.match(rows[n])), len(rows))
    set_here = re.compile(r"\s*" + r"\s*\.\s*".join(f"[\"']?{re.escape(name)}[\"']?" for name in rest) + r"\s*=")
    line = f"{'.'.join(_key(name) for name in rest)} = {as_toml(value)}"
    for number in range(begin, end):
        if set_here.match(rows[number]):
            rows[number] = line
            return "\n".join(rows) + "\n"
    rows.insert(begin, line)
    return "\n".join(rows) + "\n"


def _holds(tables: Mapping[str, Any], lines: Lines) -> bool:
    for key, value in lines.items():
        found: Any = tables
        for name in key.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found != (list(value) if isinstance(value, tuple) else value):
            return False
    return True


def _set(tables: dict[str, Any], path: list[str], value: Any) -> None:
    *outer, last = path
    for name in outer:
        inner = tables.get(name)
        if not isinstance(inner, dict):
            inner = tables[name] = {} if inner is None else {"names": inner}
        tables = inner
    tables[last] = value


def _flat(tables: Mapping[str, Any], before: str = "", depth: int = 0) -> dict[str, Any]:
    lines: dict[str, Any] = {}
    for name, value in tables.items():
        key = f"{before}{_key(name)}"
        lines |= _flat(value, f"{key}.", depth + 1) if isinstance(value, dict) and value and depth < 2 else {key: value}
    return lines
