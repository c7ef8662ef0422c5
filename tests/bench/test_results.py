"""The page of results says what was measured, against what, whether the goal is reached, and what is missing."""

from datetime import date

import pytest

from bench.measuring import Figure, Lap
from bench.results import Run, render
from bench.rows.growth import evaluated
from bench.sizes import FULL, QUICK, Size
from bench.table import Goal, Line, Sense, costs, faster, rows_of, seconds


def figure(name: str, *walls: float, unit: str = "s") -> Figure:
    return Figure(name, tuple(Lap(wall, wall / 2) for wall in walls), unit)


FIGURES = {one.name: one for one in (figure("ours", 1.0, 3.0, 2.0), figure("theirs", 20.0), figure("slow", 2.5))}


@pytest.mark.parametrize(
    ("goal", "peer", "reached"),
    [
        (faster(5), "theirs", "yes"),
        (faster(11), "theirs", "no"),
        (faster(5), "absent", "not known"),
        (seconds(1.5), "theirs", "no"),
        (costs(0.9), "slow", "yes"),
        (costs(0.7), "slow", "no"),
    ],
)
def test_a_goal_is_judged_by_medians(goal: Goal, peer: str, reached: str) -> None:
    sense = goal.sense if goal.sense is not Sense.ALONE else Sense.FASTER
    cells = rows_of(Line("work", "ours", peer, "a peer", sense, (goal,)), FIGURES, full=True)
    assert cells[1] == "2 s [1 to 3, 3 rounds]"
    assert cells[-1] == reached


def test_goals_of_the_large_fleet_are_not_judged_by_the_small_one() -> None:
    cells = rows_of(Line("work", "ours", "theirs", "a peer", goals=(faster(5),)), FIGURES, full=False)
    assert cells[-1] == "(of the full size)"


@pytest.mark.parametrize("size", [FULL, QUICK], ids=lambda size: size.name)
def test_the_page_tells_what_is_missing_and_names_no_host(size: Size) -> None:
    figures = {"sqlite full": figure("sqlite full", 0.5), evaluated(1_000): figure(evaluated(1_000), 0.1)}
    page = render(Run(figures, {"Prometheus": "not installed"}, size, date(2026, 3, 2), 61.0))
    assert "| every subject matched, nothing moves | 0.5 s |" in page
    assert "not measured (Prometheus, one evaluation of the group)" in page
    assert "- Prometheus: not installed" in page
    assert "| 1,000 | 0.1 s | 1.00 |" in page
    assert "/home" not in page
    assert "/tmp" not in page
