"""How many examples a law is tried with: all of them in CI, a part of them in a plain run, which must stay short."""

import os
import zlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turn(name: str, every: Sequence[T], *, in_ci: bool = True) -> Sequence[T]:
    """Each of these for the test of this name in CI; in a plain run the one whose turn it is, always the same."""
    turn = zlib.crc32(name.encode()) % len(every)
    return every if in_ci and os.environ.get("CI") else every[turn : turn + 1]


def examples(full: int) -> int:
    """The number of hypothesis examples for this run, of `full` in CI."""
    return full if os.environ.get("CI") else max(3, full // 3)
