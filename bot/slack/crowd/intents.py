"""Writes down what people want, in time or not at all: those who wait at the same moment share one transaction.

Each intent stands in a savepoint of its own, so that one that fails takes no other with it. It knows nothing of what
an intent means.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from bot.slack.crowd.together import Together
from storage.engine import Database

T = TypeVar("T")

WRITE_SECONDS = 2.0
"""Slack shows a click as failed after 3 s; an intent that is not written by now is given up, visibly."""

COMMIT_SECONDS = 0.6
"""How much longer a commit that has begun is waited for; then the person is told that it is not known yet."""

MOST_TOGETHER = 20
"""In one transaction, so that it is short."""


class TooLateError(Exception):
    """An intent could not be written in time: it was not written, and will not be."""


class NotKnownYetError(Exception):
    """An intent is being committed, or was when the connection broke: whether it was written is not known."""


class Patience:
    """Whether an intent is still wanted, agreed on between who waits and who writes: only one of them decides."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._over = self._decided = False

    def check(self) -> None:
        """Raise TooLateError once nobody waits any more."""
        with self._lock:
            if self._over or (time.monotonic() > self._deadline and not self._decided):
                raise TooLateError

    def end(self) -> bool:
        """From here the intent is committed, however long that takes; False where nobody waits any more."""
        with self._lock:
            if self._over or (time.monotonic() > self._deadline and not self._decided):
                return False
            self._decided = True
            return True

    @property
    def decided(self) -> bool:
        """Whether the commit has begun."""
        with self._lock:
            return self._decided

    def give_up(self) -> bool:
        """Wait no longer; False where the commit has begun, so that it must be waited for."""
        with self._lock:
            self._over = not self._decided
            return self._over


@dataclass(frozen=True, slots=True)
class _Intent:
    write: Callable[[Connection], Any]
    patience: Patience


class _GivenUp(Exception):  # noqa: N818 - read as what happened
    """A transaction holds what nobody waits for any more; it is made again without these of its intents."""

    def __init__(self, numbers: set[int]) -> None:
        super().__init__()
        self.numbers = numbers


class _Broken(Exception):  # noqa: N818 - read as what happened
    """An intent broke the transaction of all: each is written by itself."""


class Intents:
    """The intents of one process. `go_on` is called where one was committed whose person waits no longer."""

    def __init__(
        self,
        database: Database,
        go_on: Callable[[], None],
        write_seconds: float = WRITE_SECONDS,
        commit_seconds: float = COMMIT_SECONDS,
    ) -> None:
        self._database = database
        self._go_on = go_on
        self.write_seconds = write_seconds
        self.commit_seconds = commit_seconds
        self._together = Together(self._write_all, most=MOST_TOGETHER)

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a write transaction whose commit begins within `write_seconds`, or never.

        Raises TooLateError; nothing is written after it was raised, so that the person may simply click again. Raises
        NotKnownYetError where the commit has begun and does not come to its end in time, and what the function raises.
        """
        patience = Patience(time.monotonic() + self.write_seconds)
        working: asyncio.Task[T] = asyncio.create_task(self._together.ask(_Intent(function, patience)))
        await asyncio.wait({working}, timeout=self.write_seconds)
        if not working.done() and patience.give_up():
            working.add_done_callback(_forget)
            raise TooLateError
        await asyncio.wait({working}, timeout=self.commit_seconds)
        if not working.done():
            working.add_done_callback(self._act_after_all)
            raise NotKnownYetError
        try:
            return working.result()
        except DBAPIError as error:
            if patience.decided and error.connection_invalidated:
                raise NotKnownYetError from error
            raise

    def _act_after_all(self, working: "asyncio.Task[Any]") -> None:
        """Let what was committed after all be acted on, though the person was told that it is not known yet."""
        _forget(working)
        self._go_on()

    def _write_all(self, intents: Sequence[_Intent]) -> list[Any]:
        """Write several in one transaction; what each gave or raised, in their order."""
        if len(intents) == 1:
            return [self._write_alone(intents[0])]
        try:
            return self._write_together(intents)
        except _GivenUp as late:
            wanted = [intent for number, intent in enumerate(intents) if number not in late.numbers]
            written = iter(self._write_all(wanted) if wanted else ())
            return [TooLateError() if number in late.numbers else next(written) for number in range(len(intents))]
        except _Broken:
            return [self._write_alone(intent) for intent in intents]
        except Exception as error:
            return [error] * len(intents)

    def _write_alone(self, intent: _Intent) -> Any:
        try:
            with self._database.write() as connection:
                intent.patience.check()
                result = intent.write(connection)
                if not intent.patience.end():
                    raise TooLateError  # noqa: TRY301 - so that nothing is committed
        except Exception as error:
            return error
        return result

    def _write_together(self, intents: Sequence[_Intent]) -> list[Any]:
        with self._database.write() as connection:
            outcomes = [_written(connection, intent) for intent in intents]
            late = {
                number
                for number, (intent, outcome) in enumerate(zip(intents, outcomes, strict=True))
                if not isinstance(outcome, Exception) and not intent.patience.end()
            }
            if late:
                raise _GivenUp(late)
        return outcomes


def _written(connection: Connection, intent: _Intent) -> Any:
    """What an intent gives, written in a savepoint; what it raises, with nothing written."""
    savepoint = connection.begin_nested()
    try:
        intent.patience.check()
        result = intent.write(connection)
        savepoint.commit()
    except Exception as error:
        try:
            savepoint.rollback()
        except Exception:
            raise _Broken from error
        if connection.invalidated or not connection.in_transaction():
            raise _Broken from error
        return error
    return result


def _forget(task: "asyncio.Task[Any]") -> None:
    """Take note of how a task ended that nobody waits for."""
    if not task.cancelled():
        task.exception()
