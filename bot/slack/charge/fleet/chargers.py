"""`/charge chargers [filters]` and `/charge charger ID`: chargers with their connectors. It only reads."""

from dataclasses import replace
from difflib import get_close_matches

from sqlalchemy import Connection

from bot.slack.charge.answer import (
    LONGEST_QUESTION,
    PAGE,
    Answer,
    Asked,
    Word,
    age_of,
    missing_id,
    paging,
    refused,
    told,
    unknown_id,
    words_button,
)
from bot.slack.charge.examples import of_the_fleet
from bot.slack.charge.spoken import typed
from bot.slack.charge.things_by_id import need_thing, whole_values
from bot.slack.permissions import Role
from eosvolt.models import CONNECTOR_STATUSES
from notify.alert_cards.parts import alert_titles
from storage.queries.rows import ChargerFilter
from storage.queries.state import find_charger, find_connector, list_chargers, open_alerts

SHOWN_ALERTS = 5
SHOWN_BUTTONS = 5
KEYS = ("status", "location", "text")
STATES = ("online", "offline", "home")
STATUSES = {status.lower(): status for status in CONNECTOR_STATUSES}


class WrongFilterError(Exception):
    """A filter that is none; `about` is what was written, `mend` what to write."""

    def __init__(self, problem: str, about: str, mend: str) -> None:
        super().__init__(problem)
        self.problem, self.about, self.mend = problem, about, mend


def read_filter(words: tuple[str, ...]) -> ChargerFilter:
    """The filter that words say: a status, `online`, `offline`, `home`, `location=ID`, `status=X`; others are text."""
    which = ChargerFilter()
    text: list[str] = []
    for word in words:
        key, sign, value = word.partition("=") if "=" in word else word.partition(":")
        if sign and value and key.isalpha():
            which = _with_key(which, key.lower(), value, text)
        elif word.lower() in {"online", "offline"}:
            which = replace(which, online=word.lower() == "online")
        elif word.lower() == "home":
            which = replace(which, home=True)
        elif word.lower() in STATUSES:
            which = replace(which, status=STATUSES[word.lower()])
        else:
            text.append(word)
    return replace(which, text=" ".join(text)) if text else which


def answer_chargers(connection: Connection, asked: Asked) -> Answer:
    """The chargers that pass the filters, in pages."""
    said = " ".join(asked.words)
    if len(said) > LONGEST_QUESTION:
        return refused(
            f"The filters are longer than {LONGEST_QUESTION} characters", mend="Use fewer:", examples=EXAMPLES[:1]
        )
    try:
        words = tuple(whole_values(connection, asked.words, (*STATUSES, *STATES)))
        which = read_filter(words)
        if which.location is not None:
            said_of = [word for word in words if not word.lower().startswith(("location=", "location:"))]
            place = need_thing(connection, which.location, "chargers location=", ["location"], said_of)
            which = replace(which, location=place.id)
    except WrongFilterError as wrong:
        return refused(wrong.problem, about=wrong.about, mend=wrong.mend, examples=EXAMPLES)
    page = list_chargers(connection, which, asked.offset, PAGE)
    if not page.total and which.text is not None and (right := _righted(asked.words)) is not None:
        problem = "No charger is called so, and no filter is"
        return refused(problem, about=which.text, mend="Did you mean this?", examples=[f"/charge chargers {right}"])
    buttons = paging(page, f"chargers {typed(asked.words)}".strip())
    age = age_of(connection, asked)
    examples = of_the_fleet(connection, EXAMPLES)
    return told("answer_chargers", buttons=buttons, page=page, said=said, which=which, age=age, examples=examples)


def _righted(words: tuple[str, ...]) -> str | None:
    """The filters with a misspelt status or state put right; None where none is nearly one."""
    known = [*STATUSES, *STATES]
    near = {word: get_close_matches(word.lower(), known, n=1, cutoff=0.7) for word in words}
    righted = [near[word][0] if near[word] else word for word in words]
    return " ".join(righted) if [word.lower() for word in words] != righted and any(near.values()) else None


def answer_charger(connection: Connection, asked: Asked) -> Answer:
    """One charger with its connectors; a connector's id finds its charger."""
    if not asked.words:
        return missing_id("charger", "charger", "/charge chargers")
    charger_id = " ".join(asked.words)
    charger = find_charger(connection, charger_id)
    if charger is None:
        connector = find_connector(connection, charger_id)
        charger = find_charger(connection, connector.charger_id) if connector is not None else None
    if charger is None:
        charger = find_charger(connection, need_thing(connection, charger_id, "charger", ["charger"]).id)
    if charger is None:
        return unknown_id(connection, "charger", charger_id, "charger")
    buttons = []
    if asked.role >= Role.OPERATOR and charger.online:
        for number, connector in enumerate(charger.connectors[:SHOWN_BUTTONS]):
            if connector.session_id is not None:
                buttons.append(words_button(f"Stop {connector.id}", f"stop {connector.id}", number))
            elif connector.status in {"Available", "Preparing"}:
                buttons.append(words_button(f"Start {connector.id}", f"start {connector.id}", number))
    buttons.append(words_button("Uptime as a picture", f"chart uptime {charger.id}", SHOWN_BUTTONS))
    alerts = open_alerts(connection, SHOWN_ALERTS, charger_id=charger.id)
    return told(
        "answer_charger",
        buttons=buttons,
        charger=charger,
        alerts=alerts,
        titles=alert_titles(connection, [one.id for one in alerts], asked.now),
        age=age_of(connection, asked),
        now=asked.now,
    )


def _with_key(which: ChargerFilter, key: str, value: str, text: list[str]) -> ChargerFilter:
    if key == "location":
        return replace(which, location=value)
    if key == "text":
        text.append(value)
        return which
    if key == "status":
        near = get_close_matches(value.lower(), STATUSES, n=1, cutoff=0.5)
        if value.lower() not in STATUSES:
            hint = f"Did you mean status={STATUSES[near[0]]}?" if near else f"Known: {', '.join(CONNECTOR_STATUSES)}."
            raise WrongFilterError("There is no status", value, hint)
        return replace(which, status=STATUSES[value.lower()])
    near = get_close_matches(key, KEYS, n=1, cutoff=0.5)
    raise WrongFilterError("There is no filter", key, f"Did you mean {near[0]}=?" if near else "Filters are:")


EXAMPLES = ("/charge chargers faulted", "/charge chargers offline", "/charge chargers location=ID status=Charging")

WORDS = (
    Word(
        "chargers",
        "chargers [STATUS] [online|offline] [home] [location=ID] [TEXT]",
        "chargers and their connectors, filtered",
        "chargers faulted",
        answer_chargers,
    ),
    Word("charger", "charger ID", "one charger and each of its connectors", "charger {charger}", answer_charger),
)
