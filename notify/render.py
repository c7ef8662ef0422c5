"""From an outbox row to a Slack message: facts from the database, words from templates/, structure from blocks.

It renders the newest version at the moment of the call and posts nothing. A template that fails never costs a
message: `render_or_fallback` then says the plain facts and hands the error to its caller.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection, Row

from notify import command_card
from notify.alert_cards import card_facts
from notify.alert_cards.members import read_members
from notify.alert_cards.quiet_hours import night_context
from notify.alert_cards.storms import storm_facts
from notify.alert_cards.thread import firing_on, spoken_incidents
from notify.channel_returns import return_context
from notify.charts.picture import Picture, picture_of
from notify.copies import copy_context
from notify.digests import digest_facts
from notify.events import event_context, events_context
from notify.handling import handling_of
from notify.house_words import PLAIN_WORDS, HouseWords
from notify.impact import NO_IMPACT, impact_of
from notify.outbox import (
    ACT,
    ALERT_CARD,
    ALERT_REPLY,
    CARD_CHART,
    COMMAND_CARD,
    COPY,
    DIGEST,
    DIGEST_TABLES,
    EVENT,
    EVENTS,
    HELLO,
    NOTICE,
    QUIET_SUMMARY,
    RETURNED,
    ROLL_UP,
    TROUBLE,
)
from notify.text import blocks
from notify.text.card_buttons import Offered, card_buttons
from notify.text.limits import check_message
from notify.text.message import EVENT_TYPE, Attachment, Block, SlackMessage
from notify.text.ranges import as_ranges
from notify.text.standing import Standing
from notify.text.words import FILTERS, code, slack_unescape
from notify.troubles import trouble_context
from rules.actions.command_kinds import CommandState
from rules.alerts.snoozes import CHOICES
from storage.schema import ALERT, OUTBOX

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


@dataclass(frozen=True, slots=True)
class Words:
    """A message that is not addressed yet: its fallback text, its blocks and what is attached below them."""

    text: str
    blocks: list[Block]
    attachments: list[Attachment] = field(default_factory=list)


class MessageTooLarge(ValueError):  # noqa: N818 - read as a sentence
    """A rendered message breaks Slack's limits; its text names each of them."""


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a message would ask the disk whether its words changed
    )
    environment.filters.update(FILTERS)
    return environment


ENVIRONMENT = _environment()


def render_message(
    connection: Connection, item: Row[Any], now: datetime, words: HouseWords = PLAIN_WORDS
) -> SlackMessage:
    """The newest words of one outbox row, addressed to where it stands or should stand.

    Raises what a template or its facts raise, and MessageTooLarge where Slack would refuse the result.
    """
    message = _addressed(connection, item, RENDERERS[item.kind](connection, item, now, words))
    problems = check_message(message)
    if problems:
        raise MessageTooLarge("; ".join(problems))
    return message


def render_or_fallback(
    connection: Connection, item: Row[Any], now: datetime, words: HouseWords = PLAIN_WORDS
) -> tuple[SlackMessage, str | None]:
    """The message, or where that fails its plain facts; what broke is then the second value, for the log alone."""
    try:
        return render_message(connection, item, now, words), None
    except Exception as error:  # whatever broke, an alert is still said
        reason = f"{type(error).__name__}: {error}"
        about = f"{item.kind} of {code(item.rule_id or item.natural_key, 80)}"
        # an error's own text may hold SQL, or what nobody here should read
        text = f"{about}: the message could not be written ({code(type(error).__name__, 80)}); the log says why"
        return _addressed(connection, item, Words(text, blocks.sections(text))), reason


def render_words(template: str, **values: Any) -> dict[str, str]:
    """Each named block of a template, rendered by itself, with Slack's three escapes and no others."""
    loaded = ENVIRONMENT.get_template(template)
    words = {}
    for name, block in loaded.blocks.items():
        text = "".join(block(loaded.new_context(values)))
        # autoescape also escapes both quotes; Slack would show those escapes
        words[name] = text.replace("&#34;", '"').replace("&#39;", "'").strip()
    return words


def _alert_card(connection: Connection, item: Row[Any], now: datetime, words: HouseWords) -> Words:
    head = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.rolled_into)).first()
    if head is not None and head.kind == ROLL_UP:  # it stood before it was told with others
        return _built("alert_card_moved.mrkdwn.j2", item, place=storm_facts.only_place(connection, head))
    incidents = spoken_incidents(connection, item)
    card = card_facts.alert_card(connection, incidents, now, words)
    impact = impact_of(connection, incidents, now) if card.state != "resolved" else NO_IMPACT
    said = _built("alert_card.mrkdwn.j2", item, card.standing, card=card, impact=impact)
    about = _about(connection, item.id, {"incident": item.incident_id, "version": item.version})
    if card.state != "resolved":
        safety = any(told.part.is_safety and told.part.firing for told in card.parts)
        console = words.console_of(card.members[0].ids) if card.members else None
        acknowledge = "Acknowledge" if card.unacknowledged else None
        offered = Offered(acknowledge, acts=not safety, console=console, chart=True, **_muting(card))
        said.blocks.extend(card_buttons(about, offered))
    return said


def _about(connection: Connection, card: str, about: dict[str, int | str]) -> dict[str, int | str]:
    """What a button carries: exactly the alerts that its message names as it is drawn, where they fit."""
    named = as_ranges(firing_on(connection, card))
    return {**about, "alerts": named} if named else about


def _roll_up(connection: Connection, item: Row[Any], now: datetime, words: HouseWords) -> Words:
    storm = storm_facts.storm(connection, item, now, words)
    handling = handling_of(connection, storm_facts.incidents_of(item.id))
    said = _built("roll_up.mrkdwn.j2", item, storm.standing, storm=storm, handling=handling)
    if storm.resolved_at is None and storm.page == 1:
        about = _about(connection, storm.id, {"roll_up": storm.id, "version": item.version})
        acknowledge = "Acknowledge all" if storm.unacknowledged else None
        said.blocks.extend(card_buttons(about, Offered(acknowledge, **_muting(storm))))
    return said


def _muting(said: card_facts.AlertCardContext | storm_facts.StormContext) -> dict[str, Any]:
    """What can be snoozed where somebody has not acknowledged yet, whether a snooze can be ended, or who saw it."""
    choices = {choice.key: choice.label for choice in CHOICES}
    return {
        "undo": not said.unacknowledged and said.acknowledged_at is not None,
        "snooze": choices if said.snoozable and said.unacknowledged else None,
        "wake": said.snooze is not None,
    }


def _alert_reply(connection: Connection, item: Row[Any], now: datetime, words: HouseWords) -> Words:
    if item.incident_id is None:
        head = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.thread_of)).one()
        facts = item.facts
        fired = facts["fired"][:500]  # only ten are named; the number told is that of all
        said = {
            "new": len(facts["fired"]),
            "members": read_members(connection, ALERT.c.id.in_(fired), now, codes=words.codes) if fired else (),
            "full_resolve": facts["full_resolve"],
            "mentions": card_facts.mentions(facts),
        }
        return _built("roll_up_reply.mrkdwn.j2", item, storm=storm_facts.storm(connection, head, now, words), said=said)
    head = connection.execute(sa.select(OUTBOX).where(OUTBOX.c.id == item.thread_of)).first() or item
    reply = card_facts.alert_reply(connection, spoken_incidents(connection, head), item.facts, now, words)
    return _built("alert_reply.mrkdwn.j2", item, reply=reply, card=reply.card)


def _command_card(connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    card = command_card.command_card(connection, item.facts)
    said = _built("command_card.mrkdwn.j2", item, card=card)
    if card.state == CommandState.AWAITING_APPROVAL:
        said.blocks.append(blocks.approval_buttons(card.id, card.asked_as, item.version))
    return said


DIGESTS = {
    "sessions": "digest_sessions.mrkdwn.j2",
    "uptime": "digest_uptime.mrkdwn.j2",
    "alerts": "digest_alerts.mrkdwn.j2",
    "revenue": "digest_revenue.mrkdwn.j2",
    "maintenance": "digest_maintenance.mrkdwn.j2",
}
"""The template of each kind of digest."""


def render_digest(facts: Mapping[str, Any]) -> Words:
    """The words of a digest, from its facts alone: for whoever wants to see it only."""
    told = digest_facts.digest(facts)
    return _built_of(DIGESTS[told.kind], facts, _pictures(told.picture), digest=told)


def render_tables(facts: Mapping[str, Any]) -> Words:
    """The words of a digest's lists, which stand in its thread."""
    return _built_of("digest_tables.mrkdwn.j2", facts, tables=digest_facts.tables(facts))


def _digest(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return render_digest(item.facts)


def _pictures(shown: Picture | None) -> list[Block]:
    return [blocks.picture(shown.file, shown.alt)] if shown is not None and shown.file is not None else []


def _card_chart(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    shown, facts = picture_of(item.facts), item.facts
    said = {"picture": shown, "user": facts["user"], "about": facts.get("charger") or facts.get("location")}
    return _built_of("card_chart.mrkdwn.j2", facts, _pictures(shown), **said)


def _event(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("event.mrkdwn.j2", item, event=event_context(item.facts))


def _events(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("events.mrkdwn.j2", item, many=events_context(item.facts))


def _night(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("quiet_summary.mrkdwn.j2", item, night=night_context(item.facts))


def _notice(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("notice.mrkdwn.j2", item, title=item.facts["title"], text=item.facts["text"])


def _act(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    until = item.facts.get("until")
    said = {"safety": False, "concerned": 0, "reason": "", **item.facts}
    return _built("act.mrkdwn.j2", item, act={**said, "until": datetime.fromisoformat(until) if until else None})


def _hello(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    said = _built("hello.mrkdwn.j2", item, hello=item.facts)
    rules = ("Rules", "rules") if item.facts["rules"] else ("Ready rules", "rules library")
    said.blocks.append(blocks.words_buttons((("Status", "status"), ("Roles", "roles"), rules, ("Help", "help"))))
    return said


def _returned(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("returned.mrkdwn.j2", item, returned=return_context(item.facts))


def _copy(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("copy.mrkdwn.j2", item, copy=copy_context(item.facts))


def _trouble(_connection: Connection, item: Row[Any], _now: datetime, _words: HouseWords) -> Words:
    return _built("trouble.mrkdwn.j2", item, trouble=trouble_context(item.facts))


RENDERERS: Mapping[str, Callable[[Connection, Row[Any], datetime, HouseWords], Words]] = {
    ALERT_CARD: _alert_card,
    ALERT_REPLY: _alert_reply,
    ROLL_UP: _roll_up,
    COMMAND_CARD: _command_card,
    DIGEST: _digest,
    DIGEST_TABLES: lambda _connection, item, _now, _words: render_tables(item.facts),
    CARD_CHART: _card_chart,
    EVENT: _event,
    EVENTS: _events,
    QUIET_SUMMARY: _night,
    RETURNED: _returned,
    COPY: _copy,
    NOTICE: _notice,
    ACT: _act,
    HELLO: _hello,
    TROUBLE: _trouble,
}


def _built(template: str, item: Row[Any], standing: Standing | None = None, **values: Any) -> Words:
    return _built_of(template, item.facts, (), standing, **values)


def _built_of(
    template: str,
    told: Mapping[str, Any],
    pictures: Sequence[Block] = (),
    standing: Standing | None = None,
    **values: Any,
) -> Words:
    """The words of a template: title and note are plain text, all else mrkdwn.

    Pictures stand below the body, and above what the template says below it. Where something stands, the small print
    is beside a bar in its colour and begins with how it stands.
    """
    held = told.get("held_since")
    facts = {**told, "held_since": datetime.fromisoformat(held) if held else None}
    delivery = {"moved_from": None, "moved_because": None, "may_repeat": False, **facts}
    words = render_words(template, delivery=delivery, **values)
    built: list[Block] = []
    if words.get("title"):
        built.append(blocks.header(slack_unescape(words["title"])))
    built += [*blocks.sections(words["body"]), *pictures, *blocks.sections(words.get("below", ""), "below")]
    notes = [slack_unescape(line.strip()) for line in words.get("note", "").splitlines() if line.strip()]
    small = words.get("context", "")
    if standing is not None:
        return Words(words["fallback"], built, [blocks.bar(standing, small, notes)])
    return Words(words["fallback"], built + blocks.context(notes, small))


def _addressed(connection: Connection, item: Row[Any], said: Words) -> SlackMessage:
    channel, thread_ts = item.message_channel or item.channel, None
    if item.thread_of is not None:
        place = connection.execute(
            sa.select(OUTBOX.c.message_channel, OUTBOX.c.message_ts).where(OUTBOX.c.id == item.thread_of)
        ).one()
        if place.message_ts is None:
            raise LookupError(f"outbox {item.id}: the card {item.thread_of} of its thread stands nowhere yet")
        channel, thread_ts = place.message_channel, place.message_ts
    return SlackMessage(
        channel=channel,
        text=" ".join(said.text.split()),
        blocks=said.blocks,
        metadata={"event_type": EVENT_TYPE, "event_payload": {"item": item.id, "version": item.version}},
        thread_ts=thread_ts,
        reply_broadcast=bool(item.broadcast and thread_ts is not None),
        attachments=said.attachments,
    )
