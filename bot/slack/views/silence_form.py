"""The form of a silence: what, how long and why, each refused at its own field.

It says `/charge silence ...` with what was chosen: the words decide what is kept quiet.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from bot.slack.charge.alerting.silence_lines import MANY
from bot.slack.charge.alerting.silence_matchers import read_matchers
from bot.slack.charge.alerting.silences import read_silence, silence_each
from bot.slack.charge.answer import Answer, Asked
from bot.slack.charge.examples import of_the_fleet
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import Role
from bot.slack.views.form import Form, Said, Written
from bot.slack.views.inputs import Choice, FieldErrors, Typed, select_field, text_field
from bot.slack.views.named import Named
from notify.text.card_buttons import NAMED
from notify.text.message import Block
from notify.text.words import slack_unescape
from rules.lifecycle import State
from storage.schema import ALERT, RULE

Json = dict[str, Any]

MOST_ALERTS = 20
EACH = "each"
"""The choice of all that a card named: a silence for each, which matches that alert alone."""
TIMES = (
    Choice("for 1h", "1 hour"),
    Choice("for 2h", "2 hours"),
    Choice("for 4h", "4 hours"),
    Choice("for 8h", "8 hours"),
    Choice("until tomorrow 08:00", "Until tomorrow 08:00"),
    Choice("for 3d", "3 days"),
    Choice("for 7d", "a week"),
    Choice("until recovery", "Until it recovers"),
)


def opened(connection: Connection, _asked: Asked, given: Json) -> Sequence[Block]:
    """Choices of what the card named, or a field to type what is meant."""
    choices = _choices(connection, Named(given)) if "incident" in given or "roll_up" in given else []
    if len(each := _each(connection, Named(given))) > 1:
        choices = [Choice(EACH, f"The {len(each)} alerts that it names"), *choices]
    hint = "What goes on is still recorded, and what still fires at the end speaks."
    what = (
        select_field("what", "Keep quiet", choices, initial=choices[0].value, hint=hint)
        if choices
        else text_field(
            "what",
            "Keep quiet",
            hint="A charger, connector, location or session by its id, and rule=NAME, or one of them. " + hint,
            initial=str(given.get("what", "")),
            placeholder=" or ".join(of_the_fleet(connection, ("242", "rule=connector-faulted")))[:100],
        )
    )
    return [
        what,
        select_field("time", "For how long", TIMES, initial="for 2h"),
        text_field(
            "other",
            "Or another time",
            optional=True,
            hint="A time of day is read by your own clock.",
            placeholder="for 90m, until 18:00, weekly sat 02:00-04:00",
            initial=str(given.get("other", "")),
            longest=100,
        ),
        text_field(
            "reason",
            "Why, for whoever wonders later",
            longest=400,
            placeholder="Technician on site",
            initial=str(given.get("reason", "")),
        ),
    ]


def _firing(connection: Connection, named: Named) -> Sequence[Row[Any]]:
    return connection.execute(
        sa.select(ALERT)
        .where(named.alerts(), ALERT.c.state == State.FIRING.value)
        .order_by(ALERT.c.acknowledged_at.is_not(None), ALERT.c.id)
        .limit(MOST_ALERTS)
    ).all()


def _each(connection: Connection, named: Named) -> list[tuple[str, ...]]:
    """The matchers of each alert that a card named and that fires; none where that takes safety, or many."""
    if NAMED not in named.value:
        return []
    rows = _firing(connection, named)
    documents = connection.execute(sa.select(RULE.c.document).where(RULE.c.id.in_({row.rule_id for row in rows})))
    if len(rows) > MANY or any(document.get("safety") is True for document in documents.scalars()):
        return []
    return [(f"{kind}={id_}", f"rule={row.rule_id}") for row in rows for kind, id_ in _thing(row)]


def _thing(row: Row[Any]) -> list[tuple[str, str]]:
    """The kind and id of what an alert is about."""
    kinds = ("connector", "session", "charger", "location")
    return [(kind, str(id_)) for kind in kinds if (id_ := getattr(row, f"{kind}_id")) == row.subject][:1]


def _choices(connection: Connection, named: Named) -> list[Choice]:
    """What somebody may mean who presses Silence on a card: the narrowest first."""
    rows = _firing(connection, named)
    chargers = dict.fromkeys(row.charger_id for row in rows if row.charger_id)
    places = dict.fromkeys(row.location_id for row in rows if row.location_id)
    rules = dict.fromkeys(row.rule_id for row in rows)
    kinds = ("connector", "session", "charger", "location")
    narrow = []
    for row in rows:
        kind = next((one for one in kinds if getattr(row, f"{one}_id") is not None and row.subject), None)
        if kind is not None:
            thing = getattr(row, f"{kind}_id")
            narrow.append(Choice(f"{kind}={thing} rule={row.rule_id}", f"{row.rule_id} on {kind} {thing}"))
    wide = [Choice(f"charger={one}", f"Everything about charger {one}") for one in chargers]
    wide += [Choice(f"location={one}", f"Everything at location {one}") for one in places]
    wide += [Choice(f"rule={one}", f"{one}, everywhere") for one in rules]
    # an id with blanks in it stands last in words, alone
    return [one for one in [*narrow, *wide] if " " not in one.value.replace(" rule=", "")]


def sent(connection: Connection, asked: Asked, typed: Typed) -> Said | Written:
    """The words of the silence; each of its three parts is read by itself first."""
    what, reason = typed.text("what"), " ".join(typed.text("reason").split())
    each = _each(connection, Named(typed.kept)) if what == EACH else []
    what = " ".join(each[0]) if each else what
    time, at = (typed.text("other"), "other") if typed.text("other") else (typed.text("time"), "time")
    errors = {}
    try:
        read_matchers(connection, what.split())
    except WrongWords as wrong:
        errors["what"] = plain(wrong.answer)
    else:
        try:
            read_silence(connection, replace(asked, words=(*what.split(), *time.split(), "known")))
        except WrongWords as wrong:
            errors[at] = plain(wrong.answer)
        except ValueError as wrong:
            errors[at] = str(wrong)
    if not any(letter.isprintable() for letter in reason):
        errors["reason"] = "Say why, for whoever wonders later."
    if errors:
        raise FieldErrors(errors)
    if each:
        words = [(*matchers, *time.split(), reason) for matchers in each]
        return Written(lambda inside, who: silence_each(inside, who, words))
    return Said(f"silence {what} {time} {reason}")


def plain(answer: Answer) -> str:
    """What an answer says is wrong, as a field shows it: without the marks of code, and without what to do next."""
    told = [block["text"]["text"] for block in answer.blocks if block.get("block_id") in {"body_0", "plain"}]
    return slack_unescape(" ".join(told)).replace("`", "")


FORM = Form("silence", "Silence", "Silence", Role.OPERATOR, opened, sent)
