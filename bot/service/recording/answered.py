"""What one resource answered to one poll, with the circumstances in which it was asked; it does nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eosvolt.models import Fetched
from storage.health import Pace
from storage.polls import PollState


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resource answered to one poll."""

    resource: str
    fetched: Fetched[Any]
    state: PollState | None  # before this poll
    sweep: bool
    since: datetime | None  # only what changed from then on was asked for
    slowness: int = 1  # of the pace at which it was asked for
    paces: Mapping[str, Pace] = field(default_factory=dict)  # those that this answer changed, by resource
