"""Which stored things an account's answer names by other ids than before, because the contract makes others of them.

Where the thing around it and the account's own id tell which is meant, a stored row is the same thing under a new id.
One that may have been several things is none of them: it ends as "identity changed". It plans and changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from eosvolt.models import ChargerReading, SessionReading
from eosvolt.terms.identities import own_part
from eosvolt.terms.paths import is_composite
from storage.dialects import insert
from storage.schema import CHARGER, CONNECTOR, ID_FORM, SESSION

IDENTITY_CHANGED = "identity changed"
KINDS_OF = {"chargers": ("charger", "connector"), "sessions": ("session",)}
"""The kinds of things whose ids each resource's answers tell."""

_TABLES = {"charger": CHARGER, "connector": CONNECTOR, "session": SESSION}
Forms = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class NewIds:
    """By kind, the ids of stored things with their new ones, and those that are nothing's id any more.

    `of_sessions` are connectors' new ids by charger and own id, for sessions whose connector had no id of its own.
    """

    renamed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ended: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of_sessions: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Told:
    """A thing of an answer: its id, the thing around it (of a session, its beginning), and the account's own id."""

    id: str
    around: str | datetime | None
    own: str


def changed_forms(connection: Connection, resource: str, forms: Mapping[str, str]) -> dict[str, str | None]:
    """The kinds of a resource whose stored ids are made of something else than the contract says now, with of what.

    None: it was never written down, and the contract makes ids of parts now.
    """
    known = {row.resource: row.form for row in connection.execute(sa.select(ID_FORM))}
    changed: dict[str, str | None] = {}
    for kind in KINDS_OF.get(resource, ()):
        before = known.get(kind)
        differs = before != forms[kind] if before is not None else is_composite(forms[kind])
        if differs and connection.execute(sa.select(_TABLES[kind].c.id).limit(1)).first() is not None:
            changed[kind] = before
    return changed


def store_forms(connection: Connection, resource: str, forms: Mapping[str, str]) -> None:
    """Note what the ids of a resource's things are made of, as they are stored from now on."""
    statement = insert(connection, ID_FORM)
    statement = statement.on_conflict_do_update(
        index_elements=[ID_FORM.c.resource], set_={"form": statement.excluded.form}
    )
    connection.execute(statement, [{"resource": kind, "form": forms[kind]} for kind in KINDS_OF[resource]])


def plan_new_ids(connection: Connection, readings: Sequence[Any], before: Forms, forms: Mapping[str, str]) -> NewIds:
    """What a complete list of chargers or sessions makes of the stored ids; `before` is what `changed_forms` found."""
    if not readings or not before:
        return NewIds()
    if isinstance(readings[0], SessionReading):
        return _plan_sessions(connection, readings, before["session"], forms)
    return _plan_chargers(connection, readings, before, forms)


def _plan_chargers(
    connection: Connection, readings: Sequence[ChargerReading], before: Forms, forms: Mapping[str, str]
) -> NewIds:
    renamed: dict[str, dict[str, str]] = {"charger": {}}
    ended: dict[str, tuple[str, ...]] = {}
    told = [_Told(row.id, row.location_id, own_part(forms["charger"], row.id, row.location_id)) for row in readings]
    if "charger" in before:
        stored = connection.execute(sa.select(CHARGER.c.id, CHARGER.c.location_id).where(CHARGER.c.gone_at.is_(None)))
        things = [(row.id, row.location_id) for row in stored]
        renamed["charger"], ended["charger"] = _match(things, told, before["charger"], _all_ids(connection, CHARGER))
    plugs = [
        _Told(plug.id, row.id, own_part(forms["connector"], plug.id, row.id))
        for row in readings
        for plug in row.connectors
    ]
    stored = connection.execute(sa.select(CONNECTOR.c.id, CONNECTOR.c.charger_id).where(CONNECTOR.c.gone_at.is_(None)))
    things = [(row.id, renamed["charger"].get(row.charger_id, row.charger_id)) for row in stored]
    old = before.get("connector", forms["connector"])
    renamed["connector"], ended["connector"] = _match(things, plugs, old, _all_ids(connection, CONNECTOR))
    of_sessions = {} if is_composite(old or "") else {(str(one.around), one.own): one.id for one in plugs}
    return NewIds(renamed, ended, of_sessions)


def _plan_sessions(
    connection: Connection, readings: Sequence[SessionReading], old: str | None, forms: Mapping[str, str]
) -> NewIds:
    told = [_Told(row.id, row.started_at, own_part(forms["session"], row.id)) for row in readings]
    begun = [row.started_at for row in readings if row.started_at is not None]
    if not begun:
        return NewIds()
    stored = connection.execute(sa.select(SESSION.c.id, SESSION.c.started_at).where(SESSION.c.started_at >= min(begun)))
    things = [(row.id, row.started_at) for row in stored]
    renamed, _ = _match(things, told, old, {one for one, _ in things})
    return NewIds({"session": renamed})


def _all_ids(connection: Connection, table: sa.Table) -> set[str]:
    return set(connection.execute(sa.select(table.c.id)).scalars())


def _match(
    stored: Iterable[tuple[str, Any]], told: Sequence[_Told], old: str | None, taken: set[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The new ids of stored things, and the ids that nothing has any more; `taken` are all ids that are stored."""
    ids = {one.id for one in told}
    by_own: dict[str, list[_Told]] = defaultdict(list)
    for one in told:
        by_own[one.own].append(one)
    renamed: dict[str, str] = {}
    merged: list[str] = []
    lost: list[str] = []
    for thing_id, around in stored:
        if thing_id in ids:
            continue
        candidates = by_own.get(own_part(old, thing_id, around if isinstance(around, str) else None), [])
        here = [one for one in candidates if one.around == around and one.id not in taken]
        if len(here) == 1 and (len(candidates) == 1 or is_composite(old or "") or isinstance(around, datetime)):
            renamed[thing_id] = here[0].id
        elif candidates:
            merged.append(thing_id)
        else:
            lost.append(thing_id)
    # others have come in the place of what nothing has in common with: it was not removed
    new = len(ids - taken) - len(renamed)
    return renamed, (*merged, *(lost if old is not None and new >= len(lost) else ()))
