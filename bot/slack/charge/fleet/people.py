"""`/charge drivers`, `/charge teams` and `/charge keys`: the people of an account with a fleet, for operators alone.

EOSVOLT is asked each time: nothing of them is stored or logged. The answer is shown to whoever asked.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.answer import PAGE, Answer, Asked, Errand, Office, Word, paging, told
from bot.slack.permissions import Role
from eosvolt.errors import EosvoltError
from storage.queries.rows import Page

SHOWN_OF_A_TAG = 4
"""How much of what a key tells a charger is shown: enough to tell two apart, too little to copy one."""


def answer_drivers(_connection: Connection, asked: Asked) -> Errand:
    """The drivers, each with its team; words are looked for in names, ids and teams."""

    async def fetch(office: Office) -> Answer:
        drivers, lacks = await _fetched(office, "drivers")
        teams = await _names(office, "teams")
        rows = [(one.id, one.name, teams.get(one.team_id or "", one.team_id), one.active) for one in drivers]
        return _answer(asked, "drivers", rows, lacks)

    return Errand("drivers", fetch)


def answer_teams(_connection: Connection, asked: Asked) -> Errand:
    """The teams, each with how many drivers it has, where the account tells of them."""

    async def fetch(office: Office) -> Answer:
        teams, lacks = await _fetched(office, "teams")
        try:
            members = [one.team_id for one in (await _fetched(office, "drivers"))[0]]
        except EosvoltError:
            members = []
        counts = {one.id: f"{members.count(one.id)} drivers" if members else None for one in teams}
        return _answer(asked, "teams", [(one.id, one.name, counts[one.id], None) for one in teams], lacks)

    return Errand("teams", fetch)


def answer_keys(_connection: Connection, asked: Asked) -> Errand:
    """The charge keys, each with its driver; of what it tells a charger only the end is shown."""

    async def fetch(office: Office) -> Answer:
        keys, lacks = await _fetched(office, "keys")
        drivers = await _names(office, "drivers")
        rows = [
            (one.id, _short(one.kind, one.tag), drivers.get(one.driver_id or "", one.driver_id), one.active)
            for one in keys
        ]
        return _answer(asked, "keys", rows, lacks)

    return Errand("keys", fetch)


def _short(kind: str | None, tag: str | None) -> str | None:
    ending = f"ends in {tag[-SHOWN_OF_A_TAG:]}" if tag is not None and len(tag) > SHOWN_OF_A_TAG else None
    return ", ".join(part for part in (kind, ending) if part) or None


def _answer(asked: Asked, what: str, rows: Sequence[tuple[Any, ...]], lacks: str) -> Answer:
    said = " ".join(asked.words)
    found = [row for row in rows if said.casefold() in " ".join(str(part or "") for part in row[:3]).casefold()]
    page = Page(tuple(found[asked.offset : asked.offset + PAGE]), asked.offset, len(found))
    buttons = paging(page, f"{what} {said}".strip())
    return told("answer_people", buttons=buttons, page=page, what=what, said=said, lacks=lacks)


async def _fetched(office: Office, resource: str) -> tuple[Sequence[Any], str]:
    """The rows in the order of their ids, and in words what is missing of them."""
    fetched = await office.client.fetch_people(resource)
    if fetched.error is not None:
        raise fetched.error
    aside = f"{len(fetched.set_aside)} more cannot be read" if fetched.set_aside else ""
    return sorted(fetched.rows, key=lambda row: row.id), fetched.shortfall or aside


async def _names(office: Office, resource: str) -> dict[str, str | None]:
    """Names by id; none where the account does not tell."""
    try:
        return {row.id: row.name for row in (await _fetched(office, resource))[0]}
    except EosvoltError:
        return {}


WORDS = (
    Word(
        "drivers",
        "drivers [TEXT]",
        "the drivers of the fleet, with their teams",
        "drivers",
        answer_drivers,
        route="drivers",
        needs=Role.OPERATOR,
        needs_data=False,
    ),
    Word(
        "teams",
        "teams [TEXT]",
        "the teams of the fleet",
        "teams",
        answer_teams,
        route="teams",
        needs=Role.OPERATOR,
        needs_data=False,
    ),
    Word(
        "keys",
        "keys [TEXT]",
        "charge keys (RFID, vehicles), with their drivers",
        "keys",
        answer_keys,
        route="keys",
        needs=Role.OPERATOR,
        needs_data=False,
    ),
)
