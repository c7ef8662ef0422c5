"""The form of a start: a free connector, chosen or named. It says `/charge start CONNECTOR`, which asks first."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.answer import Asked
from bot.slack.permissions import Role
from bot.slack.views.form import Form, Said
from bot.slack.views.inputs import Choice, FieldErrors, Typed, select_field, text_field
from notify.text.message import Block
from storage.queries.state import find_connector, is_available, is_online, nearest_ids
from storage.schema import CHARGER, CONNECTOR, LOCATION

Json = dict[str, Any]


def opened(connection: Connection, _asked: Asked, _given: Json) -> Sequence[Block]:
    """The free connectors, and a field for one that is not among them."""
    rows = connection.execute(
        sa.select(CONNECTOR.c.id, CHARGER.c.name, LOCATION.c.name.label("place"))
        .select_from(
            CONNECTOR.join(CHARGER, CHARGER.c.id == CONNECTOR.c.charger_id).outerjoin(
                LOCATION, LOCATION.c.id == CHARGER.c.location_id
            )
        )
        .where(is_available(), is_online(), CONNECTOR.c.gone_at.is_(None))
        .order_by(LOCATION.c.name, CONNECTOR.c.id)
        .limit(100)
    ).all()
    choices = [Choice(row.id, f"{row.id}, {row.place or row.name or 'no location'}") for row in rows]
    free = [one for one in choices if len(one.value) <= 150]
    told = [select_field("free", "A free connector", free, optional=True)] if free else []
    return [*told, text_field("connector", "Or another, by its id", optional=True, longest=100)]


def sent(connection: Connection, _asked: Asked, typed: Typed) -> Said:
    """The words of the start, where the connector is known."""
    said = " ".join(typed.text("connector").split()) or typed.text("free")
    if not said:
        raise FieldErrors({"connector": "Choose a connector, or write the id of one."})
    if find_connector(connection, said) is None:
        near = ", ".join(nearest_ids(connection, "connector", said))
        hint = f" Did you mean {near}?" if near else ""
        raise FieldErrors({"connector": f"There is no connector with the id {said}.{hint}"})
    return Said(f"start {said}")


FORM = Form("start", "Start a session", "Next", Role.OPERATOR, opened, sent)
