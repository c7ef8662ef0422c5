"""People who act on chargers while chaos reigns: they type, read the preview and confirm, some of them twice.

What they confirmed is kept, so that nothing else than that may reach EOSVOLT; what came of it they do not wait for.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sandbox.eosvolt.faults import Command
from sandbox.slack import Message
from tests.bot.house import House

USERS = ("ada", "ole")
PATIENCE_SECONDS = 30.0
ANSWER_SECONDS = 5.0
CONFIRM = "confirm_command"


@dataclass
class People:
    """`typed` counts what was asked, `confirmed` by command how many previews of it somebody confirmed."""

    house: House
    typed: int = 0
    confirmed: Counter[str] = field(default_factory=Counter)
    _asking: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def ask(self, chance: random.Random) -> bool:
        """Let somebody who is free ask for something, in the background; whether somebody was."""
        free = [user for user in USERS if user not in self._asking or self._asking[user].done()]
        if free and (words := self._words(chance)):
            self.typed += 1
            again = chance.choice([0, 0, 1, 2])
            self._asking[free[0]] = asyncio.create_task(self._ask(free[0], words, again))
            return True
        return False

    async def leave(self) -> None:
        """Wait until nobody asks any more."""
        await asyncio.gather(*self._asking.values())
        self._asking.clear()

    def _words(self, chance: random.Random) -> str | None:
        """Something that may be asked for as the fleet is now; None where there is nothing of that kind."""
        word = chance.choice(["reset", "start", "stop", "unlock", "disable", "enable"])
        wanted = {"start": "Available", "stop": "Charging", "disable": "Available", "enable": "Unavailable"}
        chargers = list(self.house.fleet.world.chargers)
        if word == "reset":
            return f"reset {chance.choice(chargers).id}"
        found = [
            one["id"]
            for charger in chargers
            for one in charger.fields["connectors"]
            if one["status"] == wanted.get(word, one["status"])
        ]
        return f"{word} {chance.choice(found)}" if found else None

    async def _ask(self, user: str, words: str, again: int) -> None:
        before = len(self.house.workspace.ephemerals(user))
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while (preview := self._preview(user, before)) is None:
            if loop.time() > until:
                return
            await self._type(user, before, words)
        self.confirmed[words] += 1
        await asyncio.gather(*(self._click(user, preview) for _ in range(1 + again)))

    async def _type(self, user: str, before: int, words: str) -> None:
        """Type it, perhaps again because a service was killed meanwhile, and look at what is told for a while."""
        workspace = self.house.workspace
        outcome = await workspace.slash(user, "#ev-ops", "/charge", words)
        if not outcome.ok:
            await asyncio.sleep(0.5)
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while self._preview(user, before) is None:
                    await workspace.next_change(1)
        except TimeoutError:
            return

    async def _click(self, user: str, preview: Message) -> None:
        try:
            await self.house.workspace.click(user, preview, CONFIRM)
        except LookupError:  # the answer to the first click has taken its place
            return

    def _preview(self, user: str, before: int) -> Message | None:
        told = self.house.workspace.ephemerals(user)[before:]
        return next((one for one in told if _has_button(one.all_blocks)), None)


def _has_button(blocks: Any) -> bool:
    return any(
        element.get("action_id") == CONFIRM
        for block in blocks
        if block["type"] == "actions"
        for element in block["elements"]
    )


def words_of(house: House, command: Command) -> str:
    """What EOSVOLT received, in the words by which people ask for it."""
    body, path = command.body, command.path.strip("/").split("/")
    match path[-1]:
        case "reset":
            return f"reset {path[2]}"
        case "availability":
            return f"{'enable' if body['operative'] else 'disable'} {body['connectorId']}"
        case "stop":
            session = house.fleet.world.sessions.get(body["sessionId"])
            return f"stop {session.fields['connectorId'] if session is not None else '?'}"
        case word:
            return f"{word} {body['connectorId']}"
