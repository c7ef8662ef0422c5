"""Three real weeks, 64,344 sessions: one digest a day; sessions and kWh as a plain count of the CSV.

CI replays all of it, a plain run, which must stay short, the first two days.
"""

import csv
import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import ROOT, shared_folder

LONDON = ZoneInfo("Europe/London")
DAYS = 20 if os.environ.get("CI") else 2
WHOLE_DAYS = [f"2025-10-{day:02d}" for day in range(1, DAYS + 1)]


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    data = shared_folder("data/chargeplace_scotland")
    out = tmp_path_factory.mktemp("scotland") / "out.jsonl"
    rules = ROOT / "rules/library/daily-sessions.yaml"
    command = [sys.executable, "-m", "bot.cli.main", "replay", "--interval", "3600"]
    command += ["--data", str(data), "--rules", str(rules), "--out", str(out)]
    command += [] if os.environ.get("CI") else ["--until", f"2025-10-{DAYS + 1:02d}T12:00:00Z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in out.read_text().splitlines()]


def plain_count(path: Path) -> dict[str, tuple[int, float]]:
    """By the local day on which they ended: how many sessions, and how many kWh."""
    count, energy = defaultdict[str, int](int), defaultdict[str, float](float)
    with gzip.open(path, "rt") as lines:
        for row in csv.DictReader(lines):
            ended = datetime.fromisoformat(row["end_time"]).replace(tzinfo=UTC).astimezone(LONDON)
            day = ended.date().isoformat()
            count[day] += 1
            energy[day] += float(row["consumption_kwh"] or 0)
    return {day: (count[day], energy[day]) for day in count}


def test_each_whole_day_of_a_real_month_has_the_sessions_and_kwh_that_its_csv_has(
    digests: list[dict[str, Any]],
) -> None:
    expected = plain_count(shared_folder("data/chargeplace_scotland") / "cps_sessions_2025-10.csv.gz")
    facts = {line["facts"]["day"]: line["facts"] for line in digests}
    assert {day: facts[day]["sessions"] for day in WHOLE_DAYS} == {day: expected[day][0] for day in WHOLE_DAYS}
    for day in WHOLE_DAYS:
        assert facts[day]["energy_kwh"] == pytest.approx(expected[day][1], abs=0.0006), day
    assert sum(facts[day]["sessions"] for day in WHOLE_DAYS) > 2_500 * DAYS


def test_there_is_one_digest_a_day_at_eight_o_clock_where_the_chargers_stand(digests: list[dict[str, Any]]) -> None:
    days = [line["facts"]["day"] for line in digests]
    assert sorted(set(days)) == days
    assert set(WHOLE_DAYS) <= set(days)
    for line in digests:
        at, slot = datetime.fromisoformat(line["at"]), datetime.fromisoformat(line["slot"])
        assert at.astimezone(LONDON).strftime("%H:%M") == "08:00"
        assert at == slot
        assert line["facts"]["complete"], line
        assert not line["facts"]["late"], line
