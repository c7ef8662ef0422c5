"""The two stand-ins in a process of their own, so that the service has a core to itself, and orders to them.

The fleet there is the one of `bench.world`, and changes when it is told to. Nothing is measured but what people in
Slack would measure: how long a slash command takes to be acknowledged.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from bench.world import PLUGS, Fleet, connector, locations, place_of
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource
from sandbox.slack import SlackServer, SlackWorkspace
from sandbox.world.source import RefusedError
from sandbox.world.state import World
from sandbox.world.times import to_ms

TOKEN = "sandbox-token"
FLEET_LEAD = timedelta(hours=6)
"""How long a living fleet has lived when it is first asked: sessions are going on."""
ALL = 1_000_000
QUIET_SECONDS = 15.0
"""Where no answer came for so long, none comes any more: a command that was given up before it was sent has none."""

MakeFleet = Callable[[int, datetime], "StillFleet | FleetSource"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the service's settings need."""

    eosvolt: str
    slack: str
    bot_token: str
    signing_secret: str


@dataclass(frozen=True, slots=True)
class Typed:
    """How so many slash commands went: seconds until each was acknowledged, and until the last answer had come."""

    acknowledged: tuple[float, ...]
    seconds: float
    failed: int


class StillFleet:
    """A source of the stand-in API that changes when it is told to, and takes no command."""

    def __init__(self, connectors: int, now: datetime) -> None:
        self.world = World()
        self.start = now
        self.end: datetime | None = None
        at = to_ms(now)
        for place in locations(connectors):
            self.world.add_location(place.id, at, name=place.name)
        for charger in range(connectors // PLUGS):
            self.world.add_charger(str(charger), place_of(charger * PLUGS), at, name=f"Charger {charger}")
        fleet = Fleet(connectors)
        for number in range(connectors):
            one = connector(fleet, number)
            told = {"status": one.status, "errorCode": one.error_code, "powerKw": one.power_kw}
            self.world.add_connector(one.id, one.charger_id, at, **told, maxPowerKw=22.0, type="Type2")

    def turn(self, fleet: Fleet, now: datetime) -> None:
        """Let the first connectors be as the fleet has them at its turn."""
        for number in range(fleet.turned):
            one = connector(fleet, number)
            told = {"status": one.status, "errorCode": one.error_code, "powerKw": one.power_kw}
            self.world.set_connector(one.id, to_ms(now), **told)

    def advance_to(self, now: datetime) -> None:
        """Nothing happens by itself."""

    def is_down(self, _now: datetime) -> bool:
        return False

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise RefusedError(409, "still", "This fleet stands still.")

    start_session = stop_session = reset = unlock = set_availability = set_pricing = force_connector = _refuse
    force_online = _refuse


class Sandboxes:
    """The stand-ins of a block, from outside."""

    def __init__(self, line: Connection, addresses: Addresses) -> None:
        self._line = line
        self.addresses = addresses

    def turn(self, fleet: Fleet, now: datetime) -> None:
        """Let it be `now` there, and the fleet turn."""
        self._ask("turn", fleet, now)

    def let_it_be(self, now: datetime, *, down: bool = False) -> None:
        """Let it be `now` there, and the fleet live on until then; where it is `down`, EOSVOLT answers nobody."""
        self._ask("live", now, down)

    def type_commands(self, url: str, text: str, count: int, people: int) -> Typed:
        """Have so many people type `/charge text` one after the other, each waiting for its acknowledgement."""
        typed: Typed = self._ask("type", url, text, count, people)
        return typed

    def flood(self, url: str, text: str, rate: float, seconds: float) -> Typed:
        """Have `/charge text` typed so many times a second, whether or not those before were acknowledged."""
        typed: Typed = self._ask("flood", url, text, rate, seconds)
        return typed

    def _ask(self, *order: Any) -> Any:
        self._line.send(order)
        return self._line.recv()


@contextmanager
def sandboxes(connectors: int, now: datetime | None = None) -> Iterator[Sandboxes]:
    """The stand-ins with a fleet, served until the block ends; it is `now` there until a turn, else as it really is."""
    with _served(_still, connectors, now) as served:
        yield served


@contextmanager
def living(chargers: int, now: datetime) -> Iterator[Sandboxes]:
    """The stand-ins with a living fleet, in which it is `now` until it is let to be another time."""
    with _served(_living, chargers, now) as served:
        yield served


def _still(connectors: int, now: datetime) -> StillFleet:
    return StillFleet(connectors, now)


def _living(chargers: int, now: datetime) -> FleetSource:
    fleet = FleetSource(chargers, 7, now - FLEET_LEAD)
    fleet.world.set_past(to_ms(fleet.start), list)  # its quarter of a year of sessions would take minutes to make
    return fleet


@contextmanager
def _served(make: MakeFleet, size: int, now: datetime | None) -> Iterator[Sandboxes]:
    context = multiprocessing.get_context("spawn")
    line, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make, size, now), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Sandboxes(line, line.recv())
    finally:
        process.kill()
        process.join()


def _serve(line: Connection, make: MakeFleet, size: int, now: datetime | None) -> None:
    asyncio.run(_serve_until_killed(line, make, size, now))


async def _serve_until_killed(line: Connection, make: MakeFleet, size: int, now: datetime | None) -> None:
    moment = now

    def clock() -> datetime:
        return moment or datetime.now(UTC)

    source = make(size, clock())
    api = create_api(source, clock=clock, token=TOKEN)
    workspace = SlackWorkspace(rate_limited=False)

    async def turn(fleet: Fleet, at: datetime) -> None:
        nonlocal moment
        moment = at
        assert isinstance(source, StillFleet)
        source.turn(fleet, at)

    async def live(at: datetime, down: bool) -> None:
        nonlocal moment
        moment = at
        api.faults.answers_503 = ALL if down else 0
        workspace.deliveries.clear()

    async def type_commands(url: str, text: str, count: int, people: int) -> Typed:
        workspace.request_url = url
        return await _type(workspace, text, count, people)

    async def flood(url: str, text: str, rate: float, seconds: float) -> Typed:
        workspace.request_url = url
        return await _flood(workspace, text, rate, round(rate * seconds))

    orders: dict[str, Callable[..., Awaitable[Any]]] = {
        "turn": turn,
        "live": live,
        "type": type_commands,
        "flood": flood,
    }
    async with serving(api) as eosvolt, SlackServer(workspace) as slack:
        line.send(Addresses(eosvolt, slack.api_url, workspace.bot_token, workspace.signing_secret))
        while True:
            name, *arguments = await asyncio.to_thread(line.recv)
            line.send(await orders[name](*arguments))


async def _flood(workspace: SlackWorkspace, text: str, rate: float, count: int) -> Typed:
    """Type each command at its moment; over when each was answered, also those that were acknowledged too late."""
    took, late, began = list[float](), 0, time.perf_counter()
    before = _answers(workspace)

    async def one() -> None:
        nonlocal late
        typed_at = time.perf_counter()
        outcome = await workspace.slash("ada", "#ev-ops", "/charge", text)
        took.append(time.perf_counter() - typed_at)
        late += not outcome.ok

    async with asyncio.TaskGroup() as typing:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            typing.create_task(one())
    there, there_at = -1, time.perf_counter()
    while there < count and time.perf_counter() - there_at < QUIET_SECONDS:
        if _answers(workspace) - before > there:
            there, there_at = _answers(workspace) - before, time.perf_counter()
        await asyncio.sleep(0.1)  # each change would cost what is measured
    workspace.deliveries.clear()
    return Typed(tuple(took), there_at - began, max(late, count - there))


def _answers(workspace: SlackWorkspace) -> int:
    """How much the bot has told the person who types; Slackbot tells of what was not acknowledged."""
    return sum(message.user == workspace.team.bot_user for message in workspace.ephemerals("ada"))


async def _type(workspace: SlackWorkspace, text: str, count: int, people: int) -> Typed:
    """Type commands; the whole is over when as many answers have come as commands were acknowledged."""
    before, left = len(workspace.ephemerals("ada")), iter(range(count))
    took: list[float] = []
    failed = 0

    async def person() -> None:
        nonlocal failed
        for _ in left:
            began = time.perf_counter()
            outcome = await workspace.slash("ada", "#ev-ops", "/charge", text)
            took.append(time.perf_counter() - began)
            failed += not outcome.ok

    began = time.perf_counter()
    await asyncio.gather(*(person() for _ in range(people)))
    # each change would cost what is measured
    while len(workspace.ephemerals("ada")) - before < count and time.perf_counter() - began < 60:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - began
    failed += count - (len(workspace.ephemerals("ada")) - before)
    workspace.deliveries.clear()
    return Typed(tuple(took), seconds, failed)
