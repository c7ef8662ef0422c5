"""How long the command line takes to say what it can do, and the service to be ready; beside both, bare Python.

Each start is a process of its own, with a fresh database or with the one that the start before has left. Bytecode is
there as it is where the package is installed, whatever the surroundings of the measurements say of it.
"""

import compileall
import os
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from bench.house import WrongWorldError
from bench.measuring import Stopwatch
from bench.sandboxes import TOKEN, Addresses, sandboxes
from bench.sizes import Size

ROOT = Path(__file__).parents[2]
PACKAGES = ("bot", "commands", "notify", "rules", "storage", "eosvolt")
FLEET = 400
MOST_SECONDS = 60
LOOK_SECONDS = 0.01


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Start each several times, in turn."""
    _compile()
    with sandboxes(FLEET) as world:
        for number in range(size.starts):
            _run(watch, "bare python", "-c", "pass")
            _run(watch, "start help", "-m", "bot.cli.main", "--help")
            fresh = _environment(world.addresses, folder / f"start{number}.db")
            for name in ("start ready, fresh database", "start ready"):
                _start(watch, name, fresh)
            if not watch.has_time(0.8):
                break


def _compile() -> None:
    """Write the bytecode of the product's modules, where it is not there."""
    for package in PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=2)


def _surroundings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") or name == "PYTHONPATH"}


def _environment(addresses: Addresses, path: Path) -> dict[str, str]:
    return {
        "EOSVOLT_BASE_URL": addresses.eosvolt,
        "EOSVOLT_TOKEN": TOKEN,
        "SLACK_BOT_TOKEN": addresses.bot_token,
        "SLACK_SIGNING_SECRET": addresses.signing_secret,
        "SLACK_API_URL": addresses.slack,
        "DATABASE_URL": f"sqlite:///{path}",
        "CHARGEHAND_ALERT_CHANNEL": "#ev-alerts",
        "CHARGEHAND_WORKSPACE_ADMINS": "true",
        "CHARGEHAND_RULES": str(ROOT / "rules/library"),
    }


def _run(watch: Stopwatch, name: str, *arguments: str) -> None:
    """A process from its start to its end."""
    began, cpu = time.perf_counter(), _of_children()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=_surroundings(), check=True, stdout=subprocess.DEVNULL)
    watch.note(name, time.perf_counter() - began, cpu=_of_children() - cpu)


def _start(watch: Stopwatch, name: str, told: Mapping[str, str]) -> None:
    """The service from its start until /readyz says that it can serve; then it is stopped."""
    port = _free_port()
    began, cpu = time.perf_counter(), _of_children()
    environment = {**_surroundings(), **told, "PORT": str(port)}
    command = [sys.executable, "-m", "bot.cli.main", "run"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet) as process:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - began > MOST_SECONDS:
                process.kill()
                raise WrongWorldError("the service ended, or was not ready in a minute")
            time.sleep(LOOK_SECONDS)
        took = time.perf_counter() - began
        process.terminate()
        process.wait()
    watch.note(name, took, cpu=_of_children() - cpu, note=NOTE)


NOTE = "The processor time of a start holds that of its stop too."


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _of_children() -> float:
    """The CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])
