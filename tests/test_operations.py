"""docs/operations.md and docs/security.md followed to the letter: each command is run as it stands there."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.service.operating.metrics import MEANINGS
from tests.bot.house import TOKEN, House, open_house
from tests.conftest import ROOT
from tests.forks import command_line

OPERATIONS = ROOT / "docs" / "operations.md"
COMMANDS = [
    line.strip()
    for name in ("operations.md", "security.md")
    for line in (ROOT / "docs" / name).read_text().splitlines()
    if line.startswith("    ")
]
CHARGEHAND = ".venv/bin/chargehand "


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """The stand-ins by the machine's own clock: processes of their own have no other."""
    monkeypatch.setattr("tests.bot.house.CALM", datetime.now(UTC))
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}") as opened:
        yield opened


def environment(house: House, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "LOG_FORMAT": "json",
        "EOSVOLT_BASE_URL": house.eosvolt,
        "EOSVOLT_TOKEN": TOKEN,
        "SLACK_BOT_TOKEN": house.workspace.bot_token,
        "SLACK_APP_TOKEN": house.workspace.app_token,
        "SLACK_API_URL": house.server.api_url,
        "DATABASE_URL": house.database_url,
        "CHARGEHAND_RULES": str(ROOT / "rules/library/connector-faulted.yaml"),
        "CHARGEHAND_ALERT_CHANNEL": "#ev-alerts",
        "CHARGEHAND_ADMINS": "U0ADA00001",
        "CHARGEHAND_WORKSPACE_ADMINS": "true",
        "CHARGEHAND_POLL_INTERVAL": "1",
    }


def programs() -> set[str]:
    return {line.split()[0] for line in COMMANDS}


def test_only_programs_are_named_that_can_be_run_here() -> None:
    assert programs() == {".venv/bin/chargehand", "curl", "promtool"}
    assert len(COMMANDS) >= 12


async def test_each_command_works_as_it_stands(house: House, tmp_path: Path) -> None:
    for program in ("curl", "promtool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is absent: it was not found")
    given = environment(house, tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    service: asyncio.subprocess.Process | None = None
    try:
        for command in COMMANDS:
            if command == f"{CHARGEHAND}run":
                service, given["PORT"] = await started(given, tmp_path)
                continue
            if " db restore " in command:
                assert service is not None
                refused = await asyncio.to_thread(command_line, shlex.split(command)[1:], tmp_path, given)
                assert "Another Chargehand (process" in refused.err, "it runs"
                service.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(service.wait(), 60) == 0
            code, told = await asyncio.to_thread(run, command, given, tmp_path)
            assert code == 0, f"{command}\n{told}"
    finally:
        if service is not None and service.returncode is None:
            service.kill()
            await service.wait()


async def started(given: dict[str, str], folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """The service as a process of its own, at work on a port that the system chose."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot.cli.main",
        "run",
        cwd=folder,
        env=given | {"PORT": "0"},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    lines: list[bytes] = []
    async with asyncio.timeout(60):
        while not lines or b'"event": "at work"' not in lines[-1]:
            lines.append(await process.stderr.readline())
            assert lines[-1], b"".join(lines).decode()
    port = re.search(rb'"port": (\d+)', lines[-1])
    assert port is not None
    return process, port[1].decode()


def run(command: str, given: dict[str, str], folder: Path) -> tuple[int, str]:
    if command.startswith(CHARGEHAND):
        done = command_line(shlex.split(command)[1:], folder, given)
        return done.code, done.out + done.err
    shell = subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, env=given, capture_output=True, text=True, check=False
    )
    return shell.returncode, shell.stdout + shell.stderr


def test_every_alert_has_its_page_of_what_to_do() -> None:
    rules = (ROOT / "examples" / "monitoring" / "chargehand.rules.yml").read_text()
    heads = {
        line.removeprefix("### ").lower() for line in OPERATIONS.read_text().splitlines() if line.startswith("### ")
    }
    assert set(re.findall(r"docs/operations\.md#(\w+)", rules)) == heads
    named = set(re.findall(r"\bchargehand_\w+", OPERATIONS.read_text()))
    assert named <= set(MEANINGS)


def test_the_container_runs_as_nobody_special_and_holds_no_secret() -> None:
    lines = (ROOT / "deploy" / "Containerfile").read_text().splitlines()
    last = next(number for number, line in reversed(list(enumerate(lines))) if line.startswith("FROM"))
    final = lines[last:]
    users = [line.split()[1] for line in final if line.startswith("USER")]
    assert users[-1].isdigit()
    assert int(users[-1]) > 0
    assert any(line.startswith("HEALTHCHECK") and "livez" in "".join(final) for line in final)
    assert not re.search(r"TOKEN|SECRET|PASSWORD", "\n".join(final))
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", ".git", "*.db*"} <= set(ignored)
    for copied in re.findall(r"^COPY (?!--from)(.*) \S+$", "\n".join(lines), re.MULTILINE):
        assert all((ROOT / name).exists() for name in copied.split())


def test_the_lock_to_run_with_is_part_of_the_whole_lock_and_has_no_test_tools() -> None:
    def pinned(name: str) -> set[str]:
        return set(re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / name).read_text(), re.MULTILINE))

    small, whole = pinned("requirements-run.lock"), pinned("requirements.lock")
    assert small < whole
    assert not {"pytest", "hypothesis", "mypy", "ruff", "playwright"} & {pin.partition("==")[0] for pin in small}


def test_the_unit_of_the_system_can_be_read(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is absent: systemd-analyze was not found")
    unit = (ROOT / "deploy" / "chargehand.service").read_text()
    assert "DynamicUser=yes" in unit
    assert "Environment=HOME=/var/lib/chargehand" in unit, "a dynamic user has none, and the Slack SDK asks for one"
    file = tmp_path / "chargehand.service"
    file.write_text(unit.replace("/opt/chargehand/.venv/bin/chargehand", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
