"""A connection of PostgreSQL's driver of which each wait has an end. It knows no settings and no table."""

from typing import Any, TypeVar

import psycopg
from psycopg import errors, pq
from psycopg.abc import PQGen

Result = TypeVar("Result")

ANSWER_SECONDS = 45.0
"""How long one statement may take: the server ends it before, and where it does not, this side does."""


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that waits for an answer for so many seconds, then is closed; None waits without end."""

    answer_seconds: float | None = ANSWER_SECONDS
    pooled = False  # a pooler stands in between

    def end_reading(self) -> None:
        """Undo a transaction, and keep what is prepared: `rollback` lets go of it, so that all is planned anew.

        Not for one that made a table, or that failed.
        """
        if self.info.transaction_status != pq.TransactionStatus.INTRANS:
            return
        with self.lock:
            self.wait(self._exec_command(b"ROLLBACK"))

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """As psycopg waits, with an end."""
        try:
            return super().wait(gen, interval, timeout if timeout is not None else self.answer_seconds)
        except errors._WaitTimeout:
            self.pgconn.finish()  # what it was asked may still happen, and nothing more can be learned of it here
            raise psycopg.OperationalError("the server does not answer") from None
