"""`/charge audit [filters]`: who did what, when, and what came of it; the file of it is `export audit` with the same
filters.

It only reads, and is for admins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bot.slack.charge.answer import LONGEST_QUESTION, PAGE, Answer, Asked, Word, paging, refused, told, words_button
from bot.slack.charge.days import NoSuchDays, read_days
from bot.slack.charge.spoken import person_of, typed
from bot.slack.charge.things_by_id import WrongWords, need_thing, whole_values
from bot.slack.permissions import Role
from rules.actions.command_kinds import CommandKind
from rules.documents.windows import Period, day_bounds
from rules.language.fields import nearest
from storage.queries.acts import ActFilter, known_actions, list_acts

EXAMPLES = (
    "/charge audit",
    "/charge audit yesterday",
    "/charge audit @name last week",
    "/charge audit action=silence 7d",
)
FILE_DAYS = timedelta(days=30)
"""How far a file goes back where no days are said."""
ALIASES = {"ack": "acknowledge", "start": "start_session", "stop": "stop_session", "price": "change_price"}
ACTS = (
    *(kind.value for kind in CommandKind),
    *("acknowledge", "unacknowledge", "assign", "note", "snooze", "end snooze", "silence", "end silence"),
    *("subscribe", "unsubscribe", "rule", "accept rule files", "accept missing things", "automations"),
    *("grant", "revoke", "export_sessions", "export_alerts", "export_audit", "export_uptime"),
)
"""The kinds of acts that are noted, whether or not the log has any of them; own commands have their own names."""
FILE = ("csv", "file")
THINGS = ("location", "charger", "connector", "session")
OTHERS = ("rule", "silence", "incident")
PEOPLE = ("user", "by", "person")
WHAT = ("action", "what")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which acts somebody asked for, the days of it, and the words that say the rest."""

    which: ActFilter
    days: Period | None
    rest: tuple[str, ...]


def read_wanted(connection: Connection, words: Sequence[str], zone: str, today: date) -> Wanted:
    """What the filters of an audit say; WrongWords, with what to write instead, where they say nothing there is."""
    try:
        days, rest = read_days(words, today)
        which = ActFilter()
        if days is not None:
            since, until = day_bounds(days.first, zone)[0], day_bounds(days.last, zone)[1]
            which = replace(which, since=since, until=until)
    except (NoSuchDays, OverflowError) as wrong:
        raise WrongWords(
            refused("These days cannot be asked for", reasons=[str(wrong)], mend="For example:", examples=EXAMPLES)
        ) from None
    ids: list[str] = []
    for word in whole_values(connection, rest):
        which = _narrowed(connection, which, word, ids)
    if ids:
        thing = need_thing(connection, " ".join(ids), "audit")
        which = replace(which, places={**which.places, thing.kind: thing.id})
    return Wanted(which, days, rest)


def _narrowed(connection: Connection, which: ActFilter, word: str, ids: list[str]) -> ActFilter:
    """The filter with what one word says; what can only be an id goes to `ids`."""
    key, sign, value = word.partition("=")
    key = key.lower()
    person = "rules" if word.lower() == "rules" else person_of(value if key in PEOPLE else word)
    if person is not None:
        return replace(which, users=(*which.users, person))
    subject = _subject(word, key, value)
    if subject is not None:
        return replace(which, subjects=(*which.subjects, subject))
    if value and key in THINGS:
        thing = need_thing(connection, value, "audit", [key])  # type: ignore[list-item]  # one of the kinds
        return replace(which, places={**which.places, thing.kind: thing.id})
    known = tuple(dict.fromkeys((*known_actions(connection), *ACTS)))
    actions = _actions((value if key in WHAT else word).lower(), known)
    if sign and not actions:
        raise WrongWords(_unknown(key, value, known))
    if not actions:
        ids.append(word)
    return replace(which, actions=(*which.actions, *actions))


def _subject(word: str, key: str, value: str) -> str | None:
    """What the log calls a card by its number, or another thing that has no place."""
    if word.startswith("#") and word[1:].isdecimal():
        return f"incident {word[1:]}"
    return f"{key} {value.lstrip('#')}" if value and key in OTHERS else None


def _actions(said: str, known: Sequence[str]) -> list[str]:
    """The kinds of acts that a word means; `reset` both of its kinds."""
    found = [one for one in known if said.replace("_", " ") == one.lower().replace("_", " ")]
    return found + [one for one in known if one == ALIASES.get(said) or (said == "reset" and one.startswith("reset_"))]


def _unknown(key: str, value: str, known: Sequence[str]) -> Answer:
    if key in WHAT:
        near = nearest(value, known)
        shown = [near] if near else list(known[:3])
        return refused(
            "Nothing of the kind was ever done:",
            about=value[:80],
            mend="Did you mean this?" if near else "What was done is for example:",
            examples=[f"/charge audit action={one.replace(' ', '_')}" for one in shown] or EXAMPLES[:1],
        )
    if key in PEOPLE:
        return refused(
            "Nobody here is called", about=value[:80], mend="Choose from Slack's list:", examples=EXAMPLES[2:3]
        )
    return refused("The audit log has no", about=key[:40], mend="For example:", examples=EXAMPLES)


def answer_audit(connection: Connection, asked: Asked) -> Answer:
    """Who did what, the newest first, in pages."""
    filed = any(word.lower() in FILE for word in asked.words)
    words = tuple(word for word in asked.words if word.lower() not in {*FILE, "as"}) if filed else asked.words
    asked = replace(asked, words=words)
    said = typed(asked.words)
    if len(said) > LONGEST_QUESTION:
        return refused("The filters are too long", mend="Use fewer:", examples=EXAMPLES)
    today = asked.now.astimezone(ZoneInfo(asked.zone)).date()
    try:
        wanted = read_wanted(connection, asked.words, asked.zone, today)
    except WrongWords as wrong:
        return wrong.answer
    page = list_acts(connection, wanted.which, asked.offset, PAGE)
    days = wanted.days or Period(today - FILE_DAYS, today)
    file = f"export audit {days.first} {min(days.last, today)} {typed(wanted.rest)}".strip()
    csv = [words_button("CSV file", file)] if page.total and days.first <= today else []
    whole = [words_button("All of it", "audit", 1)] if said and not page.total else []
    buttons = [*csv, *whole, *paging(page, f"audit {said}".strip())]
    back = None if wanted.days else FILE_DAYS.days
    begun = bool(page.total or known_actions(connection))
    return told(
        "answer_audit", buttons=buttons, page=page, said=_said(asked.words), back=back, begun=begun, filed=filed
    )


def _said(words: Sequence[str]) -> list[tuple[str, str]]:
    """The filters as they are shown: each person's id, and what stands between them as it was typed."""
    shown: list[tuple[str, str]] = []
    for word in words:
        key, _, value = word.partition("=")
        person = person_of(value if key.lower() in PEOPLE else word)
        if person is None and shown and not shown[-1][0]:
            shown[-1] = ("", f"{shown[-1][1]} {word}")
        else:
            shown.append((person or "", "" if person else word))
    return shown


WORDS = (
    Word(
        "audit",
        "audit [@PERSON] [ACTION] [DAYS] [THING|#NUMBER|rule=NAME]",
        "who did what, when, and what came of it; also as a CSV file",
        "audit yesterday",
        answer_audit,
        needs=Role.ADMIN,
        acts=True,
        needs_data=False,
    ),
)
