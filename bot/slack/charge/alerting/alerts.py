"""`/charge alerts [filters]` and `/charge ack WHAT`: what fires or is pending, and who has seen it.

To acknowledge is written down at once; many alerts, or any of safety, are asked about first. It covers what fires now,
and what comes new still speaks.
"""

from dataclasses import replace
from typing import Any

from slack_sdk.models.blocks import ButtonElement
from sqlalchemy import Connection

from bot.slack.charge.alerting.card_numbers import read_card
from bot.slack.charge.alerting.silence_lines import Reach, reach_of_alerts
from bot.slack.charge.answer import (
    LONGEST_QUESTION,
    LONGEST_WORDS,
    PAGE,
    Answer,
    Asked,
    Mode,
    Word,
    age_of,
    button,
    confirm_words,
    paging,
    refused,
    told,
    words_button,
)
from bot.slack.charge.spoken import typed
from bot.slack.charge.things_by_id import WrongWords, need_thing, no_rule, whole_values
from bot.slack.permissions import Role
from notify.alert_cards.card import acknowledge_alerts
from notify.alert_cards.parts import alert_titles
from notify.render import render_words
from notify.text.action_ids import ActionId
from notify.text.card_buttons import NAMED
from notify.text.ranges import as_ranges
from rules.registry.authoring import NoSuchRule, find_rule
from storage.audit import record_act
from storage.queries.alerts import PLACES, AlertFilter, OpenAlert, list_alerts
from storage.queries.state import FIRING

STATES: dict[str, dict[str, Any]] = {
    "firing": {"state": "firing"},
    "pending": {"state": "pending"},
    "acknowledged": {"acknowledged": True},
    "unacknowledged": {"acknowledged": False, "state": "firing"},
    "quiet": {"quiet": True},
}
EXAMPLES = ("/charge alerts", "/charge alerts rule=connector-faulted unacknowledged", "/charge alerts pending")
ACK_EXAMPLES = ("/charge alerts", "/charge ack #12", "/charge ack rule=connector-faulted", "/charge ack all")


def read_filter(connection: Connection, words: tuple[str, ...], word: str, end: str = "") -> AlertFilter:
    """Which alerts the words mean: `rule=NAME`, `location=ID`, a state, `#12` (a card's number), or a thing's id.

    `word` and `end` are what stands before and behind it in what to write instead.
    """
    which = AlertFilter()
    ids = []
    for said in whole_values(connection, words, STATES):
        key, sign, value = said.partition("=")
        if sign and key.lower() == "rule":
            try:
                which = replace(which, rule_id=find_rule(connection, value).id)
            except NoSuchRule as wrong:
                raise WrongWords(no_rule(wrong)) from None
        elif sign and f"{key.lower()}_id" in PLACES:
            thing = need_thing(connection, value, word, [key.lower()])  # type: ignore[list-item]  # one of the kinds
            which = replace(which, place=(thing.column, thing.id))
        elif said.lower() in STATES:
            which = replace(which, **STATES[said.lower()])
        elif (said[0] == "#" or len(words) == 1) and (number := read_card(connection, said, word, end)) is not None:
            which = replace(which, incident_id=number)
        else:
            ids.append(said)
    if ids:
        thing = need_thing(connection, " ".join(ids), word)
        which = replace(which, place=(thing.column, thing.id))
    return which


def answer_alerts(connection: Connection, asked: Asked) -> Answer:
    """The open alerts that pass the filters, in pages."""
    said = " ".join(asked.words)
    if len(said) > LONGEST_QUESTION:
        return refused("The filters are too long", mend="Use fewer:", examples=EXAMPLES)
    try:
        which = read_filter(connection, asked.words, "alerts")
    except WrongWords as wrong:
        return wrong.answer
    page = list_alerts(connection, which, asked.offset, PAGE)
    titles = alert_titles(connection, [row.id for row in page.rows], asked.now)
    rows = [
        (render_words("answer_alert_row.mrkdwn.j2", alert=row, title=titles[row.id])["body"], _beside(row, asked, n))
        for n, row in enumerate(page.rows, 1)
    ]
    buttons = [*paging(page, f"alerts {said}".strip()), *_offers_to_tell(which)]
    age = age_of(connection, asked)
    return told("answer_alerts", buttons=buttons, rows=rows, page=page, said=said, age=age, now=asked.now)


def _offers_to_tell(which: AlertFilter) -> list[ButtonElement]:
    """A button to be told of what is filtered for, where a subscription can say that."""
    said = [f"rule={which.rule_id}"] if which.rule_id is not None else []
    said += [f"{which.place[0].removesuffix('_id')}={which.place[1]}"] if which.place is not None else []
    if not said or which.incident_id is not None:
        return []
    words = typed(("subscribe", "me", *said))
    return [words_button("Tell me of these", words, PAGE + 1)] if len(words) <= LONGEST_WORDS else []


def _beside(row: OpenAlert, asked: Asked, number: int) -> ButtonElement:
    """The button beside an alert: to acknowledge it alone where that is still to be done, else why it is so."""
    if row.state == FIRING and row.incident_id and not row.acknowledged_by and asked.role >= Role.OPERATOR:
        value = {"incident": row.incident_id, NAMED: as_ranges([row.id])}
        return button("Acknowledge", ActionId.ACKNOWLEDGE_INCIDENT, value)
    return words_button("Why?", typed(("why", row.subject, row.rule_id)), number)


def answer_ack(connection: Connection, asked: Asked) -> Answer:
    """Acknowledge what fires of what the words mean."""
    words = asked.words
    if not words:
        return refused("`ack` needs to know what", mend="For example:", examples=ACK_EXAMPLES)
    try:
        which = AlertFilter() if tuple(map(str.lower, words)) == ("all",) else read_filter(connection, words, "ack")
    except WrongWords as wrong:
        return wrong.answer
    firing = replace(which, state=FIRING, acknowledged=False)
    reach = reach_of_alerts(connection, firing.conditions())
    if reach.is_wide and not (asked.confirmed or which.incident_id is not None):
        return _ask_to_acknowledge(words, reach)
    done = acknowledge_alerts(connection, replace(which, state=FIRING).conditions(), asked.user, asked.now)
    if done.outcome == "acknowledged":
        facts = {"members": done.members}
        record_act(
            connection, asked.user, "acknowledge", " ".join(words)[:200], asked.now, outcome=done.outcome, facts=facts
        )
    return told("answer_acknowledged", done=done, user=asked.user)


def _ask_to_acknowledge(words: tuple[str, ...], reach: Reach) -> Answer:
    """What would be acknowledged at once of many cards, or of safety: nobody is reminded of it after that."""
    said = typed(("ack", *words))
    if len(said) > LONGEST_WORDS:
        return refused("The filters are too long", mend="Use fewer:", examples=ACK_EXAMPLES)
    return told("answer_ack_ask", alone=True, buttons=confirm_words("Acknowledge", said), reach=reach)


WORDS = (
    Word(
        "alerts",
        "alerts [rule=NAME] [firing|pending|unacknowledged|quiet] [THING]",
        "what fires and what is pending, the unseen first",
        "alerts unacknowledged",
        answer_alerts,
    ),
    Word(
        "ack",
        "ack #NUMBER|THING|rule=NAME|all",
        "acknowledge what fires; what comes new still speaks",
        "ack rule={firing_rule}",
        answer_ack,
        needs=Role.OPERATOR,
        mode=Mode.WRITES,
    ),
)
