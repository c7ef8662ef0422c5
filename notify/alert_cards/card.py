"""From transitions to messages: one card an incident and channel, and what is said in its thread.

An edit of a card notifies nobody, so what matters is also said as a broadcast reply, at most once per
`group_interval`. Acknowledging is here too, as it is an edit of the card. Nothing here decides what fires: it reads the
alerts and incidents that the evaluation wrote.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.alert_cards.channels import NOT_KNOWN, Places, frozen_channels
from notify.alert_cards.covered import note_covered
from notify.alert_cards.joining import join_cards, that_speak, unlisted_quiet
from notify.alert_cards.quiet_hours import hold_back, quiet_until
from notify.alert_cards.storms.roll_ups import is_over, roll_up
from notify.alert_cards.storms.site_storms import join_standing_storms, open_site_storms
from notify.alert_cards.storms.switch_on_summary import already_so, gather_switched_on
from notify.alert_cards.thread import (
    CHUNK,
    News,
    Saying,
    Voice,
    bump_roll_ups,
    bump_voices,
    merged,
    news_by_incident,
    note_spoken,
    say_in_thread,
    spoken_incidents,
)
from notify.outbox import ALERT_CARD, OF_SEVERITY, new_ids, note_click, unseen
from notify.routing import Routing
from notify.text.ranges import read_ranges
from rules.alerts.incidents import AUDIBLE
from rules.lifecycle import State, Transition
from storage.prepared import Prepared
from storage.schema import ALERT, INCIDENT, OUTBOX


@dataclass(frozen=True, slots=True)
class Opened:
    """The channels that got a new card; the incidents of these cards that joined none that stood, and all of them.

    `joined` are those of which all cards are new and were joined to others, with these; `told` are all with a card.
    """

    channels: set[str]
    incidents: set[int]
    carded: set[int]
    joined: dict[int, list[str]]
    told: set[int]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What a click on Acknowledge did.

    `outcome` is "acknowledged", "already acknowledged", "already resolved" or "unknown incident"; `by` and `at` tell
    who was first; `members` counts the alerts this click acknowledged.
    """

    outcome: str
    by: str | None = None
    at: datetime | None = None
    members: int = 0


def enqueue_alert_messages(
    connection: Connection,
    transitions: Iterable[Transition],
    routing: Routing,
    places: Places = NOT_KNOWN,
) -> None:
    """Enqueue what a firing or a resolve makes worth saying.

    1. The cards that the touched incidents have become one version newer: an edit.
    2. Where something fired and a channel has no card yet, one is due after `group_wait`; more than `budget` new ones
       in a channel become a roll-up. An alert that is kept quiet makes no card.
    3. Where a card is already shown (or on its way), new members and the full resolve are also said in its thread.

    In quiet hours 2 and 3 wait for the morning. `places` is where incidents are told, as far as it is known.
    """
    news = news_by_incident(transitions)
    held = hold_back(connection, [i for one in news.values() for i in one.fired], routing)
    for one in news.values() if held else ():
        one.told["fired"] = [i for i in one.fired if i not in held]
    incident_ids = sorted(news)
    made: set[str] = set()
    carded: set[int] = set()
    told: set[int] = set()
    for start in range(0, len(incident_ids), CHUNK):
        chunk = incident_ids[start : start + CHUNK]
        # a channel that never heard of it is not told that it ended
        fired = {i: news[i].rule_id for i in chunk if news[i].fired}
        opened = insert_cards(connection, fired, routing, places=places)
        made |= opened.channels
        carded |= opened.carded
        told |= opened.told
        # the update locks the rows: a worker cannot pick a card up between this and our commit
        moved = [i for i in chunk if i not in opened.incidents]
        for voice in bump_voices(connection, moved, routing.now, opened.joined):
            told.update(voice.incident_ids)
            _say_moved(connection, voice, news, routing)
    for voice in _rolled_up(connection, made, [i for i in incident_ids if news[i].fired], routing):
        _say_moved(connection, voice, _with_what_came_before(connection, voice, news), routing)
    list_quiet(connection, news.keys() - (told - carded), carded, routing)


def _say_moved(connection: Connection, voice: Voice, news: Mapping[int, News], routing: Routing) -> None:
    """Say in the thread of a message what fired and that all is over, where that is to be said."""
    saying = merged(news[i] for i in voice.incident_ids)
    saying.full_resolve = bool(saying.resolved) and _ends(connection, voice)
    if "switched_on" in voice.row.facts:  # its summary counts them already
        known = already_so(connection, saying.fired)
        saying.fired = [i for i in saying.fired if i not in known]
    joining = saying.fired
    _keep_aloud(connection, voice, saying, routing)
    note_covered(connection, set(joining) - set(saying.fired), routing.now)
    if voice.somebody_saw and (saying.fired or saying.full_resolve):
        until = quiet_until(connection, voice.incident_ids, routing) if not saying.fired else None
        saying.held_since = routing.now.isoformat() if until else None
        say_in_thread(connection, voice, saying, routing, not_before=until)


def _rolled_up(
    connection: Connection, made: Collection[str], incident_ids: Sequence[int], routing: Routing
) -> list[Voice]:
    """Let the cards that these channels got now be one message where they are many; those that have to say so aloud."""
    if not made:
        return []
    gather_switched_on(connection, incident_ids, routing)
    joined = join_standing_storms(connection, made, routing)
    roll_up(connection, made, routing)
    open_site_storms(connection, made, routing)
    heads = {row.id: row for row in bump_roll_ups(connection, joined, routing.now)}
    return [Voice(heads[head], sorted(ids)) for head, ids in joined.items() if head in heads]


def _with_what_came_before(connection: Connection, voice: Voice, news: Mapping[int, News]) -> Mapping[int, News]:
    """These news, and what fires where another rule made the card at this poll: it joins the message too."""
    before = [i for i in voice.incident_ids if i not in news]
    told = {row.id: News(row.rule_id, row.id) for row in _THESE_INCIDENTS.all(connection, {"incidents": before})}
    for row in _SPEAKING.all(connection, {"incidents": before}) if before else ():
        told[row.incident_id].told.setdefault("fired", []).append(row.id)
    return {**news, **told}


def _ends(connection: Connection, voice: Voice) -> bool:
    """Whether all that a message tells of is over, and some of it was heard."""
    if not is_over(connection, voice.row.id):
        return False
    told = voice.incident_ids if voice.is_roll_up else spoken_incidents(connection, voice.row)
    return bool(_resolved_among(connection, told))


def _keep_aloud(connection: Connection, voice: Voice, saying: Saying, routing: Routing) -> None:
    """Leave out of what is said what joins its card, or comes back to it, without a word."""
    joining = [*saying.fired, *(i for reason in QUIETLY for i in getattr(saying, reason))]
    aloud = that_speak(connection, voice.row, joining, routing.now)
    for reason in ("fired", *QUIETLY):
        setattr(saying, reason, [i for i in getattr(saying, reason) if i in aloud])


QUIETLY = ("unmuted", "woken", "released")
"""Why an alert comes back that may do so without a word."""


def list_quiet(connection: Connection, incident_ids: Collection[int], carded: Set[int], routing: Routing) -> None:
    """Let the standing cards of these incidents' problems list what fires there quietly and has no card.

    `carded` are those of them that got a card now.
    """
    quiet = unlisted_quiet(connection, incident_ids, carded)
    if quiet:
        insert_cards(connection, quiet, routing, may_open=False)
        refresh_alert_cards(connection, quiet, routing.now)


def refresh_alert_cards(connection: Connection, incident_ids: Collection[int], now: datetime) -> int:
    """Make the cards of these incidents be shown anew, for changes that are no transitions (held, acknowledged)."""
    ids = sorted(incident_ids)
    return sum(len(bump_voices(connection, ids[i : i + CHUNK], now)) for i in range(0, len(ids), CHUNK))


def show_click(connection: Connection, incident_ids: Collection[int], now: datetime) -> None:
    """Make the cards of these incidents be shown anew before everything else: somebody waits to see their click."""
    refresh_alert_cards(connection, incident_ids, now)
    ids = sorted(incident_ids)
    for start in range(0, len(ids), CHUNK):
        note_click(connection, ids[start : start + CHUNK], now)


def enqueue_unmuted(
    connection: Connection,
    alerts: Mapping[int, str],
    routing: Routing,
) -> None:
    """Let alerts speak, after `group_wait`, that were quiet until now: each id with its reason, one of AGAIN.

    What does not fire any more, is acknowledged or kept quiet by something else (quiet hours too) stays quiet.
    """
    incidents: dict[int, News] = {}
    ids = sorted(alerts)
    rows: list[Row[Any]] = []
    for start in range(0, len(ids), CHUNK):
        mine = (ALERT.c.id.in_(ids[start : start + CHUNK]), ALERT.c.state == State.FIRING.value, AUDIBLE)
        rows += connection.execute(sa.select(ALERT).where(*mine, ALERT.c.acknowledged_at.is_(None))).all()
    held = hold_back(connection, [row.id for row in rows], routing)
    for row in rows:
        if row.incident_id is not None and row.id not in held:
            one = incidents.setdefault(row.incident_id, News(row.rule_id, row.incident_id))
            one.told.setdefault(alerts[row.id], []).append(row.id)
    made: set[str] = set()
    carded: set[int] = set()
    told: set[int] = set()
    incident_ids = sorted(incidents)
    for start in range(0, len(incident_ids), CHUNK):
        chunk = incident_ids[start : start + CHUNK]
        opened = insert_cards(connection, {i: incidents[i].rule_id for i in chunk}, routing)
        made |= opened.channels
        carded |= opened.carded
        told |= opened.told
        again = [i for i in chunk if i not in opened.incidents]
        for voice in bump_voices(connection, again, routing.now, opened.joined):
            _say_again(connection, voice, incidents, routing)
    for voice in _rolled_up(connection, made, incident_ids, routing):
        _say_again(connection, voice, _with_what_came_before(connection, voice, incidents), routing)
    list_quiet(connection, incidents.keys() - (told - carded), carded, routing)


def _say_again(connection: Connection, voice: Voice, incidents: Mapping[int, News], routing: Routing) -> None:
    """Say in the thread of a message what speaks again."""
    saying = merged(incidents[i] for i in voice.incident_ids)
    _keep_aloud(connection, voice, saying, routing)
    if voice.somebody_saw and saying.is_news:
        say_in_thread(connection, voice, saying, routing, not_before=routing.due_at)


def acknowledge_incident(connection: Connection, incident_id: int, user: str, now: datetime) -> Acknowledgement:
    """Acknowledge the present firing members of an incident for `user` (a Slack user id) and refresh its cards.

    Idempotent: a second click changes nothing and is told who was first.
    """
    done = _acknowledge(connection, ALERT.c.incident_id == incident_id, user, now)
    if done is not None:
        return done
    known = connection.execute(sa.select(INCIDENT.c.id).where(INCIDENT.c.id == incident_id)).first()
    return Acknowledgement("already resolved" if known is not None else "unknown incident")


def acknowledge_roll_up(connection: Connection, roll_up_id: str, user: str, now: datetime) -> Acknowledgement:
    """Acknowledge the present firing members of every incident of a roll-up; like `acknowledge_incident` else."""
    rolled = (OUTBOX.c.rolled_into == roll_up_id, OUTBOX.c.kind == ALERT_CARD)
    incidents = sa.select(OUTBOX.c.incident_id).where(*rolled)
    done = _acknowledge(connection, ALERT.c.incident_id.in_(incidents), user, now)
    if done is not None:
        return done
    known = connection.execute(sa.select(OUTBOX.c.id).where(OUTBOX.c.id == roll_up_id)).first()
    return Acknowledgement("already resolved" if known is not None else "unknown incident")


def named_alerts(ranges: str) -> sa.ColumnElement[bool]:
    """The alerts that a button names, by what it carries; ValueError where that is nothing it could carry."""
    return sa.or_(sa.false(), *(ALERT.c.id.between(first, last) for first, last in read_ranges(ranges)))


def acknowledge_alerts(
    connection: Connection, conditions: Sequence[sa.ColumnElement[bool]], user: str, now: datetime
) -> Acknowledgement:
    """Acknowledge the firing alerts that meet these conditions; "already resolved" where none fires."""
    return _acknowledge(connection, sa.and_(sa.true(), *conditions), user, now) or Acknowledgement("already resolved")


def _acknowledge(
    connection: Connection, which: sa.ColumnElement[bool], user: str, now: datetime
) -> Acknowledgement | None:
    """Acknowledge what fires; None where nothing does."""
    mine = (which, ALERT.c.state == State.FIRING.value)
    newly = connection.execute(
        sa.update(ALERT)
        .where(*mine, ALERT.c.acknowledged_at.is_(None))
        .values(acknowledged_at=now, acknowledged_by=user, ack_ended_at=None)
        .returning(ALERT.c.incident_id)
    ).scalars()
    incidents = newly.all()
    if incidents:
        show_click(connection, {i for i in incidents if i is not None}, now)
        return Acknowledgement("acknowledged", user, now, len(incidents))
    found = connection.execute(
        sa.select(ALERT.c.acknowledged_by, ALERT.c.acknowledged_at)
        .where(*mine)
        .order_by(ALERT.c.acknowledged_at.desc(), ALERT.c.id)
        .limit(1)
    ).first()
    if found is not None:
        return Acknowledgement("already acknowledged", found.acknowledged_by, found.acknowledged_at)
    return None


def insert_cards(
    connection: Connection,
    rules: Mapping[int, str],
    routing: Routing,
    due_at: datetime | None = None,
    *,
    may_open: bool = True,
    places: Places = NOT_KNOWN,
) -> Opened:
    """Insert the cards that these incidents (id to rule id) do not have yet; which have a card of their own now.

    They are due after `group_wait`, or at `due_at`. What belongs to a problem joins the card that stands for it.
    """
    if not rules:
        return Opened(set(), set(), set(), {}, set())
    due_at = due_at or routing.due_at
    items = _cards(rules, frozen_channels(connection, rules, routing, places))
    alike = unseen(ALERT_CARD, due_at, routing.now)
    known: dict[str, int] = {}
    if items:
        known = dict(_KNOWN_CARDS.all(connection, {"incidents": list(rules)}))
    new = [item for item in items if item["natural_key"] not in known]
    heads: dict[str, str] = {}
    for start in range(0, len(new), CHUNK):
        heads |= join_cards(connection, new[start : start + CHUNK], alike, may_open=may_open)
    own = [item for item in new if may_open and item["id"] not in heads]
    note_spoken(connection, sorted({item["incident_id"] for item in own}), due_at)
    joined: dict[int, list[str]] = {}
    for item in new:
        if item["id"] in heads:
            joined.setdefault(item["incident_id"], []).append(heads[item["id"]])
    carded = {item["incident_id"] for item in own}
    told = {*known.values(), *joined, *carded}
    channels, alone = {item["channel"] for item in own}, carded - joined.keys()
    for incident_id in {*known.values(), *carded}:
        joined.pop(incident_id, None)
    return Opened(channels, alone, carded, joined, told)


def _cards(rules: Mapping[int, str], places: Places) -> list[dict[str, Any]]:
    """What is of its own in the row of each card of these incidents (id to rule id)."""
    told = [(i, rule_id, places[i].severity, channel) for i, rule_id in rules.items() for channel in places[i].channels]
    return [
        {
            "id": card,
            "natural_key": f"incident:{incident_id}:{channel}",
            "channel": channel,
            "rule_id": rule_id,
            "incident_id": incident_id,
            "rank": OF_SEVERITY.get(severity),
        }
        for card, (incident_id, rule_id, severity, channel) in zip(new_ids(len(told)), told, strict=True)
    ]


def _resolved_among(connection: Connection, incident_ids: Sequence[int]) -> set[int]:
    """Those that are resolved and had a member that was not kept quiet to the end."""
    return set(_RESOLVED.scalars(connection, {"incidents": list(incident_ids)}))


_INCIDENTS: sa.BindParameter[int] = sa.bindparam("incidents", expanding=True)
_THESE_INCIDENTS = Prepared(
    sa.select(INCIDENT.c.id, INCIDENT.c.rule_id, INCIDENT.c.severity).where(INCIDENT.c.id.in_(_INCIDENTS))
)
_SPEAKING = Prepared(
    sa.select(ALERT.c.id, ALERT.c.incident_id)
    .where(ALERT.c.incident_id.in_(_INCIDENTS), ALERT.c.state == State.FIRING.value, AUDIBLE)
    .order_by(ALERT.c.id)
)
_KNOWN_CARDS = Prepared(
    sa.select(OUTBOX.c.natural_key, OUTBOX.c.incident_id).where(
        OUTBOX.c.incident_id.in_(_INCIDENTS), OUTBOX.c.kind == ALERT_CARD
    )
)
_ONLY_QUIET = sa.and_(
    sa.exists().where(ALERT.c.incident_id == INCIDENT.c.id),
    ~sa.exists().where(ALERT.c.incident_id == INCIDENT.c.id, AUDIBLE),
)
_RESOLVED = Prepared(
    sa.select(INCIDENT.c.id).where(INCIDENT.c.id.in_(_INCIDENTS), INCIDENT.c.resolved_at.is_not(None), ~_ONLY_QUIET)
)
