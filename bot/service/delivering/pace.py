"""How fast messages go out: one a second in each channel, and edits by what Slack allows the whole workspace.

It remembers what this process sent and answers from that; Slack's own 429 is obeyed elsewhere. No clock is read here.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from notify.claims import Lanes

POST_GAP = timedelta(seconds=1)
"""Slack takes about one message a second in a channel (docs.slack.dev, rate limits)."""

EDITS_WITHIN = timedelta(seconds=61)
EDITS = 50
"""How many edits Slack takes in a minute from an app in a workspace (chat.update, tier 3); a second is for the way."""

URGENT_EDITS = 6
"""How many of these are kept for edits that answer a click or go with news."""


@dataclass(slots=True)
class Pace:
    """What went out lately. `post_gap` and `edits` are Slack's limits; `edits` are those of EDITS_WITHIN."""

    post_gap: timedelta = POST_GAP
    edits: int = EDITS
    _posted: dict[str, datetime] = field(default_factory=dict)
    _edited: deque[datetime] = field(default_factory=deque)
    _turns: dict[str, int] = field(default_factory=dict)

    def lanes(self, channel: str, at: datetime) -> Lanes:
        """What may go out in a channel at a moment; every second message is the one that has waited longest."""
        edits = self._edits_within(at)
        return Lanes(
            posts=self.until_post(channel, at) <= timedelta(),
            edits=edits < self.edits - min(URGENT_EDITS, self.edits // 2),
            urgent_edits=edits < self.edits,
            oldest_first=self._turns.get(channel, 0) % 2 == 1,
        )

    def until_post(self, channel: str, at: datetime) -> timedelta:
        """How long a channel's next new message has to wait; a moment that lies ahead counts as never."""
        last = self._posted.get(channel)
        if last is None or last > at:
            return timedelta()
        return last + self.post_gap - at

    def note_post(self, at: datetime, *channels: str) -> None:
        """Note that a new message went into a channel, by each of its names."""
        for channel in channels:
            self._posted[channel] = at
            self._turns[channel] = self._turns.get(channel, 0) + 1

    def note_edit(self, at: datetime) -> None:
        """Note that a message is being edited."""
        self._edited.append(at)

    def _edits_within(self, at: datetime) -> int:
        while self._edited and not at - EDITS_WITHIN < self._edited[0] <= at:
            self._edited.popleft()
        return len(self._edited)
