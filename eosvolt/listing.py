"""Makes the calls of lists: page after page, in goes of bounded length, each going on where the one before stood.

What a large page holds is read away from the loop, where clicks and other polls get their turn. What came is never
thrown away because a later page failed. It stores nothing.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, NamedTuple, TypeVar

from eosvolt.answers import AnswerReader, Page
from eosvolt.contract import Contract, Route
from eosvolt.errors import EosvoltError, RateLimited, Timeout, TooMuch, Unreachable
from eosvolt.exchange import Exchange
from eosvolt.lists.paging import R, Sweep
from eosvolt.lists.passes import ListMemory, things_in
from eosvolt.models import ChargerReading, Fetched, SetAside, Unread
from eosvolt.readings import Aside, Reader
from eosvolt.speech import Speech

AT_ONCE = 500
"""How many rows are taken before others get their turn: some ten milliseconds."""

MOST_SET_ASIDE = 10_000
"""A list of which more rows cannot be read is not what it is taken for."""

_MOST_MEMORIES = 32
_AFTER_ENDLESS = 20  # pages a go, where the list had no end the last time
_MORE_A_GO = 2  # so many pages more are asked for in the next go while the API takes it
_UNTIL_STUCK = 10  # goes without a page: the place may be none any more

T = TypeVar("T")
Keep = Callable[[Fetched[Any]], Fetched[Any]]


@dataclass(slots=True)
class Walk(Generic[R]):
    """A list that is being walked. `pages_a_go` is as many as the API takes in one go, None: it never said.

    `keep` takes out of what came what was not asked for, where the account has no such parameter.
    """

    route: Route
    read: Callable[[Any, list[Aside]], R]
    keep: Keep
    sweep: Sweep[R]
    asked_again: bool
    picked_up: bool = False
    pages_a_go: int | None = None
    bookmark: dict[str, Any] | None = None  # JSON-able: where another process can go on, None where none could
    told: str = ""
    endless: str = ""  # what was said of it when it had no end
    idle: int = 0  # goes in a row that brought no page
    unread: dict[tuple[str, str], Unread] = field(default_factory=dict)


class _Read(NamedTuple, Generic[R]):
    """What a page came to: its readings, what was set aside, and what its rows stand inside, where that is asked."""

    readings: list[R]
    set_aside: list[SetAside]
    around: list[object] | None


class Lists:
    """The lists of one account. `learn` is shown each reading."""

    def __init__(  # noqa: PLR0917 - what the client is made of
        self,
        contract: Contract,
        exchange: Exchange,
        answers: AnswerReader,
        reader: Reader,
        speech: Speech,
        learn: Callable[[Any], None],
    ) -> None:
        self._contract, self._exchange, self._answers = contract, exchange, answers
        self._reader, self._speech, self._learn = reader, speech, learn
        self._endless: dict[str, str] = {}  # by route: why its list was ended the last time
        self._memories: dict[tuple[str, frozenset[tuple[str, str]] | None], ListMemory] = {}

    def walk(
        self,
        route_name: str,
        read: Callable[[Any, list[Aside]], R],
        words: Mapping[str, Any],
        keep: Keep = lambda fetched: fetched,
        bookmark: Mapping[str, Any] | None = None,
    ) -> Walk[R]:
        """A walk through a list that has yet to begin, or that goes on where a bookmark of the same list says."""
        route = self._contract.routes[route_name]
        whole = not any(isinstance(value, datetime) for value in words.values())  # else no two polls are alike
        params = self._speech.params(route, words)
        # sessions end, they do not vanish; and what another process saw is not known here
        exacting = whole and route_name != "sessions" and bookmark is None
        memory = self._memory_of(route, params, whole=whole)
        sweep: Sweep[R] = Sweep(self._contract, route, params, memory, windowed=not whole, exacting=exacting)
        walk = Walk(route, read, keep, sweep, whole, endless=self._endless.get(route_name, ""))
        walk.picked_up = bookmark is not None and sweep.go_on_from(bookmark)
        walk.pages_a_go = _AFTER_ENDLESS if walk.endless else None
        return walk

    async def go(self, walk: Walk[R]) -> Fetched[R]:
        """Walk on until the list ends, a page fails, or this go has been long enough."""
        sweep, limits = walk.sweep, self._contract.limits
        ticks = asyncio.get_running_loop().time
        until = ticks() + limits.longest_list_seconds
        clock_skew: timedelta | None = None
        retries: list[str] = []
        pages = came = cleaned = aside = 0
        while sweep.query is not None:
            if pages and (ticks() >= until or pages >= min(sweep.progress()[1], walk.pages_a_go or pages + 1)):
                sweep.pause()
                break
            pages += 1
            try:
                call = self._speech.call(walk.route, {}, sweep.query, asked_again=walk.asked_again)
                answer = await self._exchange.read(call, retries)
                page = self._answers.page(answer.document, call.request, answer.headers, walk.route.inside)
                read = await _apart(answer.is_large, self._read, walk, page)
                if len(read.set_aside) <= MOST_SET_ASIDE:
                    await self._learn_in_turns(read.readings)
                    await _apart(answer.is_large, sweep.record_page, page, *read)
                aside += len(read.set_aside)
                if aside > MOST_SET_ASIDE:
                    raise TooMuch(f"{aside} rows came that cannot be read", request=call.request)
            except EosvoltError as error:
                sweep.record_failure(error)
                continue
            came += 1
            cleaned += answer.cleaned
            clock_skew = answer.clock_skew if clock_skew is None else clock_skew
        fetched = walk.keep(replace(sweep.fetched(clock_skew, retries, cleaned), unread=tuple(walk.unread.values())))
        if sweep.is_endless:
            self._endless[walk.route.name] = str(fetched.error)
        elif fetched.complete:
            self._endless.pop(walk.route.name, None)
        return _with_rest(walk, fetched, pages, came)

    async def _learn_in_turns(self, readings: Sequence[Any]) -> None:
        """Show readings to whoever learns from them, a few things at a time, also of one that holds very many."""
        shown = 0
        for part in (part for reading in readings for part in _in_parts(reading)):
            if shown >= AT_ONCE:
                shown = 0
                await asyncio.sleep(0)
            self._learn(part)
            shown += things_in(part)

    def _read(self, walk: Walk[R], page: Page) -> "_Read[R]":
        """What a page holds, as far as it can be read: too many rows that cannot end it."""
        read: _Read[R] = _Read([], [], [] if walk.route.each else None)
        for start in range(0, len(page.rows), AT_ONCE):
            rows = page.rows[start : start + AT_ONCE]
            readings, aside = self._reader.rows(rows, walk.route, walk.read)
            walk.unread |= {(one.resource, one.name): one for one in aside if isinstance(one, Unread)}
            read.readings.extend(readings)
            read.set_aside.extend(one for one in aside if isinstance(one, SetAside))
            if read.around is not None:
                read.around.extend(self._reader.around(rows, walk.route))
            if len(read.set_aside) > MOST_SET_ASIDE:
                break
        return read

    def _memory_of(self, route: Route, params: Mapping[str, str], *, whole: bool) -> ListMemory:
        """What earlier sweeps of the same list taught; of windows, one for all of a route."""
        key = (route.name, frozenset(params.items()) if whole else None)
        memory = self._memories.pop(key, None) or ListMemory()
        self._memories[key] = memory
        while len(self._memories) > _MOST_MEMORIES:
            self._memories.pop(next(iter(self._memories)))
        return memory


def _in_parts(reading: Any) -> Iterator[Any]:
    """A reading, or the same again and again with a few of its many connectors."""
    if not isinstance(reading, ChargerReading) or len(reading.connectors) <= AT_ONCE:
        yield reading
        return
    for start in range(0, len(reading.connectors), AT_ONCE):
        yield replace(reading, connectors=reading.connectors[start : start + AT_ONCE])


async def _apart(is_large: bool, work: Callable[..., T], *given: Any) -> T:
    """Do a piece of work: away from the loop where it is large, so that clicks and other polls do not wait for it."""
    return await asyncio.to_thread(_uncollected, work, *given) if is_large else work(*given)


def _uncollected(work: Callable[..., T], *given: Any) -> T:
    """Do work that makes very many values, none of them garbage: looking through all of them would stop everybody."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        return work(*given)
    finally:
        if was_on:  # else another such piece of work is on its way, and puts it on
            gc.enable()


def _with_rest(walk: Walk[R], fetched: Fetched[R], pages: int, came: int) -> Fetched[R]:
    """What a go brought, and the walk to go on with if the list has not ended and can be gone on with.

    How far the next go goes is what the API takes: half as far after a 429, a little further after none.
    """
    may_come = isinstance(fetched.error, RateLimited | Unreachable | Timeout)  # of any page, another time
    walk.idle = 0 if came else walk.idle + (not may_come)
    if isinstance(fetched.error, RateLimited) or "rate_limited" in fetched.retries:
        walk.pages_a_go = max(1, came // 2)
    elif walk.pages_a_go is not None and pages == walk.pages_a_go and not walk.endless:
        walk.pages_a_go += _MORE_A_GO
    fetched = replace(fetched, picked_up=walk.picked_up)
    is_gone = not came and fetched.error is not None and fetched.error.refused  # the place is none any more
    if fetched.complete or is_gone or walk.idle >= _UNTIL_STUCK:
        return fetched
    walk.bookmark = walk.sweep.bookmark()
    before = f" (the last time: {walk.endless})" if walk.endless else ""
    walk.told = f"the list is not read to its end yet: {walk.sweep.progress()[0]}, and the next poll goes on{before}"
    return replace(fetched, rest=walk) if walk.sweep.resume() else fetched
