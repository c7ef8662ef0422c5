"""Lists that take several polls: what came is kept and gone on from, also by another process, and nothing is lost."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from bot.service.jobs import Jobs, run_inline
from bot.service.polling.polls import poll
from eosvolt.client import EosvoltClient
from eosvolt.contract import load_contract
from eosvolt.listing import Walk
from eosvolt.tokens import TokenSource
from storage.engine import Database
from storage.polls import PollState, poll_states
from storage.schema import CHARGER, CONNECTOR, PLACE, SESSION, SET_ASIDE
from tests.bot.service.jobs.api_of_rows import charger_row, plug_row, session_row
from tests.readings import T0

pytestmark = pytest.mark.on_either_database

MINUTE = timedelta(minutes=1)
Rows = list[dict[str, Any]]


class LongApi:
    """An API of long lists, so many rows a page, and so many calls in five minutes; and what is polled of it.

    `rows` and `changed` may be changed between two pages by `between`, which is called at each.
    """

    def __init__(self, database: Database, page: int = 100, calls: int = 60, total: bool = True) -> None:
        self.database, self.page, self.calls, self.total = database, page, calls, total
        self.rows: dict[str, Rows] = {"locations": [{"id": "l1", "name": "Harbour"}], "chargers": [], "sessions": []}
        self.changed: dict[str, Rows] = {"chargers": [], "sessions": []}
        self.asked: Counter[str] = Counter()
        self.refused = 0
        self.endless = False
        self.between: Callable[[str, int], None] = lambda _resource, _number: None
        self.contract = load_contract()
        self._window: list[datetime] = []
        self.now = T0
        self.start()

    def start(self) -> None:
        """A process starts; one that ran before was killed."""
        source = TokenSource.from_text("tok-3c9f1e77-secret")
        client = EosvoltClient(
            "https://api.example.com",
            source,
            self.contract,
            transport=httpx.MockTransport(self._answer),
            attempts=1,
            clock=lambda: self.now,
        )
        self.jobs = Jobs(self.database, client, run=run_inline)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        resource = request.url.path.rsplit("/", 1)[-1]
        self._window = [moment for moment in self._window if moment > self.now - 5 * MINUTE]
        if len(self._window) >= self.calls:
            self.refused += 1
            wait = self._window[0] + 5 * MINUTE - self.now
            return httpx.Response(429, json={"code": "rate_limited"}, headers={"retry-after": str(wait.seconds)})
        self._window.append(self.now)
        changes = request.url.params.get("updatedSince") is not None
        self.asked[resource] += 1
        number = int(request.url.params["page"])
        self.between(resource, number)
        rows = self.changed[resource] if changes else self.rows[resource]
        start = (number - 1) * self.page
        if self.endless and resource == "sessions":
            rows, start = [session_row(f"{number}-{one}", "c1", T0) for one in range(self.page)], 0
            return self._good({"data": rows, "hasNextPage": True})
        if self.endless and resource == "chargers" and not changes:
            named = [f"{number}-{one}" for one in range(self.page)]
            rows = [charger_row(f"new{one}", plug_row(f"new{one}.1")) for one in named]
            return self._good({"data": rows, "hasNextPage": True})
        told: dict[str, Any] = {"data": rows[start : start + self.page]}
        return self._good(told | ({"total": len(rows)} if self.total else {}))

    @staticmethod
    def _good(told: dict[str, Any]) -> httpx.Response:
        return httpx.Response(200, content=json.dumps(told), headers={"content-type": "application/json"})

    async def tick(self, minutes: int = 1) -> frozenset[str]:
        """So many minutes pass, each with a poll: what was fresh at the last."""
        fresh = frozenset[str]()
        for _ in range(minutes):
            self.now += MINUTE
            fresh = await poll(self.jobs, self.now)
        return fresh

    def state(self, resource: str) -> PollState:
        with self.database.read() as connection:
            return poll_states(connection)[resource]

    def stored(self, table: sa.Table, *where: Any) -> set[str]:
        with self.database.read() as connection:
            return set(connection.execute(sa.select(table.c.id).where(*where)).scalars())

    def places(self) -> set[str]:
        with self.database.read() as connection:
            return set(connection.execute(sa.select(PLACE.c.resource)).scalars())


def sessions(number: int) -> Rows:
    started = T0 - timedelta(days=1)
    return [session_row(f"s{one}", f"c{one % 50}", started + one * timedelta(seconds=1)) for one in range(number)]


def chargers(number: int) -> Rows:
    return [charger_row(f"ch{one}", plug_row(f"{one}.1")) for one in range(number)]


@pytest.mark.parametrize("killed", [False, True], ids=["one life", "killed again and again"])
async def test_a_first_sync_of_20_000_sessions_ends_in_about_as_many_calls_as_there_are_pages(
    database: Database, killed: bool
) -> None:
    many = 20_000 if database.engine.dialect.name == "sqlite" and not killed else 3_000
    api = LongApi(database, calls=60 if many == 20_000 else 12)
    api.rows["sessions"] = sessions(many)
    for tick in range(200):
        if killed and tick % 3 == 2:
            api.start()
        await api.tick()
        if not api.state("sessions").failures:
            break
        assert api.places() == {"sessions"}
        assert f"of {many} rows have come so far" in (api.state("sessions").error or "")
    assert len(api.stored(SESSION)) == many
    assert api.asked["sessions"] + api.refused <= 1.2 * many / 100
    assert api.places() == set()
    # what changed since the first page is asked for next, and only then is anything fresh
    assert (api.state("sessions").good_at or api.now) <= T0 + MINUTE
    before = api.asked["sessions"]
    for _ in range(10):
        if "sessions" in await api.tick():
            break
    assert api.state("sessions").good_at == api.now
    assert api.asked["sessions"] == before + 1


@pytest.mark.parametrize("killed", [False, True], ids=["one life", "killed"])
async def test_rows_that_shift_between_the_polls_of_a_long_list_are_neither_lost_nor_gone(
    database: Database, killed: bool
) -> None:
    api = LongApi(database, page=10, calls=10_000)
    api.rows["chargers"] = chargers(45)
    await api.tick(2)
    assert len(api.stored(CHARGER)) == 45
    api.calls = 4
    new = chargers(60)[45:]

    def shift(resource: str, number: int) -> None:
        if resource == "chargers" and new:
            api.rows["chargers"].insert(0, new.pop())  # at the front: every row behind it moves on
            api.rows["chargers"].append(api.rows["chargers"].pop(1))  # and one moves to the end, the rest back

    api.between = shift
    for tick in range(200):
        if killed and tick % 4 == 3:
            api.start()
        await api.tick()
    assert not new
    assert api.stored(CHARGER, CHARGER.c.gone_at.is_(None)) == {f"ch{one}" for one in range(60)}
    with database.read() as connection:
        assert connection.execute(sa.select(SET_ASIDE)).all() == []


@pytest.mark.parametrize("calls", [8, 10_000], ids=["over several polls", "at once"])
async def test_a_thing_that_is_gone_from_a_list_of_several_pages_is_told(database: Database, calls: int) -> None:
    api = LongApi(database, page=10, calls=10_000)
    api.rows["chargers"] = chargers(60)
    await api.tick(2)
    api.calls = calls
    del api.rows["chargers"][10]
    for _ in range(250):
        await api.tick()
        if api.stored(CHARGER, CHARGER.c.gone_at.is_not(None)):
            break
    assert api.stored(CHARGER, CHARGER.c.gone_at.is_not(None)) == {"ch10"}


async def test_what_came_but_could_not_be_written_is_asked_for_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = LongApi(database, page=10, calls=8)
    api.rows["sessions"] = sessions(300)
    await api.tick()

    def broken(*_: Any) -> Any:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("bot.service.polling.polls.record_answers", broken)
        for _ in range(3):
            with pytest.raises(OSError, match="disk"):
                await api.tick(10)
    for _ in range(200):
        await api.tick()
    assert len(api.stored(SESSION)) == 300


async def test_a_list_that_never_ends_costs_a_bounded_number_of_calls_at_each_poll_and_is_told(
    database: Database,
) -> None:
    api = LongApi(database, page=1, calls=10**9)
    api.rows["sessions"] = sessions(3)
    await api.tick(2)
    api.endless = True
    costs = []
    for _ in range(6):
        before = api.asked["sessions"]
        await api.tick()
        costs.append(api.asked["sessions"] - before)
    assert max(costs) <= 50
    assert "rows have come so far" in (api.state("sessions").error or "")
    assert api.state("sessions").failures == 6
    api.endless = False
    assert await api.tick(3) >= {"sessions"}, "once it ends again, all is well"


@pytest.mark.parametrize("damage", ["{", "[]", '{"asked": 1}', '{"asked": "GET /other", "number": 3}'])
async def test_a_place_that_cannot_be_read_is_none(database: Database, damage: str) -> None:
    api = LongApi(database, page=10, calls=8)
    api.rows["sessions"] = sessions(100)
    await api.tick()
    with database.write() as connection:
        connection.execute(sa.update(PLACE).values(bookmark_json=damage))
    api.start()
    api.calls = 1000
    await api.tick(10)
    assert len(api.stored(SESSION)) == 100
    assert api.state("sessions").failures == 0


async def test_what_changes_while_a_sweep_takes_several_polls_is_seen_at_once(
    database: Database, tmp_path: Path
) -> None:
    """A new status on a page that was walked already; polls are good all the while, and in the end all is swept."""
    api = LongApi(database, page=4, calls=10**9)
    bounds = tmp_path / "bounds.toml"
    bounds.write_text("[limits]\nlongest_list_seconds = 0.001\n")
    api.rows["chargers"] = chargers(60)
    await api.tick(2)
    api.contract = load_contract(bounds)
    api.start()
    api.now += timedelta(hours=1)
    polls = 0
    while polls == 0 or api.jobs.lists.get("chargers") is not None:
        status = "Faulted" if polls % 2 else "Available"
        api.changed["chargers"] = api.rows["chargers"][:1] = [charger_row("ch0", plug_row("0.1", status=status))]
        assert "chargers" in await api.tick() or polls == 0
        polls += 1
        with database.read() as connection:
            found = connection.execute(sa.select(CONNECTOR.c.status).where(CONNECTOR.c.id == "0.1")).scalar_one()
        assert found == status or polls == 1
    assert polls > 3
    assert (api.state("chargers").failures, api.state("chargers").good_at) == (0, api.now)
    assert api.now - (api.state("chargers").swept_at or T0) == (polls - 1) * MINUTE, "as old as its first page"
    assert api.stored(CHARGER, CHARGER.c.gone_at.is_not(None)) == set()


async def test_a_list_of_chargers_without_an_end_is_bounded_goes_on_in_small_steps_and_is_told(
    sqlite: Database, tmp_path: Path
) -> None:
    api = LongApi(sqlite, page=5, calls=10**9)
    bounds = tmp_path / "bounds.toml"
    bounds.write_text("[limits]\nmost_things = 600\n")
    api.contract = load_contract(bounds)
    api.start()
    api.rows["chargers"] = chargers(20)
    await api.tick(2)
    api.endless = True
    api.changed["chargers"] = [charger_row("ch0", plug_row("0.1", status="Faulted"))]
    api.now += timedelta(hours=1)
    kept, costs, told = [], [], set()
    for _ in range(12):
        before = api.asked["chargers"]
        await api.tick()
        costs.append(api.asked["chargers"] - before)
        left = api.jobs.lists.get("chargers")
        kept.append(len(left.rest.sweep._rows) if left is not None and isinstance(left.rest, Walk) else 0)
        told |= {one.told for one in api.jobs.unended.values()}
    assert max(kept) <= 305, "chargers with one connector each: two things"
    assert any("limits.most_things" in one for one in told)
    ended = next(place for place, number in enumerate(kept) if place and number < kept[place - 1])
    assert set(costs[ended + 1 : ended + 3]) <= {20, 21, 22}, "20 pages a poll, and what changed beside them"
    with sqlite.read() as connection:
        assert (
            connection.execute(sa.select(CONNECTOR.c.status).where(CONNECTOR.c.id == "0.1")).scalar_one() == "Faulted"
        )
    api.endless = False
    await api.tick(10)
    assert (api.jobs.unended, api.state("chargers").failures) == ({}, 0)
