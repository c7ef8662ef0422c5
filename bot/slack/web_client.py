"""Slack's Web API client as the service uses it: every answer is a JSON object that says ok, or a SlackApiError.

The SDK raises whatever its code trips over when an answer is empty, a text, `null` or a list; here that is one error
with no name. Nothing is tried twice: a lost answer to a message could post it twice.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

T = TypeVar("T")

SLACK_FAULTS = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)
TRIES = 3
LONGEST_RETRY_AFTER = 120
"""Seconds; somebody who waits longer for an answer has asked again."""


class WebClient(AsyncWebClient):
    """The SDK's client, without its own retries and without its surprises over odd answers."""

    def __init__(self, token: str, base_url: str) -> None:
        super().__init__(token=token, base_url=base_url, retry_handlers=[])

    async def api_call(self, api_method: str, **how: Any) -> AsyncSlackResponse:
        """Call a method; raises SlackApiError for every answer that does not say ok, and aiohttp's errors."""
        try:
            return await super().api_call(api_method, **how)
        except SlackApiError as error:
            if isinstance(getattr(error.response, "data", None), dict):
                raise
            raise self._odd(api_method, error.response) from None
        except (AttributeError, LookupError, TypeError, ValueError):
            raise self._odd(api_method, None) from None

    def _odd(self, method: str, response: Any) -> SlackApiError:
        status = getattr(response, "status_code", None) or getattr(response, "status", None) or 0
        answer = AsyncSlackResponse(
            client=self,
            http_verb="POST",
            api_url=method,
            req_args={},
            data={},
            headers=dict(getattr(response, "headers", None) or {}),
            status_code=status,
        )
        told = f"Slack answered {method} with something that is no JSON object (HTTP {status})"
        return SlackApiError(told, answer)  # type: ignore[no-untyped-call]  # the SDK's has no types


def error_name(error: BaseException) -> str:
    """Slack's name of an error, such as `invalid_auth`; the kind of exception where Slack gave none."""
    if isinstance(error, SlackApiError):
        return str(error.response.get("error") or f"HTTP {error.response.status_code}")
    return type(error).__name__


async def patiently(call: Callable[[], Awaitable[T]], wait: Callable[[float], Awaitable[object]]) -> T:
    """Make a call, again after what Retry-After says while Slack answers 429; raises what the last try raised.

    Only a 429 is tried again: it alone says for certain that nothing was done.
    """
    for _ in range(TRIES - 1):
        try:
            return await call()
        except SlackApiError as error:
            pause = retry_after(error.response.status_code, error.response.headers, error_name(error))
            if pause is None:
                raise
            await wait(pause)
    return await call()


def retry_after(status: int, headers: Any, name: str = "") -> float | None:
    """The seconds to wait where an answer says 429; None where it does not, or asks for longer than anybody waits."""
    if status != 429 and name not in {"ratelimited", "rate_limited"}:
        return None
    told = next((str(value) for key, value in headers.items() if key.lower() == "retry-after"), "")
    seconds = int(told) if told.isdecimal() and len(told) < 9 else 1
    return float(max(1, seconds)) if seconds <= LONGEST_RETRY_AFTER else None
