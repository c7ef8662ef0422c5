"""The one switch of automations, and what they are at: on, off, or telling only what they would do.

Until somebody says so, the setting holds. Nothing here cancels a step, which is done in `commands.automations.tries`.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.actions.automations import Mode, TryState
from rules.actions.command_kinds import noun_of
from rules.documents.document import rule_from_document
from storage.dialects import insert
from storage.schema import RULE, SWITCH, TRY

ALL = "all"
SHOWN_RULES = 20


@dataclass(frozen=True, slots=True)
class Switch:
    """How automations stand: `set_by` is the Slack user who said so, None where the setting holds."""

    mode: Mode
    set_by: str | None = None
    set_at: datetime | None = None


def read_switch(connection: Connection, default: Mode) -> Switch:
    """How automations stand now; `default` is what the setting says."""
    row = connection.execute(sa.select(SWITCH).where(SWITCH.c.name == ALL)).first()
    if row is None or not row.mode:
        return Switch(default)
    return Switch(Mode(row.mode), row.set_by, row.set_at)


def lock_switch(connection: Connection) -> None:
    """Hold the switch until the transaction ends: limits hold over all chargers, and nothing is made after "off"."""
    values = {"name": ALL, "mode": "", "set_by": ""}
    connection.execute(insert(connection, SWITCH).values(**values).on_conflict_do_nothing())
    connection.execute(sa.select(SWITCH.c.name).where(SWITCH.c.name == ALL).with_for_update()).all()


@dataclass(frozen=True, slots=True)
class AtWork:
    """How many steps wait for their turn, for approval, or for what comes of them."""

    waiting: int
    awaiting_approval: int
    sent: int


def at_work(connection: Connection) -> AtWork:
    """What the actions of rules are at."""
    states = (TryState.WAITING, TryState.AWAITING_APPROVAL, TryState.SENT)
    counts = [sa.func.count().filter(TRY.c.state == state.value).label(state.value) for state in states]
    return AtWork(**connection.execute(sa.select(*counts).where(TRY.c.due_at.is_not(None))).one()._mapping)


@dataclass(frozen=True, slots=True)
class ActingRule:
    """A rule in force with its steps in words."""

    name: str
    steps: tuple[str, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class ActingRules:
    """The first rules that act, by name, and how many more there are."""

    shown: tuple[ActingRule, ...]
    more: int


def acting_rules(connection: Connection) -> ActingRules:
    """The rules in force that have actions."""
    in_force = sa.select(RULE.c.id, RULE.c.document).where(RULE.c.enabled, RULE.c.removed_at.is_(None))
    rules = [rule_from_document(row.document, row.id) for row in connection.execute(in_force.order_by(RULE.c.id))]
    acting = [
        ActingRule(rule.name, tuple(noun_of(step.kind) for step in rule.actions), rule.dry_run)
        for rule in rules
        if rule.actions
    ]
    return ActingRules(tuple(acting[:SHOWN_RULES]), max(0, len(acting) - SHOWN_RULES))
