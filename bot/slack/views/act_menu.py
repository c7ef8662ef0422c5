"""What a person may do where a card stands: reset, unlock, take out of service, each asked for as its word does.

It offers what the check of each command allows now, and nothing where a safety code stands: resetting a charger that
has cut its power for a fault to earth may put the fault under power again. Nothing is sent from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from slack_sdk.models.blocks import ButtonElement
from sqlalchemy import ColumnElement, Connection

from bot.slack.charge.answer import Answer, refused, told, words_button
from commands.requests.checks import check_command
from rules.actions.automations import SAFETY_CODES
from rules.actions.command_kinds import CommandKind
from rules.lifecycle import State
from storage.schema import ALERT, CHARGER, CONNECTOR, RULE

MOST_CHARGERS = 3
MOST_CONNECTORS = 3
OF_CHARGER = (
    (CommandKind.RESET_SOFT, "Reset", "reset"),
    (CommandKind.DISABLE, "Out of service", "disable"),
    (CommandKind.ENABLE, "Into service", "enable"),
)
OF_CONNECTOR = ((CommandKind.UNLOCK, "Unlock", "unlock"), *OF_CHARGER[1:])


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something is not offered now: what was wanted of which thing, and the reason, as given."""

    what: str
    why: str


def act_menu(connection: Connection, alerts: ColumnElement[bool], now: datetime, per_day: int) -> Answer:
    """What can be done about the chargers and connectors of these alerts."""
    firing = (alerts, ALERT.c.state == State.FIRING.value)
    charger = sa.func.coalesce(ALERT.c.charger_id, CONNECTOR.c.charger_id)
    found = connection.execute(
        sa.select(charger.label("charger"), ALERT.c.connector_id)
        .select_from(ALERT.outerjoin(CONNECTOR, CONNECTOR.c.id == ALERT.c.connector_id))
        .where(*firing, charger.is_not(None))
        .order_by(ALERT.c.id)
    ).all()
    chargers = list(dict.fromkeys(row.charger for row in found))[:MOST_CHARGERS]
    connectors = list(dict.fromkeys(row.connector_id for row in found if row.connector_id))[:MOST_CONNECTORS]
    if not chargers:
        return refused(
            "No charger is named here that something could be done with",
            mend="Look at what fires:",
            examples=["/charge alerts"],
        )
    code = safety_code(connection, chargers)
    if code is not None:
        return refused(
            "A safety code stands here, so nothing is offered that could put power on it again. It says",
            about=code,
            mend="Have it looked at on site first. What is known of it:",
            examples=[f"/charge charger {one}" for one in chargers],
        )
    names = {row.id: row.name for row in connection.execute(sa.select(CHARGER).where(CHARGER.c.id.in_(chargers)))}
    buttons: list[ButtonElement] = []
    refusals: list[Refused] = []
    kinds = [(one, kind) for one in chargers for kind in OF_CHARGER]
    kinds += [(one, kind) for one in connectors for kind in OF_CONNECTOR]
    for thing, (kind, label, word) in kinds:
        check = check_command(connection, kind, thing, now, per_day=per_day)
        if kind is not CommandKind.ENABLE:
            check = check_command(connection, kind, thing, now, per_day=per_day, ends=check.ends_sessions)
        if check.allowed:
            name = f"{label} {names.get(thing) or ''} {thing}" if names.get(thing) != thing else f"{label} {thing}"
            buttons.append(words_button(" ".join(name.split()), f"{word} {thing}", len(buttons) + 1))
        elif kind is not CommandKind.ENABLE:
            refusals.append(Refused(f"{label} {thing}", check.refusals[0].text))
    return told("answer_act_menu", buttons=buttons[:25], refusals=refusals[:8], offered=len(buttons))


def safety_code(connection: Connection, chargers: Sequence[str]) -> str | None:
    """The safety code that a connector of these chargers shows, or the name of a safety rule that fires there."""
    codes = sa.select(CONNECTOR.c.error_code).where(CONNECTOR.c.charger_id.in_(chargers), CONNECTOR.c.gone_at.is_(None))
    code = connection.execute(codes.where(CONNECTOR.c.error_code.in_(SAFETY_CODES)).limit(1)).scalar()
    if code is not None:
        return str(code)
    mine = sa.or_(
        ALERT.c.charger_id.in_(chargers),
        ALERT.c.connector_id.in_(sa.select(CONNECTOR.c.id).where(CONNECTOR.c.charger_id.in_(chargers))),
    )
    rules = sa.select(RULE.c.id, RULE.c.document).join(ALERT, ALERT.c.rule_id == RULE.c.id)
    for row in connection.execute(rules.where(mine, ALERT.c.state == State.FIRING.value)):
        if row.document.get("safety") is True:
            return str(row.id)
    return None
