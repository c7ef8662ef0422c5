"""Subscriptions as people write and read them: their words, what they are to, what fires of it, and who hears of it.

It reads, and refuses what no alert could agree with; it makes and ends none.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.alerting.silence_matchers import UNDER, Speech, read_matchers
from bot.slack.charge.answer import Asked, Place, refused
from bot.slack.charge.spoken import CHANNEL_ID
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import Role
from bot.slack.places import ME
from notify.acts import channels_of
from notify.alert_cards.parts import alert_titles
from notify.routing import Routing
from notify.subscriptions import Subscription, at_least, takes
from rules.alerts.silences import PLACES
from rules.documents.document import Rule
from rules.language.fields import nearest
from rules.registry.store import read_rules
from rules.rising import SEVERITIES
from storage.queries.state import FIRING
from storage.schema import ALERT, CHARGER, INCIDENT, LOCATION

ALL = "all"
EXAMPLES = (
    "/charge subscribe me severity>=warning",
    "/charge subscribe #ev-ops severity>=critical",
    "/charge subscribe me all",
    "/charge subscribe me severity>=warning location=ID",
)
SPEECH = Speech(
    word="subscribe me",
    noun="A subscription",
    end="",
    example=EXAMPLES[0],
    no_alert="A subscription is to alerts, and this rule makes none:",
    instead="See what it does, and where it speaks:",
    instead_example="/charge rules show {}",
    more=("severity",),
)
SEVERITY = re.compile(r"severity(>=|=|>)(.*)", re.IGNORECASE)
SHOWN_ALERTS = 5
SHOWN_RULES = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """What fires now of what a subscription is to: the first with sign, title and since when, and how many in all."""

    first: Sequence[tuple[str, str, Any]]
    total: int


def filter_words(asked: Asked) -> list[str]:
    """The words of a subscription without those that name its place."""
    said = _joined(asked.words)
    place = {ME, "here", "to", asked.place.channel.lower(), asked.place.name.lower(), f"#{asked.place.name}".lower()}
    return [word for word in said if word.lower() not in place and not CHANNEL_ID.fullmatch(word)]


def _joined(words: Sequence[str]) -> list[str]:
    """The words, with `severity >= warning` as one."""
    joined: list[str] = []
    for word in words:
        before = joined[-1].lower() if joined else ""
        if (before == "severity" and re.match(">|=", word)) or re.fullmatch("severity(>=|=|>)", before):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def read_subscription(
    connection: Connection, words: Sequence[str], place: Place, verb: str = "subscribe"
) -> Subscription:
    """What the words ask to be told of there; WrongWords, with the nearest right word, where nothing could be."""
    severities: tuple[str, ...] = ()
    rest, grave = [], []
    for word in words:
        found = SEVERITY.fullmatch(word)
        if found is not None:
            severities = _severities(found[1], found[2].lower())
            grave.append(word)
        elif word.lower() != ALL:
            rest.append(word)
    where = ME if place.is_person else f"#{place.name}" if place.name else place.channel
    wanted = read_matchers(connection, rest, grave, replace(SPEECH, word=f"{verb} {where}"))
    places = {wanted.thing.column: wanted.thing.id} if wanted.thing is not None else {}
    return Subscription(
        channel=place.channel,
        name=place.name,
        is_private=place.is_private,
        severities=severities,
        rule_id=wanted.rule_id,
        labels=dict(wanted.labels),
        **places,
    )


def _severities(sign: str, said: str) -> tuple[str, ...]:
    if said not in SEVERITIES:
        near = nearest(said, SEVERITIES) or "warning"
        whole = f"A severity is {', '.join(SEVERITIES[:-1])} or {SEVERITIES[-1]}, and not"
        example = f"/charge subscribe me severity>={near}"
        raise WrongWords(refused(whole, about=said[:60], mend="Did you mean this?", examples=[example]))
    if sign == "=":
        return (said,)
    if sign == ">=":
        return at_least(said)
    graver = SEVERITIES[SEVERITIES.index(said) + 1 :]
    if not graver:
        example = f"/charge subscribe me severity={said}"
        raise WrongWords(
            refused("No severity is graver than", about=said, mend="Did you mean this?", examples=[example])
        )
    return graver


def about(connection: Connection, row: Any) -> str:
    """What a subscription is to, as plain text."""
    severities = tuple(row.severities)
    said = []
    if severities and severities == SEVERITIES[-len(severities) :] and len(severities) > 1:
        said.append(f"severity {severities[0]} or graver")
    elif severities:
        said.append(f"severity {' or '.join(severities)}")
    said += [f"rule {row.rule_id}"] if row.rule_id is not None else []
    for column in PLACES:
        id_ = getattr(row, column)
        if id_ is not None:
            said.append(f"{column.removesuffix('_id')} {_named(connection, column, id_)}")
    said += [f"{name} = {value}" for name, value in row.labels.items()]
    return ", ".join(said) or "every alert"


def _named(connection: Connection, column: str, id_: str) -> str:
    table = {"location_id": LOCATION, "charger_id": CHARGER}.get(column)
    if table is None:
        return id_
    name = connection.execute(sa.select(table.c.name).where(table.c.id == id_)).scalar()
    return f"{name} ({id_})" if name and name != id_ else id_


def standing(connection: Connection, asked: Asked, row: Any) -> Standing:
    """What fires now of what a subscription is to, the oldest first."""
    severity = sa.func.coalesce(ALERT.c.severity, INCIDENT.c.severity, "warning").label("grave")
    names = ("id", "rule_id", "labels", "active_at", *PLACES)
    firing = (
        sa.select(*(ALERT.c[name] for name in names), severity)
        .outerjoin(INCIDENT, INCIDENT.c.id == ALERT.c.incident_id)
        .where(ALERT.c.state == FIRING)
        .order_by(ALERT.c.active_at, ALERT.c.id)
    )
    found = [alert for alert in connection.execute(firing) if takes(row, alert, alert.grave)]
    first = found[:SHOWN_ALERTS]
    titles = alert_titles(connection, [alert.id for alert in first], asked.now)
    return Standing([(alert.grave, titles[alert.id], alert.active_at) for alert in first], len(found))


def rules_heard_there(connection: Connection, asked: Asked, row: Any) -> list[str]:
    """The rules whose alerts a subscription may be to, and which may speak in its channel already."""
    stored = read_rules(connection)
    fallback = (asked.alert_channel,) if asked.alert_channel else ()
    usual = {name: rule.notify or fallback for name, rule in stored.documents.items()}
    routing = Routing(asked.now, usual, stored.plan, stored.documents)
    there = {row.channel, f"#{row.name}"}
    may = (name for name, rule in stored.documents.items() if rule.kind == "alert" and _may_agree(row, rule))
    return sorted(name for name in may if there.intersection(channels_of(routing, name)))


def _may_agree(row: Any, rule: Rule) -> bool:
    grave = {rule.severity, *(rise.severity for rise in rule.rises)}
    place = next((column.removesuffix("_id") for column in PLACES if getattr(row, column) is not None), None)
    return (
        row.rule_id in {None, rule.name}
        and (not row.severities or bool(grave.intersection(row.severities)))
        and row.labels.items() <= rule.labels.items()
        and (place is None or rule.for_each in UNDER[place])
    )


def may_end(row: Any, asked: Asked) -> bool:
    """Whether whoever asks may end a subscription: their own, a channel's if they act, anybody's if they are admin."""
    return row.channel == asked.user or asked.role >= (Role.OPERATOR if row.name else Role.ADMIN)


def may_see(row: Any, asked: Asked) -> bool:
    """Whether they may know of it: what they may end, and what open channels and the one that they ask in hear."""
    return may_end(row, asked) or bool(row.name and (not row.is_private or row.channel == asked.place.channel))
