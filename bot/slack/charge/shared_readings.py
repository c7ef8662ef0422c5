"""Answers questions that wait at the same moment from one snapshot of the database, and the same question once.

What an answer holds for one person alone is never another's: only plain words that look are shared, among people of the
same standing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.answer import Answer, Asked, Errand
from bot.slack.permissions import Standing
from storage.engine import Database


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody asks, and how they stand."""

    words: tuple[str, ...]
    asked: Asked
    standing: Standing

    @property
    def key(self) -> tuple[Any, ...] | None:
        """What the same question of somebody else has in common with this; None where its answer is theirs alone."""
        word, asked = registry.find_word(self.words), self.asked
        if word is not None and (word.places or not registry.reads(word)):
            return None
        return (self.words, asked.text, asked.role, asked.offset, asked.zone, asked.confirmed, self.standing)


def read_together(database: Database, questions: Sequence[Question]) -> Iterator[Answer | Errand | BaseException]:
    """The answers, or what was raised in their place, in the order of the questions."""
    known: dict[tuple[Any, ...], Answer] = {}
    with database.read() as connection:
        for question in questions:
            key = question.key
            found = known.get(key) if key is not None else None
            outcome = found or _read(connection, question)
            if key is not None and isinstance(outcome, Answer) and _is_for_all(outcome):
                known[key] = outcome
            yield outcome


def _read(connection: Connection, question: Question) -> Answer | Errand | BaseException:
    try:
        return registry.answer(connection, question.words, question.asked, question.standing)
    except Exception as error:
        connection.rollback()  # PostgreSQL answers nothing more in a transaction that failed
        return error


def _is_for_all(answer: Answer) -> bool:
    return answer.later is None and answer.act is None and not answer.alone
