"""Walks through the pages of one list: what to ask next, when it is whole, and what to say where it is not.

Pure bookkeeping over pages that someone else fetched. It never drops a row that came, never calls a list whole that may
have lost one between shifting pages, and never goes on for ever. Whether a pass was whole is for `passes` to say.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from eosvolt.answers import Page
from eosvolt.contract import Contract, Route
from eosvolt.errors import (
    EosvoltError,
    InvalidRequest,
    MalformedAnswer,
    NotFound,
    ServerFault,
    Timeout,
    TooMuch,
    Unreachable,
)
from eosvolt.lists.bookmarks import Bookmark, Place
from eosvolt.lists.passes import Bounds, Judge, ListMemory, Pass, Verdict, things_in
from eosvolt.lists.rivals import Rivals
from eosvolt.models import ChargerReading, Fetched, LocationReading, SessionReading, SetAside

R = TypeVar("R", LocationReading, ChargerReading, SessionReading)

_MOST_REPEATED_PAGES = 3
_MOST_EMPTY_PAGES = 3  # running
_WORTH_GOING_ON = (Unreachable, Timeout, ServerFault, MalformedAnswer)
_BY_PLACE = frozenset({"page", "offset"})


class Sweep(Generic[R]):
    """One list call under way: `query` is the next page's parameters, or None when there is nothing more to ask.

    `memory` is what earlier sweeps of the same list taught. `windowed`: only what changed or began since some time is
    asked for; `exacting`: things are taken for gone because the list does not hold them. A list need not be walked in
    one go: `pause` leaves it, and `resume` goes on where it was left, or where a page failed.
    """

    def __init__(
        self,
        contract: Contract,
        route: Route,
        params: Mapping[str, str],
        memory: ListMemory | None = None,
        *,
        windowed: bool = False,
        exacting: bool = False,
    ) -> None:
        limits, self._paging = contract.limits, route.paging
        self._bounds = Bounds(limits.most_pages, limits.most_rows, limits.most_things)
        self._first = route.paging.first_offset if route.paging.style == "offset" else route.paging.first_page
        self._limit, self._request = route.limit, f"{route.method} {route.path}"
        self._granted = route.limit
        self._params = dict(params)
        self._asked = f"{self._request} {sorted(params.items())} {route.limit}"
        self._memory = memory if memory is not None else ListMemory(begins=True)
        self._windowed, self._is_handed_over = windowed, False
        self._judge = Judge(self._memory, exacting=exacting, empty_pages=route.paging.empty_pages)
        self._rows: dict[str, R] = {}
        self._new: dict[str, R] = {}  # since the last hand-over
        self._things = 0  # in what is kept: the rows, and the connectors in them
        self._left_at: Place | None = None
        self._holes: list[int] = []  # places of pages that failed and were gone on behind
        self._rivals = Rivals()
        self._set_aside: dict[tuple[str, str | None, str], SetAside] = {}
        self._error: EosvoltError | None = None
        self._shortfall = ""
        self._pages = self._failures = self._before_page = self._new_aside = 0
        self._total: int | None = None
        self._looking_back = self._nested = self._mending = self.is_endless = False
        self._verdict: Verdict | None = None
        self._start_pass()

    def _start_pass(self) -> None:
        self._pass = Pass()
        self._place = self._first
        self.query: dict[str, str] | None = self._at_place()

    def _at_place(self) -> dict[str, str]:
        paging = self._paging
        place = {"page": paging.page, "offset": paging.offset}.get(paging.style, "")
        asked = {place: str(self._place), paging.limit: str(self._limit)} if paging.style != "none" else {}
        return {**self._params, **{name: value for name, value in asked.items() if name}}

    def record_page(
        self,
        page: Page,
        readings: Sequence[R],
        set_aside: Sequence[SetAside],
        outer: Sequence[object] | None = None,
    ) -> None:
        """Take one page in: its readings, what was set aside of it, and what it says about further pages.

        `outer` identifies the rows of the page where the readings come from what stands inside them.
        """
        self._pages += 1
        self._failures = 0
        identities: list[object] = []
        found = any(reading.id not in self._rows for reading in readings)
        for reading in readings:
            self._keep(reading)
            identities.append(reading.id)
        for aside in set_aside:
            self._set_aside[aside.resource, aside.key, aside.row_json] = aside
            if aside.resource != "connector":
                identities.append(aside.key if aside.key is not None else (aside.resource, aside.row_json))
        if outer is not None:
            self._nested, identities = True, list(outer)
        if self._looking_back:
            self._looked_back(found=found)
            return
        if page.limit:
            self._granted = min(self._limit, page.limit)
        if page.total is not None:
            self._total = page.total
        before = self._before_page = len(self._pass.order)
        fresh = self._pass.record(identities, page.total)
        once = list(dict.fromkeys(identities))
        same = 0 < before == len(once) and self._pass.order[:before] == once
        if self._mending:
            del self._holes[0]
            self._end_pass()
            return
        self._choose_next(page, fresh, everything_again=same and len(identities) != self._limit)

    def _keep(self, reading: R) -> None:
        known = self._rows.get(reading.id)
        if known is not None:
            self._rivals.compare(known, reading)
        # The last word by updatedAt wins; without it, the page that came later.
        if (
            known is None
            or known.updated_at is None
            or reading.updated_at is None
            or reading.updated_at >= known.updated_at
        ):
            self._things += things_in(reading) - (0 if known is None else things_in(known))
            self._rows[reading.id] = self._new[reading.id] = reading

    def _choose_next(self, page: Page, fresh: int, *, everything_again: bool) -> None:
        if not page.rows:
            self._at_empty_page(page)
        elif page.has_next is None and not fresh and everything_again:
            self._pass.forget_last(self._before_page)  # it gives everything at once, whatever page it is asked for
            self._end_pass()
        elif self._pass.repeats >= _MOST_REPEATED_PAGES:
            self._stop("pages repeat rows already given, as if the paging parameters were ignored")
        elif not self._has_more(page):
            self._end_pass()
        elif not self._is_too_long():
            self._step(page)

    def _is_too_long(self) -> bool:
        """Whether the list ends here, because no list is as long."""
        rows = len(self._pass.seen) + self._pass.skipped
        if told := self._bounds.exceeded(self._pages, rows, self._things if self._judge.exacting else 0):
            self._stop(f"the list still goes on after {told}", TooMuch)
        self.is_endless = self._error is not None and self.query is None
        return self.is_endless

    def _has_more(self, page: Page) -> bool:
        """Whether another page is asked for: because there is one, or because it is not sure that there is none."""
        walked, style = self._pass, self._paging.style
        walked.full, walked.beyond = len(page.rows) >= self._granted, False
        told = self._says_more(page)
        if told:
            return True
        if style not in _BY_PLACE or walked.by_link:
            if told is None and walked.pages == 1 and walked.full and walked.total is None and style != "none":
                self._shortfall = (
                    f"{self._request}: a full page, and nothing beside it names a next one ({style} paging)"
                )
            return False
        if walked.total is not None:
            # what the total promises is looked for even where the page says that it was the last one
            walked.beyond = told is False
            return walked.missing() > 0 and (told is None or self._memory.short is None)
        return told is None and self._may_have_more(page)

    def _says_more(self, page: Page) -> bool | None:
        """Whether a page says that another one follows; None where it says nothing."""
        if page.has_next is None and page.last_page is not None and self._paging.style == "page":
            return self._place - self._paging.first_page + 1 < page.last_page
        return page.has_next

    def _may_have_more(self, page: Page) -> bool:
        """Whether to look for a further page where nothing says that there is one, or that there is none.

        The account may give fewer rows a page than it was asked for, except where it says how many it gives.
        """
        self._pass.beyond = not self._pass.full
        if self._pass.full or page.limit:
            return self._pass.full
        # It does not give fewer where it once gave more than these; a whole sweep looks all the same.
        return not self._windowed or len(page.rows) >= self._memory.largest

    def _at_empty_page(self, page: Page) -> None:
        """An empty page ends a list, unless something says that rows stand behind it."""
        walked, by_page = self._pass, self._paging.style == "page"
        size = self._granted if page.limit else min(self._granted, walked.largest or self._granted)
        behind = (self._place - self._first + 1) * size if by_page else self._place - self._first + size
        by_place = self._paging.style in _BY_PLACE and not walked.by_link
        promised = by_place and walked.missing() > 0 and behind < (walked.total or 0)
        # after a full page an empty one may be a hole, which costs one more look
        hole = by_place and walked.total is None and self._says_more(page) is None and walked.full and walked.empty == 1
        said = bool(self._says_more(page)) and (by_place or page.next_page is not None)
        if said and walked.empty >= _MOST_EMPTY_PAGES:
            self._stop("empty pages say that another one follows")
        elif not (said or (promised and walked.empty < _MOST_EMPTY_PAGES) or (hole and not self._windowed)):
            self._end_pass()
        elif not self._is_too_long():
            walked.beyond = hole
            self._step(page, empty=size)

    def _step(self, page: Page, empty: int = 0) -> None:
        following = page.next_page
        self._pass.by_link = isinstance(following, str) or (self._pass.by_link and following is not None)
        if self._paging.style == "cursor" and following is not None:
            following, self._pass.by_link = str(following), True
        if isinstance(following, str):
            # Only the query of an address is taken over: the token goes to no host and route but the contract's.
            split = urlsplit(following)
            query = dict(parse_qsl(split.query)) if split.query else {}
            word = self._paging.cursor if self._paging.style in {"cursor", "link"} else self._paging.page
            at_place = self._at_place() if self._paging.style in _BY_PLACE else self._without_place()
            self.query = {**at_place, **(query or {word: following})}
            return
        if self._paging.style == "offset":
            self._place += min(len(page.rows), self._granted) or empty
        else:
            self._place = following if following is not None and not empty else self._place + 1
        self.query = self._at_place()

    def _without_place(self) -> dict[str, str]:
        return {**self._params, **({self._paging.limit: str(self._limit)} if self._paging.limit else {})}

    def _end_pass(self) -> None:
        self.query = None
        walked = self._pass
        if self._error is not None:
            return
        self._mending = bool(self._holes)
        if self._mending:
            self._place = self._holes[0]
            self.query = self._at_place()
            return
        uncertain = walked.total is None or walked.missing() > 0
        if self._paging.style in _BY_PLACE and uncertain and self._first > 0 and not self._memory.begins:
            self._looking_back, self._place = True, 0
            self.query = self._at_place()
            return
        self._judge_pass()

    def _looked_back(self, *, found: bool) -> None:
        """What stands before the first page: nothing, where the account counts as the contract says."""
        self._looking_back = False
        if found:
            key = "first_offset" if self._paging.style == "offset" else "first_page"
            self._stop(f"rows stand before the first page: the account counts from 0 (paging.{key} = 0)")
            return
        self._memory.begins = True
        self._judge_pass()

    def _judge_pass(self) -> None:
        self.query = None
        walked = self._pass
        verdict = self._judge.judge(walked)
        self._judge.remember(verdict, walked)
        if verdict is Verdict.AGAIN:
            self._start_pass()
            return
        self._verdict = verdict
        known = len(walked.seen)
        if verdict is Verdict.MOVING:
            of = "" if walked.total is None else f" of {walked.total}"
            self._stop(f"rows kept moving between pages: {known}{of} came at the last look (a `sort` may hold them)")
        elif verdict is Verdict.SHORT:
            self._shortfall = (
                f"{self._request}: {self._judge.doubt(walked)}, however often it was looked. If a total counts "
                "something else, empty envelope.total in the contract file (CHARGEHAND_CONTRACT)"
            )

    def record_failure(self, error: EosvoltError) -> None:
        """Take a failed page in: go on behind it where the total says that there is more, else end."""
        # Its traceback would keep the whole call alive for as long as the answer is.
        error = error.with_traceback(None)
        self._pages += 1
        place, self.query = Place(self._place, self.query or {}), None
        if self._looking_back:
            self._looking_back = False
            self._memory.begins = self._memory.begins or error.refused
            self._judge_pass()
            return
        if not self._mending and self._is_end(error):
            self._pass.record([], None)
            self._at_empty_page(Page([]))
            return
        self._error = self._error or error
        self._failures += 1
        if isinstance(error, TooMuch) or not (self._judge.passes or self._pass.pages or self._pass.seen):
            return  # it would be the same again, or there is nothing to go on from
        self._left_at = place
        if self._mending or not isinstance(error, _WORTH_GOING_ON) or self._pass.by_link or self._total is None:
            return
        if self._failures > 1:
            self._left_at = Place(self._holes[-1], {}) if self._holes else place
            return
        offset = self._paging.style == "offset"
        self._place += self._granted if offset else 1
        reached = self._place if offset else (self._place - self._paging.first_page) * self._granted
        if self._paging.style in _BY_PLACE and reached < self._total and self._pages < self._bounds.pages:
            self._holes.append(place.number)
            self._left_at = None
            self.query = self._at_place()

    def pause(self) -> None:
        """Leave the list where it stands."""
        self._left_at, self.query = Place(self._place, self.query or {}), None

    def resume(self) -> bool:
        """Go on where the list was left, or with the pages that failed; False where that is nowhere."""
        if self._left_at is None and not (self._holes and self._error is not None and self._verdict is None):
            return False
        self._error, self._failures, self._pass.repeats, self._pass.paused = None, 0, 0, True
        if self._left_at is None:
            self._end_pass()
            return True
        self._place = self._left_at.number
        self._holes = [hole for hole in self._holes if hole != self._place or self._mending]
        self.query = dict(self._left_at.query) or self._at_place()
        self._left_at = None
        return True

    def bookmark(self) -> dict[str, Any] | None:
        """Where the list was left, as JSON-able facts for `go_on_from`; None where it cannot be gone on from."""
        at = self._left_at
        if at is None or self._looking_back:
            return None
        return self._pass.bookmark(self._asked, at, self._holes, self._pages).as_json()

    def go_on_from(self, told: Mapping[str, Any]) -> bool:
        """Begin where another walk through the same list was left; False where its bookmark is of another one."""
        bookmark = Bookmark.read(told)
        if bookmark is None or bookmark.asked != self._asked:
            return False
        self._pass.go_on_from(bookmark)
        self._total, self._pages = bookmark.total, bookmark.pages
        self._place, self._holes = bookmark.number, list(bookmark.holes)
        self.query = dict(bookmark.query) or self._at_place()
        return True

    def progress(self) -> tuple[str, int]:
        """How much of the list has come, in words, and how many pages may be asked for in one go."""
        return self._pass.in_words(), self._memory.most_a_go(self._pass.total)

    def _is_end(self, error: EosvoltError) -> bool:
        """Whether a refused page only says that it lies behind the last one, as some accounts do."""
        if not self._pass.pages or self._error is not None:
            return False
        behind = isinstance(error, NotFound) or error.status == 416  # RFC 9110, section 15.5.17
        return behind or (isinstance(error, InvalidRequest) and self._pass.beyond)

    def _stop(self, reason: str, kind: type[MalformedAnswer] = MalformedAnswer) -> None:
        self.query = None
        self._error = self._error or kind(reason, request=self._request)

    def fetched(self, clock_skew: timedelta | None, retries: Sequence[str] = (), cleaned: int = 0) -> Fetched[R]:
        """Return everything that came; of a whole list that was walked more than once, what the last walk showed."""
        rows = self._rows
        walked = self._pass
        if self._verdict is None:
            return self._handed_over(clock_skew, retries, cleaned)
        if self._verdict is Verdict.WHOLE and not self._nested and len(walked.seen) >= (walked.total or 0):
            rows = {key: row for key, row in rows.items() if key in walked.seen}
        return Fetched(
            rows=tuple(row for row in rows.values() if row.id not in self._rivals),
            set_aside=(*self._set_aside.values(), *self._rivals.set_aside()),
            complete=self._error is None,
            error=self._error,
            clock_skew=clock_skew,
            retries=tuple(retries),
            cleaned=cleaned,
            shortfall=self._shortfall,
            new=frozenset(self._new) if self._is_handed_over else None,
        )

    def _handed_over(self, clock_skew: timedelta | None, retries: Sequence[str], cleaned: int) -> Fetched[R]:
        """What came since the last hand-over of a list that is not walked to its end."""
        rows = tuple(row for row in self._new.values() if row.id not in self._rivals)
        aside = (*tuple(self._set_aside.values())[self._new_aside :], *self._rivals.set_aside())
        self._new, self._new_aside, self._is_handed_over = {}, len(self._set_aside), True
        if not self._judge.exacting:  # what is gone shows in these
            self._rows, self._things = {}, 0
        return Fetched(rows, aside, False, self._error, clock_skew, tuple(retries), cleaned)
