"""One service a SQLite file: a second is told, a killed one is out of the way at once, command lines work beside it."""

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from storage.engine import Database
from storage.migrate import upgrade
from storage.sharing.occupied import Occupation, OccupiedError
from storage.upkeep.copies import backup, restore
from tests.forks import KILLED, ended, running


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'chargehand.db'}"


def hold(url: str, ready: str) -> None:
    Occupation(url).take()
    Path(ready).write_bytes(b"")
    multiprocessing.Event().wait()


async def test_a_second_service_is_told_in_one_line_and_a_killed_one_is_gone_at_once(url: str, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    async with running(hold, url, str(ready)) as first:
        await asyncio.to_thread(ready.read_bytes)
        with pytest.raises(OccupiedError) as told:
            Occupation(url).take()
        assert f"(process {first.pid})" in str(told.value)
        assert "\n" not in str(told.value)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        assert await ended(first) == KILLED
    second = Occupation(url)
    second.take()
    second.leave()


def test_command_lines_work_beside_a_service_and_only_a_restore_waits_for_its_end(url: str, tmp_path: Path) -> None:
    occupation = Occupation(url)
    occupation.take()
    database = Database(url)
    upgrade(database)
    backup(url, tmp_path / "copy")
    database.close()
    with pytest.raises(OccupiedError):
        restore(url, tmp_path / "copy")
    occupation.leave()
    restore(url, tmp_path / "copy")


def test_what_is_no_file_has_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite://", "sqlite:///:memory:", "postgresql://u@db/name"):
        Occupation(url).take()
    assert list(tmp_path.iterdir()) == []
