"""Surveys an account: asks as the service will, compares, and gathers the lines that mend what differs.

It only reads. What it proposes has been tried: with the lines the account answers as the contract then says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from eosvolt.answers import AnswerReader
from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract
from eosvolt.errors import EosvoltError, Forbidden, InvalidRequest, NotFound, Unauthorized
from eosvolt.mapping import RowMapper
from eosvolt.models import SESSION_STATUSES, ChargerReading, Fetched
from eosvolt.survey import addresses, probing
from eosvolt.survey.comparison import compare
from eosvolt.survey.differences import Difference
from eosvolt.survey.envelopes import holds_list, rows_in, without_list
from eosvolt.survey.fits import guessed_words
from eosvolt.survey.nesting import joined_ids, local_ids, nested_chargers, paths_of_one, places_among_chargers
from eosvolt.survey.probing import Make, Probe

LISTS = {"locations": "location", "chargers": "charger", "sessions": "session"}
MOST_ROUNDS = 12
_SMALL_PAGE, _ROUND = 10, 5
"""So many rows, a round number, may be a page of which nothing says that it is none but the first."""

_FETCH: dict[str, Callable[[EosvoltClient, datetime], Any]] = {
    "locations": lambda client, _now: client.fetch_locations(),
    "chargers": lambda client, _now: client.fetch_chargers(),
    "sessions": lambda client, now: client.fetch_sessions(started_from=now - timedelta(days=1)),
}


@dataclass(slots=True)
class Survey:
    """What was found: differences with their lines, lists as the service will read them, and the contract then.

    `lacking` are routes that the account has not, or has no right to.
    """

    differences: list[Difference] = field(default_factory=list)
    lines: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, Fetched[Any]] = field(default_factory=dict)
    totals: dict[str, int | None] = field(default_factory=dict)
    lacking: dict[str, str] = field(default_factory=dict)

    @property
    def troubles(self) -> list[str]:
        """What stays wrong with the lines: lists that do not come whole, differences without a line."""
        told = [
            f"{name}: {fetched.error or fetched.shortfall}" for name, fetched in self.lists.items() if _bad(fetched)
        ]
        return told + [f"{one.field}: {one.told}" for one in self.differences if not one.lines]


def _fetched(name: str, now: datetime, client: EosvoltClient) -> Any:
    return _FETCH[name](client, now)


def _bad(fetched: Fetched[Any]) -> bool:
    return bool(fetched.error is not None or fetched.shortfall)


async def survey(make: Make, override: str, now: datetime) -> Survey:
    """Ask an account about everything that is polled, round by round, until no line is new."""
    found = Survey()
    probe = Probe(make, override, found.lines)
    for _ in range(MOST_ROUNDS):
        fresh = await _Round(probe, now, found).look()
        kept = [one for one in fresh if not _is_told(one, found)]
        found.differences += kept
        new = {key: value for one in kept for key, value in one.lines.items() if found.lines.get(key) != value}
        for key, value in new.items():
            if probe.contract({key: value}) is not None:
                _add(found.lines, key, value)
        if not new:
            break
    return found


def _is_told(one: Difference, found: Survey) -> bool:
    """Whether a difference was told before; of one that nothing mends, whatever it said of it."""
    return any(
        one.field == other.field and (one.told == other.told or not (one.lines or other.lines))
        for other in found.differences
    )


def _add(lines: dict[str, Any], key: str, value: Any) -> None:
    """Add a line; words of a field that has one already go into it, for TOML has no two lines for one table."""
    whole = lines.get(key.removesuffix(".values")) if key.endswith(".values") else None
    if isinstance(whole, dict):
        lines[key.removesuffix(".values")] = {**whole, "values": value}
    elif isinstance(whole, str):
        lines[key.removesuffix(".values")] = {"names": [whole], "values": value}
    else:
        lines[key] = value


class _Round:
    """One look at everything, under the lines found so far."""

    def __init__(self, probe: Probe, now: datetime, found: Survey) -> None:
        self._probe, self._now, self._found = probe, now, found
        contract = probe.contract()
        if contract is None:
            raise ValueError("the lines found so far are no contract")
        self._contract: Contract = contract
        self._documents: dict[str, Any] = {}
        known = found.lines.get("envelope.rows")
        self._rows_at: dict[str, Any] = {} if known is None else {"rows": known}

    async def look(self) -> list[Difference]:
        """What differs; what depends on something that does is left for the next round."""
        stages = (self._reach, self._compare, self._filters, self._page, self._singles)
        for stage in stages:
            told = await stage()
            fresh = [one for one in told if not _is_told(one, self._found)]
            if any(one.lines for one in fresh):
                return fresh
            self._found.differences += fresh
        return []

    async def _reach(self) -> list[Difference]:
        """Whether each list answers to the service's own question; another base for all is tried first."""
        told: list[Difference] = []
        for name in LISTS:
            if name in self._found.lacking:
                continue
            answer = await self._ask_for(name)
            if isinstance(answer, Forbidden | Unauthorized):
                self._found.lacking[name] = str(answer)
            elif isinstance(answer, EosvoltError) or not holds_list(
                answer, self._contract, self._contract.routes[name]
            ):
                one = await self._mend(name, answer)
                if addresses.moves_all(one.lines, name):
                    self._found.lacking.clear()  # they may be there too, by words that were not tried before
                    return [one]
                told.append(one)
            else:
                self._documents[name] = answer
        return told

    async def _mend(self, name: str, answer: Any) -> Difference:
        """What to say of a list that does not come, with the lines under which it does."""
        if isinstance(answer, InvalidRequest):
            lines = await probing.plainer(self._probe, self._contract, name, lambda _: True)
            return Difference(name, str(answer), lines)
        if isinstance(answer, EosvoltError) and not isinstance(answer, NotFound):
            return Difference(name, str(answer))
        lines = await addresses.other_path(self._probe, self._contract, name)
        if not lines and name == "chargers" and "locations" in self._documents:
            lines = nested_chargers(self._documents["locations"], self._contract)
        if not isinstance(answer, NotFound):
            return Difference(name, without_list(answer), lines)
        if not lines:
            self._found.lacking[name] = str(answer)
        return Difference(name, str(answer), lines)

    async def _ask_for(self, name: str) -> Any:
        """The first page of a list, as a poll asks for it."""
        words = {"started_from": self._now - timedelta(days=1)} if name == "sessions" else {}
        return await self._probe.ask({}, lambda client: client.fetch_first_page(name, **words))

    async def _compare(self) -> list[Difference]:
        told: list[Difference] = []
        known: dict[str, frozenset[str]] = {}
        for name, resource in LISTS.items():
            if name not in self._documents:
                continue
            route = self._contract.routes[name]
            seen = compare(self._documents[name], self._contract, resource, route=route, known_ids=known)
            if nested := self._nested(name, known):
                return nested  # what stands around is told of once they are read as what they are
            mends = [(one, self._own_place(name, one.lines)) for one in seen.differences]
            told += [Difference(f"{resource} {one.field}".strip(), one.told, lines) for one, lines in mends]
            fetched = await self._probe.ask({}, partial(_fetched, name, self._now))
            if isinstance(fetched, Fetched):
                self._found.lists[name] = fetched
                known[name] = frozenset(row.id for row in fetched.rows)
                if name == "chargers":
                    known["connectors"] = frozenset(plug.id for row in fetched.rows for plug in row.connectors)
                told += self._words(name, fetched)
        return told

    def _own_place(self, name: str, lines: Mapping[str, Any]) -> Mapping[str, Any]:
        """Lines in which the rows of a list have a place of their own where those of another list stand elsewhere."""
        rows = lines.get("envelope.rows")
        if rows is None or self._rows_at.setdefault("rows", rows) == rows:
            return lines
        return {f"routes.{name}.inside": rows[0]}

    def _nested(self, name: str, known: Mapping[str, frozenset[str]]) -> list[Difference]:
        """What stands inside something else, or is only a number within it."""
        route = self._contract.routes[name]
        found = rows_in(self._documents[name], self._contract, lambda _: False, route)[0]
        rows = [row for row in found if isinstance(row, dict)]
        if name == "sessions":
            return joined_ids(rows, self._contract, known)
        if name != "chargers":
            return []
        if lines := places_among_chargers(rows, self._contract):
            return [Difference("chargers", "its rows are locations, with the chargers inside", lines)]
        return local_ids(rows, self._contract)

    def _words(self, name: str, fetched: Fetched[Any]) -> list[Difference]:
        """Statuses on any page that are not ours."""
        if name == "chargers":
            resource, plugs = "connector", [plug for row in fetched.rows for plug in row.connectors]
            odd = {plug.status_raw for plug in plugs if plug.status is None and plug.status_raw is not None}
        elif name == "sessions":
            resource, odd = "session", {row.status for row in fetched.rows} - {*SESSION_STATUSES, None}
        else:
            return []
        known = self._contract.fields[resource]["status"].values
        guessed, unknown = guessed_words(resource, odd, known)
        if not guessed and not unknown:
            return []
        lines = {f"fields.{resource}.status.values": {**known, **guessed}} if guessed else {}
        words = ", ".join([*guessed, *unknown][:8])
        return [Difference(f"{resource} status", f"words that are not ours: {words}", lines)]

    def _rows(self, name: str) -> Callable[[Any], int | None]:
        def rows(document: Any) -> int | None:
            if document is None:
                return None
            found = rows_in(document, self._contract, lambda _: False, self._contract.routes[name])[0]
            # a window may hold what is still going on
            ended = RowMapper("session", self._contract) if name == "sessions" else None
            return sum(ended is None or ended.member(row, "ended_at") is not None for row in found)

        return rows

    async def _filters(self) -> list[Difference]:
        told: list[Difference] = []
        for name, words in (("chargers", ("updated_since",)), ("sessions", ("updated_since", "started_from"))):
            if name not in self._documents or not self._rows(name)(self._documents[name]):
                continue
            for word in words:
                works, lines = await probing.filter_of(self._probe, self._contract, name, word, self._rows(name))
                if not works:
                    theirs = self._contract.routes[name].params[word]
                    told.append(Difference(f"{name} {word}", f"{theirs!r} does not hold anything back", lines))
        return told

    async def _page(self) -> list[Difference]:
        told: list[Difference] = []
        for name, fetched in self._found.lists.items():
            total = _total(self._documents.get(name), self._contract)
            self._found.totals[name] = total
            fetch = partial(_fetched, name, self._now)
            came = len(fetched.rows)
            rows = self._all_rows(name)
            if not _bad(fetched) and total is None and came >= _SMALL_PAGE and came % _ROUND == 0:
                lines = await probing.hidden_paging(self._probe, self._contract, name, fetch, came, rows=rows)
                if lines:
                    told.append(
                        Difference(f"{name} paging", f"{came} rows are not all: pages are asked for otherwise", lines)
                    )
            if not _bad(fetched) or isinstance(fetched.error, Forbidden | NotFound):
                continue
            reason = str(fetched.error or fetched.shortfall)
            lines = await probing.other_paging(self._probe, self._contract, name, fetch, came, rows=rows)
            told.append(Difference(f"{name} paging", reason, lines))
        return told

    def _all_rows(self, name: str) -> Callable[[Any], int | None]:
        return lambda document: (
            None
            if document is None
            else len(rows_in(document, self._contract, lambda _: False, self._contract.routes[name])[0])
        )

    async def _singles(self) -> list[Difference]:
        """One detail, what an error looks like, and prices."""
        told: list[Difference] = []
        chargers, locations = (self._found.lists.get(name) for name in ("chargers", "locations"))
        if told := await self._errors(self._documents.get("chargers"), only_good=True):
            return told  # until then an error that HTTP does not tell is taken for a charger
        if chargers and chargers.rows:
            first = chargers.rows[0].id
            document = await self._probe.ask({}, lambda client: self._one_charger(client, first))
            if isinstance(document, NotFound):
                told += await self._elsewhere(first, document)
            if isinstance(document, dict):
                told += self._seen("charger", document)
            told += await self._errors(document)
        if locations and locations.rows:
            place = locations.rows[0].id
            document = await self._probe.ask({}, lambda client: client.fetch_from("pricing", place))
            if isinstance(document, dict | list):
                told += self._seen("pricing", document)
        return told

    async def _one_charger(self, client: EosvoltClient, charger_id: str) -> Any:
        """The document of one charger; a path may name its location, which the list tells."""
        if "{location_id}" in self._contract.routes["charger"].path:
            await client.fetch_chargers()
        return await client.fetch_from("charger", charger_id)

    async def _elsewhere(self, charger_id: str, error: NotFound) -> list[Difference]:
        """Where one charger is asked for by its location too."""
        for lines in paths_of_one(self._contract):

            async def ask(client: EosvoltClient) -> Any:
                await client.fetch_chargers()  # which tells it where the charger stands
                return await client.fetch_charger(charger_id)

            if isinstance(await self._probe.ask(lines, ask), ChargerReading):
                return [Difference("charger", f"{error}: it is asked for by its location", lines)]
        return []

    def _seen(self, resource: str, document: Any) -> list[Difference]:
        seen = compare(document, self._contract, resource, route=self._contract.routes[resource])
        return [Difference(f"{resource} {one.field}".strip(), one.told, one.lines) for one in seen.differences]

    async def _errors(self, good: Any, *, only_good: bool = False) -> list[Difference]:
        """How an error is told; `only_good`: whether a good status may tell one."""
        contract = self._probe.contract()
        if contract is None or not contract.routes["charger"].method:
            return []
        async with self._probe.make(contract) as client:
            try:
                document = await client.fetch_from("charger", probing.NOBODY)
            except EosvoltError as error:
                return [] if only_good else probing.error_shape(error.document, error, contract, good)
        return probing.error_shape(document, None, contract, good)


def _total(document: Any, contract: Contract) -> int | None:
    try:
        return AnswerReader(contract, lambda text: text).page(document, "").total
    except EosvoltError:
        return None


def counted(found: Survey) -> Mapping[str, str]:
    """Each list in words: how many rows came, and of how many."""
    told = {}
    for name, fetched in found.lists.items():
        total = found.totals.get(name)
        of = f" of {total} that EOSVOLT counts" if total is not None and name != "sessions" else ""
        aside = f", {len(fetched.set_aside)} set aside" if fetched.set_aside else ""
        told[name] = f"{len(fetched.rows)}{of}{aside}"
    return told
