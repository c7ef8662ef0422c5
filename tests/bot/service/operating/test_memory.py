"""What was freed goes back to the system, threads share one arena, and another C library than glibc is left alone."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bot.service.app import build
from bot.service.operating import memory
from bot.service.operating.memory import WORTH_IT, Memory, of_glibc, share_one_arena
from tests.bot.house import House
from tests.conftest import ROOT

FREED = """
from bot.service.operating.memory import Memory, resident
memory = Memory()
memory.give_back()
blocks = [bytes(3_000) for _ in range(20_000)]
kept = blocks[::20]  # else the end of the heap shrinks by itself
held = resident()
del blocks
freed = resident()
again = [memory.give_back(), memory.give_back()]
print(held - freed, freed - resident(), *again)
"""
THREADS = """
import ctypes, sys, threading
from bot.service.operating.memory import share_one_arena
if sys.argv[1] == "shared":
    share_one_arena()
together = threading.Barrier(4)
def work():
    blocks = [bytes(3_000) for _ in range(100)]
    together.wait(60)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
ctypes.CDLL(None).malloc_stats()
"""


def run(program: str, *words: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout, done.stderr


def test_what_was_freed_goes_back_once() -> None:
    by_itself, given_back, first, second = run(FREED)[0].split()
    assert (first, second) == ("True", "False")
    assert int(by_itself) < 10_000_000
    assert int(given_back) > 30_000_000


def test_threads_share_one_arena() -> None:
    arenas = {how: run(THREADS, how)[1].count("Arena ") for how in ("shared", "apart")}
    assert arenas["shared"] == 1 < arenas["apart"]


def test_a_process_that_has_hardly_grown_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [100 << 20]
    trimmed: list[int] = []
    monkeypatch.setattr(memory, "resident", lambda: held[0])
    monkeypatch.setattr(memory, "of_glibc", lambda name: trimmed.append if name == "malloc_trim" else None)
    kept = Memory()
    done = []
    for bytes_held in (100 << 20, (100 << 20) + WORTH_IT - 1, 90 << 20, (90 << 20) + WORTH_IT, (90 << 20) + WORTH_IT):
        held[0] = bytes_held
        done.append(kept.give_back())
    assert done == [False, False, False, True, False]
    assert trimmed == [0]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []
    other = SimpleNamespace(mallopt=lambda *given: called.append(given), malloc_trim=called.append)
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: other)
    share_one_arena()
    assert (of_glibc("malloc_trim"), called) == (None, [])
    monkeypatch.setattr(memory, "resident", lambda: WORTH_IT)
    assert not Memory(least=1).give_back()

    def no_library(_name: object) -> None:
        raise OSError("static")

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    assert of_glibc("mallopt") is None


async def test_the_service_gives_back_what_is_free(closed_house: House) -> None:
    service = build(closed_house.settings(), clock=closed_house.clock)
    assert "memory" in {job.name for job in service.table()}
    await service.stop()
