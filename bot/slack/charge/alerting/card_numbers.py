"""Alerts by the number of their card, as people write it: `#12`, or `12` where no thing has that id.

It reads; a number that no card has, or whose alerts are over, is refused with those of what fires.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, button, refused
from bot.slack.charge.things_by_id import KINDS, Thing, WrongWords, by_name, find_thing
from notify.text.action_ids import ActionId
from notify.text.card_buttons import NAMED
from notify.text.ranges import as_ranges
from storage.queries.names import things_called
from storage.queries.state import FIRING
from storage.schema import ALERT, INCIDENT

SHOWN = 3
LONGEST = 12
ALERTS = "/charge alerts"


def read_card(connection: Connection, said: str, word: str, end: str = "") -> int | None:
    """The number of the card that a word names; None where it names none. `end` follows it in what to write.

    WrongWords where there is no such card. A number without its sign is a thing's id first.
    """
    digits = said.removeprefix("#")
    if not (digits.isascii() and digits.isdecimal()) or (said == digits and find_thing(connection, said) is not None):
        return None
    number = int(digits[:LONGEST])
    known = connection.execute(sa.select(INCIDENT.c.id).where(INCIDENT.c.id == number)).first() is not None
    if known and len(digits) <= LONGEST:
        return number
    if said == digits and things_called(connection, said, by_name(KINDS)).things:
        return None
    raise WrongWords(_no_such_card(connection, said, word, end))


def _no_such_card(connection: Connection, said: str, word: str, end: str) -> Answer:
    """No card has this number: those that fire, as what to write."""
    numbers = sa.select(ALERT.c.incident_id).where(ALERT.c.state == FIRING, ALERT.c.incident_id.is_not(None))
    firing = connection.execute(numbers.distinct().order_by(ALERT.c.incident_id).limit(SHOWN)).scalars().all()
    examples = [f"/charge {word} #{number}{end}" for number in firing]
    mend = "What fires now:" if firing else "Nothing fires now. See:"
    problem = "No card has the number" if said[0] == "#" else "Nothing has the id, and no card the number"
    return refused(problem, about=said[:40], mend=mend, examples=[*examples, ALERTS])


def matched_by(connection: Connection, number: int, word: str, end: str) -> tuple[str, Thing]:
    """The rule and the thing of the one alert that fires of a card; WrongWords where none does, or several do."""
    mine = (ALERT.c.incident_id == number, ALERT.c.state == FIRING)
    rows = connection.execute(sa.select(ALERT).where(*mine).order_by(ALERT.c.id)).all()
    if not rows:
        raise WrongWords(refused("Nothing fires any more of", about=f"#{number}", mend="What does:", examples=[ALERTS]))
    known = [(row.rule_id, thing) for row in rows if (thing := _thing(row)) is not None]
    if len(rows) > 1 or not known:
        examples = [f"/charge {word} {thing.kind}={thing.id} rule={rule}{end}" for rule, thing in known[:SHOWN]]
        given = {"incident": str(number), NAMED: as_ranges([row.id for row in rows]) or ""}
        form = [button("Silence…", ActionId.OPEN_FORM, {"form": "silence", **given})] if word == "silence" else []
        problem = f"{len(rows)} alert{'' if len(rows) == 1 else 's'} fire{'s' if len(rows) == 1 else ''} of `#{number}`"
        raise WrongWords(refused(problem, buttons=form, mend="Say which is meant:", examples=[*examples, ALERTS]))
    return known[0]


def _thing(row: Any) -> Thing | None:
    """What an alert is about."""
    kind = next((one for one in KINDS if getattr(row, f"{one}_id") == row.subject), None)
    return Thing(kind, row.subject, row.location_id) if kind is not None else None
