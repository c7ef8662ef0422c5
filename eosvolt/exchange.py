"""Makes HTTP calls to EOSVOLT: the token, our own pace, time-outs, faults as EosvoltError, and the care of retries.

What may be repeated is the caller's to say: `read` repeats, `once` repeats only after a 401, when the call provably did
not run. No redirect is followed. An answer is kept only where it came with an ETag and the same will be asked again.
"""

import asyncio
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import httpx
import stamina

from eosvolt.answers import AnswerReader, http_date, needs_cleaning
from eosvolt.contract import Contract
from eosvolt.decoding import LARGE
from eosvolt.errors import (
    EosvoltError,
    MalformedAnswer,
    RateLimited,
    ServerFault,
    Timeout,
    TooMuch,
    Unauthorized,
    Unreachable,
)
from eosvolt.tokens import TokenSource

SEND_BY: ContextVar[float | None] = ContextVar("send_by", default=None)
"""By the event loop's clock, until when a call that changes something may begin, within the task that makes it."""

_BEFORE_SENDING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_JSON = {"content-type": "application/json"}
_parsed = lru_cache(maxsize=256)(httpx.URL)  # most polls ask the same again
_trusted = cache(httpx.create_ssl_context)  # to read the certificates takes longer than to poll a small fleet


class _NoCookies(httpx.Cookies):
    """Keeps nothing: whoever calls is told by the token alone, and looking for cookies is a quarter of a small call."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Leave them where they are."""


class _WithoutCookies(httpx.AsyncClient):
    """httpx's client, which neither keeps nor sends cookies."""

    @property
    def cookies(self) -> httpx.Cookies:
        """None, ever."""
        return _NoCookies()

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        """Keep nothing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to make: its name in errors, method, URL and JSON body.

    Reads of one `lane` wait for each other where they are too many, and for no other's; what `acts` never waits.
    """

    request: str
    method: str
    url: str
    body: bytes | None = None
    lane: str = ""
    acts: bool = False  # it changes something, whatever its method
    asked_again: bool = False  # in these very words, by a later poll: an unchanged answer need not come twice
    headers: Mapping[str, str] = field(default_factory=dict)


_PIECE = 1 << 20
_LONGEST_FAULT = 1_000_000
MOST_KEPT = 256
MOST_KEPT_BYTES, MOST_KEPT_TOGETHER = 1_000_000, 8_000_000
LONGEST_ETAG = 200


@dataclass(frozen=True, slots=True)
class _Kept:
    """A good answer and the ETag (RFC 9110, section 8.8.3) by which EOSVOLT can say that it still holds."""

    etag: str
    headers: Mapping[str, str]
    body: bytes

    def again(self, told: httpx.Response) -> httpx.Response:
        """The answer as if it had come now, with the date of what came instead."""
        return httpx.Response(200, headers={**self.headers, "date": told.headers.get("date", "")})


@dataclass(frozen=True, slots=True)
class Answered:
    """A good answer: its JSON document, EOSVOLT's clock minus ours where it told its time, whether it was cleaned.

    `headers` are those of the answer: totals and the next page may stand there.
    """

    document: Any
    clock_skew: timedelta | None
    cleaned: bool
    is_large: bool  # so that its rows are better read away from the loop too
    headers: Mapping[str, str] = field(default_factory=dict)


async def _unpacked(response: httpx.Response, request: str) -> AsyncIterator[bytes]:
    """The bytes of an answer in pieces of bounded size; a gzip that is cut off is never taken for whole."""
    if response.headers.get("content-encoding", "").strip().lower() not in {"gzip", "x-gzip"}:
        async for part in response.aiter_bytes():
            yield part
        return
    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
    came = 0
    async for packed in response.aiter_raw():
        came += len(packed)
        rest = packed
        try:
            while rest and not unzip.eof:
                yield unzip.decompress(rest, _PIECE)
                rest = unzip.unconsumed_tail
        except zlib.error as error:
            raise httpx.DecodingError(str(error), request=response.request) from None
    if not unzip.eof and response.is_success:
        raise MalformedAnswer(f"its gzip is cut off after {came} bytes", request=request)


class Exchange:
    """One shared HTTP client of one account, that makes at most `concurrency` reads of a lane at a time."""

    def __init__(
        self,
        token: TokenSource,
        contract: Contract,
        answers: AnswerReader,
        *,
        transport: httpx.AsyncBaseTransport | None,
        attempts: int,
        concurrency: int,
        timeout: float | httpx.Timeout,
        clock: Callable[[], datetime],
    ) -> None:
        envelope = contract.envelope
        self._token = token
        self._contract = contract
        self._answers = answers
        self._attempts = attempts
        self._clock = clock
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(concurrency))
        self._pause = 1 / contract.limits.calls_per_second if contract.limits.calls_per_second else 0.0
        self._next_start = 0.0
        self._timeout = (timeout if isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout, connect=5)).as_dict()
        self._http = _WithoutCookies(
            transport=transport,
            verify=_trusted() if transport is None else False,
            follow_redirects=False,
            headers={"accept": "application/json"},
        )
        self._generation = -1
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._kept_headers = ("content-type", "link", *envelope.total_headers, *envelope.limit_headers)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def read(self, call: Call, retries: list[str] | None = None) -> Answered:
        """Make a call that may be repeated; notes in `retries` the kind of fault behind each repetition."""
        noted = [] if retries is None else retries
        # The first try stands outside stamina, whose set-up costs as much as a small call.
        try:
            return await self.once(call)
        except EosvoltError as error:
            if self._attempts <= 1 or self._retry_wait(error) is False:
                raise
            failed, first = error, True
        async for attempt in stamina.retry_context(on=self._retry_wait, attempts=self._attempts, timeout=None):
            with attempt:
                if first:
                    first = False
                    raise failed
                noted.append(failed.kind)
                try:
                    return await self.once(call)
                except EosvoltError as error:
                    failed = error
                    raise
        raise AssertionError("stamina raises the last error itself")

    def _retry_wait(self, error: Exception) -> bool | float:
        """Whether a failed read is tried again, and after how many seconds where EOSVOLT named them."""
        if not isinstance(error, RateLimited | ServerFault | Unreachable | Timeout):
            return False
        if error.retry_after is None:
            return True
        return error.retry_after if error.retry_after <= self._contract.limits.longest_retry_wait_seconds else False

    async def once(self, call: Call) -> Answered:
        """Make a call that must not be repeated, except after a 401 with a token that was read anew."""
        generation = self._token.generation
        try:
            return await self._exchange(call)
        except Unauthorized:
            # Of several calls refused together, the first one reads the token; the others find it newer than theirs.
            if self._token.generation == generation and not self._token.read_again():
                raise
        return await self._exchange(call)

    async def _exchange(self, call: Call) -> Answered:
        async with self._slots[call.lane] if not call.acts else nullcontext():
            if self._pause:
                await self._keep_pace()
            try:
                async with asyncio.timeout(self._contract.limits.longest_answer_seconds):
                    response, body = await self._transfer(call)
            except _BEFORE_SENDING as error:
                kind = Timeout if isinstance(error, httpx.TimeoutException) else Unreachable
                raise kind(self._reason(error), request=call.request, did_not_run=True) from None
            except (httpx.TimeoutException, TimeoutError) as error:
                raise Timeout(self._reason(error), request=call.request) from None
            except httpx.DecodingError as error:
                raise MalformedAnswer(self._reason(error), request=call.request) from None
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
                raise Unreachable(self._reason(error), request=call.request) from None
        now = self._clock()
        date = http_date(response.headers.get("date", ""))
        # what is large is read elsewhere: clicks and other polls do not wait for it
        document, cleaned = (
            self._read(response, body, call.request, now)
            if len(body) < LARGE
            else await asyncio.to_thread(self._read, response, body, call.request, now)
        )
        if call.asked_again:
            self._keep(call.url, response, body)
        return Answered(document, None if date is None else date - now, cleaned, len(body) >= LARGE, response.headers)

    def _read(self, response: httpx.Response, body: bytes, request: str, now: datetime) -> tuple[Any, bool]:
        """The document of an answer, and whether it was cleaned."""
        document = self._answers.document(response, body, request, now)
        return document, needs_cleaning(body, response.charset_encoding)

    async def _transfer(self, call: Call) -> tuple[httpx.Response, bytes]:
        if self._generation != self._token.generation:
            self._generation = self._token.generation
            self._http.headers["authorization"] = self._token.authorization()
            self._kept.clear()  # another token may see other things
        request = httpx.Request(
            call.method,
            _parsed(call.url),
            headers=self._http.headers,
            content=call.body,
            extensions={"timeout": self._timeout},
        )
        request.headers.update(call.headers)
        if call.body is not None:
            request.headers.update(_JSON)
        kept = self._kept.get(call.url)
        if kept is not None:
            request.headers["if-none-match"] = kept.etag
        by = SEND_BY.get()
        if call.acts and by is not None and asyncio.get_running_loop().time() > by:
            raise Timeout("this process stood still before the call", request=call.request, did_not_run=True)
        response = await self._http.send(request, stream=True)
        try:
            body = await self._body(response, call)
        finally:
            await response.aclose()
        if response.status_code == httpx.codes.NOT_MODIFIED and kept is not None:
            return kept.again(response), kept.body
        return response, body

    async def _body(self, response: httpx.Response, call: Call) -> bytes:
        """The bytes of an answer, bounded; of one that tells of a fault only the beginning."""
        most = self._contract.limits.most_answer_bytes
        body = bytearray()
        pieces = 0
        async for part in _unpacked(response, call.request):
            body += part
            if len(body) > _LONGEST_FAULT and not response.is_success:
                break
            if len(body) > most:
                raise TooMuch(f"more than {most} bytes came: limits.most_answer_bytes", request=call.request)
            pieces += len(part) >= _PIECE
            if pieces % 4 == 3:
                await asyncio.sleep(0)  # what is unpacked here comes without a wait
        return bytes(body)

    def _keep(self, url: str, response: httpx.Response, body: bytes) -> None:
        etag = response.headers.get("etag")
        if etag is None:  # also where it came from here
            return
        self._kept.pop(url, None)
        if etag.isascii() and etag.isprintable() and len(etag) <= LONGEST_ETAG and len(body) <= MOST_KEPT_BYTES:
            kept = {name: response.headers[name] for name in self._kept_headers if name in response.headers}
            self._kept[url] = _Kept(etag, kept, body)
        while len(self._kept) > MOST_KEPT or sum(len(one.body) for one in self._kept.values()) > MOST_KEPT_TOGETHER:
            self._kept.popitem(last=False)

    def _reason(self, error: Exception) -> str:
        return self._token.redacted(str(error) or type(error).__name__)

    async def _keep_pace(self) -> None:
        loop = asyncio.get_running_loop()
        start = max(loop.time(), self._next_start)
        self._next_start = start + self._pause
        await asyncio.sleep(start - loop.time())
