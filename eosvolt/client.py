"""Talks to EOSVOLT: reads are retried with care, commands are sent once.

Lists answer with Fetched and raise nothing for a fault of the API; single things and commands raise EosvoltError. No
command is repeated except after a 401, when it provably did not run; no redirect is followed; nothing is stored.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import httpx

from eosvolt.answers import AnswerReader
from eosvolt.contract import UNITS, Contract, Route
from eosvolt.errors import EosvoltError, MalformedAnswer
from eosvolt.exchange import Call, Exchange
from eosvolt.mapping import RowUnreadable
from eosvolt.models import (
    ChargerReading,
    CommandAnswer,
    ExportReading,
    Fetched,
    LocationReading,
    PricingReading,
    ReportReading,
    SessionReading,
    SetAside,
    T,
)
from eosvolt.paging import R, Sweep
from eosvolt.passes import ListMemory
from eosvolt.readings import RESOURCES, Reader
from eosvolt.tokens import TokenSource

_MOST_MEMORIES = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FILTERS: dict[str, Callable[[SessionReading, Any], bool]] = {
    "started_from": lambda row, moment: row.started_at >= moment,
    "started_to": lambda row, moment: row.started_at < moment,
    "status": lambda row, status: row.status == status,
    "connector_id": lambda row, connector_id: row.connector_id == connector_id,
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EosvoltClient:
    """The EOSVOLT API of one account, over one shared HTTP client that makes at most `concurrency` calls at a time.

    `attempts` counts all tries of a read (1: no retry), `timeout` is seconds for one answer (httpx.Timeout for more
    control), `clock` is asked only to compare with EOSVOLT's Date header. Close it with `aclose` or `async with`.
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
    ) -> None:
        self._base_url = _checked_base_url(base_url)
        self._token = token
        self._contract = contract
        self._answers = AnswerReader(contract, token.redacted)
        self._reader = Reader(contract, token.redacted)
        self._memories: dict[tuple[str, frozenset[tuple[str, str]] | None], ListMemory] = {}
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

    async def fetch_locations(self) -> Fetched[LocationReading]:
        """Fetch all locations."""
        return await self._fetch_list("locations", self._reader.location, {})

    async def fetch_chargers(self, updated_since: datetime | None = None) -> Fetched[ChargerReading]:
        """Fetch all chargers with their connectors, or those that changed since a time (aware)."""
        return await self._fetch_list("chargers", self._reader.charger, {"updated_since": updated_since})

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
        given = {word: value for word, value in words.items() if value is not None}
        fetched = await self._fetch_list("sessions", self._reader.session, {"updated_since": updated_since, **given})
        here = [word for word in given if not self._contract.routes["sessions"].params[word]]
        if not here:
            return fetched
        rows = tuple(row for row in fetched.rows if all(_FILTERS[word](row, given[word]) for word in here))
        return replace(fetched, rows=rows)

    async def fetch_session(self, session_id: str) -> SessionReading:
        """Fetch one charging session; raises EosvoltError."""
        return await self._fetch_one("session", session_id, "session", self._reader.session)

    async def post_session_start(self, connector_id: str, id_tag: str | None = None) -> SessionReading:
        """Start a session, once; raises EosvoltError, whose `did_not_run` and `refused` say what is known."""
        document = await self.post_to("session_start", connector_id=connector_id, id_tag=id_tag)
        request = self._request_of("session_start")
        return self._read_one(document, "session", self._reader.session, request)

    async def post_session_stop(self, session_id: str) -> SessionReading | None:
        """Stop a session, once; None where the good answer holds no session. Raises EosvoltError as starting does."""
        document = await self.post_to("session_stop", session_id=session_id)
        try:
            return self._read_one(document, "session", self._reader.session, self._request_of("session_stop"))
        except MalformedAnswer:
            return None

    async def post_reset(self, charger_id: str, kind: str) -> CommandAnswer:
        """Reset a charger, once; `kind` is Soft or Hard (OCPP 1.6, section 5.14). Raises EosvoltError as starting does.

        Of this and the two below: what the charger itself refused raises Rejected.
        """
        return await self._command("charger_reset", charger_id, type=kind)

    async def post_unlock(self, charger_id: str, connector_id: str) -> CommandAnswer:
        """Release the cable of a connector, once, which ends its session (OCPP 1.6, section 5.18)."""
        return await self._command("charger_unlock", charger_id, connector_id=connector_id)

    async def post_availability(
        self, charger_id: str, operative: bool, connector_id: str | None = None
    ) -> CommandAnswer:
        """Put a charger, or one connector of it, in or out of service, once (OCPP 1.6, section 5.2)."""
        return await self._command("charger_availability", charger_id, connector_id=connector_id, operative=operative)

    async def fetch_price(self, location_id: str) -> PricingReading:
        """Fetch the prices of a location; raises EosvoltError."""
        return await self._fetch_one("pricing", location_id, "pricing", self._reader.pricing)

    async def post_price(self, location_id: str, **changes: Any) -> None:
        """Change prices of a location, once; what is not named stays. Raises EosvoltError as starting does.

        `changes` are fields of PricingReading: `default`, `blocking_fee` (money), `blocking_fee_interval_minutes`,
        `blocks` (all of them, as PriceBlock).
        """
        words = {name: self._price_sent("pricing", name, value) for name, value in changes.items()}
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
        return self._read_one(document, "export", self._reader.export, self._request_of("export_sessions"))

    async def fetch_export(self, export_id: str) -> ExportReading:
        """Fetch an export that was ordered: with its sessions once it is ready; raises EosvoltError."""
        return await self._fetch_one("export", export_id, "export", self._reader.export)

    async def fetch_from(self, route_name: str, thing_id: str | None = None, **words: Any) -> Any:
        """Fetch the JSON document of any GET route of the contract, parameters in our words; raises EosvoltError."""
        route = self._contract.routes[route_name]
        return (await self._exchange.read(self._call(route, thing_id, self._params(route, words)))).document

    async def post_to(self, route_name: str, thing_id: str | None = None, **words: Any) -> Any:
        """Send a command of the contract, once, and return the JSON document of its answer (None where empty).

        A word that is None is left out. Raises EosvoltError: `did_not_run` (no connection, 401, 429) means that it may
        be sent again, `refused` that EOSVOLT said no; anything else leaves the outcome unknown.
        """
        route = self._contract.routes[route_name]
        body = {route.body[word]: self._sent(value) for word, value in words.items() if value is not None}
        body.pop("", None)
        return (await self._exchange.once(self._call(route, thing_id, {}, json.dumps(body).encode()))).document

    async def aclose(self) -> None:
        """Close all connections."""
        await self._exchange.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _fetch_list(
        self, route_name: str, read: Callable[[Any, list[SetAside]], R], words: Mapping[str, Any]
    ) -> Fetched[R]:
        route = self._contract.routes[route_name]
        asked_again = not any(isinstance(value, datetime) for value in words.values())  # else no two polls are alike
        sweep: Sweep[R] = Sweep(
            self._contract,
            route,
            params := self._params(route, words),
            self._memory_of(route, params, whole=asked_again),
            windowed=not asked_again,
            exacting=asked_again and route_name != "sessions",  # sessions end, they do not vanish
        )
        resource = route_name.removesuffix("s")
        clock_skew: timedelta | None = None
        retries: list[str] = []
        cleaned = 0
        while sweep.query is not None:
            call = replace(self._call(route, None, sweep.query), asked_again=asked_again)
            try:
                answer = await self._exchange.read(call, retries)
                page = self._answers.page(answer.document, call.request, answer.headers)
            except EosvoltError as error:
                sweep.record_failure(error)
                continue
            cleaned += answer.cleaned
            clock_skew = answer.clock_skew if clock_skew is None else clock_skew
            readings, set_aside = self._read_rows(page.rows, resource, read)
            sweep.record_page(page, readings, set_aside)
        return sweep.fetched(clock_skew, retries, cleaned)

    def _memory_of(self, route: Route, params: Mapping[str, str], *, whole: bool) -> ListMemory:
        """What earlier sweeps of the same list taught; of windows, one for all of a route."""
        key = (route.name, frozenset(params.items()) if whole else None)
        memory = self._memories.pop(key, None) or ListMemory()
        self._memories[key] = memory
        while len(self._memories) > _MOST_MEMORIES:
            self._memories.pop(next(iter(self._memories)))
        return memory

    def _read_rows(
        self, rows: list[Any], resource: str, read: Callable[[Any, list[SetAside]], R]
    ) -> tuple[list[R], list[SetAside]]:
        readings: list[R] = []
        set_aside: list[SetAside] = []
        for row in rows:
            try:
                readings.append(read(row, set_aside))
            except RowUnreadable as error:
                set_aside.append(self._reader.set_aside(resource, row, str(error), error.field))
        return readings, set_aside

    async def _fetch_one(
        self,
        route_name: str,
        thing_id: str | None,
        resource: str,
        read: Callable[[Any, list[SetAside]], T],
        words: Mapping[str, Any] | None = None,
    ) -> T:
        route = self._contract.routes[route_name]
        call = self._call(route, thing_id, self._params(route, words or {}))
        return self._read_one((await self._exchange.read(call)).document, resource, read, call.request)

    def _read_one(self, document: Any, resource: str, read: Callable[[Any, list[SetAside]], T], request: str) -> T:
        row = self._answers.one(document, lambda thing: self._reader.recognises(resource, thing))
        if row is None:
            what = "with an id" if resource in RESOURCES else "that the contract describes"
            raise MalformedAnswer(f"it holds no {resource} {what}", request=request)
        try:
            return read(row, [])
        except RowUnreadable as error:
            raise MalformedAnswer(self._token.redacted(str(error)), request=request) from None

    async def _command(self, route_name: str, charger_id: str, **words: Any) -> CommandAnswer:
        document = await self.post_to(route_name, charger_id, **words)
        return self._reader.command_answer(document, self._answers.one, self._request_of(route_name))

    def _request_of(self, route_name: str) -> str:
        route = self._contract.routes[route_name]
        return f"{route.method} {route.path}"

    def _call(self, route: Route, thing_id: str | None, params: Mapping[str, str], body: bytes | None = None) -> Call:
        path = route.path_of(thing_id)
        query = f"?{urlencode(params)}" if params else ""
        return Call(f"{route.method} {path}", route.method, f"{self._base_url}{path}{query}", body)

    def _params(self, route: Route, words: Mapping[str, Any]) -> dict[str, str]:
        """Our words as the API's parameters; one that the account does not have (an empty name) is left out."""
        params = {route.params[word]: str(self._sent(value)) for word, value in words.items() if value is not None}
        status = words.get("status")
        if status is not None and route.params["status"]:
            spoken = self._contract.fields["session"]["status"].values
            params[route.params["status"]] = next((theirs for theirs, ours in spoken.items() if ours == status), status)
        if route.sort and route.params.get("sort"):
            params[route.params["sort"]] = route.sort
        params.pop("", None)
        return params

    def _price_sent(self, resource: str, name: str, value: Any) -> Any:
        """A part of prices in the API's units and names."""
        if name == "blocks":
            names = {word: spec.names[0] for word, spec in self._contract.fields["price_block"].items()}
            parts = ("begins", "ends", "price")
            return [
                {names[part]: self._price_sent("price_block", part, getattr(block, part)) for part in parts}
                for block in value
            ]
        unit = self._contract.fields[resource][name].unit
        if unit is None or value is None:
            return value
        factors = UNITS["min"] if name == "blocking_fee_interval_minutes" else UNITS["major"]
        number = round(value / factors[unit], 6)
        return int(number) if number == int(number) and name == "blocking_fee_interval_minutes" else number

    def _sent(self, value: Any) -> Any:
        if not isinstance(value, datetime):
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: times given to the client must be aware")
        if self._contract.times.sent == "iso8601":
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        since = value - _EPOCH
        return (
            since // timedelta(seconds=1)
            if self._contract.times.sent == "epoch_s"
            else since // timedelta(milliseconds=1)
        )


def _checked_base_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("EOSVOLT_BASE_URL must be an address such as https://api.eosvolt.com")
    if url.userinfo or url.query or url.fragment:
        # A user and password there would silently take the place of the bearer token.
        raise ValueError("EOSVOLT_BASE_URL must have no user, password, query or fragment")
    return base_url.rstrip("/")
