"""Tries what an account may be meaning: other paths, parameter names, styles of paging, and shapes of its errors.

Every question is a read that changes nothing; what answers rightly becomes a line, and what does not is only told.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract
from eosvolt.errors import EosvoltError, InvalidRequest
from eosvolt.models import Fetched
from eosvolt.survey.differences import Difference
from eosvolt.survey.lines import tried
from eosvolt.terms.shapes import spelled

Make = Callable[[Contract], EosvoltClient]
FAR = datetime(2090, 1, 1, tzinfo=UTC)
"""Nothing changed or began since then: a filter that works gives no row."""

NOBODY = "chargehand-doctor-knows-no-such-id"
_NAMES = {
    "updated_since": "updatedSince updated_since modifiedAfter modifiedSince modified_since updatedAfter updated_after"
    " changedSince changedAfter changed since date_from lastUpdatedSince filter[updated_after] filter[updated_since]",
    "started_from": "from startedFrom started_from begin start startDate start_date date_from fromDate startTime"
    " filter[from] filter[started_from]",
    "started_to": "to startedTo started_to finish end endDate end_date date_to toDate endTime"
    " filter[to] filter[started_to]",
}
_LIMITS = "limit pageSize page_size perPage per_page size count take pageLimit"
_PAGES = "page pageIndex pageNumber page_number p pageNo"
_OFFSETS = "offset start skip startIndex from"
_CURSORS = "cursor after pageToken page_token next nextCursor continuation starting_after"
_SUCCESS = ("success", "ok", "outcome", "status", "status_code", "statusCode", "result", "state", "code")
_CODES = ("code", "errorCode", "error_code", "ErrorCode", "error", "fault", "reason", "errno", "status_code")
_MESSAGES = ("message", "detail", "text", "error_description", "errorMessage", "ErrorText", "description", "msg")


@dataclass(slots=True)
class Probe:
    """One account under one override file and the lines found so far."""

    make: Make
    override: str
    lines: dict[str, Any]

    def contract(self, more: Mapping[str, Any] | None = None) -> Contract | None:
        """The contract with more lines, where it takes them."""
        return tried(self.override, {**self.lines, **(more or {})})

    async def ask(self, more: Mapping[str, Any], question: Callable[[EosvoltClient], Awaitable[Any]]) -> Any:
        """What a question brings under more lines; the EosvoltError it ends in, or None where no contract is made."""
        contract = self.contract(more)
        if contract is None:
            return None
        async with self.make(contract) as client:
            try:
                return await question(client)
            except EosvoltError as error:
                return error


def plain_questions(name: str, contract: Contract) -> Iterator[dict[str, Any]]:
    """Ways to ask for a list more plainly, where the first question was refused."""
    route = contract.routes[name]
    if route.sort and route.params.get("sort"):
        for word in ("orderBy", "order_by", "order", "sortBy", "sort_by"):
            yield {f"routes.{name}.params.sort": word}
        yield {f"routes.{name}.params.sort": ""}
    for limit in (50, 25, 20, 10):
        yield {f"routes.{name}.limit": limit}
    for word in _LIMITS.split():
        for page in _PAGES.split():
            yield {f"routes.{name}.paging.limit": word, f"routes.{name}.paging.page": page}
    yield {f"routes.{name}.paging.limit": "", f"routes.{name}.paging.page": ""}


async def plainer(probe: Probe, contract: Contract, name: str, fresh: Callable[[Any], bool]) -> dict[str, Any]:
    """Return the lines under which a list that refused our question answers."""
    for lines in plain_questions(name, contract):
        told = await probe.ask(lines, lambda client: client.fetch_first_page(name))
        if told is not None and not isinstance(told, EosvoltError) and fresh(told):
            return lines
    return {}


async def filter_of(
    probe: Probe, contract: Contract, name: str, word: str, rows: Callable[[Any], int | None]
) -> tuple[bool, dict[str, Any]]:
    """Whether a filter by time works, and the line with which it would: none where the account has no such filter."""
    route = contract.routes[name]

    async def works(more: Mapping[str, Any]) -> bool:
        told = await probe.ask(more, lambda client: client.fetch_first_page(name, **{word: FAR}))
        return not isinstance(told, EosvoltError) and rows(told) == 0

    if not route.params.get(word):
        return True, {}
    if await works({}):
        return True, {}
    for sent in ("iso8601", "epoch_ms", "epoch_s"):
        if sent != contract.times.sent and await works({"times.sent": sent}):
            return False, {"times.sent": sent}
    for theirs in _NAMES[word].split():
        line = {f"routes.{name}.params.{word}": theirs}
        if theirs != route.params[word] and await works(line):
            return False, line
    return False, {f"routes.{name}.params.{word}": ""}


def pagings(route: str, contract: Contract) -> Iterator[dict[str, Any]]:
    """Other ways to page a list, the likeliest first."""
    place = f"routes.{route}.paging"
    paging = contract.routes[route].paging
    if paging.style == "page":
        yield {f"{place}.first_page": 1 - min(paging.first_page, 1)}
    if paging.style == "offset":
        yield {f"{place}.first_offset": 1 - min(paging.first_offset, 1)}
    for limit in dict.fromkeys((paging.limit, *_LIMITS.split())):
        for word in dict.fromkeys((paging.page, *_PAGES.split())):
            for first in (1, 0):
                yield {f"{place}.style": "page", f"{place}.page": word, f"{place}.limit": limit} | (
                    {f"{place}.first_page": first} if first != paging.first_page else {}
                )
        for word in _CURSORS.split():
            yield {f"{place}.style": "cursor", f"{place}.cursor": word, f"{place}.limit": limit}
        for word in _OFFSETS.split():
            for first in (0, 1):
                yield {f"{place}.style": "offset", f"{place}.offset": word, f"{place}.limit": limit} | (
                    {f"{place}.first_offset": first} if first != paging.first_offset else {}
                )
    yield {f"{place}.style": "link"}


async def other_paging(
    probe: Probe,
    contract: Contract,
    name: str,
    fetch: Callable[[EosvoltClient], Awaitable[Fetched[Any]]],
    came: int,
    *,
    rows: Callable[[Any], int | None],
) -> dict[str, Any]:
    """Return the lines under which a list comes whole, with at least as many rows."""
    limit = await _word_of_limit(probe, contract, name, rows)
    ways = sorted(pagings(name, contract), key=lambda lines: lines.get(f"routes.{name}.paging.limit", limit) != limit)
    for lines in ways:
        told = await probe.ask(lines, fetch)
        if isinstance(told, Fetched) and told.complete and not told.shortfall and len(told.rows) >= came:
            route = contract.routes[name]
            same = {f"routes.{name}.paging.{word}": getattr(route.paging, word) for word in ("style", "page", "limit")}
            return {key: value for key, value in lines.items() if same.get(key) != value}
    return {}


async def hidden_paging(
    probe: Probe,
    contract: Contract,
    name: str,
    fetch: Callable[[EosvoltClient], Awaitable[Fetched[Any]]],
    came: int,
    *,
    rows: Callable[[Any], int | None],
) -> dict[str, Any]:
    """Return the lines under which more rows come than `came`, where an account passes over words it does not know.

    Where no word for the size of a page is found, nothing shows that more are there.
    """
    limit = await _word_of_limit(probe, contract, name, rows)
    for lines in pagings(name, contract) if limit else ():
        if lines.get(f"routes.{name}.paging.limit") != limit:
            continue
        # in small pages: one large page would hide that its place is passed over
        whole = await probe.ask({**lines, f"routes.{name}.limit": max(2, came // 3)}, fetch)
        if isinstance(whole, Fetched) and whole.complete and not whole.shortfall and len(whole.rows) > came:
            return lines
    return {}


async def _word_of_limit(probe: Probe, contract: Contract, name: str, rows: Callable[[Any], int | None]) -> str:
    """The account's word for the size of a page: asked for one row by it, one comes. Empty where there is none."""
    for limit in dict.fromkeys((contract.routes[name].paging.limit, *_LIMITS.split())):
        one = {f"routes.{name}.limit": 1, f"routes.{name}.paging.limit": limit}
        told = await probe.ask(one, lambda client: client.fetch_first_page(name))
        if limit and not isinstance(told, EosvoltError) and rows(told) == 1:
            return limit
    return ""


def error_shape(document: Any, error: EosvoltError | None, contract: Contract, good: Any) -> list[Difference]:
    """What is to be said of how the account tells an error: `document` is its body, `good` that of a good answer."""
    if not isinstance(document, dict):
        return []
    told: list[Difference] = []
    if error is None:
        for name in _SUCCESS:
            bad, well = document.get(name), good.get(name) if isinstance(good, dict) else None
            if isinstance(bad, str | bool | int) and well is not None and bad != well:
                lines = {
                    "errors.success": [name],
                    "errors.good": [_pattern(well)],
                    "errors.code": [_code_of(document, name)],
                }
                said = f"{name} = {spelled(bad)} tells an error, which HTTP does not"
                return [Difference("errors", said, lines)]
        return []
    if error.code is None:
        code = next((path for path, _ in _texts(document, _CODES) if path), "")
        if code:
            told.append(Difference("errors", f"the code of an error stands under {code!r}", {"errors.code": [code]}))
    if error.code is not None and type(error) is EosvoltError:  # nobody has such an id
        line = {f"errors.kinds.{error.code}": "not_found"}
        told.append(Difference("errors", f"{error.code} is the code of what is not there", line))
    if not error.message:
        message = next((path for path, value in _texts(document, _MESSAGES) if isinstance(value, str)), "")
        if message:
            told.append(Difference("errors", f"its text stands under {message!r}", {"errors.message": [message]}))
    return told


def _pattern(value: Any) -> str:
    text = spelled(value)
    return f"{text[0]}*" if text.isdecimal() and len(text) == 4 else text


def _code_of(document: Mapping[str, Any], otherwise: str) -> str:
    return next((path for path, _ in _texts(document, _CODES) if path != otherwise), otherwise)


def _texts(document: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The paths whose last name is one of these, and that hold a text or a whole number."""
    for name in names:
        for key, value in document.items():
            if key == name and isinstance(value, str | int) and not isinstance(value, bool):
                yield key, value
            if isinstance(value, dict) and isinstance(value.get(name), str | int):
                yield f"{key}.{name}", value[name]


def is_refused(told: Any) -> bool:
    """Whether a question was not understood."""
    return isinstance(told, InvalidRequest)
