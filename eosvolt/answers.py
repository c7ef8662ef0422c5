"""Reads what came back over HTTP: JSON, envelopes, error bodies, Retry-After and Date.

Whatever the other side sends, the outcome is a document, a page or an EosvoltError; text from outside is cleaned of
secrets before it enters an error. It makes no call and reads no clock.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import httpx

from eosvolt.contract import Contract
from eosvolt.decoding import decode, too_much
from eosvolt.errors import KINDS, EosvoltError, MalformedAnswer, TooMuch, error_type
from eosvolt.terms.paths import reach, steps_of
from eosvolt.terms.shapes import spelled

_ABSENT = object()
# RFC 8259 wants UTF-8; these few are decoded where the header declares them, any other charset is refused.
_CHARSETS = frozenset({"iso-8859-1", "latin-1", "iso-8859-15", "windows-1252", "utf-16", "utf-16le", "utf-16be"})
# PostgreSQL stores no NUL and no UTF-8 encoder takes a lone surrogate: both can only come as JSON escapes.
_ESCAPED_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_LONE = rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
_MARKS = (rb"\u0000", rb"\ud", rb"\uD")
_SURELY_UNSTORABLE = re.compile(rb"\\u0000|" + _LONE, re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_LONGEST_LINK = 8_000
_MOST_ROWS = 10**15
_LINK = re.compile(r"<([^>]*)>([^<]*)")
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)
_PAGES = re.compile(r'rel\s*=\s*"?(?:first|prev|previous|last)\b', re.IGNORECASE)  # links of pages, the last one's
_SHAPES = {type(None): "nothing", bool: "true or false", int: "a number", float: "a number", str: "a text"}


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one list answer, and what it says about further ones; None where it says nothing."""

    rows: list[Any]
    total: int | None = None
    has_next: bool | None = None
    next_page: int | str | None = None
    limit: int | None = None
    last_page: int | None = None


class AnswerReader:
    """Reads answers under one contract; `redacted` takes secrets out of text that enters an error."""

    def __init__(self, contract: Contract, redacted: Callable[[str], str]) -> None:
        self._envelope = contract.envelope
        self._errors = contract.errors
        self._most_values = contract.limits.most_answer_values
        self._redacted = redacted

    def document(self, response: httpx.Response, body: bytes, request: str, now: datetime) -> Any:
        """Return the JSON document of a good answer, None for an empty one; raises the EosvoltError of any other."""
        status = response.status_code
        if not 200 <= status < 300:
            raise self._failure(response, body, request, now)
        if not body.strip():
            return None
        document = self._json(response, body, request)
        if isinstance(document, dict) and self._is_bad(document):
            raise self._failure(response, body, request, now)
        return document

    def _is_bad(self, document: dict[str, Any]) -> bool:
        """Whether an answer says of itself that it is none, whatever its HTTP status."""
        told = self._first((document,), self._errors.success)
        if told is _ABSENT:
            return False
        text, errors = spelled(told), self._errors
        if any(fnmatchcase(text, pattern) for pattern in errors.bad):
            return True
        return bool(errors.good) and not any(fnmatchcase(text, pattern) for pattern in errors.good)

    def page(self, document: Any, request: str, headers: Mapping[str, str] | None = None, inside: str = "") -> Page:
        """Return the rows in a list answer with what stands around them; raises MalformedAnswer without rows.

        `inside` is the path to the rows, where the contract names one for the route.
        """
        envelope = self._envelope
        layers: list[Any] = []
        rows = document
        if inside:
            rows = reach(document, steps_of(inside))
            if not isinstance(rows, list):
                raise MalformedAnswer(f"no list of rows at {inside}", request=request)
            layers = [document] if isinstance(document, dict) else []
        while isinstance(rows, dict) and len(layers) < 2:
            layers.append(rows)
            rows = self._first((rows,), envelope.rows)
        if not isinstance(rows, list):
            shape = f"an object with {', '.join(list(layers[0])[:8])}" if layers else _SHAPES[type(document)]
            wanted = ", ".join(envelope.rows)
            raise MalformedAnswer(
                self._redacted(f"no list of rows bare or under {wanted}, but {shape}"), request=request
            )
        for _ in range(2):  # {"meta": {"pagination": {...}}}
            layers += [
                layer[key]
                for layer in layers
                for key in envelope.about
                if isinstance(layer.get(key), dict) and layer[key] not in layers
            ]
        return self._about(rows, layers, headers or {})

    def _about(self, rows: list[Any], layers: list[Any], headers: Mapping[str, str]) -> Page:
        envelope = self._envelope
        linked = next_link(headers.get("link"))
        next_page = self._first(layers, envelope.next_page)
        if isinstance(next_page, dict):  # {"next": {"href": "..."}}
            next_page = next_page.get("href")
        if next_page is _ABSENT and linked is not None:
            next_page = linked
        has_next = self._first(layers, envelope.has_next)
        if not isinstance(has_next, bool):
            has_next = None if next_page is _ABSENT else next_page not in (None, "", False)
        number = _whole(next_page)
        following = number if number is not None else next_page if isinstance(next_page, str) and next_page else None
        total, limit, last_page = (
            next((found for name in names if (found := _whole(self._first(layers, (name,)))) is not None), None)
            for names in (envelope.total, envelope.limit, envelope.last_page)
        )
        return Page(
            rows,
            total if total is not None else _header_number(headers, envelope.total_headers),
            has_next,
            following,
            limit if limit is not None else _header_number(headers, envelope.limit_headers),
            last_page,
        )

    def one(self, document: Any, has_id: Callable[[Any], bool], inside: str = "") -> Any:
        """Return the single thing in an answer, bare or in its envelope, or None where there is none, or several."""
        if inside:
            document = reach(document, steps_of(inside))
        for thing in (document, self._first((document,), self._envelope.one) if isinstance(document, dict) else None):
            things = thing if isinstance(thing, list) and not isinstance(document, list) else [thing]
            found = [one for one in things if isinstance(one, dict) and has_id(one)]
            if len(found) == 1:
                return found[0]
        return document if inside and isinstance(document, dict) else None

    def _json(self, response: httpx.Response, body: bytes, request: str) -> Any:
        kind = response.headers.get("content-type", "no content type").partition(";")[0]
        refused = too_much(body, self._most_values)
        if refused is not None:
            raise TooMuch(f"{refused}: limits.most_answer_values is {self._most_values}", request=request)
        try:
            text = _decoded(body, response.charset_encoding)
            document = decode(text)
            return _storable(document) if _ESCAPED_UNSTORABLE.search(text) else document
        except (ValueError, LookupError, RecursionError) as error:
            # Redacted before it is shortened: half a token would no longer be recognised.
            start = self._redacted(body[:20_000].decode("utf-8", "replace"))[:80]
            reason = "not text" if isinstance(error, UnicodeDecodeError | LookupError) else "not JSON"
            raise MalformedAnswer(
                self._redacted(f"{reason} but {len(body)} bytes of {kind} that start with {start!r}"),
                request=request,
                status=response.status_code,
            ) from None

    def _failure(self, response: httpx.Response, body: bytes, request: str, now: datetime) -> EosvoltError:
        try:
            document = self._json(response, body, request)
        except MalformedAnswer:
            document = None
        layers = [document] if isinstance(document, dict) else []
        layers += [inner for layer in layers for inner in layer.values() if isinstance(inner, dict)]
        code = self._first_text(layers, self._errors.code)
        message = self._first_text(layers, self._errors.message) or ""
        if 300 <= response.status_code < 400:
            message = "a redirect, which is not followed because the token would go with it"
        kind = self._errors.kinds.get(code) if code else None
        made = KINDS[kind] if kind and code in self._errors.overrides else error_type(response.status_code, kind)
        return made(
            self._redacted(message),
            request=request,
            status=response.status_code,
            code=self._redacted(self._errors.codes.get(code, code)) if code else None,
            retry_after=retry_after_seconds(response.headers, now),
            document=self._safe(document),
        )

    def _safe(self, document: Any) -> Any:
        """The body of an error without secrets, or None where it cannot be written again."""
        try:
            return json.loads(self._redacted(json.dumps(document, ensure_ascii=False)))
        except (ValueError, RecursionError):
            return None

    @staticmethod
    def _first(layers: Any, names: tuple[str, ...]) -> Any:
        for layer in layers:
            for name in names:
                if name in layer:
                    return layer[name]
                found = reach(layer, steps_of(name)) if "." in name or "[" in name else None
                if found is not None:
                    return found
        return _ABSENT

    @staticmethod
    def _first_text(layers: list[Any], names: tuple[str, ...]) -> str | None:
        found = (
            reach(layer, (name,)) if name in layer else reach(layer, steps_of(name))
            for layer in layers
            for name in names
        )
        return next((str(text) for text in found if isinstance(text, str) or type(text) is int), None)


def needs_cleaning(body: bytes, charset: str | None = None) -> bool:
    """Whether a JSON answer holds a character that no database stores, or bytes that are none in its charset.

    Each is replaced by U+FFFD when it is read.
    """
    # the search for bare bytes costs a hundredth of the expression's
    if any(mark in body for mark in _MARKS) and _SURELY_UNSTORABLE.search(body) is not None:
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return charset is None or charset.lower() not in _CHARSETS
    return False


def _decoded(body: bytes, charset: str | None) -> str:
    """The text of an answer. One bad byte in a name is one bad character: the other rows are read none the worse."""
    encoding = "utf-8-sig" if body.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        if charset is None or charset.lower() not in _CHARSETS:
            return body.decode(encoding, "replace")
        return body.decode(charset)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("�", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def next_link(header: str | None) -> str | None:
    """Return the target of rel=next in a Link header (RFC 8288); "" where others stand there, None without one."""
    if header is None or len(header) > _LONGEST_LINK:
        return None
    for target, parameters in _LINK.findall(header):
        relations = _RELATION.search(parameters)
        if relations is not None and "next" in (relations[1] or relations[2]).lower().split():
            return str(target)
    return "" if _PAGES.search(header) else None


def _header_number(headers: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    found = (_whole(headers.get(name.lower(), headers.get(name))) for name in names)
    return next((number for number in found if number is not None), None)


def _whole(value: Any) -> int | None:
    if type(value) is int and 0 <= value < _MOST_ROWS:
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16 else None


@lru_cache(maxsize=64)
def http_date(text: str) -> datetime | None:
    """Return the UTC time of an HTTP date (RFC 9110, section 5.6.7), or None where it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait that Retry-After asks for, given in seconds or as an HTTP date, or None where it asks for none.

    A date is measured from the answer's own Date, so that a wrong clock on either side does not matter; `now` stands
    in where there is none.
    """
    text = headers.get("retry-after")
    if text is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text):
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (http_date(headers.get("date", "")) or now)).total_seconds())
