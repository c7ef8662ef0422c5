"""The real service between the stand-ins in another process: every tick moves what was counted, every command is
answered.
"""

from dataclasses import replace
from pathlib import Path

from bench.measuring import Stopwatch, Told, figures_of
from bench.rows import slash_command, tick
from bench.sizes import QUICK

SMALL = replace(QUICK, connectors=400, rules=4, laps=1, requests=20)


def test_every_step_of_a_tick_is_named_and_moves_what_was_counted(tmp_path: Path) -> None:
    told: list[Told] = []
    tick.measure(Stopwatch(told.append), tmp_path, SMALL)
    steps = ("decode", "record", "evaluate", "say")
    expected = {f"{name} {step}" for name in ("first sweep", "rest", "tick", "sweep") for step in steps}
    assert set(figures_of(told)) == expected | {"service memory"}


def test_the_sweep_in_the_end_finds_the_fleet_as_it_stood() -> None:
    (_, before, _), last = tick.story(QUICK)[-2:]
    assert last == ("sweep", before, 0)


def test_the_service_and_the_bare_application_answer_every_command(tmp_path: Path) -> None:
    told: list[Told] = []
    slash_command.measure(Stopwatch(told.append), tmp_path, SMALL)
    assert set(figures_of(told)) == {
        f"{who} {what}" for who in ("slash", "bare bolt") for what in ("p99", "throughput")
    }
