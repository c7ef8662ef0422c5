"""What joined a card without a word is judged again when its evaluation is over: what covered it may have ended since.

The rules of one evaluation speak one after the other, and what keeps alerts quiet is reviewed after them all. Which of
them comes first decides nothing: an alert that nothing covers in the end is said in the thread. It moves no alert.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from notify.alert_cards.joining import that_speak
from notify.alert_cards.thread import CHUNK, Saying, Voice, bump_voices, say_in_thread
from notify.outbox import ALERT_REPLY
from notify.routing import Routing
from rules.alerts.incidents import AUDIBLE, EVERY_RULE
from rules.lifecycle import State
from storage.prepared import Prepared
from storage.schema import ALERT, OUTBOX


def note_covered(connection: Connection, alert_ids: Collection[int], now: datetime) -> None:
    """Note that these alerts joined a card without a word, for `judge_covered` to look at again."""
    ids = sorted(alert_ids)
    for start in range(0, len(ids), CHUNK):
        _NOTE.run(connection, {"ids": ids[start : start + CHUNK], "now": now})


def judge_covered(connection: Connection, routing: Routing, which: ColumnElement[bool] = EVERY_RULE) -> None:
    """Say in the threads what joined without a word, fires, and is covered by nothing there by now; of `which` alerts.

    It is looked at once, after the evaluation in which it fired: what ends later leaves nothing to say.
    """
    noted = connection.execute(sa.select(ALERT.c.id).where(which, ALERT.c.covered_at.is_not(None))).scalars().all()
    for start in range(0, len(noted), CHUNK):
        ids = sorted(noted[start : start + CHUNK])
        rows = _FIRING.all(connection, {"ids": ids})
        _FORGET.run(connection, {"ids": ids})
        by_incident: dict[int, list[Any]] = {}
        for row in rows:
            by_incident.setdefault(row.incident_id, []).append(row)
        for voice in bump_voices(connection, sorted(by_incident), routing.now) if by_incident else ():
            mine = [row for incident_id in voice.incident_ids for row in by_incident[incident_id]]
            _judge(connection, voice, mine, routing)


def _judge(connection: Connection, voice: Voice, rows: Iterable[Any], routing: Routing) -> None:
    told = _told_in(connection, voice)
    sent_at = voice.row.sent_at
    quiet = [row.id for row in rows if row.id not in told and (sent_at is None or sent_at <= row.covered_at)]
    aloud = that_speak(connection, voice.row, quiet, routing.now)
    if aloud and voice.somebody_saw:
        say_in_thread(connection, voice, Saying(fired=sorted(aloud)), routing)


def _told_in(connection: Connection, voice: Voice) -> set[int]:
    """The alerts that a reply in the thread has named as new."""
    replies = _REPLIES.all(connection, {"card": voice.row.id})
    return {alert_id for reply in replies for alert_id in reply.facts.get("fired", ())}


_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_NOTE = Prepared(sa.update(ALERT).where(ALERT.c.id.in_(_IDS)).values(covered_at=sa.bindparam("now")))
_FORGET = Prepared(sa.update(ALERT).where(ALERT.c.id.in_(_IDS)).values(covered_at=None))
_FIRING = Prepared(
    sa.select(ALERT.c.id, ALERT.c.incident_id, ALERT.c.covered_at).where(
        ALERT.c.id.in_(_IDS),
        ALERT.c.incident_id.is_not(None),
        ALERT.c.state == State.FIRING.value,
        ALERT.c.acknowledged_at.is_(None),
        AUDIBLE,
    )
)
_REPLIES = Prepared(
    sa.select(OUTBOX.c.facts).where(
        OUTBOX.c.thread_of == sa.bindparam("card"),
        OUTBOX.c.kind == ALERT_REPLY,
        OUTBOX.c.abandoned_at.is_(None),
    )
)
