"""One message a location, as places come, go, come back and change their zone: no slot doubled, missed or late."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import pytest
import sqlalchemy as sa

from rules.documents.document import rule_from_document
from rules.registry.authoring import change_rule, create_rule, find_rule, switch_rule
from storage.engine import Database
from storage.schema import LOCATION
from tests.notify.digests.test_starts import (
    CHANGES,
    DRAWN,
    MINUTE,
    TIMES,
    ZONES,
    Model,
    look,
    story,
)
from tests.notify.records import insert_location

pytestmark = pytest.mark.on_either_database

ACTS = ("come", "go or come back", "go or come back", *4 * ("zone",), "pause or resume", "schedule", "words")
MOST = 6


@dataclass
class Town:
    """What a person with a calendar expects of a digest with one message a location: each place has its own slots."""

    schedule: str
    on: bool
    own: datetime  # from when on the rule counts
    zones: dict[str, str] = field(default_factory=dict)  # of every place that ever was
    there: set[str] = field(default_factory=set)
    voices: dict[tuple[str, str], Model] = field(default_factory=dict)  # by place and zone: what it said is kept

    def heard(self, place: str, now: datetime) -> None:
        """A place is there, in its zone, from now on: by that clock nothing is said that came before."""
        known = self.voices.setdefault((place, self.zones[place]), Model(self.zones[place], self.schedule, now))
        known.counts_from = now

    def expected(self, now: datetime) -> set[tuple[str, datetime, bool]]:
        """Which slots are to be said at a look, of which places, and whether they are late."""
        said: set[tuple[str, datetime, bool]] = set()
        for place in self.there:
            voice = self.voices[place, self.zones[place]]
            voice.schedule, voice.on = self.schedule, self.on
            voice.counts_from = max(voice.counts_from, self.own)
            said |= {(place, *one) for one in voice.expected(now)}
        return said


def move(database: Database, town: Town, act: str, draw: Random, now: datetime) -> None:
    """A place comes, goes, comes back or follows another clock."""
    with database.write() as connection:
        if act == "come" and len(town.zones) < MOST:
            place = f"l{len(town.zones)}"
            town.zones[place] = draw.choice(ZONES)
            insert_location(connection, place, timezone=town.zones[place], first_seen_at=now)
            town.there.add(place)
        else:
            place = draw.choice(sorted(town.zones))
            if act == "zone":
                town.zones[place] = draw.choice([zone for zone in ZONES if zone != town.zones[place]])
            elif act != "come":
                town.there ^= {place}
            gone_at = None if place in town.there else now
            values = {"timezone": town.zones[place], "gone_at": gone_at}
            connection.execute(sa.update(LOCATION).where(LOCATION.c.id == place).values(**values))
            if act == "come" or place not in town.there:
                return
    town.heard(place, now)


def edit(database: Database, town: Town, act: str, draw: Random, now: datetime) -> None:
    """Somebody edits the rule, or switches it off or on."""
    with database.write() as connection:
        row = find_rule(connection, "daily")
        if act == "pause or resume":
            town.on = not town.on
            switch_rule(connection, "daily", "U1", now, on=town.on, base_version=row.version)
            town.own = now if town.on else town.own
            return
        if act == "schedule":
            town.schedule, town.own = draw.choice([one for one in TIMES if one != town.schedule]), now
        document = {**row.document, "schedule": town.schedule, "description": f"Words of {now}"}
        change_rule(connection, rule_from_document(document, "slack"), "U1", now, base_version=row.version)


@pytest.mark.parametrize("seed", range(2 * DRAWN))
def test_no_slot_of_a_place_is_doubled_missed_or_late_as_places_come_go_and_follow_other_clocks(
    database: Database, seed: int
) -> None:
    draw = Random(seed)
    start = draw.choice(CHANGES) + draw.randrange(1440) * MINUTE
    town = Town(draw.choice(list(TIMES)), on=True, own=start)
    with database.write() as connection:
        document = {"name": "daily", "schedule": town.schedule, "digest": "sessions", "each": "location"}
        create_rule(connection, rule_from_document(document, "slack"), "U1", start)
    move(database, town, "come", draw, start)
    for now, wanted in story(draw, start, ACTS, a_day=12):
        if wanted is not None:
            act = wanted if town.on else "pause or resume"
            (edit if act in {"pause or resume", "schedule", "words"} else move)(database, town, act, draw, now)
        said = [
            (one.facts["location"], datetime.fromisoformat(one.slot).astimezone(UTC), one.facts["late"])
            for one in look(database, now)
        ]
        assert len(said) == len(set(said))
        assert set(said) == town.expected(now), (now, town)
