"""Recordings written by tests in the neutral form, and replays of them through the command line's own wiring."""

import asyncio
import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.cli.sandbox_commands import replay_recording
from rules.documents.document import rule_from_document
from sandbox.recordings import open_recording

_OF_SESSIONS = ("session_id", "energy_kwh", "cost", "currency")
COLUMNS = ("at", "location_id", "charger_id", "connector_id", "field", "value", *_OF_SESSIONS)


def write_timeline(folder: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Write `timeline.csv`; a row's `at` may be a time of day on 2 March 2026, UTC."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "timeline.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for row in rows:
            at = row["at"] if "T" in row["at"] else f"2026-03-02T{row['at']}Z"
            writer.writerow({**row, "at": at})
    return folder


def status(at: str, value: str, connector_id: str = "c1", **more: str) -> dict[str, str]:
    """A row that says a connector's status, of charger ch1 where `more` names no other."""
    return {"at": at, "charger_id": "ch1", "connector_id": connector_id, "field": "status", "value": value, **more}


def online(at: str, value: str, charger_id: str = "ch1") -> dict[str, str]:
    """A row that says whether a charger is online; an empty value is unknown."""
    return {"at": at, "charger_id": charger_id, "field": "online", "value": value}


def mark(at: str, field: str, **more: str) -> dict[str, str]:
    """A row of another field: gap_start, gap_end, removed, or one that only lets time go on."""
    return {"at": at, "field": field, **more}


def until(at: str) -> dict[str, str]:
    """A row about somebody else, which lets the recording go on to this moment."""
    return status(at, "Available", "elsewhere", charger_id="other")


def replay_lines(folder: Path, *documents: Mapping[str, Any], url: str, interval: float = 60) -> list[dict[str, Any]]:
    """Every line that a replay of the folder's recording writes under these rules."""
    rules = [rule_from_document(document, "test.yaml") for document in documents]
    out = io.StringIO()
    recording = open_recording(folder)
    asyncio.run(replay_recording(recording, rules, url, out, interval=timedelta(seconds=interval)))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def story(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """Transition lines as short text: `10:31:00 c1 pending>firing since 10:00:37`."""
    return [
        f"{line['at'][11:19]} {line['subject']} {line['from']}>{line['to']} since {line['active_at'][11:19]}"
        for line in lines
    ]
