"""What alerts say because time passed or quiet ended: silences, inhibition, repeats and escalations, in one look.

It moves no alert and posts nothing: it writes to the outbox, in the caller's transaction, what is due at `now`.
"""

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.alert_cards.card import enqueue_unmuted, refresh_alert_cards
from notify.alert_cards.covered import judge_covered
from notify.alert_cards.quiet_hours import enqueue_night_summaries, release_held
from notify.alert_cards.reminders import enqueue_due_reminders
from notify.alert_cards.timed.rising import open_added_cards, raise_severities
from notify.alert_cards.unheard import may_speak_now
from notify.routing import Routing
from rules.alerts.acknowledgements import end_acknowledgements
from rules.alerts.incidents import of_rule
from rules.alerts.silences import review_mutings
from rules.alerts.snoozes import end_snoozes
from rules.lifecycle import State
from storage.schema import ALERT


def rules_with_alerts(connection: Connection) -> list[str]:
    """The names of the rules of which anything may have to speak."""
    quiet = sa.and_(ALERT.c.quiet_since.is_not(None), ALERT.c.quiet_ended_at.is_(None))
    names = sa.select(ALERT.c.rule_id).where(sa.or_(ALERT.c.state == State.FIRING.value, quiet)).distinct()
    return list(connection.execute(names.order_by(ALERT.c.rule_id)).scalars())


def speak_due(connection: Connection, routing: Routing, only: str | None = None) -> int:
    """Let everything speak that is due, or what one rule has to say; how many threads and cards have something new.

    1. Raise the severity of what has fired long enough, and bring up to date what keeps alerts quiet; snoozes and quiet
       hours first, because a source that is itself quiet inhibits nothing. The cards say so.
    2. What is no longer quiet and still fires speaks after group_wait, and so does what had no channel until now; what
       came and went in quiet hours gets a line.
    3. What joined a card without a word in the evaluation that is over speaks where nothing covers it any more.
    4. What nobody acknowledged is said again, or to more people.
    """
    now = routing.now
    risen = raise_severities(connection, routing, only)
    mine = of_rule(only)
    woken = end_snoozes(connection, now, mine)
    released = release_held(connection, routing, mine)
    reviewed = review_mutings(connection, now, mine)
    lapsed = end_acknowledgements(connection, routing.rules, now, mine)
    moved = (*risen.values(), *woken.values(), *lapsed.values(), *released.firing.values())
    changed = reviewed.incidents.union(i for i in moved if i is not None)
    shown = refresh_alert_cards(connection, changed, now)
    again = {**dict.fromkeys(reviewed.unmuted, "unmuted"), **dict.fromkeys(woken, "woken")}
    again |= dict.fromkeys(may_speak_now(connection, routing, only), "unmuted")
    again |= dict.fromkeys(lapsed, "lapsed") | dict.fromkeys(released.firing, "released")
    again |= dict.fromkeys(risen, "risen")
    shown += enqueue_night_summaries(connection, released.ended, routing, only)
    enqueue_unmuted(connection, again, routing)
    open_added_cards(connection, risen, routing)
    judge_covered(connection, routing, mine)
    return shown + enqueue_due_reminders(connection, routing, only)
