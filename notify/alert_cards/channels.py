"""Where alerts are told: the channels of each are chosen as it fires, and kept; no edited rule or route moves a card.

They are those of its rule or routes, and of whoever subscribed to it by then.
An incident has one set of channels. What is to be told elsewhere than its incident, though it is of the same rule and
group, becomes an incident beside it: so no channel's card names what is not meant for it. Nothing here says anything.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.alert_cards.thread import CHUNK
from notify.routing import Routing
from notify.subscriptions import MATCHERS, read_subscribers
from rules.alerts.incidents import close_incidents, in_chunks
from rules.lifecycle import State, Transition
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT

Channels = tuple[str, ...]


class Place(NamedTuple):
    """Where an incident is told, and how grave it is."""

    channels: Channels
    severity: str


Places = Mapping[int, Place]
NOT_KNOWN: Places = MappingProxyType({})


class Frozen(NamedTuple):
    """Transitions with the incidents that they are part of, and where some of these are told: what was read anyway."""

    transitions: Sequence[Transition]
    places: Places


def freeze_channels(connection: Connection, transitions: Sequence[Transition], routing: Routing) -> Frozen:
    """Choose the channels of what fires by these transitions; they come back with the incidents that they are part of.

    The first that fires of an incident decides for it; another that is to be told elsewhere moves beside it.
    """
    fired = {t.alert_id: t for t in transitions if t.to_state == State.FIRING and t.incident_id is not None}
    ids = sorted(fired)
    moved: dict[int, int] = {}
    places: dict[int, Place] = {}
    for start in range(0, len(ids), CHUNK):
        some = [fired[alert_id] for alert_id in ids[start : start + CHUNK]]
        moved |= _freeze(connection, some, routing, places)
    if moved:
        transitions = [t._replace(incident_id=moved.get(t.alert_id, t.incident_id)) for t in transitions]
    return Frozen(transitions, places)


def _freeze(
    connection: Connection, fired: Sequence[Transition], routing: Routing, places: dict[int, Place]
) -> dict[int, int]:
    """The incidents of those alerts that move; where the others are told is added to `places`."""
    incidents = {row.id: row for row in _INCIDENTS.all(connection, {"incidents": sorted(_of(fired))})}
    chosen = _chosen(connection, fired, incidents, routing)
    kept = {i: _read(row.channels) for i, row in incidents.items() if row.channels is not None}
    first: dict[int, Channels] = {}
    elsewhere: dict[tuple[int, Channels], list[int]] = {}
    for one in fired:
        assert one.incident_id is not None  # noqa: S101 - only these are asked about
        channels = chosen[one.alert_id]
        if not channels:
            continue
        here = kept.get(one.incident_id) or first.setdefault(one.incident_id, channels)
        if here is not channels and set(here) != set(channels):
            elsewhere.setdefault((one.incident_id, channels), []).append(one.alert_id)
    keep(connection, first)
    for told in (first, kept):
        places |= {i: Place(channels, incidents[i].severity) for i, channels in told.items()}
    moved: dict[int, int] = {}
    for (incident_id, channels), alert_ids in elsewhere.items():
        beside = _beside(connection, _WHOLE.first(connection, {"incident": incident_id}), channels)
        connection.execute(sa.update(ALERT).where(ALERT.c.id.in_(alert_ids)).values(incident_id=beside))
        moved |= dict.fromkeys(alert_ids, beside)
    close_incidents(connection, {incident_id for incident_id, _ in elsewhere}, routing.now)
    return moved


@lru_cache(maxsize=256)  # most are told in the same few
def _read(channels: str) -> Channels:
    return tuple(json.loads(channels))


def _of(fired: Iterable[Transition]) -> set[int]:
    return {one.incident_id for one in fired if one.incident_id is not None}


def _chosen(
    connection: Connection, fired: Sequence[Transition], incidents: Mapping[int, Any], routing: Routing
) -> dict[int, Channels]:
    """The channels of each alert, by its id; none where there is nowhere to speak."""
    subscribers = read_subscribers(connection, routing)
    if not routing.routes_something and not subscribers.rows:
        usual = {rule_id: routing.usual_channels(rule_id) for rule_id in {one.rule_id for one in fired}}
        return {one.alert_id: usual[one.rule_id] for one in fired}
    chosen: dict[int, Channels] = {}
    for row in _PLACES.all(connection, {"alerts": [one.alert_id for one in fired]}):
        severity = incidents[row.incident_id].severity
        told = routing.channels(row.rule_id, severity, row.location_id, row.labels)
        chosen[row.id] = subscribers.beside(told, row, severity)
    return chosen


def _beside(connection: Connection, incident: Any, channels: Channels) -> int:
    """The open incident of the same rule and group that is told in these channels; opened where there is none."""
    problem = incident.problem_key or f"group:{incident.rule_id}:{incident.group_key}"
    if incident.problem_key is None:  # in a channel that both have, they share a card
        _SHARE.run(connection, {"incident": incident.id, "problem": problem})
    key = json.dumps({**json.loads(incident.group_key), "channels": sorted(channels)}, ensure_ascii=False)
    known = _KNOWN.scalar(connection, {"rule": incident.rule_id, "key": key})
    if known is not None:
        return int(known)
    values = {name: getattr(incident, name) for name in ("rule_id", "severity", "location_id", "opened_at")}
    new = {**values, "group_key": key, "problem_key": problem, "channels": json.dumps(list(channels))}
    return int(connection.execute(sa.insert(INCIDENT).values(**new).returning(INCIDENT.c.id)).scalar_one())


def frozen_channels(
    connection: Connection, rules: Mapping[int, str], routing: Routing, known: Places = NOT_KNOWN
) -> Places:
    """Where the cards of these incidents (id to rule id) stand: chosen as they fired, or now, and kept.

    Of those that are `known` nothing is read.

    One that had nowhere to speak as it fired, or fired before channels were chosen then, may be of several places: it
    has the channels of each.
    """
    asked = [incident_id for incident_id in rules if incident_id not in known]
    if not asked:
        return known
    incidents = _INCIDENTS.all(connection, {"incidents": asked})
    kept = {row.id: _read(row.channels) for row in incidents if row.channels is not None}
    usual = {i: routing.usual_channels(rules[i]) for i in asked if i not in kept}
    chosen: dict[int, Channels] = dict(usual)
    severities = {row.id: row.severity for row in incidents}
    if routing.routes_something and usual:
        routed: dict[int, list[str]] = {}
        over = [row.id for row in incidents if row.is_over]  # told when it is over: by all it had
        which = sa.or_(ALERT.c.state == State.FIRING.value, ALERT.c.incident_id.in_(over))
        firing = (ALERT.c.incident_id.in_(usual), which)
        for alert in connection.execute(sa.select(ALERT).where(*firing).order_by(ALERT.c.id)):
            i = alert.incident_id
            routed.setdefault(i, []).extend(routing.channels(rules[i], severities[i], alert.location_id, alert.labels))
        chosen |= {i: tuple(dict.fromkeys(told)) for i, told in routed.items()}
    keep(connection, {i: told for i, told in chosen.items() if told})
    told_in = {**chosen, **kept}
    return {**known, **{i: Place(channels, severities.get(i, "")) for i, channels in told_in.items()}}


def keep(connection: Connection, channels: Mapping[int, Channels]) -> None:
    """Keep the channels of these incidents."""
    alike: dict[Channels, list[int]] = {}
    for incident_id, told in channels.items():
        alike.setdefault(told, []).append(incident_id)
    for told, incident_ids in alike.items():
        for some in in_chunks(incident_ids):
            _KEEP.run(connection, {"incidents": some, "told": json.dumps(list(told))})


# a storm reads many: no more of each than is looked at
_INCIDENTS = Prepared(
    sa.select(
        INCIDENT.c.id, INCIDENT.c.severity, INCIDENT.c.channels, INCIDENT.c.resolved_at.is_not(None).label("is_over")
    ).where(INCIDENT.c.id.in_(sa.bindparam("incidents", expanding=True)))
)
_OF_INCIDENT = ("id", "rule_id", "group_key", "problem_key", "severity", "location_id", "opened_at")
_WHOLE = Prepared(
    sa.select(*(INCIDENT.c[name] for name in _OF_INCIDENT)).where(INCIDENT.c.id == sa.bindparam("incident"))
)
_PLACES = Prepared(
    sa.select(ALERT.c.id, ALERT.c.incident_id, ALERT.c.labels, *(ALERT.c[name] for name in MATCHERS)).where(
        ALERT.c.id.in_(sa.bindparam("alerts", expanding=True))
    )
)
_KEEP = Prepared(
    sa.update(INCIDENT)
    .where(INCIDENT.c.id.in_(sa.bindparam("incidents", expanding=True)))
    .values(channels=sa.bindparam("told"))
)
_SHARE = Prepared(
    sa.update(INCIDENT).where(INCIDENT.c.id == sa.bindparam("incident")).values(problem_key=sa.bindparam("problem"))
)
_KNOWN = Prepared(
    sa.select(INCIDENT.c.id).where(
        INCIDENT.c.rule_id == sa.bindparam("rule"),
        INCIDENT.c.group_key == sa.bindparam("key"),
        INCIDENT.c.resolved_at.is_(None),
    )
)
