"""Answers people for every listener: their words looked up by their rights, their intents written in time or not.

It holds the database, the way back to people and the wake-up calls, and decides nothing about words or intents.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import structlog
from slack_bolt.async_app import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.slack.channel_names import ChannelNames
from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Asked, Errand, Mode, Office, Place, not_in_plan, refused
from bot.slack.charge.own_time import with_site_clock
from bot.slack.charge.shared_readings import Question, read_together
from bot.slack.charge.spoken import split
from bot.slack.crowd.intents import Intents, TooLateError
from bot.slack.crowd.together import Together
from bot.slack.crowd.turns import Turns
from bot.slack.permissions import Permissions, Standing
from bot.slack.places import find_place
from bot.slack.web_client import SLACK_FAULTS, TRIES, error_name, patiently, retry_after
from eosvolt.errors import EosvoltError, Forbidden, NotFound
from rules.actions.command_kinds import COMMANDS_PER_DAY
from storage.engine import Database
from storage.health import record_switched_off
from storage.heard import claim_request

log = structlog.get_logger()

T = TypeVar("T")

READINGS_APART = 0.05
"""Seconds. Nobody notices them in an answer, and under load they share one look at the database among many."""


class HeardBeforeError(Exception):
    """A request was acted on already; its text is the request's name."""


@dataclass(slots=True)
class Responder:
    """Shared by all listeners. `clock` is read once for each click, command or event.

    `adopt_rules` makes the stored rules those that are evaluated; `wake_reminders` lets what is newly quiet or loud say
    so; `tell_of_rule` enqueues what a change of a rule moved, `tell_of_act` what channels are told of somebody's act.
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
    alert_channel: str = ""
    names: ChannelNames = field(default_factory=ChannelNames)
    wake_reminders: Callable[[], None] = lambda: None
    adopt_rules: Callable[[], Awaitable[None]] | None = None
    tell_of_rule: Callable[..., None] | None = None
    tell_of_act: Callable[..., None] | None = None
    turns: Turns = field(default_factory=Turns)
    intents: Intents = field(init=False)
    _readings: "Together[Question, Answer | Errand]" = field(init=False)
    _later: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # heavy work, one at a time

    def __post_init__(self) -> None:
        self.intents = Intents(self.database, self._go_on)
        self._readings = Together(partial(read_together, self.database), apart=READINGS_APART)

    async def answer(
        self, text: str, *, user: str, channel: str, offset: int = 0, once: str = "", confirmed: bool = False
    ) -> Answer:
        """The answer to words as Slack sent them, for this person. What the words do is done once it is there.

        `once` is what tells the request from every other: raises HeardBeforeError where it was acted on already.
        `confirmed`: what the words do was shown first, and somebody pressed its button.
        """
        words = split(text)
        word = registry.find_word(words)
        mode = Mode.WRITES if confirmed else word.mode if word is not None else Mode.READS
        acts = word is not None and word.acts
        rest = registry.rest_of(text, word)
        told = {"offset": offset, "text": rest, "confirmed": confirmed}
        standing, asked = await self.asking(user, channel, writes=mode is Mode.WRITES, acts=acts, **told)
        if word is not None and word.places:
            asked = replace(asked, place=await self.place_of(text, channel, user))
        if mode is not Mode.WRITES:
            if mode is Mode.READS:
                answer = await self._readings.ask(Question(words, asked, standing))
            else:
                answer = await asyncio.to_thread(self._rehearse, words, asked, standing, once)
            if isinstance(answer, Errand) and mode is Mode.READS:  # the other has claimed it
                await self.claim(once)
            return await self._finished(answer, words, asked)
        try:
            answer = await self.write(lambda connection: self._act(connection, words, asked, standing), once)
        except TooLateError:
            return too_late("Nothing was done")
        self.wake_reminders()
        self.wake_deliveries()
        return await self._finished(answer, words, asked)

    async def asking(
        self, user: str, channel: str, *, writes: bool = False, acts: bool = False, **told: Any
    ) -> tuple[Standing, Asked]:
        """How a person stands, and a question of theirs without words; what acts is told where a card would stand.

        `told` are fields of the question that are known already.
        """
        asked_of = self.permissions.standing_at_click if writes else self.permissions.standing_of
        standing = await asked_of(user)
        asked = Asked(
            words=(),
            user=user,
            role=standing.role,
            now=self.clock(),
            interval=self.interval,
            zone=self.zone,
            own_zone=standing.zone,
            card_channel=await self.card_channel(channel, user) if acts else "",
            commands_per_day=self.commands_per_day,
            automations=self.automations,
            own_commands=self.office.client.own_commands,
            approvals=self.office.approvals,
            alert_channel=self.alert_channel,
            is_outside=bool(standing.outside),
            **told,
        )
        return standing, asked

    def _act(self, connection: Connection, words: tuple[str, ...], asked: Asked, standing: Standing) -> Answer | Errand:
        """What words do, with what channels are to be told of it."""
        answer = registry.answer(connection, words, asked, standing)
        if isinstance(answer, Answer) and answer.act is not None and self.tell_of_act is not None:
            self.tell_of_act(connection, answer.act, asked.now)
        return answer

    async def finish(self, answer: Answer) -> Answer | None:
        """What an answer says later, once it is known."""
        if answer.later is None:
            return None
        async with self._later:
            return await asyncio.to_thread(answer.later, self.database)

    async def _finished(self, answer: Answer | Errand, words: tuple[str, ...], asked: Asked) -> Answer:
        told = await self._run(answer, words) if isinstance(answer, Errand) else answer
        return with_site_clock(told, asked.own_zone, asked.zone, asked.now)

    def by_own_clock(self, answer: Answer, standing: Standing) -> Answer:
        """What a click is told, with the time at the sites where that is another than this person's."""
        return with_site_clock(answer, standing.zone, self.zone, self.clock())

    async def _run(self, errand: Errand, words: tuple[str, ...]) -> Answer:
        """Ask outside; where EOSVOLT says that the account lacks it, note that and say so."""
        try:
            return await errand.run(self.office)
        except EosvoltError as error:
            if isinstance(error, Forbidden) or (isinstance(error, NotFound) and not errand.of_thing):
                await asyncio.to_thread(self._switch_off, errand.route, error)
                return not_in_plan(words[0], error.kind, error.message)
            log.warning("an answer could not be fetched", route=errand.route, error=str(error))
            again = f"/charge {' '.join(words)}"
            return refused("EOSVOLT could not be asked", reasons=[str(error)], mend="Try again:", examples=[again])

    def _switch_off(self, route: str, error: EosvoltError) -> None:
        with self.database.write() as connection:
            record_switched_off(connection, route, error.kind, self.clock())

    def _rehearse(self, words: tuple[str, ...], asked: Asked, standing: Standing, once: str) -> Answer | Errand:
        with self.database.write() as connection:
            self._claim(connection, once)
            return registry.answer(connection, words, asked, standing)

    async def claim(self, once: str) -> None:
        """Note a request that writes nothing by itself; raises HeardBeforeError where it was heard before.

        Where the database cannot be written it goes on: an answer twice is better than none.
        """
        try:
            await self.write(lambda _: None, once)
        except (TooLateError, SQLAlchemyError) as error:
            log.warning("a request cannot be noted; should it come again, it is answered again", error=str(error)[:200])

    async def say(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call Slack to say something, again after its Retry-After while it answers 429."""
        return await patiently(call, self.office.wait)

    async def place_of(self, text: str, channel: str, user: str) -> Place:
        """The channel that words name, or where they were typed, or the person in their own messages."""
        seconds = self.permissions.click_seconds
        return await find_place(self.slack, self.names, text, channel=channel, user=user, seconds=seconds)

    async def card_channel(self, channel: str, user: str) -> str:
        """Where a command's card stands: where it was asked if the bot is there, else in a message to the person."""
        try:
            told = (await self.slack.conversations_info(channel=channel))["channel"]
        except SLACK_FAULTS:
            return user  # a place that the bot cannot see
        here = told.get("is_im") or told.get("is_member")
        return channel if here and not told.get("is_archived") else user

    async def write(self, function: Callable[[Connection], T], once: str = "") -> T:
        """Write an intent down in time or never, as `Intents.write` does.

        Raises what that raises, and HeardBeforeError where the request that `once` names was acted on already.
        """

        def work(connection: Connection) -> T:
            self._claim(connection, once)
            return function(connection)

        return await self.intents.write(work)

    def _go_on(self) -> None:
        """Let what was committed after all be acted on."""
        for wake in (self.wake_commands, self.wake_reminders, self.wake_deliveries):
            wake()

    def _claim(self, connection: Connection, once: str) -> None:
        if once and not claim_request(connection, once, self.clock()):
            raise HeardBeforeError(once)


def too_late(what: str) -> Answer:
    """An intent could not be written in time, so nothing was done."""
    log.error("an intent could not be written in time")
    answer = refused(f"{what}: the database was too busy to write it down", mend="Please try again.")
    return replace(answer, again=True)


async def whisper(respond: AsyncRespond, answer: Answer, **how: Any) -> None:
    """Answer a person alone through the response URL; `how` may say `replace_original` or `thread_ts`.

    A 429 is waited for; whatever else keeps the answer from Slack is logged, since what was asked is done.
    """
    for left in reversed(range(TRIES)):
        try:
            sent = await respond(text=answer.text, blocks=answer.blocks, response_type="ephemeral", **how)
        except SLACK_FAULTS as error:
            log.warning("an answer did not reach Slack", error=error_name(error))
            return
        pause = retry_after(sent.status_code, sent.headers)
        if pause is None or not left:
            break
        await asyncio.sleep(pause)
    if sent.status_code != 200:
        log.warning("an answer was not taken by Slack", status=sent.status_code, told=sent.body[:200])
