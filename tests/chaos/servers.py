"""PostgreSQL servers that may be frozen, killed, copied to a standby and failed over to it; each on its own port."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.chaos.ports import free_port
from tests.databases import server_user

OPTIONS = "-c listen_addresses=127.0.0.1 -c unix_socket_directories='{folder}' -c fsync=off -c wal_keep_size=64MB"


@dataclass(slots=True)
class Server:
    """One server: `binaries` is where its programs are, `folder` where it keeps everything, `port` where it listens."""

    binaries: Path
    folder: Path
    port: int

    def make(self) -> None:
        """Make an empty cluster whose standbys may copy it."""
        self._run("initdb", "-D", str(self._data), "-U", "chargehand", "--auth=trust", "-E", "UTF8", "--no-sync")

    def copy(self, primary: "Server") -> None:
        """Be a standby of another one, by streaming replication."""
        source = f"host=127.0.0.1 port={primary.port} user=chargehand"
        self._run("pg_basebackup", "-R", "-D", str(self._data), "-d", source, "--checkpoint=fast", "--no-sync")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"{OPTIONS.format(folder=self.folder)} -c port={self.port}"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-o", options, "-l", str(self.folder / "log"), "start")

    def promote(self) -> None:
        """Let a standby be the primary from now on."""
        with psycopg.connect(self.connection, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")

    def freeze(self) -> None:
        """Let every process of it stand still."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a machine that loses its power does."""
        self._send(signal.SIGKILL)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    @property
    def connection(self) -> str:
        """How to reach it, for psycopg."""
        return f"host=127.0.0.1 port={self.port} user=chargehand dbname=postgres"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _send(self, number: signal.Signals) -> None:
        for pid in self._pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _pids(self) -> list[int]:
        """The first process, which makes no other once it stands still or is gone, and its children."""
        try:
            first = int((self._data / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:
            return []
        return [first, *children_of(first)]

    def _run(self, program: str, *words: str) -> None:
        found = (self.binaries / "initdb").resolve().parent  # beside what a link may only name some of
        command = [str(found / program), *words]
        subprocess.run(command, check=True, user=server_user(), cwd=self.folder, stdout=subprocess.DEVNULL)


def children_of(pid: int) -> list[int]:
    """The processes that a process has made and that live."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


@contextlib.contextmanager
def servers(binaries: Path, number: int) -> Iterator[list[Server]]:
    """So many servers that are not made yet; all is ended and taken away afterwards."""
    made = []
    for _ in range(number):
        folder = Path(tempfile.mkdtemp(prefix="chargehand-pg-"))
        if (user := server_user()) is not None:
            shutil.chown(folder, user)
        made.append(Server(binaries, folder, free_port()))
    try:
        yield made
    finally:
        for server in made:
            server.kill()
            shutil.rmtree(server.folder, ignore_errors=True)
