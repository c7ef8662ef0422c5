"""A service that dies between any two steps of an action: EOSVOLT is asked once, and the card tells how it ended."""

import shutil
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.requests.enqueue import enqueue_command
from storage.engine import Database
from tests.commands.automations.place import CHARGER, RULE, Died, Place, place_on
from tests.examples import examples

POINTS = ("polled", "evaluated", "decided", "before_call", "after_call", "before_mark", "after_mark", "commanded")


QUICK = {**RULE, "for": "1m", "actions": [{"reset": "soft", "within": "1m"}]}


async def live(place: Place, ticks: int, point: str | None = None, times: int = 1) -> None:
    """So many ticks, in which the service dies at the point, up to so many times, and starts again."""
    left = times

    def die(reached: str) -> None:
        nonlocal left
        if reached == point and left and place.alerts() and "firing" in place.alerts():
            left -= 1
            raise Died

    for _ in range(ticks):
        try:
            await place.tick(die=die)
        except Died:
            place.react()
            place.restart()


@pytest.mark.parametrize("helps", [True, False], ids=["it helps", "it does not"])
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_step_again_and_again(sqlite: Database, point: str, helps: bool) -> None:
    async with place_on(sqlite, QUICK) as place:
        place.ends = "Available" if helps else None
        place.fault()
        await live(place, 24, point, times=3)
        # a death before the call may cost the attempt: what may have run is never sent again
        assert len(place.posts) == (0 if point == "before_call" else 1)
        assert len(place.commands()) == 1
        assert len(place.tries()) == 1
        (card,) = place.cards()
        assert ("Resolved" if place.posts and helps else "\N{LARGE ORANGE CIRCLE}") in card


@pytest.mark.parametrize("points", list(product(("decided", "before_call", "after_mark"), repeat=2)), ids=str)
async def test_no_two_deaths_make_a_second_command(sqlite: Database, points: tuple[str, str]) -> None:
    async with place_on(sqlite, QUICK) as place:
        place.ends = None
        place.fault()
        for point in points:
            await live(place, 6, point)
        await live(place, 10)
        assert len(place.posts) <= 1
        assert len(place.commands()) == 1


DISTURBANCES = ("lose answer", "no connection", "connection", "broken API", "well API", "offline", "online")
EPISODE = st.tuples(
    st.lists(st.sampled_from([*DISTURBANCES, "restart", "person"]), max_size=2),
    st.booleans(),  # whether a reset helps
    st.integers(2, 7),  # ticks until the fault is over
    st.sampled_from([None, None, *POINTS]),  # where the service dies
)
"""One fault: what disturbs it before, whether a reset mends it, how long it lasts, and where the service dies in it."""


@given(story=st.lists(EPISODE, min_size=4, max_size=7), limit=st.integers(1, 2), total=st.integers(1, 2))
@settings(
    max_examples=examples(15),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
async def test_no_story_makes_more_commands_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, story: list[Any], limit: int, total: int
) -> None:
    path = tmp_path_factory.mktemp("story") / "chargehand.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}", durable=False)
    step = {"within": "1m", "cool_down": 0, "limit": f"{limit} per 24h", "limit_total": f"{total} per 24h"}
    rule = {**RULE, "for": 0, "actions": [{"reset": "soft", **step}, {"reset": "hard", **step}]}
    async with place_on(database, rule) as place:
        for number, (before, helps, ticks, point) in enumerate(story):
            for word in before:
                disturb(place, word, number)
            place.ends = "Available" if helps else None
            place.fault()
            await live(place, ticks, point)
            place.force({"status": "Available", "errorCode": None})
            await live(place, 2)
        for kind in ("reset_soft", "reset_hard"):
            asked = [c for c in place.commands() if c.kind == kind and c.state not in {"expired", "cancelled"}]
            assert len([c for c in asked if c.rule_id is not None]) <= min(limit, total)
        assert len(place.posts) <= sum(c.sending_at is not None for c in place.commands())
    database.close()


def disturb(place: Place, word: str, number: int) -> None:
    """Something happens before a fault."""
    match word:
        case "restart":
            place.restart()
        case "offline" | "online":
            place.api.source.force_online(CHARGER, word == "online", place.clock.now)
        case "lose answer":
            place.link.lose_answers += 1
        case "no connection" | "connection":
            place.link.refuse_posts = 1000 if word == "no connection" else 0
        case "broken API" | "well API":
            place.api.faults.answers_503 = 1000 if word == "broken API" else 0
        case "person":
            ask(place, f"person-{number}")


def ask(place: Place, nonce: str) -> None:
    """Somebody asks for a reset too, allowed or not."""
    with place.jobs.database.write() as connection:
        enqueue_command(
            connection,
            kind="reset_soft",
            nonce=nonce,
            user="U0ADA00001",
            channel="C1",
            now=place.clock.now,
            charger_id=CHARGER,
        )
