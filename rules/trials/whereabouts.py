"""When the things of a fleet were there, and where: what the kept past says of appearing, vanishing and moving.

A row says only how it is now; what it was before stands in the history. It replays nothing.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.recording.moves import PLACES
from storage.recording.things import THERE
from storage.schema import CHARGER, CONNECTOR, INTERVAL, LOCATION

Thing = tuple[str, str]
"""What kind of thing, and its id."""

Life = tuple[datetime, datetime | None]
"""From when to when something was there; None: it still is."""


@dataclass(slots=True)
class Whereabouts:
    """When each location, charger and connector was there, and where each charger and connector was until when."""

    lives: dict[Thing, list[Life]] = field(default_factory=lambda: defaultdict(list))
    left: dict[Thing, list[tuple[datetime, str | None]]] = field(default_factory=lambda: defaultdict(list))
    now: dict[Thing, str | None] = field(default_factory=dict)

    def life_at(self, thing: Thing, moment: datetime) -> Life | None:
        """The life in which a thing was at a moment; None where it was not there."""
        there = (life for life in self.lives.get(thing, ()) if life[0] <= moment and (not life[1] or moment < life[1]))
        return next(there, None)

    def which_life(self, thing: Thing, moment: datetime) -> int:
        """How many lives of a thing were over at a moment."""
        return sum(end is not None and end <= moment for _, end in self.lives.get(thing, ()))

    def place_at(self, thing: Thing, moment: datetime) -> str | None:
        """On which charger a connector, at which location a charger was at a moment."""
        left = self.left.get(thing, [])
        place = bisect_right([until for until, _ in left], moment)
        return left[place][1] if place < len(left) else self.now.get(thing)

    def there_at(self, moment: datetime) -> Iterator[tuple[Thing, datetime]]:
        """Everything that was there at a moment, with the moment at which it came into sight."""
        for thing in self.lives:
            life = self.life_at(thing, moment)
            if life is not None:
                yield thing, life[0]

    def appeared(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, Thing]]:
        """What came into sight in (since, until], again too."""
        for thing, lives in self.lives.items():
            yield from ((begun, thing) for begun, _ in lives if since < begun <= until)

    def went(self, since: datetime, until: datetime) -> list[tuple[datetime, Thing]]:
        """What vanished in (since, until]."""
        ends = ((end, thing) for thing, lives in self.lives.items() for _, end in lives)
        return sorted((end, thing) for end, thing in ends if end is not None and since < end <= until)

    def moved(self, since: datetime, until: datetime) -> list[tuple[datetime, Thing, str | None]]:
        """What moved in (since, until], and to where."""
        moves = ((at, thing) for thing, left in self.left.items() for at, _ in left if since < at <= until)
        return sorted(((at, thing, self.place_at(thing, at)) for at, thing in moves), key=lambda move: move[:2])


def read_whereabouts(connection: Connection, since: datetime) -> Whereabouts:
    """Read when everything was there that was so after `since`, and where it was."""
    found = Whereabouts()
    past = sa.select(
        INTERVAL.c.thing, INTERVAL.c.thing_id, INTERVAL.c.value, INTERVAL.c.valid_from, INTERVAL.c.valid_to
    )
    ended = past.where(INTERVAL.c.field == THERE, INTERVAL.c.valid_to > since).order_by(INTERVAL.c.valid_from)
    for row in connection.execute(ended):
        found.lives[row.thing, row.thing_id].append((row.valid_from, row.valid_to))
    for table in (LOCATION, CHARGER, CONNECTOR):
        place = PLACES.get(table.name)
        told = (table.c.id, table.c.first_seen_at, table.c.gone_at, *([] if place is None else [table.c[place]]))
        for row in connection.execute(sa.select(*told)):
            thing = (table.name, row.id)
            life = (row.first_seen_at, row.gone_at)
            if life not in found.lives[thing]:
                found.lives[thing].append(life)
            if place is not None:
                found.now[thing] = getattr(row, place)
    for thing_name, name in PLACES.items():
        of_it = (INTERVAL.c.thing == thing_name, INTERVAL.c.field == name, INTERVAL.c.valid_to > since)
        for row in connection.execute(past.where(*of_it).order_by(INTERVAL.c.valid_to)):
            found.left[row.thing, row.thing_id].append((row.valid_to, row.value))
    return found
