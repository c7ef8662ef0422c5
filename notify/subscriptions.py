"""Who asked to be told of which alerts: channels, and people in their own messages, each until somebody ends it.

A subscription adds its channel to those that an alert has as it fires, or as its severity rises. It takes none away,
says nothing twice, and reaches back to no card that stands. Nothing here posts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from notify.routing import Routing
from rules.alerts.silences import PLACES, matches
from rules.rising import SEVERITIES
from storage.prepared import Prepared
from storage.schema import SUBSCRIPTION

MATCHERS = ("rule_id", *PLACES)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is to be told where: a channel's or person's id, and what an alert must agree with; None matches all.

    `name` is what a channel is called, empty for a person. No severity stands for every one.
    """

    channel: str
    name: str = ""
    is_private: bool = False
    severities: tuple[str, ...] = ()
    rule_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None

    def values(self) -> dict[str, Any]:
        """The columns that it stands in."""
        told = {name: getattr(self, name) for name in ("channel", "name", "is_private", *MATCHERS)}
        return {**told, "severities": list(self.severities), "labels": dict(self.labels)}


@dataclass(frozen=True, slots=True)
class Subscribers:
    """The subscriptions that count now, and how rules spell the channels of them (by their id)."""

    rows: Sequence[Any] = ()
    spelt: Mapping[str, str] = field(default_factory=dict)

    def beside(self, told: Sequence[str], alert: Any, severity: str) -> tuple[str, ...]:
        """The channels of an alert, each once: where it is told anyway, then those that subscribed to it."""
        channels = dict.fromkeys(told)
        for row in self.rows:
            if takes(row, alert, severity) and row.channel not in channels and f"#{row.name}" not in channels:
                channels[self.spelt[row.channel]] = None
        return tuple(channels)


def read_subscribers(connection: Connection, routing: Routing) -> Subscribers:
    """Who subscribed, in one look; those of people from outside only where such may look at all."""
    rows = [row for row in lasting(connection) if routing.outsiders_hear or not row.is_outside]
    said = spellings(routing) if rows else frozenset()
    spelt = {row.channel: f"#{row.name}" if f"#{row.name}" in said else row.channel for row in rows}
    return Subscribers(rows, spelt)


def spellings(routing: Routing) -> frozenset[str]:
    """Every channel that the rules in force may speak in, as they write it."""
    usual = {channel for channels in routing.usual.values() for channel in channels}
    return frozenset(usual | {channel for route in routing.plan.routes for channel in route.notify})


def lasting(connection: Connection) -> list[Any]:
    """The subscriptions that nobody has ended, the oldest first."""
    return _LASTING.once(connection)


def takes(subscription: Any, alert: Any, severity: str) -> bool:
    """Whether a subscription is to an alert of this severity; `alert` has the columns of alerts that it may name."""
    return (not subscription.severities or severity in subscription.severities) and matches(subscription, alert)


def covers(one: Any, other: Any) -> bool:
    """Whether whatever the other subscription is to, the one is too; both of one channel."""
    wide, narrow = (set(row.severities) or set(SEVERITIES) for row in (one, other))
    agree = all(getattr(one, name) in {None, getattr(other, name)} for name in MATCHERS)
    return narrow <= wide and agree and one.labels.items() <= other.labels.items()


def at_least(severity: str) -> tuple[str, ...]:
    """This severity and the graver ones; empty where that is every one."""
    found = SEVERITIES[SEVERITIES.index(severity) :]
    return () if found == SEVERITIES else found


def subscribe(connection: Connection, wanted: Subscription, user: str, now: datetime, *, is_outside: bool) -> int:
    """Keep a subscription from `now` on; its number."""
    values = {**wanted.values(), "author": user, "is_outside": is_outside, "created_at": now}
    return int(connection.execute(sa.insert(SUBSCRIPTION).values(**values).returning(SUBSCRIPTION.c.id)).scalar_one())


def end_subscriptions(connection: Connection, numbers: Sequence[int], user: str, now: datetime) -> int:
    """End these subscriptions; how many had not ended before."""
    these = (SUBSCRIPTION.c.id.in_(numbers), SUBSCRIPTION.c.ended_at.is_(None))
    return int(connection.execute(sa.update(SUBSCRIPTION).where(*these).values(ended_at=now, ended_by=user)).rowcount)


_LASTING = Prepared(sa.select(SUBSCRIPTION).where(SUBSCRIPTION.c.ended_at.is_(None)).order_by(SUBSCRIPTION.c.id))
