"""How accounts page: by page, offset, cursor or Link header, with totals here or there, and the faults of some.

It cuts one page out of rows by what a question asks, and says what stands beside the rows and in the headers. What the
rows are, and how they are written, it does not know.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

Told = Literal["total", "has_next", "next_page", "next_address", "last_page", "limit", "total_header", "limit_header"]


@dataclass(frozen=True)
class Manner:
    """One way of paging; `tells` is what an answer says beside its rows, under `under` where that is named.

    `names` are the account's words for page, offset, cursor, limit, total and the rest, where they are others. What is
    wrong with an account: `most` rows a page whatever is asked for, `beyond` the last page "not_found", `holes` pages
    that come empty, `shuffled` another order at each question (by this seed), `short_by` rows that the total counts and
    no page has, `doubled` every page begins with the last row of the one before.
    """

    style: Literal["page", "offset", "cursor", "link", "everything"] = "page"
    tells: frozenset[Told] = frozenset({"total", "has_next"})
    under: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    first: int = 1
    most: int = 1000
    beyond: Literal["empty", "not_found"] = "empty"
    holes: frozenset[int] = frozenset()
    shuffled: int | None = None
    short_by: int = 0
    doubled: bool = False

    def name(self, word: str) -> str:
        """The account's word."""
        return self.names.get(word, word)


@dataclass(frozen=True)
class Cut:
    """One page: its rows, what stands beside them, the headers; `found` False where the account answers 404.

    `of` says what the rows are, for accounts that name it around them.
    """

    rows: list[Any]
    beside: dict[str, Any]
    headers: dict[str, str]
    found: bool = True
    of: str = ""


def cut(rows: Sequence[Any], query: Mapping[str, str], manner: Manner, address: str = "https://api.example.com") -> Cut:
    """The page that a question asks for; `query` holds the account's words."""
    given = list(rows)
    if manner.shuffled is not None:
        random.Random(f"{manner.shuffled}{sorted(query.items())}").shuffle(given)
    if manner.style == "everything":
        return Cut(given, _beside(given, manner, total=len(rows), limit=len(given)), {})
    limit = max(1, min(int(query.get(manner.name("limit"), "25")), manner.most))
    start = max(0, _start(query, manner, limit))
    page = given[max(0, start - (manner.doubled and start > 0)) : start + limit]
    if start // limit in manner.holes:
        page = []
    total, end = len(rows), start + limit
    if manner.beyond == "not_found" and start and start >= total:
        return Cut([], {}, {}, found=False)
    following = str(end) if manner.style == "cursor" else str(end // limit + manner.first)
    link = _link(query, manner, address, limit=limit, end=end) if manner.style == "link" and end < total else None
    return Cut(
        page,
        _beside(page, manner, total=total, limit=limit, following=following if end < total else None, link=link),
        _headers(manner, total=total, limit=limit, link=link),
    )


def _start(query: Mapping[str, str], manner: Manner, limit: int) -> int:
    if manner.style == "page":
        return (int(query.get(manner.name("page"), manner.first)) - manner.first) * limit
    word = "cursor" if manner.style == "cursor" else "offset"
    first = manner.first if manner.style == "offset" else 0
    return int(query.get(manner.name(word), first)) - first


def _beside(
    page: Sequence[Any],
    manner: Manner,
    *,
    total: int,
    limit: int,
    following: str | None = None,
    link: str | None = None,
) -> dict[str, Any]:
    next_page = f"https://api.example.com/list?{manner.name('page')}={following}" if following else None
    told: dict[str, Any] = {
        "total": total + manner.short_by,
        "has_next": following is not None,
        "next_page": following if manner.style == "cursor" or following is None else int(following),
        "next_address": link or next_page,
        "last_page": -(-total // limit) if limit else 1,
        "limit": limit,
    }
    words = {manner.name(word): value for word, value in told.items() if word in manner.tells}
    return {manner.under: words} if manner.under and words else words


def _link(query: Mapping[str, str], manner: Manner, address: str, *, limit: int, end: int) -> str:
    """The address of the page that begins at `end`, with all that was asked."""
    asked = {**query, manner.name("offset"): str(end), manner.name("limit"): str(limit)}
    return f"{address}?{urlencode(asked)}"


def _headers(manner: Manner, *, total: int, limit: int, link: str | None) -> dict[str, str]:
    headers = {}
    if "total_header" in manner.tells:
        headers["x-total-count"] = str(total + manner.short_by)
    if "limit_header" in manner.tells:
        headers["x-limit"] = str(limit)
    if link is not None and "next_address" not in manner.tells:  # which stands in the answer then
        headers["link"] = f'<{link}>; rel="next"'
    return headers
