"""The same question is answered once for all who stand alike, and what is one person's is nobody else's."""

import re
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Asked
from bot.slack.charge.shared_readings import Question, read_together
from bot.slack.charge.spoken import split
from bot.slack.permissions import Role, Standing
from tests.bot.house import CALM, House

ADMIN = Standing(Role.ADMIN)


def question(text: str, user: str, role: Role = Role.ADMIN) -> Question:
    words = split(text)
    asked = Asked((), user, role, CALM, timedelta(minutes=1))
    return Question(words, replace(asked, text=registry.rest_of(text, registry.find_word(words))), Standing(role))


def examples(house: House) -> list[str]:
    known = {"connector": house.free(), "charger": house.free().rpartition(".")[0]}
    texts = []
    for word in registry.WORDS:
        if registry.reads(word):
            filled = re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], "1"), word.example)
            texts += [word.word, filled, f"{word.word} nonsense 1"]
    return texts


async def test_no_plain_word_that_looks_tells_whose_question_it_was(house: House) -> None:
    """What is shared is the same for another person of the same standing, word for word."""
    asked = examples(house)
    with house.running.database.read() as connection:
        for text in asked:
            one, other = (
                registry.answer(connection, split(text), question(text, user).asked, ADMIN)
                for user in ("U0ADA00001", "U0OLE00002")
            )
            if isinstance(one, Answer) and one.later is None:
                assert isinstance(other, Answer)
                assert (one.text, one.blocks) == (other.text, other.blocks), text
    assert len(asked) > 50


async def test_the_same_question_is_answered_once_and_another_role_by_itself(house: House) -> None:
    statements, here = list[str](), threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == here:  # the service's jobs ask in threads of their own
            statements.append(statement)

    sa.event.listen(house.running.database.engine, "before_cursor_execute", note)
    (alone,) = read_together(house.running.database, [question("rules", "U1")])
    once = len(statements)
    asked = [question("rules", f"U{n}") for n in range(5)] + [question("rules", "U9", Role.VIEWER)]
    told = list(read_together(house.running.database, asked))
    assert len(statements) <= 3 * once
    assert isinstance(alone, Answer)
    assert all(isinstance(one, Answer) and one.blocks == alone.blocks for one in told[:5])
    assert isinstance(told[5], Answer)
    assert told[5].blocks != alone.blocks, "a viewer is offered no new rule"


@pytest.mark.parametrize("text", ["grant @ole operator", "start 1.1", "export sessions", "subscriptions"])
async def test_what_acts_or_is_told_later_or_is_one_s_own_is_never_shared(house: House, text: str) -> None:
    text = text.replace("1.1", house.free())
    told = list(read_together(house.running.database, [question(text, "U1"), question(text, "U2")]))
    assert told[0] is not told[1]


async def test_a_question_that_breaks_spoils_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = registry.answer

    def broken(connection: sa.Connection, words: tuple[str, ...], *how: Any) -> Any:
        if words == ("alerts",):
            connection.execute(sa.text("SELECT * FROM nowhere"))
        return answer(connection, words, *how)

    monkeypatch.setattr(registry, "answer", broken)
    texts = ["status", "alerts", "status"]
    told = list(read_together(house.running.database, [question(text, "U1") for text in texts]))
    assert isinstance(told[0], Answer)
    assert isinstance(told[1], sa.exc.DBAPIError)
    assert told[2] is told[0]
