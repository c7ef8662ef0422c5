"""What people say who do not know the words of /charge yet: other words for them, and words that say nothing.

It only suggests: nothing here is done, and what acts is answered with its help alone.
"""

from collections.abc import Sequence

FILLERS = frozenset(
    (
        *("show", "list", "get", "give", "find", "see", "tell", "me", "us"),
        *("the", "my", "please", "all", "any", "is", "are", "of", "for"),
    )
)
"""Words that say nothing by themselves."""

_STATES = ("offline", "online", "faulted", "available", "unavailable", "charging")
_MEANT: dict[tuple[str, ...], tuple[str, ...]] = {
    ("what", "whats", "what's", "wrong", "broken", "problem", "problems", "issues", "errors"): ("alerts", "status"),
    ("mute", "quiet", "shush", "pause"): ("help silence", "silences"),
    ("reboot", "restart", "powercycle"): ("help reset",),
    ("who", "whoami", "admins", "admin", "permissions", "rights"): ("roles",),
    ("undo", "revert"): ("help unack", "help unsubscribe", "silences"),
    ("acknowledge", "seen", "mine"): ("help ack", "alerts unacknowledged"),
    ("revenue", "money", "earnings"): ("chart revenue", "report"),
    ("energy", "kwh"): ("chart energy", "report"),
    ("map", "places", "sites", "stations"): ("locations",),
}
MEANT = {word: said for words, said in _MEANT.items() for word in words}
MEANT |= {state: (f"chargers {state}",) for state in _STATES}


def without_fillers(words: Sequence[str]) -> tuple[str, ...]:
    """The words that say something."""
    return tuple(word for word in words if word.lower() not in FILLERS)


def meant_by(words: Sequence[str]) -> tuple[str, ...]:
    """What the first of the words that is known here may mean, as words of /charge."""
    return next((MEANT[word.lower().rstrip("?!.,")] for word in words if word.lower().rstrip("?!.,") in MEANT), ())
