"""What a test or a person does to the stand-in API on purpose: faults, a limit of calls; and what was accepted.

It holds values, and works out what of them meets one call.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

PROXY_PAGE = b"<html><body><h1>404 Not Found</h1><p>nginx</p></body></html>"


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
    limited: dict[str, int] = field(default_factory=dict)
    """Resources that are answered 429, each with its Retry-After in seconds."""
    proxy_404: dict[str, int] = field(default_factory=dict)
    """Resources of which so many calls are answered by a proxy's own page and 404."""
    slow: dict[str, float] = field(default_factory=dict)
    """Resources whose answers come byte by byte, with so many seconds (wall time) between two; infinity: never."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Resources that are answered 200 with this body, whatever is asked."""
    endless: frozenset[str] = frozenset()
    """Lists that never end: whatever page is asked for, rows with new ids, and the promise of more."""

    _fresh: "count[int]" = field(default_factory=count)
    _pattern: list[dict[str, Any]] = field(default_factory=list)

    def meets(self, names: set[str], path: Sequence[str]) -> bool:
        """Whether a call of this path is one of the resources' own."""
        return bool(names) and (path[1] in names or path[-1] in names)

    def pause(self, path: Sequence[str]) -> float:
        """The seconds between two bytes of the answer to a call of this path; 0 where it comes at once."""
        return next((seconds for name, seconds in self.slow.items() if self.meets({name}, path)), 0.0)

    def take_404(self, path: Sequence[str]) -> bool:
        """Whether a proxy answers this call in the platform's place."""
        for name, left in self.proxy_404.items():
            if left > 0 and self.meets({name}, path):
                self.proxy_404[name] = left - 1
                return True
        return False

    def retry_after(self, path: Sequence[str]) -> int:
        """The Retry-After with which a call of this path is refused; 0 where it is not."""
        return next((seconds for name, seconds in self.limited.items() if self.meets({name}, path)), 0)

    def body(self, path: Sequence[str], good: bytes) -> bytes:
        """What is answered in place of a good answer to a call of this path."""
        for name, body in self.bodies.items():
            if self.meets({name}, path):
                return body
        return self._endless(good) if self.meets(set(self.endless), path) else good

    def _endless(self, good: bytes) -> bytes:
        page = json.loads(good)
        self._pattern = page["data"] or self._pattern
        page["data"] = [{**row, "id": f"{row['id']}-{next(self._fresh)}"} for row in self._pattern]
        return json.dumps({**page, "total": None, "hasNextPage": True, "nextPage": None}).encode()


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
