"""Where the processor time of each step of the evaluation goes, by function, with a smaller fleet: shares, not seconds.

A profile makes Python slower and leaves the database as it is, so that Python's shares are rather too large.
"""

import cProfile
import pstats
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from bench.measuring import Stopwatch, T
from bench.rows import evaluation
from bench.sizes import Size

ROOT = Path(__file__).parents[2]
CONNECTORS = 10_000
SHOWN = 6
LEAST_SHARE = 2.0
PREFIX = "profile"


class Profiler(Stopwatch):
    """Tells of each piece of work the functions that took the most, in percent of it."""

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Do the work under a profile, and tell where its time went."""
        profile = cProfile.Profile(time.process_time)
        result = profile.runcall(work)
        for where, share in shares(profile):
            self.note(f"{name}: {where}", share, "%")
        return result


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """The whole story of the evaluation, each step once."""
    small = replace(size, connectors=min(size.connectors, CONNECTORS), laps=1)
    evaluation.measure(Profiler(watch.tell), PREFIX, lambda _: f"sqlite:///{folder}/profile.db", small, 1)


def shares(profile: cProfile.Profile) -> Iterator[tuple[str, float]]:
    """The functions that took the most by themselves, with their share in percent, the greatest first."""
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # typeshed does not know it
    own = {place: figures[2] for place, figures in stats.items()}
    whole = sum(own.values()) or 1.0
    for place in sorted(own, key=own.__getitem__, reverse=True)[:SHOWN]:
        share = own[place] / whole * 100
        if share >= LEAST_SHARE:
            yield _named(*place), share


def _named(file: str, _line: int, function: str) -> str:
    """A function as people know it: the module inside the project, the package outside, or what Python calls it."""
    path = Path(file)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return f"{path.relative_to(ROOT)} {function}"
    if "site-packages" in path.parts:
        return f"{'/'.join(path.parts[path.parts.index('site-packages') + 1 :])} {function}"
    return function.strip("<>") if file == "~" else f"{path.name} {function}"
