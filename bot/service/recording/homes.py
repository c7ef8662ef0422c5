"""Which locations are drivers' homes, as stored and as an answer tells them now: their chargers carry the label "home".

It writes no row of them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.service.jobs import Jobs
from bot.service.recording.answered import Answer
from storage.polls import PollState, poll_states, want_sweep
from storage.recording.reading_rows import HOME
from storage.schema import LOCATION


def known_homes(jobs: Jobs, answers: Sequence[Answer]) -> tuple[frozenset[str], bool]:
    """The homes once these answers are recorded, and whether stored chargers have other labels by them."""
    before = jobs.homes if jobs.homes is not None else _stored(jobs)
    told = [row for answer in answers if answer.resource == "locations" for row in answer.fetched.rows]
    homes = (before - {row.id for row in told}) | {row.id for row in told if (row.type or "").casefold() == HOME}
    return homes, homes != before


def relabel(connection: Connection, answers: Sequence[Answer], now: datetime) -> list[PollState]:
    """Have all chargers asked for anew where no sweep of them came with these answers; how they stand then."""
    if any(answer.resource == "chargers" and answer.sweep for answer in answers):
        return []
    state = poll_states(connection).get("chargers")
    if state is None:
        return []
    want_sweep(connection, "chargers", now)
    return [replace(state, sweep_due_at=now)]


def _stored(jobs: Jobs) -> frozenset[str]:
    with jobs.database.read() as connection:
        of_homes = sa.select(LOCATION.c.id).where(sa.func.lower(LOCATION.c.type) == HOME, LOCATION.c.gone_at.is_(None))
        return frozenset(connection.execute(of_homes).scalars())
