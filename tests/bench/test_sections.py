"""One section that fails, ends or takes too long is told of, keeps what it had measured, and stops no other."""

import os
import threading
from pathlib import Path

from bench.measuring import Stopwatch
from bench.sections import AbsentError, Section, run_section
from bench.sizes import QUICK, Size


def lacks(watch: Stopwatch, _folder: Path, _size: Size) -> None:
    watch.note("before", 1.0)
    raise AbsentError("nothing is installed")


def breaks(watch: Stopwatch, _folder: Path, _size: Size) -> None:
    watch.note("before", 1.0)
    raise ValueError("broken")


def ends(watch: Stopwatch, _folder: Path, _size: Size) -> None:
    watch.note("before", 1.0)
    os._exit(3)


def lingers(watch: Stopwatch, _folder: Path, _size: Size) -> None:
    watch.note("before", 1.0)
    threading.Event().wait()  # nobody ever sets it: it is ended from outside


def test_what_goes_wrong_is_told_beside_what_was_measured() -> None:
    said = {}
    for work, most in ((lacks, 60.0), (breaks, 60.0), (ends, 60.0), (lingers, 1.0)):
        told, said[work.__name__] = run_section(Section(work.__name__, work, 60), QUICK, most)
        assert work is lingers or [one.name for one in told] == ["before"]
    assert said == {
        "lacks": "nothing is installed",
        "breaks": "ValueError: broken",
        "ends": "its process ended by itself",
        "lingers": "it took too long, and was ended",
    }
