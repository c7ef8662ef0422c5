"""Walks through the pages of one list: what to ask next, when it is whole, and what to say where it is not.

Pure bookkeeping over pages that someone else fetched. It never drops a row that came, never calls a list whole that may
have lost one between shifting pages, and never goes on for ever.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from eosvolt.answers import Page
from eosvolt.contract import Contract, Route
from eosvolt.errors import EosvoltError, MalformedAnswer, ServerFault, Timeout, Unreachable
from eosvolt.models import ChargerReading, Fetched, LocationReading, SessionReading, SetAside

R = TypeVar("R", LocationReading, ChargerReading, SessionReading)

_MOST_PASSES = 3
_MOST_REPEATED_PAGES = 3
_WORTH_GOING_ON = (Unreachable, Timeout, ServerFault, MalformedAnswer)


class Sweep(Generic[R]):
    """One list call under way: `query` is the next page's parameters, or None when there is nothing more to ask."""

    def __init__(self, contract: Contract, route: Route, params: Mapping[str, str]) -> None:
        self._paging, self._most_pages = contract.paging, contract.limits.most_pages
        self._limit, self._request = route.limit, f"{route.method} {route.path}"
        self._granted = route.limit
        self._params = dict(params)
        self._rows: dict[str, R] = {}
        self._set_aside: dict[tuple[str, str | None, str], SetAside] = {}
        self._error: EosvoltError | None = None
        self._pages = self._failures = self._passes = 0
        self._total: int | None = None
        self._start_pass()

    def _start_pass(self) -> None:
        self._passes += 1
        self._known_before = len(self._rows) + len(self._set_aside)
        self._place = 0 if self._paging.style == "offset" else self._paging.first_page
        self._seen: set[object] = set()
        self._pages_in_pass = self._repeats = 0
        self._shifted = self._shrunk = self._by_cursor = False
        self.query: dict[str, str] | None = self._at_place()

    def _at_place(self) -> dict[str, str]:
        key = self._paging.offset if self._paging.style == "offset" else self._paging.page
        return {**self._params, key: str(self._place), self._paging.limit: str(self._limit)}

    def record_page(self, page: Page, readings: Sequence[R], set_aside: Sequence[SetAside]) -> None:
        """Take one page in: its readings, what was set aside of it, and what it says about further pages."""
        self._pages += 1
        self._pages_in_pass += 1
        self._failures = 0
        before = len(self._seen)
        for reading in readings:
            self._keep(reading)
        for aside in set_aside:
            place = (aside.resource, aside.key, aside.row_json)
            self._set_aside[place] = aside
            if aside.resource != "connector":
                self._seen.add(place)
        fresh = len(self._seen) - before
        self._shifted |= fresh < len(page.rows)
        if page.limit:
            self._granted = min(self._limit, page.limit)
        if page.total is not None:
            self._shrunk |= self._total is not None and page.total < self._total
            self._total = page.total
        self._repeats = 0 if fresh else self._repeats + 1
        self._choose_next(page, fresh)

    def _keep(self, reading: R) -> None:
        known = self._rows.get(reading.id)
        # The last word by updatedAt wins; without it, the page that came later.
        if (
            known is None
            or known.updated_at is None
            or reading.updated_at is None
            or reading.updated_at >= known.updated_at
        ):
            self._rows[reading.id] = reading
        self._seen.add(reading.id)

    def _choose_next(self, page: Page, fresh: int) -> None:
        ignores_limit = len(page.rows) > self._limit and self._pages_in_pass > 1 and not fresh
        if not page.rows and page.has_next:
            self._stop("an empty page says that another one follows")
        elif not page.rows or not self._has_more(page) or (page.has_next is None and ignores_limit):
            self._end_pass(page)
        elif self._repeats >= _MOST_REPEATED_PAGES:
            self._stop("pages repeat rows already given, as if the paging parameters were ignored")
        elif self._pages >= self._most_pages:
            self._stop(f"the list still goes on after {self._pages} pages")
        else:
            self._step(page)

    def _has_more(self, page: Page) -> bool:
        if page.has_next is not None:
            return page.has_next
        if page.total is not None:
            return len(self._seen) < page.total
        return len(page.rows) >= self._granted

    def _step(self, page: Page) -> None:
        following = page.next_page
        self._by_cursor = isinstance(following, str)
        if isinstance(following, str):
            # Only the query of an address is taken over: the token goes to no host and route but the contract's.
            query = dict(parse_qsl(urlsplit(following).query))
            self.query = {**self._at_place(), **(query or {self._paging.page: following})}
            return
        if self._paging.style == "offset":
            self._place += len(page.rows)
        else:
            self._place = following if following is not None else self._place + 1
        self.query = self._at_place()

    def _end_pass(self, page: Page) -> None:
        self.query = None
        known = len(self._rows) + sum(1 for aside in self._set_aside.values() if aside.resource != "connector")
        short = self._total is not None and known < self._total
        if self._error is not None or not (short or self._shrunk):
            return
        if self._pages_in_pass == 1 and page.has_next is False:
            return
        gained = len(self._rows) + len(self._set_aside) - self._known_before
        if self._passes > 1 and not (gained or self._shifted or self._shrunk):
            return  # a second quiet pass saw the same rows: the total counts something else
        if self._passes >= _MOST_PASSES:
            self._stop(f"rows kept moving between pages: {known} came of {self._total}")
        else:
            self._start_pass()

    def record_failure(self, error: EosvoltError) -> None:
        """Take a failed page in: go on behind it where the total says that there is more, else end."""
        # Its traceback would keep the whole call alive for as long as the answer is.
        self._error = self._error or error.with_traceback(None)
        self._pages += 1
        self._failures += 1
        self.query = None
        if not isinstance(error, _WORTH_GOING_ON) or self._failures > 1 or self._by_cursor or self._total is None:
            return
        offset = self._paging.style == "offset"
        self._place += self._granted if offset else 1
        reached = self._place if offset else (self._place - self._paging.first_page) * self._granted
        if reached < self._total and self._pages < self._most_pages:
            self.query = self._at_place()

    def _stop(self, reason: str) -> None:
        self.query = None
        self._error = self._error or MalformedAnswer(reason, request=self._request)

    def fetched(self, clock_skew: timedelta | None, retries: Sequence[str] = (), cleaned: int = 0) -> Fetched[R]:
        """Return everything that came."""
        return Fetched(
            rows=tuple(self._rows.values()),
            set_aside=tuple(self._set_aside.values()),
            complete=self._error is None,
            error=self._error,
            clock_skew=clock_skew,
            retries=tuple(retries),
            cleaned=cleaned,
        )
