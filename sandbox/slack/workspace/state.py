"""The state of a stand-in workspace: who and what there is, new ids and time stamps, waiting for a change.

It keeps and finds; it checks no right, calls no app and sends nothing.
"""

import asyncio
import mimetypes
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox.slack.workspace.clock import Clock, Deadlines
from sandbox.slack.workspace.faults import Faults
from sandbox.slack.workspace.model import Channel, File, Message, Team, User, UserGroup, View

T = TypeVar("T")
Json = dict[str, Any]

SLACKBOT = "USLACKBOT"
TRIGGER_LIFETIME = 3.0
SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "reactions:write",
    "team:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)


@dataclass
class Trigger:
    user: str
    issued_at: float
    used: bool = False


@dataclass
class ResponseUrl:
    """Where an app may answer one command or click: 5 times in 30 minutes."""

    user: str
    channel: str
    issued_at: float
    kind: str
    source: Message | None = None
    uses: int = 0


@dataclass
class Call:
    """One Web API call as it came in, for tests that count or read them; `error` is None when it was answered ok."""

    method: str
    arguments: Json
    at: float
    error: str | None = None


@dataclass
class WorkspaceState:
    """Everything in the workspace; `clock` answers seconds since 1970, `rate_limited` switches the limits on."""

    clock: Clock = time.time
    team: Team = field(default_factory=Team)
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, UserGroup] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    modals: dict[str, list[str]] = field(default_factory=dict)
    homes: dict[str, View] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    scopes: tuple[str, ...] = SCOPES
    rate_limited: bool = True
    edit_window: float | None = None
    base_url: str = "http://127.0.0.1"
    bot_token: str = "xoxb-sandbox"  # noqa: S105 (the sandbox's own, worth nothing elsewhere)
    app_token: str = "xapp-sandbox"  # noqa: S105 (the same)
    signing_secret: str = "sandbox-signing-secret"  # noqa: S105 (the same)

    def __post_init__(self) -> None:
        self.deadlines = Deadlines(self.clock)
        self.faults = Faults()
        self.calls: deque[Call] = deque(maxlen=10_000)
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.whispers: list[Message] = []
        self.last_post: dict[str, float] = {}
        self.updates: deque[float] = deque()
        self.tickets: set[str] = set()
        self.version = 0
        self._last_micros = 0
        self.counter = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def new_ts(self) -> str:
        """A time stamp of Slack's form, `seconds.microseconds`, larger than every one before."""
        self._last_micros = max(int(self.clock() * 1_000_000), self._last_micros + 1)
        return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    def new_number(self) -> int:
        self.counter += 1
        return self.counter

    def new_id(self, letter: str) -> str:
        """An id that no other thing of this workspace has: a letter and nine characters or more."""
        return f"{letter}0{self.new_number():08X}"

    def new_hash(self) -> str:
        return f"{int(self.clock())}.{self.new_number():08x}"

    def new_trigger(self, user: str) -> str:
        trigger = f"{self.new_number()}.{int(self.clock())}.{self.new_number():032x}"
        self.triggers[trigger] = Trigger(user, self.clock())
        return trigger

    def user(self, name: str) -> User:
        """A user by id, handle (`ada`, `@ada`) or real name; raises KeyError naming those there are."""
        for user in self.users.values():
            if name.lstrip("@") in (user.id, user.name) or name == user.real_name:
                return user
        raise KeyError(f"no user {name!r}; there are {[u.name for u in self.users.values()]}")

    def channel(self, name: str) -> Channel:
        """A channel by `#name`, name or id; raises KeyError naming those there are."""
        for channel in self.channels.values():
            if name == channel.id or (not channel.is_im and name.lstrip("#") == channel.name):
                return channel
        raise KeyError(f"no channel {name!r}; there are {[c.name for c in self.channels.values()]}")

    def direct_channel(self, user: str) -> Channel:
        """The direct conversation of a user with the bot, opened when there is none."""
        for channel in self.channels.values():
            if channel.im_user == user:
                return channel
        channel = Channel(self.new_id("D"), "", [user, self.team.bot_user], int(self.clock()), user, im_user=user)
        self.channels[channel.id] = channel
        return channel

    def all_messages(self) -> Iterator[Message]:
        for channel in self.channels.values():
            yield from (m for m in channel.messages if not m.deleted)

    def ephemerals(self, user: str) -> list[Message]:
        """What was shown to this user alone, oldest first, dismissed ones left out."""
        user_id = self.user(user).id
        return [m for m in self.whispers if m.ephemeral_to == user_id and not m.deleted]

    def home(self, user: str) -> View | None:
        """The published Home tab of a user."""
        return self.homes.get(self.user(user).id)

    def modal(self, user: str) -> View | None:
        """The modal on top, as this user sees it now."""
        stack = self.modals.get(self.user(user).id)
        return self.views[stack[-1]] if stack else None

    def find_file(self, reference: str) -> File | None:
        return next((f for f in self.files.values() if f.id == reference or f"-{f.id}/" in reference), None)

    def file_exists(self, reference: str) -> bool:
        found = self.find_file(reference)
        return found is not None and found.is_complete

    def new_file(self, name: str, length: int, title: str = "", alt_text: str = "") -> File:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = File(self.new_id("F"), name, length, int(self.clock()), title or name, alt_text, kind)
        self.files[file.id] = file
        return file

    def changed(self) -> None:
        """Tell everyone who waits that something is different now."""
        self.version += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def next_change(self, seconds: float) -> bool:
        """Whether anything changed within this many real seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=seconds)
            return waiter.done()
        finally:
            waiter.cancel()
            self._waiters.discard(waiter)

    async def wait_for(
        self,
        predicate: Callable[[], T | None],
        timeout: float = 30.0,  # noqa: ASYNC109 (its TimeoutError says what was seen instead)
    ) -> T:
        """The first true answer of `predicate`, asked again after each change.

        Raises TimeoutError after `timeout` real seconds, with the newest messages and calls.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        while not (answer := predicate()):
            if loop.time() >= end:
                raise TimeoutError(f"not seen within {timeout} s; {self.summary()}")
            await self.next_change(min(0.05, end - loop.time()))  # what is asked for may change unseen by Slack
        return answer

    def summary(self) -> str:
        """The newest messages and calls in a few words, for error texts."""
        newest = sorted([*self.all_messages(), *self.whispers], key=lambda m: m.ts)[-5:]
        said = [f"{m.channel} {m.user}: {m.text[:80]!r}" for m in newest]
        called = [f"{c.method}={c.error or 'ok'}" for c in list(self.calls)[-8:]]
        return f"newest messages {said}, newest calls {called}"
