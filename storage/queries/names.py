"""Locations and chargers by what people call them: by the whole name, by some of its words, or nearly.

It reads the names that are there, a bounded number of each kind, and compares them here: databases fold case
differently.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.queries.state import CANDIDATES, Kind
from storage.schema import CHARGER, CONNECTOR, LOCATION

NEAR = 0.72
MOST_NEAR = 3
SHORTEST_NEAR = 4
"""Letters of a word of a name that a single word may nearly be: shorter ones resemble too much."""


@dataclass(frozen=True, slots=True)
class Called:
    """A thing with its name, and for a charger or connector the name of its location."""

    kind: Kind
    id: str
    name: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is called so; `is_near`: nothing is, and these are nearly."""

    things: tuple[Called, ...] = ()
    is_near: bool = False


def things_called(connection: Connection, said: str, kinds: Sequence[Kind]) -> Found:
    """The things of these kinds that are called so; a connector is called what its charger is.

    The whole name or id goes before words of it, those before words of the place, and those before what is near.
    """
    wanted = " ".join(said.casefold().split())
    words = wanted.split()
    if not words:
        return Found()
    known = [thing for kind in kinds for thing in _known(connection, kind)]
    whole = [one for one in known if wanted in {one.name.casefold(), one.id.casefold()}]
    named = whole or [one for one in known if _has(f"{one.name} {one.id}", words)]
    found = named or [one for one in known if _has(f"{one.name} {one.id} {one.place}", words)]
    if found:
        return Found(tuple(found))
    by_name: dict[str, list[Called]] = {}
    for one in known:
        own = one.name.casefold()
        parts = [part for part in own.split() if len(part) >= SHORTEST_NEAR] if len(words) == 1 else []
        for text in dict.fromkeys([own, *parts]):
            by_name.setdefault(text, []).append(one)
    near = get_close_matches(wanted, [name for name in by_name if name], n=MOST_NEAR, cutoff=NEAR)
    return Found(tuple(dict.fromkeys(one for name in near for one in by_name[name])), is_near=True)


def _has(text: str, words: Iterable[str]) -> bool:
    """Whether each word begins a word of the text; one of a script that may write no spaces stands anywhere in it."""
    folded = text.casefold()
    return all(
        re.search(rf"(?<![^\W_]){re.escape(word)}", folded) if word.isascii() else word in folded for word in words
    )


def _known(connection: Connection, kind: Kind) -> list[Called]:
    if kind == "location":
        statement = sa.select(LOCATION.c.id, LOCATION.c.name, sa.literal("")).where(LOCATION.c.gone_at.is_(None))
    elif kind == "charger":
        joined = CHARGER.outerjoin(LOCATION, LOCATION.c.id == CHARGER.c.location_id)
        statement = sa.select(CHARGER.c.id, CHARGER.c.name, LOCATION.c.name).select_from(joined)
        statement = statement.where(CHARGER.c.gone_at.is_(None))
    elif kind == "connector":
        joined = CONNECTOR.outerjoin(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id)
        joined = joined.outerjoin(LOCATION, LOCATION.c.id == CHARGER.c.location_id)
        statement = sa.select(CONNECTOR.c.id, CHARGER.c.name, LOCATION.c.name).select_from(joined)
        statement = statement.where(CONNECTOR.c.gone_at.is_(None))
    else:
        return []
    rows = connection.execute(statement.limit(CANDIDATES)).all()
    return [Called(kind, row[0], row[1] or "", row[2] or "") for row in sorted(rows, key=lambda row: row[0])]
