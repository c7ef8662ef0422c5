"""Where rows, single things and totals stand in an answer, and the line for an envelope that is another one.

It looks at one JSON document and asks nothing of anybody.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from eosvolt.answers import AnswerReader, Page
from eosvolt.contract import Contract, Route
from eosvolt.errors import MalformedAnswer
from eosvolt.survey.differences import Difference
from eosvolt.terms.paths import reach, steps_of

_TOTAL = re.compile(r"total|count|records|matches|hits", re.IGNORECASE)
_NO_TOTAL = re.compile(r"page|limit|size|offset|time|code|retry", re.IGNORECASE)
_NEXT = re.compile(r"next|cursor|continuation", re.IGNORECASE)
_DEEPEST = 3
_LISTS = frozenset({"locations", "chargers", "sessions", "drivers", "teams", "keys"})

Found = tuple[list[Any], tuple[Difference, ...]]


def rows_in(document: Any, contract: Contract, is_one: Callable[[Any], bool], route: Route | None = None) -> Found:
    """Return the rows of a list, or the single thing as one row; with what the envelope should have been."""
    reader = AnswerReader(contract, lambda text: text)
    inside = route.inside if route is not None else ""
    try:
        page = reader.page(document, "", inside=inside)
    except MalformedAnswer:
        page = None
    if page is not None:
        return _inner(page.rows, route), tuple(_beside(document, page))
    if not isinstance(document, dict):
        return [], ()
    one = reader.one(document, is_one, inside)
    if one is not None:
        return [one], ()
    is_single = route is not None and route.name not in _LISTS
    listing = max(_lists(document), key=lambda found: len(found[1]), default=None)
    if listing is not None and not (is_single and any(is_one(inner) for _, inner in _objects(document))):
        path, rows = listing
        return _inner(rows, route), (
            Difference("envelope", f"the rows stand under {path!r}", {"envelope.rows": [path]}),
        )
    thing = next(((path, inner) for path, inner in _objects(document) if is_one(inner) or len(inner) > 3), None)
    if thing is not None and not is_one(document) and len(document) <= 4:
        path, inner = thing
        told = f"a single thing stands under {path!r}"
        return [inner], (Difference("envelope", told, {"envelope.one": [path]}),)
    return [document], ()


def holds_list(document: Any, contract: Contract, route: Route | None = None) -> bool:
    """Whether a list of rows stands in an answer, be it empty: an error told with HTTP 200 holds none."""
    try:
        AnswerReader(contract, lambda text: text).page(document, "", inside=route.inside if route is not None else "")
    except MalformedAnswer:
        return isinstance(document, dict) and next(_lists(document), None) is not None
    return True


def without_list(document: Any) -> str:
    """What to say of an answer to a question for a list that holds none."""
    if isinstance(document, dict):
        keys = ", ".join(map(str, list(document)[:6])) or "nothing in it"
        return f"no list of rows came, but an object with {keys}: perhaps an error that is told with HTTP 200"
    return f"no list of rows came, but {type(document).__name__}"


def _inner(rows: list[Any], route: Route | None) -> list[Any]:
    if route is None or not route.each:
        return rows
    found: list[Any] = []
    for outer in rows:
        inner = reach(outer, steps_of(route.each)) or []
        found += [{route.outer: outer, **one} for one in inner if isinstance(one, dict)]
    return found


def _lists(document: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, list[Any]]]:
    for key, value in document.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            yield f"{before}{key}", value
        elif isinstance(value, dict) and depth < _DEEPEST:
            yield from _lists(value, f"{before}{key}.", depth + 1)


def _objects(document: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield f"{before}{key}", value
            if depth < _DEEPEST:
                yield from _objects(value, f"{before}{key}.", depth + 1)


def _beside(document: Any, page: Page) -> Iterator[Difference]:
    """A total or a next page that stands there under another name."""
    if not isinstance(document, dict):
        return
    for path, value in _plain(document):
        name = path.rpartition(".")[2]
        whole = type(value) is int and value >= len(page.rows)
        if page.total is None and whole and _TOTAL.search(name) and not _NO_TOTAL.search(name):
            yield Difference("envelope", f"a total of {value} stands under {path!r}", {"envelope.total": [path]})
            return
    for path, value in _plain(document):
        if page.has_next is None and isinstance(value, bool) and re.search("more|next", path, re.IGNORECASE):
            yield Difference("envelope", f"whether more follows stands under {path!r}", {"envelope.has_next": [path]})
            return
        if page.has_next is None and isinstance(value, str) and value and _NEXT.search(path):
            yield Difference("envelope", f"the next page stands under {path!r}", {"envelope.next_page": [path]})
            return


def _plain(document: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _plain(value, f"{before}{key}.", depth + 1)
        elif not isinstance(value, list | dict):
            yield f"{before}{key}", value
