"""Log lines: one that repeats is counted, one that says something else is not, and none is without end."""

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from bot import logs
from bot.logs import tell_end
from bot.settings import Settings
from tests.conftest import ROOT
from tests.forks import command_line


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, by the service's own configuration; the test process's is put back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    settings = Settings(_env_file=None, log_format="json")  # type: ignore[call-arg]  # mypy does not see the name
    logs.configure_logs(settings, stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


class Ticks:
    """A clock that a test pushes."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def handler_with(stream: io.StringIO) -> tuple[Any, Ticks]:
    ticks = Ticks()
    handler = logs.CountingHandler(stream, ticks)
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler, ticks


def line(text: str) -> logging.LogRecord:
    return logging.LogRecord("asyncio", logging.ERROR, "", 0, text, None, None)


def test_a_line_that_repeats_is_written_once_a_minute_with_its_count() -> None:
    stream = io.StringIO()
    handler, ticks = handler_with(stream)
    for _ in range(1_000):
        handler.handle(line("socket.accept() out of system resource"))
        ticks.now += 0.01
    ticks.now = 61
    handler.handle(line("another"))
    assert stream.getvalue().splitlines() == [
        "socket.accept() out of system resource",
        "said 999 times more within a minute: socket.accept() out of system resource",
        "another",
    ]


def test_what_was_counted_is_said_at_the_end() -> None:
    stream = io.StringIO()
    handler, _ = handler_with(stream)
    for _ in range(3):
        handler.handle(line("again"))
    handler.close()
    assert stream.getvalue().splitlines() == ["again", "said 2 times more within a minute: again"]


def test_ten_thousand_different_lines_are_not_all_remembered() -> None:
    stream = io.StringIO()
    handler, _ = handler_with(stream)
    for number in range(10_000):
        handler.handle(line(f"line {number}"))
    assert len(stream.getvalue().splitlines()) == 10_000
    assert len(handler._said) <= logs.DIFFERENT_LINES


def test_the_same_event_about_another_thing_is_another_line(lines: io.StringIO) -> None:
    log = structlog.get_logger()
    for trouble in ("polls:chargers", "disk", "disk"):
        log.error("something is wrong with the service", trouble=trouble)
    assert [trouble in lines.getvalue() for trouble in ("polls:chargers", "disk")] == [True, True]
    assert len(lines.getvalue().splitlines()) == 2


def test_the_same_error_raised_elsewhere_is_the_same_line(lines: io.StringIO) -> None:
    log = structlog.get_logger()

    def fail(depth: int) -> None:
        if depth:
            fail(depth - 1)
        raise OSError("no space left")

    for depth in range(3):
        try:
            fail(depth)
        except OSError:
            log.exception("a job failed", job="poll")
    assert len(lines.getvalue().splitlines()) == 1


def test_a_line_is_cut_where_it_would_fill_the_disk(lines: io.StringIO) -> None:
    structlog.get_logger().error("a body", body="x" * 1_000_000)
    assert len(lines.getvalue()) < 2 * logs.LONGEST_LINE


def test_a_start_that_fails_is_one_line_of_json(tmp_path: Path) -> None:
    told = []
    tries: list[dict[str, str]] = [
        {"CHARGEHAND_POLL_INTERVAL": "soon"},
        {"DATABASE_URL": "sqlite:////nowhere/at/all.db"},
    ]
    for more in tries:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "LOG_FORMAT": "json",
            "EOSVOLT_TOKEN": "tok-7f3a9c",
            "EOSVOLT_BASE_URL": "http://127.0.0.1:9/",
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1",
        }
        done = command_line(["run"], tmp_path, environment | more)
        assert done.code == 1
        lines = [json.loads(line) for line in done.err.splitlines()]
        assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
        assert "tok-7f3a9c" not in done.err
        told.append(lines[-1]["error"])
    assert "CHARGEHAND_POLL_INTERVAL" in told[0]
    assert "database cannot be used" in told[1]


def test_an_end_that_nobody_can_mend_has_its_traceback_within_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "hunter2-token")
    out = io.StringIO()
    tell_end(None, RuntimeError("it broke with hunter2-token"), out)
    (line,) = out.getvalue().splitlines()
    assert "RuntimeError: it broke with [redacted]" in json.loads(line)["exception"]
