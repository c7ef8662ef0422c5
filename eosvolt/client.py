"""Talks to EOSVOLT: reads are retried with care, commands are sent once.

Lists answer with Fetched and raise nothing for a fault of the API; single things and commands raise EosvoltError. No
command is repeated except after a 401, when it provably did not run; no redirect is followed; nothing is stored.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

import httpx

from eosvolt.answers import AnswerReader
from eosvolt.contract import Contract, Route
from eosvolt.errors import MalformedAnswer, Timeout
from eosvolt.exchange import Exchange
from eosvolt.listing import Lists, Walk
from eosvolt.lists.paging import Sweep
from eosvolt.mapping import RowUnreadable
from eosvolt.models import (
    COMMAND_STATUSES,
    ChargerReading,
    CommandAnswer,
    ExportReading,
    Fetched,
    LocationReading,
    PricingReading,
    ReportReading,
    Rest,
    SessionReading,
    T,
)
from eosvolt.readings import RESOURCES, Aside, Reader
from eosvolt.speech import Speech, checked_base_url
from eosvolt.terms.identities import Identities
from eosvolt.terms.own_commands import OwnCommand
from eosvolt.tokens import TokenSource

_OF_CONNECTORS = frozenset({"session_start", "charger_unlock", "charger_availability"})
_LOOKS = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0)
"""Seconds before each look at a command that was taken and is under way; a charger's own time-out is about 8 s."""

_FILTERS: dict[str, Callable[[SessionReading, Any], bool]] = {
    "started_from": lambda row, moment: row.started_at is None or row.started_at >= moment,
    "started_to": lambda row, moment: row.started_at is None or row.started_at < moment,
    "status": lambda row, status: row.status == status,
    "connector_id": lambda row, connector_id: row.connector_id == connector_id,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EosvoltClient:
    """The EOSVOLT API of one account, over one shared HTTP client.

    It makes at most `concurrency` reads of one route at a time; those of another and commands wait for none of them.

    `attempts` counts all tries of a read (1: no retry), `timeout` is seconds for one answer (httpx.Timeout for more
    control), `clock` is asked only to compare with EOSVOLT's Date header, `pause` waits between two looks at a command
    that is under way. Close it with `aclose` or `async with`.
    """

    def __init__(
        self,
        base_url: str,
        token: TokenSource,
        contract: Contract,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        attempts: int = 3,
        concurrency: int = 4,
        timeout: float | httpx.Timeout = 15.0,
        clock: Callable[[], datetime] = _utc_now,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._speech = Speech(contract, checked_base_url(base_url))
        self._identities = Identities(contract)
        self._pause = pause
        self._token = token
        self._contract = contract
        self._answers = AnswerReader(contract, token.redacted)
        self._reader = Reader(contract, token.redacted)
        self._exchange = Exchange(
            token,
            contract,
            self._answers,
            transport=transport,
            attempts=attempts,
            concurrency=concurrency,
            timeout=timeout,
            clock=clock,
        )
        self._lists = Lists(contract, self._exchange, self._answers, self._reader, self._speech, self._learn)

    @property
    def id_forms(self) -> Mapping[str, str]:
        """What the ids of chargers, connectors and sessions are made of, by the contract."""
        return self._identities.forms

    async def fetch_locations(self) -> Fetched[LocationReading]:
        """Fetch all locations, with the one that the contract gives to chargers without a location."""
        return await self._lists.go(self._walk("locations", {}))

    def _with_nowhere(self, fetched: Fetched[LocationReading]) -> Fetched[LocationReading]:
        nowhere = self._contract.fields["charger"]["location_id"].default
        if nowhere is None or any(row.id == nowhere for row in fetched.rows):
            return fetched
        return replace(fetched, rows=(*fetched.rows, LocationReading(id=str(nowhere), name=str(nowhere))))

    async def fetch_chargers(self, updated_since: datetime | None = None) -> Fetched[ChargerReading]:
        """Fetch all chargers with their connectors, or those that changed since a time (aware)."""
        return await self._lists.go(self._walk("chargers", {"updated_since": updated_since}))

    async def fetch_charger(self, charger_id: str) -> ChargerReading:
        """Fetch one charger with its connectors, without those that cannot be read; raises EosvoltError."""
        return await self._fetch_one("charger", charger_id, "charger", self._reader.charger)

    async def fetch_sessions(
        self,
        updated_since: datetime | None = None,
        started_from: datetime | None = None,
        started_to: datetime | None = None,
        status: str | None = None,
        connector_id: str | None = None,
    ) -> Fetched[SessionReading]:
        """Fetch charging sessions by aware times, by one of SESSION_STATUSES and by connector; all filters hold.

        Accounts differ in whether a window holds what started in it or also what was going on. A filter that the
        account does not have (an empty name in the contract) is applied here, to [started_from, started_to);
        `updated_since` alone is not, because more than was asked for does no harm.
        """
        words = {"started_from": started_from, "started_to": started_to, "status": status, "connector_id": connector_id}
        return await self._lists.go(self._walk("sessions", {"updated_since": updated_since, **words}))

    async def fetch_people(self, resource: str) -> Fetched[Any]:
        """Fetch all drivers, teams or keys of an account with a fleet. Personal data: log and store nothing of it."""
        return await self._lists.go(self._walk(resource, {}))

    async def go_on(self, rest: object) -> Fetched[Any]:
        """Go on with a list that was not walked to its end: `rest` is that of what it brought before."""
        if not isinstance(rest, Walk):
            raise TypeError("this is no rest of a list")
        return await self._lists.go(rest)

    def pick_up(self, resource: str, words: Mapping[str, Any], bookmark: Mapping[str, Any]) -> Rest:
        """What to go on with where another process left a list (locations, chargers or sessions), by its bookmark.

        `words` are those that it was asked for with. Where the bookmark is of another list, or cannot be read, it
        begins at the beginning.
        """
        return self._walk(resource, words, bookmark)

    def _walk(self, resource: str, words: Mapping[str, Any], bookmark: Mapping[str, Any] | None = None) -> Walk[Any]:
        given = {word: value for word, value in words.items() if value is not None}
        read: Callable[[Any, list[Aside]], Any] = getattr(self._reader, resource.removesuffix("s"))
        keeps: dict[str, Callable[[Fetched[Any]], Fetched[Any]]] = {
            "locations": self._with_nowhere,
            "sessions": partial(self._wanted_sessions, given),
        }
        return self._lists.walk(resource, read, given, keeps.get(resource, _all), bookmark)

    def _wanted_sessions(self, given: Mapping[str, Any], fetched: Fetched[SessionReading]) -> Fetched[SessionReading]:
        here = [word for word in given if word in _FILTERS and not self._contract.routes["sessions"].params[word]]
        if not here:
            return fetched
        rows = tuple(row for row in fetched.rows if all(_FILTERS[word](row, given[word]) for word in here))
        return replace(fetched, rows=rows)

    async def fetch_session(self, session_id: str) -> SessionReading:
        """Fetch one charging session; raises EosvoltError."""
        return await self._fetch_one("session", session_id, "session", self._reader.session)

    async def post_session_start(self, connector_id: str, id_tag: str | None = None) -> SessionReading | None:
        """Start a session, once; None where the good answer holds no session, which then shows in the list of them.

        Raises EosvoltError, whose `did_not_run` and `refused` say what is known.
        """
        document = await self.post_to("session_start", connector_id=connector_id, id_tag=id_tag)
        return await self._session_of(document, "session_start")

    async def post_session_stop(self, session_id: str) -> SessionReading | None:
        """Stop a session, once; None where the good answer holds no session. Raises EosvoltError as starting does."""
        document = await self.post_to("session_stop", session_id=session_id)
        return await self._session_of(document, "session_stop")

    async def _session_of(self, document: Any, route_name: str) -> SessionReading | None:
        try:
            return self._read_one(document, "session", self._reader.session, self._contract.routes[route_name])
        except MalformedAnswer:
            taken = self._answers.one(document, lambda thing: self._reader.recognises("command", thing)) is not None
            if taken or route_name == "session_stop":
                await self._outcome(document, route_name)
                return None
            raise

    async def post_reset(self, charger_id: str, kind: str) -> CommandAnswer:
        """Reset a charger, once; `kind` is Soft or Hard (OCPP 1.6, section 5.14). Raises as starting does."""
        return await self._command("charger_reset", charger_id, type=kind)

    async def post_unlock(self, charger_id: str, connector_id: str) -> CommandAnswer:
        """Release the cable of a connector, once, which ends its session (OCPP 1.6, section 5.18)."""
        return await self._command("charger_unlock", charger_id, connector_id=connector_id)

    async def post_availability(
        self, charger_id: str, operative: bool, connector_id: str | None = None
    ) -> CommandAnswer:
        """Put a charger, or one connector of it, in or out of service, once (OCPP 1.6, section 5.2)."""
        return await self._command("charger_availability", charger_id, connector_id=connector_id, operative=operative)

    @property
    def own_commands(self) -> Mapping[str, OwnCommand]:
        """The account's own commands, by name."""
        return self._contract.commands

    async def post_own(self, name: str, charger_id: str, connector_id: str | None = None) -> CommandAnswer:
        """Do a command of the account's own, once; LookupError where there is none of this name."""
        return await self._command(self._contract.commands[name].route, charger_id, connector_id=connector_id)

    async def fetch_price(self, location_id: str) -> PricingReading:
        """Fetch the prices of a location; raises EosvoltError."""
        return await self._fetch_one("pricing", location_id, "pricing", self._reader.pricing)

    async def post_price(self, location_id: str, **changes: Any) -> None:
        """Change prices of a location, once; what is not named stays. Raises EosvoltError as starting does.

        `changes` are fields of PricingReading: `default`, `blocking_fee` (money), `blocking_fee_interval_minutes`,
        `blocks` (all of them, as PriceBlock).
        """
        words = {name: self._speech.price("pricing", name, value) for name, value in changes.items()}
        await self.post_to("pricing_change", location_id, **words)

    async def fetch_report(
        self, started_from: datetime, started_to: datetime, location_id: str | None = None
    ) -> ReportReading:
        """Fetch the figures of [started_from, started_to) (aware), of all locations or one; raises EosvoltError."""
        words = {"started_from": started_from, "started_to": started_to, "location_id": location_id}
        return await self._fetch_one("report_summary", None, "report", self._reader.report, words)

    async def post_export(
        self, started_from: datetime, started_to: datetime, location_id: str | None = None
    ) -> ExportReading:
        """Order an export of the sessions that ended in [started_from, started_to), at most 30 days; EosvoltError.

        An order that is made twice makes two exports, and does nothing else.
        """
        document = await self.post_to(
            "export_sessions", started_from=started_from, started_to=started_to, location_id=location_id
        )
        return self._read_one(document, "export", self._reader.export, self._contract.routes["export_sessions"])

    async def fetch_export(self, export_id: str) -> ExportReading:
        """Fetch an export that was ordered: with its sessions once it is ready; raises EosvoltError."""
        return await self._fetch_one("export", export_id, "export", self._reader.export)

    async def fetch_from(self, route_name: str, thing_id: str | None = None, **words: Any) -> Any:
        """Fetch the JSON document of any GET route of the contract, parameters in our words; raises EosvoltError."""
        route = self._contract.routes[route_name]
        call = self._speech.call(route, self._words(route_name, thing_id), self._speech.params(route, words))
        return (await self._exchange.read(call)).document

    async def fetch_first_page(self, route_name: str, **words: Any) -> Any:
        """Fetch the first page of a list as a poll asks for it, and return its JSON document; raises EosvoltError."""
        route = self._contract.routes[route_name]
        sweep: Sweep[Any] = Sweep(self._contract, route, self._speech.params(route, words))
        return (await self._exchange.read(self._speech.call(route, {}, sweep.query))).document

    async def post_to(self, route_name: str, thing_id: str | None = None, **words: Any) -> Any:
        """Send a command of the contract, once, and return the JSON document of its answer (None where empty).

        A word that is None is left out. Raises Rejected where the answer is good and says in the contract's words that
        nothing was done, and EosvoltError: `did_not_run` (no connection, 401, 429) means that it may
        be sent again, `refused` that EOSVOLT said no; anything else leaves the outcome unknown.
        """
        route = self._contract.routes[route_name]
        given = {word: value for word, value in words.items() if value is not None}
        said = self._words(route_name, thing_id) | given | self._own_ids(route_name, thing_id, given)
        call = self._speech.call(route, said, acts=True)
        document = (await self._exchange.once(call)).document
        self._reader.check_taken(document, call.request)
        return document

    def _words(self, route_name: str, thing_id: str | None) -> dict[str, Any]:
        """What the path may name besides the words given."""
        if route_name.startswith(("charger", "commands.")) and thing_id is not None:
            return dict(self._identities.words_of_charger(thing_id))
        return {"id": thing_id} if thing_id is not None else {}

    def _own_ids(self, route_name: str, charger_id: str | None, words: Mapping[str, Any]) -> dict[str, Any]:
        """The account's own ids of a connector and a session, in place of ours."""
        if words.get("session_id") is not None:
            return dict(self._identities.words_of_session(words["session_id"]))
        if words.get("connector_id") is not None and (
            route_name in _OF_CONNECTORS or route_name.startswith("commands.")
        ):
            own = self._identities.words_of_connector(words["connector_id"], charger_id)
            return {"connector_id": own["connector_id"]} if charger_id is not None else dict(own)
        return {}

    async def aclose(self) -> None:
        """Close all connections."""
        await self._exchange.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _learn(self, reading: LocationReading | ChargerReading | SessionReading) -> None:
        if isinstance(reading, ChargerReading):
            ids = tuple(plug.id for plug in reading.connectors)
            self._identities.learn_charger(reading.id, reading.location_id, ids)
        elif isinstance(reading, SessionReading):
            self._identities.learn_session(reading.id, reading.connector_id)

    async def _fetch_one(
        self,
        route_name: str,
        thing_id: str | None,
        resource: str,
        read: Callable[[Any, list[Aside]], T],
        words: Mapping[str, Any] | None = None,
    ) -> T:
        route = self._contract.routes[route_name]
        said = self._words(route_name, thing_id)
        call = self._speech.call(route, said, self._speech.params(route, words or {}))
        document = (await self._exchange.read(call)).document
        around = {"location": {"id": said.get("location_id")}} if route_name == "charger" else {}
        return self._read_one(document, resource, read, route, around)

    def _read_one(
        self,
        document: Any,
        resource: str,
        read: Callable[[Any, list[Aside]], T],
        route: Route,
        around: Mapping[str, Any] | None = None,
    ) -> T:
        mapper, request = self._reader.mappers[resource], f"{route.method} {route.path}"
        outer = dict(around or {}) if mapper.reaches_out else {}
        row = self._answers.one(
            document, lambda thing: self._reader.recognises(resource, {**outer, **thing}), route.inside
        )
        if row is None:
            what = "with an id" if resource in RESOURCES else "that the contract describes"
            raise MalformedAnswer(f"it holds no {resource} {what}", request=request)
        try:
            return read({**outer, **row}, [])
        except RowUnreadable as error:
            raise MalformedAnswer(self._token.redacted(str(error)), request=request) from None

    async def _command(self, route_name: str, charger_id: str, **words: Any) -> CommandAnswer:
        document = await self.post_to(route_name, charger_id, **words)
        return await self._outcome(document, route_name)

    async def _outcome(self, document: Any, route_name: str) -> CommandAnswer:
        """What a command came to: its answer, or what is told of its id until it is no longer under way."""
        answer = self._reader.command_answer(document, self._answers.one)
        route = self._contract.routes["command"]
        if answer.id is None or not route.method or answer.status in COMMAND_STATUSES:
            return answer
        for seconds in _LOOKS:
            await self._pause(seconds)
            told = (await self._exchange.read(self._speech.call(route, {"id": answer.id}))).document
            self._reader.check_taken(told, self._request_of(route_name))
            latest = self._reader.command_answer(told, self._answers.one)
            if latest.status in COMMAND_STATUSES:
                return latest
        raise Timeout(
            f"command {answer.id} was still under way after {sum(_LOOKS):.0f} s", request=self._request_of(route_name)
        )

    def _request_of(self, route_name: str) -> str:
        route = self._contract.routes[route_name]
        return f"{route.method} {route.path}"


def _all(fetched: Fetched[Any]) -> Fetched[Any]:
    return fetched
