"""Asks for the prices of every location, a few at each poll, so that a round takes part of an hour and hurries nobody.

What was read is recorded at once; where a round stands is known to the process alone, and a new one begins after a
restart. One location's fault keeps the others. It evaluates nothing: the next poll finds the rules what has changed.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from bot.service.jobs import Jobs
from bot.service.polling.poll_plan import PRICES, is_lacking
from bot.service.polling.polls import paces_of
from commands.requests.prices import as_text
from eosvolt.errors import EosvoltError, Forbidden, NotFound, RateLimited
from eosvolt.models import Fetched, PricingReading
from storage.ahead import is_ahead
from storage.engine import Database
from storage.health import FAILED, GOOD, Counted, Pace, record_counts, store_pace
from storage.polls import PollState, after_bad_poll, after_good_poll, known_at, poll_states, store_poll_states
from storage.recording.prices import priced_locations, record_prices

log = structlog.get_logger()

AT_ONCE = 3
"""How many calls are under way together: one fewer than the client makes, so that a person's look at prices passes."""

FEWEST = 20
"""How many locations a poll asks for at least, if there are so many."""

Answer = PricingReading | EosvoltError


@dataclass(slots=True)
class _Round:
    """One pass over all locations: those still to be asked for, and what came of the others."""

    waiting: deque[str]
    a_time: int
    read: int = 0
    error: EosvoltError | None = None


@dataclass(slots=True)
class PricePolls:
    """The rounds of one service or replay. Call `poll` at every interval, never twice at a time."""

    jobs: Jobs
    _round: _Round | None = field(default=None, init=False)

    async def poll(self, now: datetime) -> None:
        """Ask for the next few locations if a round is due or under way, and record what they told."""
        paces = await paces_of(self.jobs)
        if paces.is_paused(PRICES, now):
            return
        if self._round is None:
            if not await self._is_due(now):
                return
            ids: list[str] = await self.jobs.run(_locations, self.jobs.database)
            if not ids:
                return
            # half of the time between two rounds is enough for one
            self._round = _Round(deque(ids), max(FEWEST, -(-2 * len(ids) // self.jobs.plan.polls_per_sweep)))
        ticks = asyncio.get_running_loop().time
        began, slowness = ticks(), paces.in_force(PRICES, now).slowness
        told = await self._ask(self._round)
        changed = paces.note(PRICES, _as_one(told), now, ticks() - began)
        await self.jobs.run(self._record, told, now, slowness, changed)

    async def _is_due(self, now: datetime) -> bool:
        absent = self.jobs.absent.get(PRICES)
        if absent is not None and not is_ahead(absent, now):
            return now - absent >= self.jobs.plan.interval * self.jobs.plan.polls_per_try
        states = self.jobs.polls if self.jobs.polls is not None else await self.jobs.run(_states, self.jobs.database)
        state = states.get(PRICES)
        state = None if state is None else known_at(state, now)
        if state is None or state.good_at is None or state.good_at != state.attempted_at:
            return True
        return bool(now - state.good_at >= self.jobs.plan.interval_of(PRICES))

    async def _ask(self, going: _Round) -> dict[str, Answer]:
        """The answers of the next locations; few where nobody answers, none more once the API refuses or has enough."""
        told: dict[str, Answer] = {}
        while going.waiting and len(told) < going.a_time:
            number = min(AT_ONCE, len(going.waiting), going.a_time - len(told))
            ids = [going.waiting.popleft() for _ in range(number)]
            answers = dict(zip(ids, await asyncio.gather(*(self._fetch(one) for one in ids)), strict=True))
            put_off = [one for one, answer in answers.items() if isinstance(answer, RateLimited)]
            going.waiting.extend(put_off)
            told |= answers
            if any(isinstance(answer, Forbidden) for answer in answers.values()):
                going.waiting.clear()
            if put_off or not any(isinstance(answer, PricingReading | NotFound) for answer in answers.values()):
                break
        return told

    async def _fetch(self, location_id: str) -> Answer:
        try:
            return await self.jobs.client.fetch_price(location_id)
        except EosvoltError as error:
            return error

    def _record(self, told: Mapping[str, Answer], now: datetime, slowness: int, paces: Mapping[str, Pace]) -> None:
        going = self._round
        if going is None:
            return
        readings = {one: answer for one, answer in told.items() if isinstance(answer, PricingReading)}
        errors = [answer for answer in told.values() if isinstance(answer, EosvoltError)]
        going.read += len(readings)
        going.error = next((error for error in errors if isinstance(error, Forbidden)), going.error)
        going.error = going.error or next(iter(errors), None)
        # that a location has no prices is an answer
        faults = Counter(error.kind for error in errors if not isinstance(error, NotFound))
        counts = [Counted(PRICES, FAILED, kind, count) for kind, count in faults.items()]
        state: PollState | None = None
        with self.jobs.database.write() as connection:
            before = poll_states(connection).get(PRICES)
            record_prices(connection, {one: as_text(reading) for one, reading in readings.items()}, now)
            if not going.waiting:
                if going.read:
                    interval = self.jobs.plan.interval_of(PRICES) * slowness
                    state = after_good_poll(connection, PRICES, now, interval, state=before)
                    counts.append(Counted(PRICES, GOOD))
                else:
                    state = after_bad_poll(PRICES, now, str(going.error), state=before)
                    if isinstance(going.error, NotFound):
                        counts.append(Counted(PRICES, FAILED, going.error.kind))
                store_poll_states(connection, [state])
            record_counts(connection, counts, now)
            for resource, pace in paces.items():
                store_pace(connection, pace, resource)
        if state is not None:
            self._end(going, before, state, now)

    def _end(self, going: _Round, before: PollState | None, state: PollState, now: datetime) -> None:
        self._round = None
        if self.jobs.polls is not None:
            self.jobs.polls = {**self.jobs.polls, PRICES: state}
        if not going.read and is_lacking(going.error, before):
            if PRICES not in self.jobs.absent:
                log.warning("resource switched off", resource=PRICES, error=str(going.error))
            self.jobs.absent[PRICES] = now
            return
        self.jobs.absent.pop(PRICES, None)
        if going.error is not None and not isinstance(going.error, NotFound):
            log.warning("some prices could not be read", error=str(going.error), read=going.read)


def _as_one(told: Mapping[str, Answer]) -> Fetched[Any]:
    """What several locations answered, as one answer by which the pace is set."""
    errors = [answer for answer in told.values() if isinstance(answer, EosvoltError)]
    limited = next((error for error in errors if isinstance(error, RateLimited)), None)
    return Fetched(complete=limited is None and len(errors) < len(told), error=limited or next(iter(errors), None))


def _locations(database: Database) -> Sequence[str]:
    with database.read() as connection:
        return priced_locations(connection)


def _states(database: Database) -> dict[str, PollState]:
    with database.read() as connection:
        return poll_states(connection)
