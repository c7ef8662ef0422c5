"""Every way a call to EOSVOLT can fail, as one family of typed errors that each say what, where and what to do.

An error carries text only: no request, no header, no token. Text that came from outside is shortened to one line.
"""

# ruff: noqa: N818  the names say what happened; `raise NotFound` reads better than NotFoundError

import re
from typing import ClassVar

_LONGEST_MESSAGE = 240
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def one_line(text: str) -> str:
    """Return the text on one line, without control characters, shortened to about 240 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST_MESSAGE]).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


class EosvoltError(Exception):
    """A call to EOSVOLT failed.

    `status` is the HTTP status or None where no answer came, `code` the API's own stable word, `message` the text for
    people, `request` such as "GET /v1/chargers", `retry_after` the wait asked for in seconds or None,
    `document` the body, as data that is shown to nobody. `did_not_run` is
    True only where the call provably had no effect, so that a command may be sent again; `refused` where EOSVOLT said
    no for good. A command that failed with neither has an unknown outcome.
    """

    what: ClassVar[str] = "EOSVOLT answered with an error"
    mend: ClassVar[str] = "see the message, and run `chargehand doctor`"
    never_ran: ClassVar[bool] = False
    refused: ClassVar[bool] = False

    def __init__(
        self,
        message: str = "",
        *,
        request: str = "",
        status: int | None = None,
        code: str | None = None,
        did_not_run: bool | None = None,
        retry_after: float | None = None,
        document: object = None,
    ) -> None:
        self.message = one_line(message)
        self.request = request
        self.status = status
        self.code = None if code is None else one_line(code)[:80]
        self.did_not_run = self.never_ran if did_not_run is None else did_not_run
        self.retry_after = retry_after
        self.document = document
        super().__init__(self.message)

    def __str__(self) -> str:
        facts = " ".join(str(fact) for fact in (self.status, self.code) if fact is not None)
        detail = ": ".join(part for part in (facts, self.message.rstrip(".")) if part)
        where = f"{self.request}: " if self.request else ""
        mend = self.mend if self.retry_after is None else f"wait {self.retry_after:.0f} s; else {self.mend}"
        return f"{where}{self.what}{f' ({detail})' if detail else ''}; {mend}."

    @property
    def kind(self) -> str:
        """The kind of fault in one word, as contract files and counters write it: "rate_limited", "server_fault"."""
        return _HUMP.sub("_", type(self).__name__).lower()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class Unreachable(EosvoltError):
    """No answer came: name resolution, connection or transfer failed."""

    what = "EOSVOLT could not be reached"
    mend = "check the network and EOSVOLT_BASE_URL"


class Timeout(EosvoltError):
    """The answer did not come in time; whether the call ran is unknown unless `did_not_run` says so."""

    what = "EOSVOLT did not answer in time"
    mend = "wait and look at the state before doing it again"


class TokenUnusable(EosvoltError):
    """There is no token that could be sent; the call was not made."""

    what = "the EOSVOLT token cannot be used"
    mend = "set EOSVOLT_TOKEN, or EOSVOLT_TOKEN_FILE to a readable file that holds the token alone"
    never_ran = True


class Unauthorized(EosvoltError):
    """401: the token was refused, also after it was read again."""

    what = "EOSVOLT refused the token"
    mend = "make a new key in the EOSVOLT admin portal and put it in EOSVOLT_TOKEN or EOSVOLT_TOKEN_FILE"
    never_ran = True


class Forbidden(EosvoltError):
    """403: the token is known but has no right to this call."""

    what = "the EOSVOLT token has no right to do this"
    mend = "give the key the missing scope in the EOSVOLT admin portal"
    refused = True


class NotFound(EosvoltError):
    """404: no such thing, or no such route."""

    what = "EOSVOLT knows no such thing"
    mend = "check the id, or correct the route in the contract file (CHARGEHAND_CONTRACT)"
    refused = True


class InvalidRequest(EosvoltError):
    """400 or 422: a parameter is missing or wrong."""

    what = "EOSVOLT did not accept the request"
    mend = "check the values given, or correct the parameter names in the contract file (CHARGEHAND_CONTRACT)"
    refused = True


class Conflict(EosvoltError):
    """409: the thing's state does not allow the action."""

    what = "the present state does not allow this"
    mend = "look at the present state first"
    refused = True


class Rejected(EosvoltError):
    """The platform took the command, and its charger answered that it will not or cannot do it."""

    what = "the charger refused"
    mend = "look at the charger, or have somebody go there"
    refused = True


class RateLimited(EosvoltError):
    """429: too many calls; `retry_after` says how long to wait, where EOSVOLT named it."""

    what = "EOSVOLT asks for fewer calls"
    mend = "poll less often (CHARGEHAND_POLL_INTERVAL)"
    never_ran = True


class ServerFault(EosvoltError):
    """5xx: a fault on EOSVOLT's side; whether a command ran is unknown."""

    what = "EOSVOLT has a fault of its own"
    mend = "wait; if it lasts, ask EOSVOLT support"


class MalformedAnswer(EosvoltError):
    """An answer came that is not what the contract describes: not JSON, cut off, or in another shape."""

    what = "the answer is not what the contract describes"
    mend = "check EOSVOLT_BASE_URL, or correct the contract file (CHARGEHAND_CONTRACT)"


class TooMuch(MalformedAnswer):
    """An answer, or a list, that holds more than is read of one; what came before it is kept."""

    what = "EOSVOLT sends more than is read"
    mend = "ask for smaller pages (`limit` of the route), or raise the limit in the contract file (CHARGEHAND_CONTRACT)"


KINDS: dict[str, type[EosvoltError]] = {
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "invalid_request": InvalidRequest,
    "conflict": Conflict,
    "rate_limited": RateLimited,
    "server_fault": ServerFault,
    "timeout": Timeout,
}
"""The words that a contract file uses for kinds of errors."""

_BY_STATUS: dict[int, type[EosvoltError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Timeout,
    409: Conflict,
    410: NotFound,
    422: InvalidRequest,
    429: RateLimited,
}


def error_type(status: int, kind: str | None = None) -> type[EosvoltError]:
    """Return the error class of an HTTP status; `kind`, one of KINDS, decides where the status alone does not."""
    by_status = _BY_STATUS.get(status)
    if by_status is not None:
        return by_status
    if status >= 500:
        return ServerFault
    if kind is not None and kind in KINDS:
        return KINDS[kind]
    if 200 <= status < 300:
        return EosvoltError  # it says no in a word that nobody knows: whether the call ran is not known either
    if 300 <= status < 400:
        return MalformedAnswer
    return InvalidRequest if status < 500 else EosvoltError
