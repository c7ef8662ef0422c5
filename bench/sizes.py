"""How large the measured worlds are, and how many rounds are made: all of it, or a quick look.

Numbers alone; nothing is measured here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """`connectors` and `rules` of the fleet, how often each work is done, and the sizes of the other worlds."""

    name: str
    seconds: float  # for the whole run
    connectors: int
    rules: int
    rounds: int  # fresh databases in which alerts begin and fire
    laps: int  # repetitions on one of them
    group_seconds: int  # between two evaluations of the peer's rule group
    growth: tuple[int, ...]
    sessions: int
    requests: int  # slash commands
    starts: int


FULL = Size("full", 580, 100_000, 100, 3, 5, 10, (1_000, 10_000, 100_000, 300_000), 1_000_000, 800, 5)
QUICK = Size("quick", 115, 10_000, 100, 1, 3, 3, (1_000, 10_000, 30_000), 100_000, 300, 3)
