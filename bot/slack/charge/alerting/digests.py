"""`/charge digest ...`: the digests and when they speak next, one of them now, for the person alone, paused or new.

`now` and `preview` claim no slot: the next one comes as if nothing had been said. Pausing and making are changes of
rules, shown first and confirmed like those.
"""

import asyncio
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection

from bot.slack.charge.alerting.rules import answer_add, answer_off, answer_on, refusal
from bot.slack.charge.answer import Answer, Asked, Errand, Mode, Office, Word, form_button, refused, told, words_button
from bot.slack.permissions import Role
from bot.slack.uploads import UploadRefused, tell_person, upload_to_person
from bot.slack.web_client import SLACK_FAULTS
from bot.trials.suggested import SECONDS, TOO_LONG, try_suggestions
from notify.charts.drawing import Chart, NoFonts, png_of
from notify.charts.picture import draw_picture
from notify.digests.backtests import BACKTESTS, Trial, suggestions
from notify.digests.digest import enqueue_now, facts_now, says_nothing
from notify.digests.tables import tables_of
from notify.digests.voices import place_of, voices_of
from notify.render import render_digest, render_tables, render_words
from rules.documents.document import Rule, rule_from_document
from rules.documents.plain_schedules import in_words
from rules.documents.schedules import next_moment
from rules.documents.windows import YESTERDAY
from rules.language.errors import RuleErrors
from rules.language.fields import nearest
from rules.registry.authoring import RuleRefused, find_rule
from rules.registry.listing import list_rules

log = structlog.get_logger()

Told = TypeVar("Told", Answer, Answer | Errand)
SHOWN = 15
MOST_VOICES = 3
NEW_EXAMPLES = (
    "/charge digest new name: weekly; schedule: every Monday at 8:00; digest: sessions; window: last week",
    "/charge digest new library/daily-sessions",
)


@dataclass(frozen=True, slots=True)
class DigestLine:
    """One digest as the list shows it; `next_run` is in words, None while it is paused."""

    name: str
    paused: bool
    schedule: str
    window: str
    channels: tuple[str, ...]
    where: str
    next_run: str | None


def answer_list(connection: Connection, asked: Asked) -> Answer:
    """The digests, when each speaks and what about."""
    if asked.words:
        verbs = [word.word.split()[-1] for word in WORDS]
        near = nearest(asked.words[0], verbs)
        examples = [f"/charge digest {near}"] if near else ["/charge digest list", "/charge help"]
        return refused("`digest` cannot", about=asked.words[0], mend="What it can:", examples=examples)
    names = [line.name for line in list_rules(connection) if line.kind == "digest"]
    lines = [_line(connection, asked, name) for name in sorted(names)]
    buttons = [
        words_button(f"Preview {line.name}", f"digest preview {line.name}", n) for n, line in enumerate(lines, 1)
    ]
    buttons = buttons[:5] + ([form_button("New digest…", "digest", 6)] if asked.role >= Role.ADMIN else [])
    return told("answer_digests", buttons=buttons, lines=lines[:SHOWN], total=len(lines), examples=NEW_EXAMPLES)


def _line(connection: Connection, asked: Asked, name: str) -> DigestLine:
    row = find_rule(connection, name)
    rule = rule_from_document(row.document, row.source)
    zones = {place_of(voice)[0] for voice in _voices(connection, rule, asked)}
    coming = [(next_moment(rule.schedule or "", zone, asked.now), zone) for zone in zones] if row.enabled else []
    first = min((one for one in coming if one[0] is not None), default=None)
    return DigestLine(
        name,
        not row.enabled,
        in_words(rule.schedule or ""),
        rule.window or YESTERDAY,
        rule.notify,
        ("one a location, " if rule.each else "")
        + ("where the chargers stand" if rule.timezone == "location" else rule.timezone or asked.zone),
        when_next(first[0], first[1], asked.now) if first is not None and first[0] is not None else None,
    )


def when_next(moment: datetime, zone: str, now: datetime) -> str:
    """A moment to come in words of its zone's clock: `tomorrow at 08:00 (Europe/Copenhagen)`."""
    at, today = (one.astimezone(ZoneInfo(zone)) for one in (moment, now))
    days = (at.date() - today.date()).days
    day = {0: "today", 1: "tomorrow"}.get(days, f"on {at:%A} {at.day} {at:%B}" + (f" {at.year}" if days > 300 else ""))
    return f"{day} at {at:%H:%M} ({zone})"


def _voices(connection: Connection, rule: Rule, asked: Asked) -> list[str]:
    voices = voices_of(connection, rule, asked.zone)
    return [voice for voice in voices if not says_nothing(connection, rule, voice, asked.zone)] or voices[:1]


def _what_each_is(voices: Sequence[str]) -> str:
    return "location" if voices and place_of(voices[0])[1] is not None else "time zone"


def answer_preview(connection: Connection, asked: Asked) -> Answer | Errand:
    """What a digest would say now, for the person alone; at most three of its time zones or locations."""
    return _of_digest(connection, asked, "preview", _preview)


def _preview(connection: Connection, asked: Asked, rule: Rule) -> Answer | Errand:
    voices = _voices(connection, rule, asked)
    said = told("answer_digest_preview", name=rule.name, voices=voices, shown=MOST_VOICES, each=_what_each_is(voices))
    shown = voices[:MOST_VOICES]
    facts = [facts_now(connection, rule, voice, asked.now, default_zone=asked.zone) for voice in shown]
    return Errand("digest_preview", lambda office: _previewed(office, asked, said, facts))


async def _previewed(office: Office, asked: Asked, said: Answer, previews: Sequence[Mapping[str, Any]]) -> Answer:
    """The digests with what a backtest makes of their suggestions; the charts come after, as pictures to the person."""
    over = time.monotonic() + SECONDS
    tried = []
    for facts in previews:
        trials: Mapping[str, Trial] = {}
        if suggestions(facts):
            try:
                async with asyncio.timeout(2 * SECONDS):
                    look = partial(try_suggestions, office.database, facts, asked.interval)
                    trials = await asyncio.to_thread(look, lambda: time.monotonic() > over)
            except TimeoutError:
                trials = {name: {"why": TOO_LONG} for name in suggestions(facts)}
        tried.append({**facts, BACKTESTS: trials})
    shown = list(said.blocks)
    for number, facts in enumerate(tried):
        blocks = render_digest(facts).blocks + (render_tables(lists).blocks if (lists := tables_of(facts)) else [])
        shown += [{**block, "block_id": f"zone_{number}_{place}"} for place, block in enumerate(blocks)]
    task = asyncio.create_task(_send_charts(office, asked.user, previews))
    office.work.add(task)
    task.add_done_callback(office.work.discard)
    return Answer(said.text, shown)


async def _send_charts(office: Office, user: str, previews: Sequence[Mapping[str, Any]]) -> None:
    for facts in previews:
        try:
            chart = await asyncio.to_thread(_drawn, office, facts)
            picture = io.BytesIO(await asyncio.to_thread(png_of, chart))
            words = render_words("chart_file.mrkdwn.j2", alt=chart.alt)
            name = f"{facts['chart']['name']}-{facts['day']}.png"
            sent = {"name": name, "title": chart.title, "comment": words["body"], "alt": chart.alt[:1000]}
            await upload_to_person(office.slack, user, picture, **sent)
        except (NoFonts, UploadRefused, *SLACK_FAULTS) as error:
            log.warning("the chart of a preview failed", user=user, error=f"{type(error).__name__}: {error}"[:200])
            answer = refused("The chart could not be drawn", reasons=[str(error)], mend="The digest goes without it.")
            await tell_person(office.slack, user, answer.text, answer.blocks)
            return


def _drawn(office: Office, facts: Mapping[str, Any]) -> Chart:
    with office.database.read() as connection:
        return draw_picture(connection, facts).chart


def answer_now(connection: Connection, asked: Asked) -> Answer:
    """Say a digest now in its channels, or where it was asked for if it names none."""
    return _of_digest(connection, asked, "now", _now)


def _now(connection: Connection, asked: Asked, rule: Rule) -> Answer:
    channels = rule.notify or (asked.card_channel,)
    voices = _voices(connection, rule, asked)
    for voice in voices:
        facts = facts_now(connection, rule, voice, asked.now, default_zone=asked.zone)
        enqueue_now(connection, rule.name, voice, facts, channels=channels, now=asked.now)
    return told("answer_digest_now", name=rule.name, voices=voices, channels=rule.notify, each=_what_each_is(voices))


def answer_new(connection: Connection, asked: Asked) -> Answer:
    """Show a new digest, and ask; as `rules add`."""
    if not asked.text:
        form = [form_button("New digest…", "digest")]
        return refused("`digest new` needs the digest", buttons=form, mend="For example:", examples=NEW_EXAMPLES)
    return answer_add(connection, asked)


def answer_pause(connection: Connection, asked: Asked) -> Answer:
    """Show what pausing a digest means, and ask."""
    return _of_digest(connection, asked, "pause", lambda inside, who, _: answer_off(inside, who), paused=False)


def answer_resume(connection: Connection, asked: Asked) -> Answer:
    """Show what resuming a digest means, and ask."""
    return _of_digest(connection, asked, "resume", lambda inside, who, _: answer_on(inside, who), paused=True)


def _of_digest(
    connection: Connection,
    asked: Asked,
    verb: str,
    answer: Callable[[Connection, Asked, Rule], Told],
    *,
    paused: bool | None = None,
) -> Told | Answer:
    """The answer about the digest that is named; one that is not a digest is told so."""
    name = " ".join(asked.words)
    if not name:
        return refused(f"`digest {verb}` needs a name", mend="See which there are:", examples=["/charge digest list"])
    try:
        row = find_rule(connection, name)
        rule = rule_from_document(row.document, row.source)
    except RuleRefused:
        return _no_digest(connection, verb, name)
    except RuleErrors as wrong:
        return refusal(wrong)
    if rule.kind != "digest":
        problem = f"That is no digest but an {rule.kind} rule:"
        return refused(problem, about=name, mend="See which there are:", examples=["/charge digest list"])
    if paused is not None and row.enabled is paused:
        state, other = ("on", "pause") if paused else ("paused", "resume")
        return refused(
            f"It is {state} already:", about=name, mend="You can:", examples=[f"/charge digest {other} {name}"]
        )
    return answer(connection, asked, rule)


def _no_digest(connection: Connection, verb: str, name: str) -> Answer:
    """Nothing is called so; the digest that is nearest to it, by its name or by what it tells."""
    digests = {line.name: find_rule(connection, line.name) for line in list_rules(connection) if line.kind == "digest"}
    near = nearest(name, digests)
    about = [one for one, row in digests.items() if str(row.document.get("digest")) == name.lower()]
    meant = about or ([near] if near else [])
    return refused(
        "There is no digest",
        about=name[:80],
        mend="Did you mean this?" if meant else "See which there are:",
        examples=[f"/charge digest {verb} {one}" for one in meant[:3]] or ["/charge digest list"],
    )


def _admin(word: str, usage: str, does: str, example: str, answer: Callable[[Connection, Asked], Answer]) -> Word:
    return Word(word, usage, does, example, answer, needs=Role.ADMIN, mode=Mode.REHEARSES)


WORDS = (
    Word("digest", "digest", "the digests, and when each speaks next", "digest", answer_list, needs_data=False),
    Word("digest list", "digest list", "the same", "digest list", answer_list, needs_data=False),
    Word(
        "digest preview",
        "digest preview NAME",
        "what a digest would say now, to you only",
        "digest preview {digest}",
        answer_preview,
    ),
    Word(
        "digest now",
        "digest now NAME",
        "say a digest now, beside its schedule",
        "digest now {digest}",
        answer_now,
        needs=Role.OPERATOR,
        acts=True,
        mode=Mode.WRITES,
    ),
    _admin("digest pause", "digest pause NAME", "pause a digest; shown first", "digest pause {digest}", answer_pause),
    _admin(
        "digest resume",
        "digest resume NAME",
        "let a paused digest speak again, from then on",
        "digest resume {paused_digest}",
        answer_resume,
    ),
    _admin(
        "digest new",
        "digest new TEXT|library/NAME",
        "a new digest, in YAML or on one line; shown first",
        NEW_EXAMPLES[0].removeprefix("/charge "),
        answer_new,
    ),
)
