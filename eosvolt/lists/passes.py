"""Says whether what came of walking through a list is the whole list; a pass goes from the first page to the last.

Pure bookkeeping over ids. A pass is believed where nothing contradicts it: a total that was stated, rows that came
twice, rows that an earlier sweep saw. It never takes a part for the whole without saying so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from eosvolt.lists.bookmarks import Bookmark, Place
from eosvolt.models import ChargerReading, LocationReading, SessionReading

MOST_PASSES = 6
MOST_A_GO, UNKNOWN_A_GO, LEAST_A_GO = 2000, 500, 50
ALIKE = 3
"""So many passes in which the same rows stood at the same places settle that a total counts something else."""


class Verdict(Enum):
    """What is known after a pass."""

    WHOLE = "whole"
    SHORT = "short"  # the total was not reached, and another look would change nothing
    AGAIN = "again"
    MOVING = "moving"  # rows kept moving for as long as anybody looks


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a list is walked, and how many things are kept of one of which all is kept until it ends."""

    pages: int
    rows: int
    things: int

    def exceeded(self, pages: int, rows: int, things: int) -> str:
        """Which bound a list has passed that still goes on, in words; empty where it is none."""
        if rows > self.rows:
            return f"{self.rows} rows: limits.most_rows"
        if things > self.things:
            return f"{things} things were kept: limits.most_things"
        return f"{pages} pages: limits.most_pages" if pages >= self.pages else ""


def things_in(reading: LocationReading | ChargerReading | SessionReading) -> int:
    """How many things a reading tells of: a charger and its connectors, else one."""
    return 1 + len(reading.connectors) if isinstance(reading, ChargerReading) else 1


@dataclass(slots=True)
class ListMemory:
    """What earlier sweeps of the same list taught: the ids of the last whole one, and how the account pages.

    `largest` is the largest page that was ever given, `short` the total and the number of rows of a list that was never
    known to be whole, `begins` whether it is known that no rows stand before the first page.
    """

    ids: frozenset[str] = frozenset()
    largest: int = 0
    short: tuple[int | None, int] | None = None
    begins: bool = False
    pages: int = 0  # of the longest whole pass

    def most_a_go(self, total: int | None) -> int:
        """How many pages to ask for in one go: where no total is told, not far more than the list ever had."""
        if total is not None:
            return MOST_A_GO
        return max(LEAST_A_GO, 4 * self.pages) if self.pages else UNKNOWN_A_GO


@dataclass(slots=True)
class Pass:
    """One walk from the first page to the last: the rows' identities in order, the total told, whether that changed.

    `empty` and `repeats` are how many pages running brought no row, or none that was new.
    """

    order: list[object] = field(default_factory=list)
    seen: set[object] = field(default_factory=set)
    pages: int = 0
    largest: int = 0
    empty: int = 0
    hole: bool = False  # rows stood behind an empty page
    repeats: int = 0
    total: int | None = None
    steady: bool = True
    by_link: bool = False
    full: bool = False  # the page before this one was
    beyond: bool = False  # the page asked for now may well be behind the last one
    skipped: int = 0  # rows without an id that another process saw before this one
    paused: bool = False  # it was not walked in one go: meanwhile rows came
    least: int | None = None  # the smallest total that was told

    def record(self, identities: Sequence[object], total: int | None) -> int:
        """Take a page in; returns how many of its rows are new to this pass."""
        before = len(self.seen)
        self.order += dict.fromkeys(identities)  # twice on one page is no sign of rows that move
        self.seen.update(identities)
        self.hole |= bool(identities) and self.empty > 0
        self.pages += 1
        self.largest = max(self.largest, len(identities))
        self.empty = 0 if identities else self.empty + 1
        if total is not None:
            self.steady &= self.total is None or total == self.total
            self.total = total
            self.least = total if self.least is None else min(self.least, total)
        fresh = len(self.seen) - before
        self.repeats = 0 if fresh else self.repeats + 1
        return fresh

    def bookmark(self, asked: str, at: Place, holes: Sequence[int], pages: int) -> Bookmark:
        """What another process needs to go on at a place."""
        named = tuple(dict.fromkeys(one for one in self.order if isinstance(one, str)))
        nameless = len(self.seen) - len(named) + self.skipped
        return Bookmark(asked, at.number, dict(at.query), tuple(holes), named, nameless, self.total, pages)

    def go_on_from(self, bookmark: Bookmark) -> None:
        """Take over what another pass saw before it was left."""
        self.order, self.seen = list(bookmark.seen), set(bookmark.seen)
        self.skipped, self.total, self.paused = bookmark.nameless, bookmark.total, True

    def in_words(self) -> str:
        """How much of the list has come."""
        of = "" if self.total is None else f" of {self.total}"
        return f"{len(self.seen) + self.skipped}{of} rows have come so far"

    def forget_last(self, length: int) -> None:
        """Leave the last page out again, whose rows were all there before: `length` is what the order was before it."""
        del self.order[length:]
        self.pages -= 1

    def named(self) -> frozenset[str]:
        """The ids of the rows that have one."""
        return frozenset(one for one in self.seen if isinstance(one, str))

    def missing(self) -> int:
        """How many rows the total promises that did not come."""
        return 0 if self.total is None else max(0, self.total - len(self.seen) - self.skipped)

    def is_like(self, other: "Pass | None") -> bool:
        """Whether the same rows stood at the same places; those without an id need only be as many."""
        return other is not None and self.total == other.total and _named(self.order) == _named(other.order)


def _named(order: Sequence[object]) -> list[str | None]:
    return [one if isinstance(one, str) else None for one in order]


class Judge:
    """Judges the passes of one sweep, one after the other, with what earlier sweeps taught.

    `exacting`: things are taken for gone because the list does not hold them, so that two passes must agree where no
    earlier sweep shows that nothing slipped from one page to another behind our back. `empty_pages`: the account is
    known to give empty pages in the middle.
    """

    def __init__(self, memory: ListMemory, *, exacting: bool, empty_pages: bool = False) -> None:
        self._memory, self.exacting, self._empty_pages = memory, exacting, empty_pages
        self._before: Pass | None = None
        self._union: set[object] = set()
        self._steady = True
        self._alike = 0
        self.passes = 0

    def judge(self, walked: Pass) -> Verdict:
        """The verdict after one more pass."""
        before, self._before = self._before, walked
        alike = walked.is_like(before)
        self._alike = self._alike + 1 if alike else 1
        self.passes += 1
        self._union |= walked.seen
        self._steady &= walked.steady and (before is None or before.total == walked.total)
        if self._is_whole(walked, before, alike=alike):
            return Verdict.WHOLE
        if self.doubt(walked) and walked.steady:
            known_short = self._memory.short == (walked.total, len(walked.seen))
            if self._alike >= ALIKE or known_short:
                return Verdict.SHORT
        return Verdict.MOVING if self.passes >= MOST_PASSES else Verdict.AGAIN

    def doubt(self, walked: Pass) -> str:
        """What would make a pass less than the whole list however often it is walked, or nothing."""
        known = len(walked.seen)
        if walked.missing():
            return f"{known} rows came of a total of {walked.total}"
        if walked.total is not None:
            return ""
        if len(walked.order) > known:
            return f"{known} rows came, some of them on several pages, and no total tells whether others are missing"
        if walked.hole and not self._empty_pages:
            return f"{known} rows came, with an empty page among the others (paging.empty_pages = true, if it is so)"
        return ""

    def _is_whole(self, walked: Pass, before: Pass | None, *, alike: bool) -> bool:
        total = walked.total
        if walked.paused and not self.exacting:
            # what came while it was left is told by the next poll, which asks for what changed since the first page
            return len(walked.seen) + walked.skipped >= (walked.least or 0)
        if total is not None and self._steady and self.passes > 1 and len(self._union) == total:
            # an unstable order: nothing came and nothing went, and all were seen at some time
            known = frozenset(one for one in self._union if isinstance(one, str))
            if not self.exacting or not self._memory.ids or self._covers(known) or self.passes >= ALIKE:
                return True  # what an earlier sweep saw beside it is gone
        if self.doubt(walked) or not walked.steady or (len(walked.order) > len(walked.seen) and not alike):
            return False
        if walked.pages <= 1 or not self.exacting or self._covers(walked.named()):
            return True
        if before is None or before.named() != walked.named():
            return False
        # a row that came twice took another one's place: such a pass agrees with nothing unless a total does
        return total is not None or len(before.order) == len(before.seen)

    def _covers(self, ids: frozenset[str]) -> bool:
        """Whether every row that the last whole sweep saw is there, so that none slipped between two pages."""
        return bool(self._memory.ids) and self._memory.ids <= ids

    def remember(self, verdict: Verdict, walked: Pass) -> None:
        """Keep what this sweep taught."""
        memory = self._memory
        memory.largest = max(memory.largest, walked.largest)
        if verdict is Verdict.WHOLE:
            memory.short = None
            memory.pages = max(memory.pages, walked.pages)
            if self.exacting:
                memory.ids = walked.named()
        elif verdict is Verdict.SHORT:
            memory.short = (walked.total, len(walked.seen))
