"""The process: its start and stop, rules read again, failing jobs, and no secret in its logs."""

import asyncio
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from slack_bolt.request.async_request import AsyncBoltRequest
from structlog.testing import capture_logs

from bot.logs import REDACTED, Redactor, configure_logs
from bot.service.app import build
from bot.service.operating import process
from bot.service.operating.leading import Leading
from bot.service.ticker import Job, Ticker
from bot.settings import SettingsError
from rules.language.errors import RuleErrors
from tests.bot.house import Clock, House
from tests.conftest import ROOT

RULE = """
- name: {name}
  for_each: connector
  when: connector.status == "Faulted"
  for: 30m
  severity: warning
"""
RUN = (
    "import asyncio; from bot.service.operating.process import run_service; "
    "from bot.settings import load_settings; "
    "asyncio.run(run_service(load_settings()))"
)


@pytest.fixture
def default_logs() -> Iterator[None]:
    """What configure_logs changes is put back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def environment(house: House, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "EOSVOLT_BASE_URL": house.eosvolt,
        "EOSVOLT_TOKEN": "sandbox-token",
        "SLACK_BOT_TOKEN": house.workspace.bot_token,
        "SLACK_APP_TOKEN": house.workspace.app_token,
        "SLACK_API_URL": house.server.api_url,
        "DATABASE_URL": house.database_url,
        "LOG_FORMAT": "json",
        "CHARGEHAND_POLL_INTERVAL": "1",
        **more,
    }


async def test_a_process_serves_reads_its_rules_again_and_stops_soon_without_telling_a_secret(
    closed_house: House, tmp_path: Path
) -> None:
    house, rules = closed_house, tmp_path / "rules.yaml"
    rules.write_text(RULE.format(name="first"))
    service = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        RUN,
        cwd=ROOT,
        env=environment(house, CHARGEHAND_RULES=str(rules)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert service.stdout is not None
    try:
        await house.workspace.wait_for(lambda: house.workspace.link.connections, 30)
        while "EOSVOLT has not answered yet" in (answer := await house.ask("status")).plain():
            pass
        assert "connectors" in answer.plain()
        lines = [await service.stdout.readline()]
        rules.write_text(RULE.format(name="first") + RULE.format(name="second"))
        service.send_signal(signal.SIGHUP)
        while b'"rules": 2' not in lines[-1]:
            lines.append(await asyncio.wait_for(service.stdout.readline(), 60))
        rules.write_text("- name: broken\n  when: nonsense ==\n")
        service.send_signal(signal.SIGHUP)
        while b"stay in force" not in lines[-1]:
            lines.append(await asyncio.wait_for(service.stdout.readline(), 60))
        service.send_signal(signal.SIGTERM)
        rest = await asyncio.wait_for(service.stdout.read(), 60)
        assert await asyncio.wait_for(service.wait(), 60) == 0
    finally:
        if service.returncode is None:
            service.kill()
            await service.wait()
    told = b"".join(lines) + rest
    assert json.loads(told.splitlines()[-1])["event"] == "stopped"
    for secret in (house.workspace.bot_token, house.workspace.app_token, "sandbox-token"):
        assert secret.encode() not in told
    assert b"ticket=" not in told


@pytest.mark.usefixtures("default_logs")
async def test_a_stop_is_heard_while_the_start_waits_for_the_database(
    closed_house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waits, for_ever = asyncio.Event(), asyncio.Event()

    async def seek(_: Leading) -> bool:
        waits.set()
        return await for_ever.wait()

    monkeypatch.setattr(Leading, "seek", seek)
    running = asyncio.create_task(process._run(closed_house.settings()))
    await asyncio.wait_for(waits.wait(), 30)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 30)
    told = "".join(capsys.readouterr())
    assert "told to stop before it was at work" in told
    assert "stopped" in told


async def test_broken_rules_at_the_start_are_a_clear_error(closed_house: House, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- name: broken\n  when: nonsense ==\n")
    service = build(closed_house.settings(chargehand_rules=(str(rules),)), clock=closed_house.clock)
    try:
        with pytest.raises(RuleErrors, match="broken"):
            await service.start()
    finally:
        await service.stop()


async def test_a_stop_lets_answers_come_that_are_being_made_and_cuts_off_one_that_hangs(
    closed_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bolt starts each listener in a task that it forgets: nobody else waits for it."""
    service = await closed_house.start()
    monkeypatch.setattr("bot.service.app.ANSWERS_SECONDS", 1.0)
    assert service.socket is not None
    stopping, never, close = asyncio.Event(), asyncio.Event(), service.socket.close
    ended: list[str] = []

    async def closing() -> None:
        await close()
        stopping.set()

    monkeypatch.setattr(service.socket, "close", closing)

    @service.app.event("app_mention")
    async def answer(event: dict[str, Any]) -> None:
        try:
            await (stopping if event["text"] == "slow" else never).wait()
            ended.append(event["text"])
        except asyncio.CancelledError:
            ended.append(f"{event['text']} was cut off")
            raise

    service.app._async_listeners.insert(0, service.app._async_listeners.pop())  # before the service's own
    for text in ("slow", "hangs"):
        said = {"type": "app_mention", "text": text, "channel": "C1", "user": "U1"}
        body = {"type": "event_callback", "event_id": text, "team_id": closed_house.workspace.team.id, "event": said}
        await service.app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
    assert not ended
    with capture_logs() as logs:
        await closed_house.stop()
    assert ended == ["slow", "hangs was cut off"]
    assert [one["requests"] for one in logs if "requests" in one] == [1]


async def test_missing_settings_are_named_with_what_they_are_for(closed_house: House) -> None:
    with pytest.raises(SettingsError, match=r"SLACK_SIGNING_SECRET is missing.*\n?.*PORT is missing"):
        build(closed_house.settings(slack_app_token=None))
    with pytest.raises(SettingsError, match="SLACK_BOT_TOKEN is missing: the bot's token"):
        build(closed_house.settings(slack_bot_token=None))


async def test_a_job_that_fails_is_logged_and_runs_again() -> None:
    runs: list[datetime] = []
    done = asyncio.Event()

    async def work(now: datetime) -> None:
        runs.append(now)
        if len(runs) == 1:
            raise ValueError("first")
        done.set()

    ticker = Ticker([Job("work", work, timedelta(seconds=0.05))], Clock())
    with capture_logs() as logs:
        ticker.start()
        await asyncio.wait_for(done.wait(), 30)
        assert ticker.is_alive
        await ticker.stop()
    assert [entry["event"] for entry in logs] == ["a job failed; it runs again at its next tick"]
    assert runs == sorted(set(runs))


async def test_wake_ups_while_a_job_runs_are_one_more_run_and_a_stop_lets_it_end() -> None:
    begun, may_end, ran = asyncio.Event(), asyncio.Event(), [0, 0]

    async def work(_now: datetime) -> None:
        ran[0] += 1
        begun.set()
        await may_end.wait()
        ran[1] += 1

    ticker = Ticker([Job("work", work)], Clock())
    ticker.start()
    ticker.wake("work")
    await begun.wait()
    begun.clear()
    for _ in range(5):
        ticker.wake("work")
    may_end.set()
    await begun.wait()
    assert ran[0] == 2
    may_end.clear()
    ticker.wake("work")
    begun.clear()
    await begun.wait()
    stopping = asyncio.create_task(ticker.stop())
    may_end.set()
    await stopping
    assert ran == [3, 3]


def test_secrets_are_taken_out_of_every_line() -> None:
    redact = Redactor(['p"ss', "plain-secret"])
    for line in (
        'password p"ss',
        '{"password": "p\\"ss"}',
        "a plain-secret here",
        "token xoxb-1234-abcd",
        "Authorization: Bearer abc.def",
        "wss://x/link/?ticket=abc&app_id=1",
        "https://hooks.slack.com/actions/T1/2/abc",
    ):
        told = redact(line)
        assert REDACTED in told
        for secret in ('p\\"ss', 'p"ss', "plain-secret", "xoxb-1", "abc.def", "ticket=abc", "T1/2"):
            assert secret not in told


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_traceback_and_a_library_s_line_are_redacted_too(
    closed_house: House, log_format: str, default_logs: None
) -> None:
    stream = io.StringIO()
    configure_logs(closed_house.settings(log_format=log_format, database_url="postgresql://me:hidden@h/d"), stream)
    try:
        int(f"refused xoxb-sandbox with {closed_house.workspace.app_token}")
    except ValueError:
        structlog.get_logger().exception("it broke", url="postgresql://me:hidden@h/d")
    logging.getLogger("slack_sdk").warning("posting with %s", closed_house.workspace.bot_token)
    told = stream.getvalue()
    assert told.count(REDACTED) >= 4
    assert "Traceback" in told
    for secret in ("xoxb-sandbox", "xapp-sandbox", "hidden"):
        assert secret not in told
