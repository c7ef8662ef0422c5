"""A real month of 674 connectors, against a second opinion that imports nothing of ours.

CI replays all of it, with its fortnight without data; a plain run, which must stay short, the first two days.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.bot.cli.replay.plain_reading import HOLE, Said, firings_and_resolves
from tests.conftest import ROOT, shared_folder

UNTIL, LEAST = (
    (datetime(2018, 12, 1, tzinfo=UTC), 1000) if os.environ.get("CI") else (datetime(2018, 11, 3, tzinfo=UTC), 100)
)
"""The end of what is looked at, and how many firings and resolves there are at the least."""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    data = shared_folder("data/irish_status")
    out = tmp_path_factory.mktemp("irish") / "out.jsonl"
    rules = ROOT / "rules/library/connector-faulted.yaml"
    command = [
        sys.executable,
        "-m",
        "bot.cli.main",
        "replay",
        "--data",
        str(data),
        "--rules",
        str(rules),
        "--out",
        str(out),
        *([] if os.environ.get("CI") else ["--until", UNTIL.isoformat()]),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in out.read_text().splitlines()]


def said(lines: list[dict[str, str]]) -> list[Said]:
    return sorted(
        (datetime.fromisoformat(line["at"]), line["subject"], line["to"], datetime.fromisoformat(line["active_at"]))
        for line in lines
        if line["to"] in {"firing", "resolved"}
    )


def test_every_firing_and_resolve_of_a_real_month_is_what_a_plain_reading_of_its_csv_gives(
    lines: list[dict[str, str]],
) -> None:
    expected = firings_and_resolves(shared_folder("data/irish_status") / "irish_status_transitions_2018-11.csv.gz")
    in_time = [one for one in expected if one[0] < UNTIL]
    assert len(in_time) > LEAST
    assert [one for one in said(lines) if one[0] < UNTIL] == in_time


def test_in_the_fortnight_without_data_nothing_moves(lines: list[dict[str, str]]) -> None:
    moments = [datetime.fromisoformat(line["at"]) for line in lines]
    assert [at for at in moments if HOLE[0] < at < HOLE[1]] == []
    assert any(at > HOLE[1] for at in moments) is (HOLE[1] < UNTIL)


def test_lines_are_sorted_and_each_alert_is_a_chain(lines: list[dict[str, str]]) -> None:
    assert lines == sorted(lines, key=lambda line: (line["at"], line["rule"], line["subject"]))
    state: dict[str, str] = {}
    for line in lines:
        before = state.get(line["subject"], "inactive")
        assert line["from"] == ("inactive" if before == "resolved" else before), line
        state[line["subject"]] = line["to"]
