"""What one resource answered to one poll, with the circumstances in which it was asked; it does nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from eosvolt.models import Fetched
from storage.health import Pace
from storage.polls import PollState
from storage.recording.places import ListPlace


@dataclass(frozen=True, slots=True)
class Answer:
    """What one resource answered to one poll."""

    place: ListPlace  # what was asked for, and when its first page was
    fetched: Fetched[Any]
    state: PollState | None  # before this poll
    slowness: int = 1  # of the pace at which it was asked for
    paces: Mapping[str, Pace] = field(default_factory=dict)  # those that this answer changed, by resource
    goes_on: bool = False  # with a list that was left at an earlier poll
    between: bool = False  # what changed, asked for while a list of everything is not read to its end

    @property
    def resource(self) -> str:
        """What was asked for."""
        return self.place.resource

    @property
    def sweep(self) -> bool:
        """Whether all of it was."""
        return self.place.is_sweep

    @property
    def since(self) -> datetime | None:
        """From when on changes were asked for."""
        return self.place.since

    @property
    def is_whole(self) -> bool:
        """Whether it shows everything that there is: one walk through all pages, which adds up."""
        fetched = self.fetched
        parts = fetched.picked_up and self.resource != "sessions"  # which do not vanish: they end
        return self.sweep and fetched.complete and not fetched.shortfall and not parts
