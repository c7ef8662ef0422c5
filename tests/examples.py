"""How many examples a law is tried with: all of them in CI, a part of them in a plain run, which must stay short."""

import os
import zlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turn(name: str, every: Sequence[T], *, in_ci: int | None = None) -> Sequence[T]:
    """Each of these for a test of this name in CI, or so many; in a plain run one, for each name always the same.

    With EVERY_ACCOUNT in the environment each of them, whatever is said.
    """
    if os.environ.get("EVERY_ACCOUNT"):
        return every
    wanted = (len(every) if in_ci is None else in_ci) if os.environ.get("CI") else 1
    turn = zlib.crc32(name.encode()) % len(every)
    return [every[(turn + place) % len(every)] for place in range(min(wanted, len(every)))]


def examples(full: int) -> int:
    """The number of hypothesis examples for this run, of `full` in CI."""
    return full if os.environ.get("CI") else max(3, full // 5)


def part(every: Sequence[T], step: int, begin: int = 0) -> Sequence[T]:
    """Each of these in CI; in a plain run one of `step`, from the one at `begin` modulo `step` on."""
    return every if os.environ.get("CI") else every[begin % step :: step]
