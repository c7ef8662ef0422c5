"""The routes and quiet hours in force, kept as one row.

It judges nothing: what stands there was checked when the files were read.
"""

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.documents.quiet_hours import quiet_hours_from
from rules.documents.routes import route_from
from rules.documents.speech_plan import PLAIN, SpeechPlan
from storage.schema import SPEECH_PLAN


def store_plan(connection: Connection, plan: SpeechPlan) -> None:
    """Make this the plan in force."""
    connection.execute(sa.delete(SPEECH_PLAN))
    connection.execute(sa.insert(SPEECH_PLAN).values(id=1, document=plan.document()))


def load_plan(connection: Connection) -> SpeechPlan:
    """The plan in force."""
    document = connection.execute(sa.select(SPEECH_PLAN.c.document)).scalar()
    if document is None:
        return PLAIN
    quiet = document["quiet_hours"]
    return SpeechPlan(
        tuple(route_from(route) for route in document["routes"]),
        quiet_hours_from(quiet) if quiet is not None else None,
    )
