"""Copies of a whole database: made while the service runs, and put back while it does not.

SQLite is copied by its own online backup, PostgreSQL by pg_dump and pg_restore. A copy becomes visible only whole, and
is its owner's alone. Nothing here chooses when.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, make_url

from storage.engine import OWNER_ALONE, normalise_url
from storage.migrate import known_revisions
from storage.sharing.occupied import Occupation

PAGES = 2_000
"""How many pages (of 4 KiB) are copied at once: between two the service may write."""


class CopyError(Exception):
    """A copy that cannot be made or put back: why, with the mend."""


def backup(url: str, path: Path) -> None:
    """Write a copy of the database to a new file, also while the service runs."""
    address = make_url(normalise_url(url))
    if path.exists():
        raise CopyError(f"{path} is there already. Name a new file, or move that one away.")
    if not path.parent.is_dir():
        raise CopyError(f"{path.parent} is no folder. Make it first.")
    part = path.with_name(path.name + ".part")
    os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, OWNER_ALONE))
    try:
        if address.drivername.startswith("sqlite"):
            _copy_sqlite(_existing(address), part)
        else:
            _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={part}"], address)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, path: Path) -> Path | None:
    """Put a copy in the place of the database; where the one before is kept now, if it is a file.

    The service must be stopped: on SQLite one that runs raises OccupiedError. A copy that is damaged, or that a newer
    version made, is refused.
    """
    address = make_url(normalise_url(url))
    if not path.is_file():
        raise CopyError(f"{path} is no file. Name one that `chargehand db backup` wrote.")
    if not address.drivername.startswith("sqlite"):
        _run("pg_restore", ["--list", str(path)], None)  # is it a copy at all?
        options = ["--clean", "--if-exists", "--single-transaction", "--no-owner", "--no-privileges"]
        _run("pg_restore", [*options, f"--dbname={address.database}", str(path)], address)
        return None
    _check_sqlite(path)
    occupation = Occupation(url)
    occupation.take()
    try:
        return _replace_sqlite(Path(address.database or ""), path)
    finally:
        occupation.leave()


def _replace_sqlite(place: Path, path: Path) -> Path | None:
    part = place.with_name(place.name + ".part")
    os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, OWNER_ALONE))
    try:
        _copy_sqlite(path, part)
        kept = _put_aside(place)
        part.rename(place)
    finally:
        part.unlink(missing_ok=True)
    return kept


def _put_aside(place: Path) -> Path | None:
    if not place.exists():
        return None
    kept = place.with_name(place.name + ".before-restore")
    if kept.exists():
        raise CopyError(f"{kept} is there already, from the last restore. Move it away first.")
    _copy_sqlite(place, kept)  # with what its journal holds
    kept.chmod(OWNER_ALONE)
    for name in ("-wal", "-shm", ""):
        place.with_name(place.name + name).unlink(missing_ok=True)
    return kept


def _existing(address: URL) -> Path:
    place = Path(address.database or "")
    if not place.is_file():
        raise CopyError(f"There is no database at {place}. Check DATABASE_URL.")
    return place


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.execute("BEGIN")  # one moment of it, however long the copy takes and whoever writes
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=PAGES)
        writing.execute("PRAGMA journal_mode = DELETE")


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
            told = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            revision = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise CopyError(f"{path} is no copy of a database of Chargehand: {error}.") from None
    if told != "ok":
        raise CopyError(f"{path} is damaged: {told}. Restore another copy.")
    if revision is None or revision[0] not in known_revisions():
        raise CopyError(f"{path} is of a version that this one does not know. Run the version that made it.")


def _run(program: str, arguments: Sequence[str], address: URL | None) -> None:
    found = shutil.which(program)
    if found is None:
        raise CopyError(f"{program} is not installed. Install PostgreSQL's client programs (postgresql-client).")
    environment = {**os.environ, **(_environment(address) if address is not None else {})}
    done = subprocess.run(  # noqa: S603 - a program of PostgreSQL's, with arguments of ours
        [found, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise CopyError(f"{program} failed: {said.removeprefix(f'{program}: ')}")


def _environment(address: URL) -> Mapping[str, str]:
    """What PostgreSQL's programs read from the environment: a password on the command line could be read by others."""
    known = address.get_dialect()().create_connect_args(address)[1]  # of several hosts, all
    return {name: str(known[key]) for name, key in _OF_LIBPQ.items() if known.get(key)}


_OF_LIBPQ = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGSSLMODE": "sslmode",
    "PGTARGETSESSIONATTRS": "target_session_attrs",
}
