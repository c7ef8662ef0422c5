"""What a database error means for people: which mend it wants, and whether it can have come after the commit.

It knows the few errors that an operator can mend; any other is a fault of ours. No SQL and no value is in its words.
"""

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError


@dataclass(frozen=True, slots=True)
class Mend:
    """What is the matter with the database, and what somebody can do about it, as sentences."""

    what: str
    mend: str


FULL = Mend("the disk of the database is full", "Make room on it; Chargehand goes on by itself.")
AWAY = Mend("the database cannot be reached", "See that its server runs, and that DATABASE_URL is right.")
CLOSED = Mend("the database cannot be written", "See that its file and folder are there and may be written to.")
BUSY = Mend("the database is too busy", "Try again in a moment.")
DAMAGED = Mend("the database is damaged", "Stop Chargehand, and put a backup of it in its place.")

_SQLITE = (
    ("disk is full", FULL),
    ("disk i/o error", FULL),
    ("unable to open database file", CLOSED),
    ("readonly database", CLOSED),
    ("read-only", CLOSED),
    ("database is locked", BUSY),
    ("malformed", DAMAGED),
    ("not a database", DAMAGED),
)
_POSTGRESQL = {
    "53100": FULL,  # disk_full
    "53200": BUSY,  # out_of_memory
    "53300": BUSY,  # too_many_connections
    "25006": CLOSED,  # read_only_sql_transaction
    "40001": BUSY,  # serialization_failure
    "40P01": BUSY,  # deadlock_detected
    "55P03": BUSY,  # lock_not_available
    "XX001": DAMAGED,  # data_corrupted
    "XX002": DAMAGED,  # index_corrupted
}


def mend_of(error: BaseException) -> Mend | None:
    """What somebody can do about a database error; None where it is none, or a fault of ours."""
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return AWAY if str(state).startswith(("08", "57P")) else _POSTGRESQL.get(str(state))
    words = str(error.orig).lower()
    known = next((mend for told, mend in _SQLITE if told in words), None)
    if known is not None:
        return known
    is_away = error.connection_invalidated or (
        isinstance(error, OperationalError | InterfaceError) and _is_psycopg(error)
    )
    return AWAY if is_away else None


def _is_psycopg(error: DBAPIError) -> bool:
    # without a code of PostgreSQL's own: no connection was had, or it broke
    return type(error.orig).__module__.startswith("psycopg")
