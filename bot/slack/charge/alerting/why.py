"""`/charge why THING RULE`: what a rule says of one thing, clause by clause, and what keeps its alert as it is.

It only reads: the clauses are judged by the compiled query that the service itself evaluates.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Word, refused, told, words_button
from bot.slack.charge.things_by_id import find_thing
from bot.trials.reports import not_read, plain_value, progress, value_text
from rules.explanations.clause_truths import Clause
from rules.explanations.explain import ExplainError, Moved, explain
from rules.lifecycle import OPEN_STATES
from storage.queries.names import things_called
from storage.schema import ALERT

SHOWN_CLAUSES = 25
SHOWN_PAST = 5
SHOWN_VALUES = 4
EXAMPLES = ("/charge why 242.2.1 connector-faulted", "/charge alerts", "/charge rules")


@dataclass(frozen=True, slots=True)
class ClauseLine:
    """One clause as a line: how deep it stands, what it says and since when, and the values that it looks at."""

    depth: int
    text: str
    truth: bool | None
    since: datetime | None
    values: tuple[tuple[str, str], ...]


def answer_why(connection: Connection, asked: Asked) -> Answer:
    """Explain a rule's answer about a thing; the rule may be left out where one alert is open on the thing."""
    if not asked.words:
        return refused("`why` needs a thing and a rule", mend="For example:", examples=EXAMPLES)
    subject, rule_id = " ".join(asked.words[:-1]), asked.words[-1]
    if len(asked.words) == 1:
        subject = rule_id
        mine = (ALERT.c.subject == subject, ALERT.c.state.in_(OPEN_STATES))
        open_ = list(connection.execute(sa.select(ALERT.c.rule_id).where(*mine).order_by(ALERT.c.rule_id)).scalars())
        if len(open_) != 1:
            return refused(
                "`why` needs a rule too",
                mend="Open alerts of it:" if open_ else "No alert is open there. See the rules:",
                examples=[f"/charge why {subject} {name}" for name in open_[:5]] or ["/charge rules"],
            )
        rule_id = open_[0]
    if find_thing(connection, subject) is None:
        called = things_called(connection, subject, ("location", "charger"))
        if len(called.things) == 1 and not called.is_near:
            subject = called.things[0].id
    try:
        told_ = explain(connection, rule_id, subject, asked.now, asked.zone)
    except ExplainError as wrong:
        return refused(
            "That cannot be explained",
            reasons=[str(wrong)],
            mend="First the thing, then the rule:",
            examples=EXAMPLES,
        )
    lines = _lines(told_.when)
    while_lines = _lines(told_.while_) if told_.while_ is not None else []
    buttons = [words_button("The rule", f"rules show {rule_id}", 1)]
    return told(
        "answer_why",
        buttons=buttons,
        told=told_,
        lines=lines[:SHOWN_CLAUSES],
        while_lines=while_lines[:SHOWN_CLAUSES],
        past=[(moved, _values(moved)) for moved in told_.past[-SHOWN_PAST:][::-1]],
        now=asked.now,
    )


def _lines(clause: Clause, depth: int = 0) -> list[ClauseLine]:
    values = tuple((item.text, value_text(item)) for item in clause.observed)
    values += tuple((item.text, f"learning: {progress(item, clause.truth)}") for item in clause.learning)
    values += tuple((item.text, not_read(item)) for item in clause.unread)
    line = ClauseLine(depth, clause.text, clause.truth, clause.since, values)
    return [line, *(below for part in clause.clauses for below in _lines(part, depth + 1))]


def _values(moved: Moved) -> list[tuple[str, str]]:
    """What was read when an alert moved, the first few of it."""
    values: dict[str, Any] = moved.trace.get("values") or {}
    return [(name, plain_value(value)) for name, value in values.items()][:SHOWN_VALUES]


WORDS = (
    Word(
        "why",
        "why THING RULE",
        "why an alert fires or does not, clause by clause",
        "why {open_alert}",
        answer_why,
    ),
)
