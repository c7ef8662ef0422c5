"""What a test or a person does to the stand-in API on purpose: faults, a limit of calls; and what was accepted.

It holds values and does nothing with them.
"""

from dataclasses import dataclass
from typing import Any


@dataclass
class Faults:
    """What goes wrong on purpose; every number counts down as it is used up."""

    answers_503: int = 0
    """So many calls are answered 503."""
    cut_off: int = 0
    """So many answers break off in the middle."""
    html: int = 0
    """So many calls are answered by a gateway's 502 page."""
    commands_unknown: int = 0
    """So many POSTs are carried out and then answered 504, as after the platform's time-out of about 8 s."""
    delay_seconds: float = 0.0
    """Every call waits so long (wall time)."""
    forbidden: frozenset[str] = frozenset()
    """Resources that the account does not have (403): locations, chargers, sessions, pricing, reports, exports."""


@dataclass(frozen=True)
class RateLimit:
    """At most `calls` in each window of `seconds` of the sandbox's clock; more are answered 429 with Retry-After."""

    calls: int
    seconds: int = 60


@dataclass
class Command:
    """A POST that was accepted, for tests that count them."""

    at: str
    path: str
    body: dict[str, Any]
