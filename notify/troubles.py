"""What is wrong with the service itself, told once an occurrence through the outbox, and edited when it is over.

What is wrong is found by the caller; here it becomes rows. A trouble that is over before it has lasted is never told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.outbox import TROUBLE, enqueue_message
from storage.schema import OUTBOX, REFUSED, TROUBLES


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong now. `key` is its kind, with what it is about after a colon; told once it lasted `after`.

    `since` is when it began, None: when it was first found. `not_to` is a channel that cannot be told of it;
    `for_people`: it is told to people rather than to the channel. `facts` are JSON-able; `follows`: what was told is
    edited where they change.
    """

    key: str
    after: timedelta
    since: datetime | None = None
    not_to: str | None = None
    for_people: bool = False
    follows: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """The kind of trouble, by which the words are chosen."""
        return self.key.partition(":")[0]

    @property
    def about(self) -> str:
        """The resource, job or channel that it is about; empty where it is about the whole."""
        return self.key.partition(":")[2]


@dataclass(frozen=True, slots=True)
class Told:
    """What one look changed: the keys of troubles that were told now, and of those that are over."""

    raised: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TroubleContext:
    """What the message of a trouble says; `ended_at` None: it lasts."""

    what: str
    about: str
    since: datetime
    ended_at: datetime | None
    facts: Mapping[str, Any]

    @property
    def lasted(self) -> timedelta | None:
        """How long it went on, once it is over."""
        return self.ended_at - self.since if self.ended_at is not None else None


def note_findings(
    connection: Connection, findings: Sequence[Finding], now: datetime, *, channel: str | None, people: Sequence[str]
) -> Told:
    """Bring the stored troubles up to what was found at `now`, and enqueue what is to be told.

    A message goes to the `channel`, or to each of `people` (Slack user ids) where there is none, or it cannot take it,
    or they are who must mend it.
    """
    found = {finding.key: finding for finding in findings}
    open_ = {row.key: row for row in connection.execute(sa.select(TROUBLES).where(TROUBLES.c.ended_at.is_(None)))}
    refusing = set(connection.execute(sa.select(REFUSED.c.channel)).scalars())
    raised = []
    for key, finding in found.items():
        row = open_.get(key)
        since = min(moment for moment in (row.since if row else now, finding.since or now))
        number = row.id if row is not None else _begin(connection, finding, since)
        if (row is None or row.raised_at is None) and now - since >= finding.after:
            usable = channel is not None and channel not in {finding.not_to, *refusing}
            to_channel = usable and not (finding.for_people and people)
            _raise(connection, number, finding, since, now, [channel] if to_channel and channel else people)
            raised.append(key)
        elif row is not None and finding.follows and dict(finding.facts) != row.facts:
            _tell_again(connection, row, finding, now)
    over = [row for key, row in open_.items() if key not in found]
    for row in over:
        _end(connection, row, now)
    return Told(tuple(raised), tuple(row.key for row in over if row.raised_at is not None))


def open_troubles(connection: Connection) -> Sequence[Row[Any]]:
    """The troubles that were told and last, the oldest first."""
    lasts = (TROUBLES.c.ended_at.is_(None), TROUBLES.c.raised_at.is_not(None))
    return connection.execute(sa.select(TROUBLES).where(*lasts).order_by(TROUBLES.c.since, TROUBLES.c.id)).all()


def trouble_context(facts: Mapping[str, Any]) -> TroubleContext:
    """What a message says, from the facts of its outbox row."""
    ended = facts["ended_at"]
    return TroubleContext(
        what=facts["what"],
        about=facts["about"],
        since=datetime.fromisoformat(facts["since"]),
        ended_at=datetime.fromisoformat(ended) if ended is not None else None,
        facts=facts["found"],
    )


def _begin(connection: Connection, finding: Finding, since: datetime) -> int:
    values = {"key": finding.key, "since": since, "facts": dict(finding.facts)}
    return int(connection.execute(sa.insert(TROUBLES).values(**values).returning(TROUBLES.c.id)).scalar_one())


def _raise(  # noqa: PLR0917 - what a message is made of
    connection: Connection, number: int, finding: Finding, since: datetime, now: datetime, channels: Sequence[str]
) -> None:
    values = {"raised_at": now, "since": since, "facts": dict(finding.facts)}
    connection.execute(sa.update(TROUBLES).where(TROUBLES.c.id == number).values(**values))
    facts = _facts(finding.what, finding.about, since, None, finding.facts)
    for channel in channels:
        key = f"trouble:{number}:{channel}"
        enqueue_message(connection, natural_key=key, kind=TROUBLE, channel=channel, facts=facts, now=now)


def _tell_again(connection: Connection, row: Row[Any], finding: Finding, now: datetime) -> None:
    """Edit what was told of a trouble that lasts, because its facts are others now."""
    connection.execute(sa.update(TROUBLES).where(TROUBLES.c.id == row.id).values(facts=dict(finding.facts)))
    _edit(connection, row.id, _facts(finding.what, finding.about, row.since, None, finding.facts), now)


def _end(connection: Connection, row: Row[Any], now: datetime) -> None:
    this = TROUBLES.c.id == row.id
    if row.raised_at is None:
        connection.execute(sa.delete(TROUBLES).where(this))
        return
    connection.execute(sa.update(TROUBLES).where(this).values(ended_at=now))
    what, _, about = row.key.partition(":")
    _edit(connection, row.id, _facts(what, about, row.since, now, row.facts), now)


def _edit(connection: Connection, number: int, facts: Mapping[str, Any], now: datetime) -> None:
    """Let every message of a trouble say what these facts say."""
    prefix = f"trouble:{number}:"
    told = sa.select(OUTBOX.c.natural_key, OUTBOX.c.channel).where(
        OUTBOX.c.kind == TROUBLE, OUTBOX.c.natural_key.startswith(prefix, autoescape=True)
    )
    for item in connection.execute(told).all():
        key = item.natural_key
        enqueue_message(connection, natural_key=key, kind=TROUBLE, channel=item.channel, facts=dict(facts), now=now)


def _facts(
    what: str, about: str, since: datetime, ended_at: datetime | None, found: Mapping[str, Any]
) -> dict[str, Any]:
    ended = ended_at.isoformat() if ended_at is not None else None
    return {"what": what, "about": about, "since": since.isoformat(), "ended_at": ended, "found": dict(found)}
