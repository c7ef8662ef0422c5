"""Laps of work: how long each took by the wall clock and of the processor, and the figures that come of several.

It decides nothing about what is measured, and compares with nothing.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lap:
    """One time round: `wall` in the figure's unit, and the processor's seconds where they are known."""

    wall: float
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """What several laps of one piece of work came to."""

    name: str
    laps: tuple[Lap, ...]
    unit: str = "s"
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(lap.wall for lap in self.laps)

    @property
    def cpu(self) -> float | None:
        """The median of the processor's seconds."""
        known = [lap.cpu for lap in self.laps if lap.cpu is not None]
        return statistics.median(known) if known else None

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most."""
        walls = [lap.wall for lap in self.laps]
        return min(walls), max(walls)


@dataclass(frozen=True, slots=True)
class Told:
    """One lap of the figure that has this name."""

    name: str
    lap: Lap
    unit: str = "s"
    note: str = ""


class Stopwatch:
    """Times laps, prints each when it ends and tells it. `seconds` is how long the whole may take: see `has_time`."""

    def __init__(self, tell: Callable[[Told], object], seconds: float = float("inf")) -> None:
        self.tell = tell
        self._began = time.monotonic()
        self._seconds = seconds

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Do a piece of work, and tell how long it took."""
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        self.note(name, time.perf_counter() - wall, cpu=time.process_time() - cpu)
        return result

    def note(self, name: str, value: float, unit: str = "s", *, cpu: float | None = None, note: str = "") -> None:
        """Tell a lap that somebody else has measured."""
        of_cpu = "" if cpu is None else f"  ({cpu:.3f} s of the processor)"
        print(f"    {name:44} {value:10.3f} {unit}{of_cpu}", flush=True)
        self.tell(Told(name, Lap(value, cpu), unit, note))

    def has_time(self, part: float = 1.0) -> bool:
        """Whether less than this part of the time is gone: whoever goes round again asks before."""
        return time.monotonic() - self._began < self._seconds * part


def figures_of(told: Iterable[Told]) -> dict[str, Figure]:
    """The figures that laps come to, by name, in the order in which they came."""
    by_name: dict[str, list[Told]] = {}
    for one in told:
        by_name.setdefault(one.name, []).append(one)
    return {
        name: Figure(name, tuple(one.lap for one in those), those[0].unit, max(one.note for one in those))
        for name, those in by_name.items()
    }


def peak_memory() -> float:
    """The most memory (RSS) that this process has held, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    held = next(line for line in lines if line.startswith("VmHWM:"))
    return int(held.split()[1]) / 1024
