"""Killed at each step of a command's life, over and over: EOSVOLT never accepts it twice, and its card tells the end.

Every life is killed with SIGKILL once or several times, each time in a process of its own, and then goes on until its
command has ended. The kills are counted.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bot.service.delivery.lives import Fate, Life, go_on, live
from tests.bot.service.delivery.stage import KINDS, Stage, staged
from tests.databases import temporary_database
from tests.examples import part
from tests.forks import KILLED, run

ACTING = ("POST", "PUT", "PATCH", "DELETE")
ANSWERS = ("lost", "in pieces", "500", "500 though done", "504 though done", "409", "429", "cut off")


@pytest.fixture
def postgresql_url(postgresql_server: str, postgresql_template: str) -> Iterator[Callable[[], str]]:
    """Gives the URL of a new PostgreSQL database with every table, as often as it is called."""
    with ExitStack() as databases:
        yield lambda: databases.enter_context(temporary_database(postgresql_server, postgresql_template))


@pytest.fixture
async def stage(sqlite_template: Path, tmp_path: Path, one_tongue: str) -> AsyncIterator[Stage]:
    async with staged(sqlite_template, tmp_path, one_tongue) as stage:
        yield stage


async def undisturbed(stage: Stage, kind: str, answers: str, url: str | None = None) -> list[str]:
    """The moments of a life that nothing ends."""
    life = await stage.begin(kind, answers, url)
    fate = Fate()
    await go_on(life, fate)
    await stage.end(life)
    return fate.reached


async def killed(life: Life, moments: Sequence[int]) -> list[str]:
    """Start the service once for each of these moments, and kill it there; the moments at which it died."""
    died = []
    for moment in moments:
        code = await run(live, life, moment)
        if code == KILLED:
            died.append(life.note.read_text())
        else:
            assert code == 0, "it lived to the end and broke"
            break
    return died


def around_the_call(moments: Sequence[str]) -> range:
    """The places, counted from 1, of all moments from the claim of the command to what follows its answer."""
    begun = moments.index("command before_call") + 1
    marked = moments.index("command after_mark") + 1 if "command after_mark" in moments else begun
    return range(begun - 4, marked + 3)


def first_places(moments: Sequence[str]) -> list[int]:
    """Where each different moment of a life comes first, counted from 1."""
    return sorted({moment: place for place, moment in reversed(list(enumerate(moments, 1)))}.values())


FULL = 200  # kills
STEP = 10  # in a plain run one place of so many


async def test_killed_at_every_moment_no_command_is_accepted_twice_and_each_ends_in_words(stage: Stage) -> None:
    """Before and after everything around the call, for each kind; for a start, everything else in its life too.

    At least 200 kills in CI; a plain run takes every tenth moment, and always one in the call itself.
    """
    chance = random.Random(200)
    kills: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for kind in KINDS:
        moments = await undisturbed(stage, kind, "as it is")
        places: Sequence[int] = around_the_call(moments)
        if kind == "start_session":
            places = sorted({*places, *first_places(moments)})
        in_the_call = moments.index("command before_call") + 2
        places = part(places, STEP, places.index(in_the_call))
        for number, place in enumerate(places):
            life = await stage.begin(kind, "as it is")
            again = [chance.randint(1, places[-1])] if kind == "start_session" or number % 2 else []
            died = await killed(life, [place, *again])
            assert died[0] == moments[place - 1]
            kills.update(died)
            ends[f"{kind} {await stage.end(life)}"] += 1
    assert sum(kills.values()) >= len(part(range(FULL), STEP)), kills
    assert {"start_session verified", "start_session not_verified", "stop_session verified"} <= set(ends), ends


@pytest.mark.parametrize("answers", ANSWERS)
async def test_killed_around_an_answer_that_goes_wrong(stage: Stage, answers: str) -> None:
    moments = await undisturbed(stage, "start_session", answers)
    named = ("command", *(f"{when} {method} " for when in ("before", "answered", "after") for method in ACTING))
    places = [place for place in around_the_call(moments) if moments[place - 1].startswith(named)]
    for place in part(places, STEP, ANSWERS.index(answers)):
        life = await stage.begin("start_session", answers)
        assert await killed(life, [place]) == [moments[place - 1]]
        await stage.end(life)


async def test_killed_on_postgresql(stage: Stage, postgresql_url: Callable[[], str]) -> None:
    moments = await undisturbed(stage, "start_session", "as it is", postgresql_url())
    for place in part(around_the_call(moments), STEP):
        life = await stage.begin("start_session", "as it is", postgresql_url())
        assert await killed(life, [place]) == [moments[place - 1]]
        await stage.end(life)
