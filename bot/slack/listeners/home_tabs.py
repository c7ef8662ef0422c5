"""Who has the Home tab open, since when, and what it showed them last. It publishes nothing."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

FOLLOWED = timedelta(hours=1)
MOST_FOLLOWED = 200


@dataclass(slots=True)
class HomeTabs:
    """The tabs that are kept fresh; kept in memory alone."""

    _opened: dict[str, datetime] = field(default_factory=dict)
    _shown: dict[str, str] = field(default_factory=dict)

    def note_opened(self, user: str, now: datetime, shown: str) -> None:
        """Somebody opened their tab, which shows this."""
        self._opened.pop(user, None)
        self._opened[user] = now
        self._shown[user] = shown
        while len(self._opened) > MOST_FOLLOWED:
            oldest = next(iter(self._opened))
            del self._opened[oldest], self._shown[oldest]

    def followed(self, now: datetime) -> list[str]:
        """Those who opened it within the hour, who did so last first; the others are forgotten."""
        for user in [user for user, at in self._opened.items() if not now - FOLLOWED < at <= now + FOLLOWED]:
            del self._opened[user], self._shown[user]
        return list(reversed(self._opened))

    def shows(self, user: str, shown: str) -> bool:
        """Whether a tab shows this already."""
        return self._shown.get(user) == shown

    def note_shown(self, user: str, shown: str) -> None:
        """A tab shows this now."""
        self._shown[user] = shown
