"""What every listener works with: the database, people's rights, the way back to them, and the wake-up calls.

It answers words and writes intents within their time; it decides nothing about either.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from slack_bolt.async_app import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Asked, Errand, Mode, Office, not_in_plan, refused
from bot.slack.permissions import CLICK_LOOKUP_SECONDS, LOOKUP_SECONDS, SLACK_FAULTS, Permissions, Standing
from eosvolt.errors import EosvoltError, Forbidden, NotFound
from rules.actions.command_kinds import COMMANDS_PER_DAY
from storage.engine import Database
from storage.health import record_switched_off

log = structlog.get_logger()

T = TypeVar("T")

WRITE_SECONDS = 2.0
"""Slack shows a click as failed after 3 s; an intent that is not written by now is given up, visibly."""
REMEMBERED_EVENTS = 1_000


class TooLateError(Exception):
    """An intent could not be written in time: it was not written, and will not be."""


@dataclass(slots=True)
class Desk:
    """Shared by all listeners. `clock` is read once for each click, command or event.

    `adopt_rules` makes the stored rules those that are evaluated; `wake_reminders` lets what is newly quiet or loud say
    so; `tell_of_rule` enqueues what a change of a rule moved.
    """

    database: Database
    slack: AsyncWebClient
    permissions: Permissions
    clock: Callable[[], datetime]
    interval: timedelta
    zone: str
    office: Office
    wake_commands: Callable[[], None]
    wake_deliveries: Callable[[], None]
    commands_per_day: int = COMMANDS_PER_DAY
    automations: str = "dry-run"
    wake_reminders: Callable[[], None] = lambda: None
    adopt_rules: Callable[[], Awaitable[None]] | None = None
    tell_of_rule: Callable[..., None] | None = None
    write_seconds: float = WRITE_SECONDS
    _later: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # heavy work, one at a time
    _events: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED_EVENTS))

    def is_new_event(self, event_id: str) -> bool:
        """Whether an event was not seen since the start: Slack repeats what it believes unheard."""
        if event_id in self._events:
            return False
        self._events.append(event_id)
        return True

    async def answer(self, text: str, *, user: str, channel: str, offset: int = 0) -> Answer:
        """The answer to words as Slack sent them, for this person. What the words do is done once it is there."""
        words = registry.split(text)
        word = registry.find_word(words)
        mode = word.mode if word is not None else Mode.READS
        seconds = CLICK_LOOKUP_SECONDS if mode is Mode.WRITES else LOOKUP_SECONDS
        standing = await self.permissions.standing_of(user, seconds)
        card_channel = await self.card_channel(channel, user) if word is not None and word.acts else ""
        asked = Asked(
            words=(),
            user=user,
            role=standing.role,
            now=self.clock(),
            interval=self.interval,
            zone=self.zone,
            offset=offset,
            card_channel=card_channel,
            commands_per_day=self.commands_per_day,
            automations=self.automations,
            text=registry.rest_of(text, word),
        )
        if mode is not Mode.WRITES:
            look = self._read if mode is Mode.READS else self._rehearse
            answer = await asyncio.to_thread(look, words, asked, standing)
            return await self._run(answer, words) if isinstance(answer, Errand) else answer
        try:
            answer = await self.write(lambda connection: registry.answer(connection, words, asked, standing))
        except TooLateError:
            return too_late("Nothing was done")
        self.wake_reminders()
        self.wake_deliveries()
        return await self._run(answer, words) if isinstance(answer, Errand) else answer

    async def finish(self, answer: Answer) -> Answer | None:
        """What an answer says later, once it is known."""
        if answer.later is None:
            return None
        async with self._later:
            return await asyncio.to_thread(answer.later, self.database)

    async def _run(self, errand: Errand, words: tuple[str, ...]) -> Answer:
        """Ask outside; where EOSVOLT says that the account lacks it, note that and say so."""
        try:
            return await errand.run(self.office)
        except EosvoltError as error:
            if isinstance(error, Forbidden) or (isinstance(error, NotFound) and not errand.of_thing):
                await asyncio.to_thread(self._switch_off, errand.route, error)
                return not_in_plan(words[0], error.kind)
            log.warning("an answer could not be fetched", route=errand.route, error=str(error))
            again = f"/charge {' '.join(words)}"
            return refused("EOSVOLT could not be asked", reasons=[str(error)], mend="Try again:", examples=[again])

    def _switch_off(self, route: str, error: EosvoltError) -> None:
        with self.database.write() as connection:
            record_switched_off(connection, route, error.kind, self.clock())

    def _read(self, words: tuple[str, ...], asked: Asked, standing: Standing) -> Answer | Errand:
        with self.database.read() as connection:
            return registry.answer(connection, words, asked, standing)

    def _rehearse(self, words: tuple[str, ...], asked: Asked, standing: Standing) -> Answer | Errand:
        with self.database.write() as connection:
            return registry.answer(connection, words, asked, standing)

    async def card_channel(self, channel: str, user: str) -> str:
        """Where a command's card stands: where it was asked if the bot is there, else in a message to the person."""
        try:
            told = (await self.slack.conversations_info(channel=channel))["channel"]
        except SLACK_FAULTS:
            return user  # a place that the bot cannot see
        here = told.get("is_im") or told.get("is_member")
        return channel if here and not told.get("is_archived") else user

    async def write(self, function: Callable[[Connection], T]) -> T:
        """Run a function in one write transaction that is committed within `write_seconds`, or not at all.

        Raises TooLateError; nothing is written after it was raised, so that the person may simply click again.
        """
        deadline = time.monotonic() + self.write_seconds

        def work() -> T:
            with self.database.write() as connection:
                self._check(deadline)
                result = function(connection)
                self._check(deadline)
                return result

        try:
            return await asyncio.wait_for(asyncio.to_thread(work), self.write_seconds)
        except TimeoutError:
            raise TooLateError from None

    def _check(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise TooLateError


def too_late(what: str) -> Answer:
    """An intent could not be written in time, so nothing was done."""
    log.error("an intent could not be written in time")
    return refused(f"{what}: the database was too busy to write it down", mend="Please try again.")


async def whisper(respond: AsyncRespond, answer: Answer, **how: Any) -> None:
    """Answer a person alone through the response URL; `how` may say `replace_original` or `thread_ts`."""
    sent = await respond(text=answer.text, blocks=answer.blocks, response_type="ephemeral", **how)
    if sent.status_code != 200:
        log.warning("an answer was not taken by Slack", status=sent.status_code, told=sent.body[:200])
