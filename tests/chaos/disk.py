"""A small disk of its own, where the machine allows one to be mounted, so that a full one is a true one."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = bytes(4 * 1024)


@dataclass(frozen=True, slots=True)
class Disk:
    """Where it is mounted."""

    folder: Path

    def fill(self) -> None:
        """Let nothing more fit on it."""
        room = shutil.disk_usage(self.folder).free
        with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:
            os.posix_fallocate(ballast.fileno(), 0, room)
            while True:  # what has become free meanwhile
                ballast.seek(0, os.SEEK_END)
                ballast.write(BLOCK)

    def free(self) -> None:
        """Let things fit again."""
        (self.folder / "ballast").unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk | None]:
    """A disk of this size at a folder that it makes; None where this machine mounts none for us."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "none", str(folder)]
    try:
        mounted = subprocess.run(words, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield Disk(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
