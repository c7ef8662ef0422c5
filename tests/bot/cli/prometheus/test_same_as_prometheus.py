"""The same recording through Prometheus' own code: at every minute, its ALERTS and our alerts are the same.

Compared are, for each rule and minute of a stretch, which subjects are pending and which are firing. `promtool test
rules` evaluates the PromQL rules minute by minute over the recorded values, and our replay polls the same minutes.
Prometheus counts `for` from the first evaluation that saw the condition and we from the change itself; on whole
minutes these are one. It has no `while`, no unknown and no gaps: rules and stretches here have none either.
"""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bot.cli.prometheus.stretches import (
    PairedRule,
    State,
    Stretch,
    irish_stretch,
    promtool_rules,
    promtool_test,
    states_by_minute,
)
from tests.bot.cli.replay.recorded import replay_lines, write_timeline
from tests.examples import in_turn

FAULTED, CHARGING = 'connector.status == "Faulted"', 'connector.status == "Charging"'
RULES = (
    PairedRule("at-once", "connector", FAULTED, "status == 3"),
    PairedRule("kept-only", "connector", FAULTED, "status == 3", keep="7m"),
    PairedRule("half-an-hour", "connector", FAULTED, "status == 3", for_="30m", keep="5m"),
    PairedRule("five-minutes", "connector", FAULTED, "status == 3", for_="5m", keep="20m"),
    PairedRule("charging", "connector", CHARGING, "status == 2", for_="20m", keep="10m"),
    PairedRule("offline", "charger", "charger.online == false", "online == 0", for_="10m", keep="3m"),
    PairedRule(
        "faulted-and-online",
        "connector",
        f"{FAULTED} and charger.online == true",
        "(status == 3) and on(charger) (online == 1)",
        for_="15m",
        keep="5m",
    ),
    PairedRule(
        "charging-while-offline",
        "connector",
        f"{CHARGING} and charger.online == false",
        "(status == 2) and on(charger) (online == 0)",
        for_="5m",
    ),
)
MINUTES, CHARGERS = 480, 24
STARTS = {
    "before the hole": datetime(2018, 11, 5, 8, 0, tzinfo=UTC),
    "after the hole": datetime(2018, 11, 27, 16, 0, tzinfo=UTC),
}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is absent: install Debian's package prometheus to compare with it")
    return found


def ask(promtool: str, folder: Path, stretch: Stretch, states: list[set[State]]) -> subprocess.CompletedProcess[str]:
    (folder / "rules.yml").write_text(promtool_rules(RULES))
    (folder / "test.yml").write_text(promtool_test("rules.yml", stretch, states))
    command = [promtool, "test", "rules", "test.yml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("start", in_turn("the same as Prometheus", list(STARTS)))
def test_at_every_minute_the_same_alerts_are_pending_and_firing(promtool: str, tmp_path: Path, start: str) -> None:
    stretch = irish_stretch(STARTS[start], MINUTES, CHARGERS)
    folder = write_timeline(tmp_path / "recording", stretch.rows())
    lines = replay_lines(folder, *(rule.document() for rule in RULES), url=f"sqlite:///{tmp_path}/replay.db")
    states = states_by_minute(lines, stretch)
    moved = {(line["rule"], line["from"], line["to"]) for line in lines}
    for rule in RULES:  # what is compared is something
        assert any(name == rule.name and to == "firing" for name, _, to in moved), rule.name
    assert ("half-an-hour", "firing", "resolved") in moved
    assert ("five-minutes", "pending", "inactive") in moved
    answer = ask(promtool, tmp_path, stretch, states)
    assert answer.returncode == 0, answer.stdout[:4000] + answer.stderr[:4000]

    # a comparison that could not fail would show nothing: one alert a minute late is found
    late = next(minute for minute, alerts in enumerate(states) if alerts - states[max(minute - 1, 0)] and minute)
    states[late] = states[late - 1]
    assert ask(promtool, tmp_path, stretch, states).returncode != 0
