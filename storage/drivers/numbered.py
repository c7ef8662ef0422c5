"""SQL as PostgreSQL itself takes it, with numbered values, and many new rows at once: what the driver would rework.

The driver reads a statement with named values through at each run, for a list of hundreds at ten times the cost of its
answer, and asks the server once for each row of many. Nothing here knows a table.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Dialect

_NAMED = re.compile(r"%\(([^)]*)\)s|%%")
_INSERT = re.compile(r'INSERT INTO ([\w".]+) \(([^()]+)\) VALUES \(([^()]*(?:\(\d+\)[^()]*)*)\)(?: RETURNING [\w.]+)?')
_VALUE = re.compile(r"\$(\d+)(?:::[\w ]+(?:\(\d+\))?)?")


def numbered(sql: str, names: Sequence[str]) -> str:
    """SQLAlchemy's statement with the place of each value in `names` in place of its name."""
    places = {name: f"${place}" for place, name in enumerate(names, start=1)}
    return _NAMED.sub(lambda found: "%" if found[0] == "%%" else places[found[1]], sql)


def copying(sql: str) -> str | None:
    """What takes many rows of the values of a numbered INSERT at once; None where it does more than insert them.

    The id that SQLAlchemy asks back of each is of no use where there are many.
    """
    found = _INSERT.fullmatch(" ".join(sql.split()))
    values = [_VALUE.fullmatch(value) for value in found[3].split(", ")] if found is not None else []
    places = [int(value[1]) for value in values if value is not None]
    if found is None or sorted(places) != list(range(1, len(values) + 1)):
        return None
    columns = dict(zip(places, found[2].split(", "), strict=True))
    return f"COPY {found[1]} ({', '.join(columns[place] for place in sorted(places))}) FROM STDIN"


def json_text(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What makes JSON text of a value, instead of the driver's mark of one, which is written anew for each row."""

    def text(value: Any) -> Any:
        marked = convert(value)
        return json.dumps(marked.obj) if hasattr(marked, "obj") else marked

    return text


def cursor(driver: Any) -> Any:
    """A cursor that takes numbered values, and gives JSON as its text: `read_json` reads it."""
    from psycopg import RawCursor  # noqa: PLC0415 - a start on SQLite needs no driver
    from psycopg.types.string import TextLoader  # noqa: PLC0415

    made = RawCursor(driver)
    for name in _JSON.values():
        made.adapters.register_loader(name, TextLoader)
    return made


_JSON = {114: "json", 3802: "jsonb"}  # by the number that the server gives each


def is_json(told: Any, dialect: Dialect) -> bool:
    """Whether a column is of JSON, by what the driver tells of its type."""
    return dialect.name == "postgresql" and told in _JSON


def read_json(text: str | None) -> Any:
    """What JSON text says."""
    return None if text is None else json.loads(text)


def copy(cursor_: Any, copying_: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows by what `copying` said; the cursor knows how many."""
    with cursor_.copy(copying_) as stream:
        for row in rows:
            stream.write_row(row)
