"""`/charge locations` and `/charge location ID`: where the chargers stand and how each place does. It only reads."""

from sqlalchemy import Connection

from bot.slack.charge.answer import (
    PAGE,
    Answer,
    Asked,
    Word,
    age_of,
    missing_id,
    paging,
    told,
    unknown_id,
    words_button,
)
from bot.slack.charge.things_by_id import need_thing
from notify.alert_cards.parts import alert_titles
from storage.queries.rows import ChargerFilter
from storage.queries.state import find_location, list_chargers, list_locations, open_alerts

SHOWN_ALERTS = 5


def answer_locations(connection: Connection, asked: Asked) -> Answer:
    """All locations in pages, those with the most trouble first; with words the one that they name."""
    if asked.words and asked.words != ("all",):
        return answer_location(connection, asked)
    page = list_locations(connection, asked.offset, PAGE)
    buttons = paging(page, "locations")
    return told("answer_locations", buttons=buttons, page=page, age=age_of(connection, asked, "chargers"))


def answer_location(connection: Connection, asked: Asked) -> Answer:
    """One location, its chargers and what fires there."""
    if not asked.words:
        return missing_id("location", "location", "/charge locations")
    location_id = need_thing(connection, " ".join(asked.words), "location", ["location"]).id
    location = find_location(connection, location_id)
    if location is None:
        return unknown_id(connection, "location", location_id, "location")
    alerts = open_alerts(connection, SHOWN_ALERTS, location_id=location.id)
    return told(
        "answer_location",
        buttons=[words_button("All its chargers", f"chargers location={location.id}")] if location.chargers else [],
        location=location,
        chargers=list_chargers(connection, ChargerFilter(location=location.id), 0, PAGE),
        alerts=alerts,
        titles=alert_titles(connection, [one.id for one in alerts], asked.now),
        age=age_of(connection, asked),
        now=asked.now,
    )


WORDS = (
    Word("locations", "locations", "all locations, those with trouble first", "locations", answer_locations),
    Word(
        "location",
        "location ID",
        "one location, its chargers, what fires there",
        "location {location}",
        answer_location,
    ),
)
