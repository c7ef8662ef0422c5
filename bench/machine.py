"""What was measured on, and which versions of what: no name of a host, no path, no address.

It reads what the system says of itself and changes nothing.
"""

import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from storage.migrate import latest_revision
from tests.databases import server_binaries

PACKAGES = ("SQLAlchemy", "slack-bolt", "uvicorn", "httpx", "psycopg", "pydantic")


def machine() -> list[str]:
    """The machine, a fact a line."""
    load = os.getloadavg()[0]
    return [
        f"{os.cpu_count()} cores, {_first('/proc/cpuinfo', 'model name') or platform.machine()}",
        f"{_gigabytes(_first('/proc/meminfo', 'MemTotal'))} of memory",
        f"{platform.system()} ({_first('/etc/os-release', 'PRETTY_NAME', '=')})",
        f"load average {load:.1f} as the run began",
    ]


def versions() -> list[str]:
    """The versions of what takes part, a fact a line."""
    return [
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        ", ".join(_packages()),
        f"tables of revision {latest_revision()}",
        _said("prometheus", "--version") or "Prometheus: not installed",
        _postgresql() or "PostgreSQL: not installed",
    ]


def _packages() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name}: not installed"


def _postgresql() -> str:
    binaries = server_binaries()
    return _said(str(binaries / "postgres"), "--version") if binaries is not None else ""


def _said(program: str, argument: str) -> str:
    """The first line that a program says of its version, shortly; empty where there is none."""
    found = shutil.which(program)
    if found is None:
        return ""
    told = subprocess.run([found, argument], capture_output=True, text=True, check=False, timeout=20)
    return (told.stdout or told.stderr).partition("\n")[0].partition(" (branch")[0].strip()


def _first(path: str, name: str, sign: str = ":") -> str:
    """The value that a file of the system gives a name, empty where it has none."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    values = (line.partition(sign)[2].strip().strip('"') for line in lines if line.startswith(name))
    return next(values, "")


def _gigabytes(text: str) -> str:
    return f"{int(text.split(maxsplit=1)[0]) / 2**20:.0f} GB" if text else "an unknown amount"
