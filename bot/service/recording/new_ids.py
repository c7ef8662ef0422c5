"""Follows a contract that makes other ids of the same things: what is stored takes them before rows are recorded.

Only a complete list tells which thing is which. Until one came, what polls bring of the resource is not recorded, for
it would make a second thing of each; the list is asked for at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from bot.service.evaluating import tell
from bot.service.jobs import Jobs
from bot.service.recording.answered import Answer
from eosvolt.models import Fetched
from notify.alert_cards.card import refresh_alert_cards
from rules.alerts.evaluate import end_alerts_on
from storage.recording.new_ids import IDENTITY_CHANGED, KINDS_OF, changed_forms, plan_new_ids, store_forms
from storage.recording.renaming import rename_things

log = structlog.get_logger()


def under_new_ids(jobs: Jobs, answers: Sequence[Answer], now: datetime) -> list[Answer]:
    """The answers as they can be recorded: a complete list once what is stored has the ids that it tells."""
    return [answer if answer.resource in jobs.named else _followed(jobs, answer, now) for answer in answers]


def _followed(jobs: Jobs, answer: Answer, now: datetime) -> Answer:
    resource, fetched = answer.resource, answer.fetched
    if resource not in KINDS_OF:
        return answer
    with jobs.database.write() as connection:
        changed = changed_forms(connection, resource, jobs.client.id_forms)
        is_whole = answer.sweep and answer.since is None and fetched.complete and not fetched.picked_up
        if changed and not (is_whole and fetched.rows):
            jobs.anew.add(resource)  # a sweep of sessions brings what changed of late, and open ones may be older
            waiting = replace(fetched, rows=(), set_aside=(), unread=())
            state = answer.state and replace(answer.state, sweep_due_at=now)
            return replace(answer, fetched=waiting, state=state)
        if changed:
            _follow(jobs, connection, resource, fetched, now)
        store_forms(connection, resource, jobs.client.id_forms)
    jobs.named.add(resource)
    jobs.anew.discard(resource)
    return (
        replace(answer, fetched=replace(fetched, new=None)) if changed else answer
    )  # what came before was not recorded


def _follow(jobs: Jobs, connection: Connection, resource: str, fetched: Fetched[Any], now: datetime) -> None:
    forms = jobs.client.id_forms
    new = plan_new_ids(connection, fetched.rows, changed_forms(connection, resource, forms), forms)
    for kind, ids in new.ended.items():
        transitions = end_alerts_on(connection, kind, set(ids), IDENTITY_CHANGED, now)
        tell(connection, jobs, transitions, jobs.routing(now))
    refresh_alert_cards(connection, rename_things(connection, new, now), now)
    counts = {kind: len(ids) for kind, ids in new.renamed.items()}
    log.warning("the contract makes other ids", renamed=counts, ended={kind: len(i) for kind, i in new.ended.items()})
