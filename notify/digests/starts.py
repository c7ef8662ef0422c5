"""From when on each rule and zone of a digest counts: only slots after that moment exist.

The rule's own moment is written where rules are kept; a zone's is its first sight, written here. A zone that no
location is in any more is forgotten, and is seen for the first time when it comes again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.digests.voices import first_seen
from storage.dialects import insert
from storage.schema import DIGEST_START, RULE

OF_THE_RULE = ""
NOBODY = "-"
"""Stands for the voices of a rule that has none: those that come back count from then on, new ones from first sight."""

Starts = dict[str, dict[str, datetime]]


def starts_of(connection: Connection, zones_of: Mapping[str, Sequence[str]], now: datetime) -> Starts:
    """By rule and zone, from when on its slots count; what is seen for the first time is written down.

    `zones_of` are the zones that each rule speaks for. At a rule's first look its zones count from its own moment, or
    from when their first location was seen; a zone that comes later counts from now. Where a rule
    had nobody to speak for, what was never there before counts from its first sight.
    """
    kept: Starts = {name: {} for name in zones_of}
    rows = connection.execute(sa.select(DIGEST_START).where(DIGEST_START.c.rule_id.in_(list(zones_of))))
    for row in rows:
        kept[row.rule_id][row.zone] = row.counts_from
    made = _made_at(connection, [name for name, starts in kept.items() if OF_THE_RULE not in starts])
    seen: Mapping[str, datetime] | None = None
    starts_of_all: Starts = {}
    for name, zones in zones_of.items():
        known = kept[name]
        own = known.get(OF_THE_RULE) or made.get(name, now)
        first_look = not known.keys() - {OF_THE_RULE}
        heard = zones or [NOBODY]
        new = {zone: now for zone in heard if zone not in known}
        if new and zones and (first_look or NOBODY in known):
            seen = first_seen(connection) if seen is None else seen
            since, otherwise = (own, own) if first_look else (max(own, known[NOBODY]), now)
            new = {zone: seen[zone] if seen.get(zone, since) > since else otherwise for zone in new}
        _write(connection, name, new if OF_THE_RULE in known else {**new, OF_THE_RULE: own})
        _forget(connection, name, known.keys() - {OF_THE_RULE, *heard})
        starts_of_all[name] = {zone: max(own, known.get(zone) or new[zone]) for zone in zones}
    return starts_of_all


def _made_at(connection: Connection, names: Sequence[str]) -> dict[str, datetime]:
    """When rules were made of which nothing else is kept: an older version kept no more."""
    if not names:
        return {}
    made = sa.select(RULE.c.id, RULE.c.created_at).where(RULE.c.id.in_(names))
    return {row.id: row.created_at for row in connection.execute(made)}


def _write(connection: Connection, name: str, starts: Mapping[str, datetime]) -> None:
    if starts:
        rows = [{"rule_id": name, "zone": zone, "counts_from": at} for zone, at in starts.items()]
        connection.execute(insert(connection, DIGEST_START).values(rows).on_conflict_do_nothing())


def _forget(connection: Connection, name: str, zones: set[str]) -> None:
    if zones:
        gone = (DIGEST_START.c.rule_id == name, DIGEST_START.c.zone.in_(sorted(zones)))
        connection.execute(sa.delete(DIGEST_START).where(*gone))
