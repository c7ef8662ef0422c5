"""Changes of rules that somebody was shown and may confirm: stored, so that a button works after a restart, and once.

What a draft does is `rules.registry.authoring`'s matter; whether somebody may confirm it is the caller's.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.documents.document import Rule, rule_from_document
from rules.registry.authoring import (
    Act,
    Outcome,
    RuleRefused,
    change_rule,
    create_rule,
    delete_rule,
    find_rule,
    rehearse,
    switch_rule,
)
from rules.registry.store import FROM_SLACK
from storage.schema import DRAFT

KEPT = timedelta(days=7)
"""How long a draft can be confirmed; what people were shown longer ago says nothing about now."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be done to the rule `name`, which was at `base_version` when it was shown; `rule` is its new form."""

    act: Act
    name: str
    base_version: int
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a confirmation did, to which rule; `rule` is the rule as it is now, or was when it was deleted."""

    draft: Draft
    outcome: Outcome
    rule: Rule


def draft_rule(
    connection: Connection, draft: Draft, author: str, now: datetime, default_zone: str | None = None
) -> tuple[str, Outcome]:
    """Try a change out and store it to be confirmed: the draft's id, and what it would do. RuleRefused, RuleErrors."""
    how = Manner(rehearsed=True, default_zone=default_zone)
    outcome = rehearse(connection, lambda inside: _perform(inside, draft, author, now, how))
    connection.execute(sa.delete(DRAFT).where(DRAFT.c.created_at < now - KEPT))
    draft_id = uuid.uuid4().hex
    values = {"rule_id": draft.name, "act": draft.act.value, "base_version": draft.base_version}
    document = draft.rule.document if draft.rule is not None else {}
    connection.execute(sa.insert(DRAFT).values(id=draft_id, **values, document=document, author=author, created_at=now))
    return draft_id, outcome


def confirm_draft(
    connection: Connection, draft_id: str, author: str, now: datetime, default_zone: str | None = None
) -> Confirmed:
    """Do what a draft says, once. RuleRefused where it was done before, is not known, or the rule has moved on."""
    row = connection.execute(sa.select(DRAFT).where(DRAFT.c.id == draft_id).with_for_update()).first()
    if row is None:
        raise RuleRefused("This change is not known any more. Ask for it again.")
    if row.used_at is not None:
        raise RuleRefused(f'This change of rule "{row.rule_id}" was confirmed before; it is done once.', row.author)
    connection.execute(sa.update(DRAFT).where(DRAFT.c.id == draft_id).values(used_at=now))
    rule = rule_from_document(row.document, FROM_SLACK) if row.document else None
    draft = Draft(Act(row.act), row.rule_id, row.base_version, rule)
    if rule is None:
        stored = find_rule(connection, draft.name)
        rule = rule_from_document(stored.document, stored.source)
    how = Manner(rehearsed=False, default_zone=default_zone)
    return Confirmed(draft, _perform(connection, draft, author, now, how), rule)


class Manner(TypedDict):
    """How an act is done: as a rehearsal or not, and in which zone locations are that name none."""

    rehearsed: bool
    default_zone: str | None


def _perform(connection: Connection, draft: Draft, author: str, now: datetime, how: Manner) -> Outcome:
    base = draft.base_version
    if draft.act is Act.DELETE:
        return delete_rule(connection, draft.name, author, now, base_version=base)
    if draft.act in {Act.SWITCH_ON, Act.SWITCH_OFF}:
        on = draft.act is Act.SWITCH_ON
        return switch_rule(connection, draft.name, author, now, on=on, base_version=base, **how)
    if draft.rule is None:
        raise ValueError(f"a draft of {draft.act} needs the rule")
    perform = create_rule if draft.act is Act.CREATE else change_rule
    return perform(connection, draft.rule, author, now, base_version=base, **how)
