"""How many examples a law is tried with: all of them in CI, a part of them in a plain run, which must stay short."""

import os
import re
import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

import pytest

T = TypeVar("T")

DATABASES = ("sqlite", "postgresql")
"""The databases that the fixture `database` is, in their order."""


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


def on_either(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests to run: where marked `on_either_database`, each case on both in CI, in a plain run on one in its turn.

    The cases of a test take the databases by turns, so that it is run on both; one that is asked for alone is, too.
    """
    if os.environ.get("CI"):
        return list(items)
    cases: defaultdict[str, dict[str, int]] = defaultdict(dict)  # of each test, in their order
    told = [(item, cases[item.nodeid.partition("[")[0]], case_of(item)) for item in items]
    for _, known, (case, kind) in told:
        if kind is not None:
            known.setdefault(case, len(known))
    return [
        item
        for item, known, (case, kind) in told
        if kind is None or len(known) == 1 or DATABASES[known[case] % 2] == kind
    ]


def case_of(item: pytest.Item) -> tuple[str, str | None]:
    """What the test is tried with beside the database, and on which; on None where it is not marked, or on no other."""
    if item.get_closest_marker("on_either_database") is None or not hasattr(item, "callspec"):
        return "", None
    kind = item.callspec.params.get("database")
    if kind not in DATABASES:
        return "", None
    parts = re.split("(-)", item.callspec.id)
    parts[parts.index(kind)] = ""
    return "".join(parts), kind
