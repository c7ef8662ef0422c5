"""`/charge silence ...`, `silences` and `silence end`: quiet about some alerts, for a time, an event or every week.

What is understood is written down at once, with who asked and why; what covers alerts of safety, or many, is shown
first and told to their channels. Nothing here moves an alert.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from slack_sdk.models.blocks import ActionsBlock
from sqlalchemy import Connection

from bot.slack.charge.alerting.silence_lines import Matching, Reach, SilenceLine, act_of, line_of, reach_of
from bot.slack.charge.alerting.silence_matchers import read_matchers
from bot.slack.charge.answer import (
    LONGEST_WORDS,
    PAGE,
    Answer,
    Asked,
    Mode,
    Word,
    button,
    confirm_words,
    form_button,
    paging,
    refused,
    told,
    words_button,
)
from bot.slack.charge.examples import of_the_fleet
from bot.slack.charge.own_time import differ
from bot.slack.charge.spoken import typed
from bot.slack.charge.things_by_id import Thing, WrongWords
from bot.slack.charge.times import read_length, read_time
from bot.slack.permissions import Role
from notify.text.action_ids import ActionId
from notify.text.words import slack_unescape
from rules.alerts.silences import active_silences, create_silence, end_silence
from rules.documents.maintenance import BY_LOCATION, WeeklyWindow, read_days
from storage.audit import record_act
from storage.queries.rows import Page
from storage.schema import LOCATION, SILENCE

ENDS = ("for", "until", "weekly")
LONGEST_SILENCE = timedelta(days=400)
LONGEST = "for 400d"
SPAN = re.compile(r"(\d{1,2}:\d{2})[-\N{EN DASH}\N{EM DASH}](\d{1,2}:\d{2})", re.ASCII)
USAGE = "silence THING|rule=NAME for 2h|until 18:00|until recovery|until session end|weekly sat 02:00-04:00 REASON"
EXAMPLES = (
    "/charge silence 242.2.1 for 2h Technician on site",
    "/charge silence rule=connector-faulted until 18:00 Known, being mended",
    "/charge silence 242 weekly sat 02:00-04:00 Nightly firmware updates",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked to keep quiet: matchers, one way to end, and why."""

    rule_id: str | None = None
    thing: Thing | None = None
    labels: tuple[tuple[str, str], ...] = ()
    until: datetime | None = None
    until_recovery: bool = False
    until_session_end: bool = False
    weekly: WeeklyWindow | None = None
    reason: str = ""

    @property
    def matching(self) -> Matching:
        """What it matches, in the columns of silences."""
        places = {self.thing.column: self.thing.id} if self.thing is not None else {}
        return Matching(rule_id=self.rule_id, labels=dict(self.labels), **places)


def read_silence(connection: Connection, asked: Asked) -> Wanted:
    """What the words of a silence say; WrongWords with what to write instead."""
    words = list(asked.words)
    place = next((n for n, word in enumerate(words) if word.lower() in ENDS), None)
    if not place:
        whole = "A silence says what, for how long and why"
        raise WrongWords(refused(whole, mend="For example:", examples=EXAMPLES))
    found = read_matchers(connection, words[:place], words[place:])
    wanted = Wanted(found.rule_id, found.thing, found.labels)
    zone = _zone(connection, wanted.thing) or asked.zone
    keyword, rest = words[place].lower(), words[place + 1 :]
    if keyword == "for":
        wanted, reason = _lasting(wanted, words[:place], rest, asked.now)
    elif keyword == "until":
        wanted, reason = _until(wanted, rest, asked.now, asked.own_zone or zone)
    else:
        wanted, reason = _weekly(wanted, rest, asked.zone)
    if not any(letter.isprintable() for word in reason for letter in word):
        said = typed(asked.words[: len(words) - len(reason)])
        whole = "A silence needs a reason, for whoever wonders later"
        raise WrongWords(
            refused(whole, mend="For example:", examples=[f"/charge silence {said} Technician on site"[:250]])
        )
    return replace(wanted, reason=" ".join(reason))


def answer_silence(connection: Connection, asked: Asked) -> Answer:
    """Silence what the words say; ask first where that takes alerts of safety, or many."""
    try:
        wanted = read_silence(connection, asked)
        reach = reach_of(connection, wanted.matching)
        if reach.is_wide and not asked.confirmed:
            return _ask(connection, asked, wanted, reach)
        number = _create(connection, asked, wanted)
    except WrongWords as wrong:
        return _with_form(wrong.answer, asked)
    except ValueError as wrong:
        whole = "This silence cannot be made"
        answer = refused(whole, reasons=[str(wrong)], mend="Silences are for example:", examples=EXAMPLES)
        return _with_form(answer, asked)
    line = _noted(connection, asked, wanted, number)
    return told(
        "answer_silenced",
        buttons=[words_button("End it", f"silence end {number}")],
        plain=[line.about],
        act=act_of(line, reach, asked.user) if reach.is_wide else None,
        line=line,
        reach=reach,
    )


def _with_form(answer: Answer, asked: Asked) -> Answer:
    """A refusal with the form below it, filled with what could be read; a choice of things has buttons of its own."""
    if not answer.suggests or any(block["type"] == "actions" for block in answer.blocks):
        return answer
    form = button("Silence…", ActionId.OPEN_FORM, {"form": "silence", **_read_in_part(asked)})
    row = ActionsBlock(elements=[form], block_id="form").to_dict()
    return replace(answer, blocks=[*answer.blocks, row])


def _read_in_part(asked: Asked) -> dict[str, str]:
    """What a silence's words say as far as they can be read: what, how long, and why."""
    words = asked.words
    ends = (n for n, word in enumerate(words) if word.lower() in ENDS or (n and read_length(words[n:])[1]))
    at = next(ends, len(words))
    what, rest = words[:at], list(words[at:])
    how = rest.pop(0).lower() if rest and rest[0].lower() in ENDS else "for"
    span, used = read_length(rest) if how == "for" else (None, 0)
    if how == "until":
        used = _until_words(rest, asked.now)
    elif how == "weekly":
        used = 2 if len(rest) > 1 and SPAN.fullmatch(rest[1]) else 0
    time = f"{how} {' '.join(rest[:used])}" if used and span != timedelta() else ""
    time = LONGEST if span is not None and span > LONGEST_SILENCE else time
    told = {"what": " ".join(what), "other": time, "reason": " ".join(rest[used or 1 :])}  # an unread time is no reason
    return {name: text[:100] for name, text in told.items() if text}


def _until_words(rest: Sequence[str], now: datetime) -> int:
    """How many words say until when; none where that cannot be read."""
    try:
        return len(rest) - len(_until(Wanted(), list(rest), now, "UTC")[1])
    except WrongWords:
        return 0


def silence_each(connection: Connection, asked: Asked, each: Sequence[tuple[str, ...]]) -> Answer:
    """Silence what each of these words say, which were read before; what cannot be any more is left out."""
    lines = []
    for words in each:
        one = replace(asked, words=words)
        try:
            wanted = read_silence(connection, one)
            lines.append(_noted(connection, one, wanted, _create(connection, one, wanted)))
        except (WrongWords, ValueError):
            continue
    if not lines:
        return refused("Nothing of it fires any more", mend="What fires now:", examples=["/charge alerts"])
    ends = [words_button(f"End #{line.id}", f"silence end {line.id}", n) for n, line in enumerate(lines, 1)]
    return told("answer_silenced_each", buttons=ends, lines=lines)


def _noted(connection: Connection, asked: Asked, wanted: Wanted, number: int) -> SilenceLine:
    """A silence that was just made, noted in the log of acts, as it is shown."""
    row = connection.execute(sa.select(SILENCE).where(SILENCE.c.id == number)).one()
    line = replace(line_of(connection, row, asked.now), site=_at_site(connection, asked, wanted))
    facts = {"about": line.about, "how": line.how, "reason": wanted.reason[:500]}
    record_act(connection, asked.user, "silence", f"silence {number}", asked.now, outcome="silenced", facts=facts)
    return line


def _create(connection: Connection, asked: Asked, wanted: Wanted) -> int:
    return create_silence(
        connection,
        author=asked.user,
        reason=wanted.reason[:500],
        now=asked.now,
        until=wanted.until,
        until_recovery=wanted.until_recovery,
        until_session_end=wanted.until_session_end,
        weekly=wanted.weekly,
        rule_id=wanted.rule_id,
        labels=dict(wanted.labels),
        **({wanted.thing.column: wanted.thing.id} if wanted.thing is not None else {}),
    )


def _ask(connection: Connection, asked: Asked, wanted: Wanted, reach: Reach) -> Answer:
    """What a wide silence would keep quiet, made and taken back: it is refused now rather than at the click."""
    savepoint = connection.begin_nested()
    try:
        number = _create(connection, asked, wanted)
        row = connection.execute(sa.select(SILENCE).where(SILENCE.c.id == number)).one()
        line = replace(line_of(connection, row, asked.now), site=_at_site(connection, asked, wanted))
    finally:
        savepoint.rollback()
    words = typed(("silence", *asked.words))
    if len(words) > LONGEST_WORDS:
        raise WrongWords(refused("The reason is too long", mend="Say it in fewer words:", examples=EXAMPLES[:1]))
    buttons = confirm_words("Silence it", words, style="danger")
    return told("answer_silence_ask", alone=True, buttons=buttons, plain=[line.about], line=line, reach=reach)


def answer_silences(connection: Connection, asked: Asked) -> Answer:
    """The silences that last, in pages, each with a button to end it."""
    rows = active_silences(connection, asked.now)
    lines = [line_of(connection, row, asked.now) for row in rows[asked.offset : asked.offset + PAGE]]
    page = Page(tuple(lines), asked.offset, len(rows))
    ends = [words_button(f"End #{line.id}", f"silence end {line.id}", n) for n, line in enumerate(lines, 1)]
    acts = [*ends, form_button("Silence…", "silence", 11)] if asked.role >= Role.OPERATOR else []
    buttons = [*acts, *paging(page, "silences")]
    return told("answer_silences", buttons=buttons, page=page, examples=of_the_fleet(connection, EXAMPLES))


def answer_end(connection: Connection, asked: Asked) -> Answer:
    """End one silence before its time."""
    said = asked.words[0].lstrip("#") if asked.words else ""
    if not (said.isascii() and said.isdecimal()) or len(said) > 12:
        return refused(
            "`silence end` needs the number of a silence", mend="See which there are:", examples=["/charge silences"]
        )
    number = int(said)
    ended = end_silence(connection, number, asked.user, asked.now)
    if ended:
        subject = f"silence {number}"
        record_act(connection, asked.user, "end silence", subject, asked.now, outcome="ended")
    row = connection.execute(sa.select(SILENCE).where(SILENCE.c.id == number)).first()
    return told("answer_silence_ended", ended=ended, number=number, row=row, user=asked.user)


def _typed(words: Sequence[str]) -> str:
    """Words in an example, which is escaped where it is shown."""
    return slack_unescape(typed(tuple(words)))


def _lasting(wanted: Wanted, before: Sequence[str], rest: list[str], now: datetime) -> tuple[Wanted, list[str]]:
    span, used = read_length(rest)
    said = " ".join(rest[: max(1, used)])
    if span is None or span <= timedelta():
        raise WrongWords(
            refused(
                "A silence lasts for example 30m, 2h or 3d, and not",
                about=said[:60],
                mend="For example:",
                examples=EXAMPLES[:1],
            )
        )
    if span > LONGEST_SILENCE:
        raise WrongWords(
            refused(
                "A silence lasts 400 days at most, and not",
                about=said,
                mend="The longest:",
                examples=[f"/charge silence {_typed(before)} {LONGEST} {_typed(rest[used:]) or 'Known'}"[:250]],
            )
        )
    return replace(wanted, until=now + span), rest[used:]


def _until(wanted: Wanted, rest: list[str], now: datetime, zone: str) -> tuple[Wanted, list[str]]:
    said = [word.lower() for word in rest[:2]]
    if said[:1] in (["recovery"], ["recovered"]):
        return replace(wanted, until_recovery=True), rest[1:]
    if said[:1] == ["session"]:
        ends = said[1:] in (["end"], ["ends"])
        return replace(wanted, until_session_end=True), rest[2 if ends else 1 :]
    today = now.astimezone(ZoneInfo(zone)).date()
    day, used = _day(said[0], today) if said else None, 0
    if day is not None:
        used = 1
    at, more = read_time(rest[used:])
    if day is None and at is None:
        raise WrongWords(
            refused(
                "Until when? A time, a day, `recovery` or `session end`, and not",
                about=" ".join(rest[:2])[:60],
                mend="For example:",
                examples=EXAMPLES[1:2],
            )
        )
    used += more if at is not None else 0
    until = datetime.combine(day or today, at or time(), ZoneInfo(zone))
    if day is None and until <= now:
        until = datetime.combine(today + timedelta(days=1), at or time(), ZoneInfo(zone))
    return replace(wanted, until=until.astimezone(UTC)), rest[used:]


def _weekly(wanted: Wanted, rest: list[str], default_zone: str) -> tuple[Wanted, list[str]]:
    span = SPAN.fullmatch(rest[1]) if len(rest) > 1 else None
    if span is None:
        raise WrongWords(
            refused("A weekly silence says days and from when to when", mend="For example:", examples=EXAMPLES[2:])
        )
    start, end = (text.zfill(5) for text in span.groups())
    words, zone, dates = rest[2:], BY_LOCATION, {"from": None, "to": None}
    if words and ("/" in words[0] or words[0] in {"UTC", BY_LOCATION}):
        zone, words = words[0], words[1:]
    while len(words) > 1 and words[0].lower() in dates and (day := _iso(words[1])) is not None:
        dates[words[0].lower()], words = day, words[2:]  # type: ignore[assignment]  # a date where there is one
    window = WeeklyWindow(read_days(rest[0]), start, end, zone, default_zone, dates["from"], dates["to"])
    return replace(wanted, weekly=window), words


def _day(said: str, today: date) -> date | None:
    if said in {"today", "tomorrow"}:
        return today + timedelta(days=said == "tomorrow")
    try:
        days = read_days(said)
    except ValueError:
        return _iso(said)
    return today + timedelta(days=(days[0] - today.weekday() - 1) % 7 + 1) if len(days) == 1 else None


def _iso(said: str) -> date | None:
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


def _at_site(connection: Connection, asked: Asked, wanted: Wanted) -> str:
    """When a silence ends by the clock of its site, where that is another one than its reader's."""
    zone = _zone(connection, wanted.thing) or asked.zone
    if wanted.until is None or (asked.own_zone and not differ(asked.own_zone, zone, wanted.until)):
        return ""
    own, there = (wanted.until.astimezone(ZoneInfo(one)) for one in (asked.own_zone or zone, zone))
    return f"{there:{'%H:%M' if own.date() == there.date() else '%a %H:%M'}} in {zone}"


def _zone(connection: Connection, thing: Thing | None) -> str | None:
    """The zone of a thing's location, where the API's name for it is one that is known."""
    if thing is None or thing.location_id is None:
        return None
    said = connection.execute(sa.select(LOCATION.c.timezone).where(LOCATION.c.id == thing.location_id)).scalar()
    try:
        return ZoneInfo(said).key if said else None
    except (OSError, ValueError, KeyError):
        return None


WORDS = (
    Word(
        "silence",
        USAGE,
        "keep alerts quiet; they go on, and what still fires at the end speaks",
        "silence {charger} for 2h Technician on site",
        answer_silence,
        needs=Role.OPERATOR,
        mode=Mode.WRITES,
    ),
    Word("silences", "silences", "what is kept quiet, until when, by whom and why", "silences", answer_silences),
    Word(
        "silence end",
        "silence end NUMBER",
        "end a silence before its time",
        "silence end {silence}",
        answer_end,
        needs=Role.OPERATOR,
        mode=Mode.WRITES,
    ),
)
