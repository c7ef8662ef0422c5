"""`/charge subscribe ...`, `subscriptions` and `unsubscribe`: who is told of which alerts, beside whom rules name.

What is understood counts at once, for what fires from then on; its answer lists what stands, and what hears of it
already. A channel is told of what somebody changed for it. Nothing here posts a card.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from bot.slack.charge.alerting.subscription_words import (
    ALL,
    EXAMPLES,
    SHOWN_RULES,
    about,
    filter_words,
    may_end,
    may_see,
    read_subscription,
    rules_heard_there,
    standing,
)
from bot.slack.charge.answer import PAGE, Answer, Asked, Mode, Word, paging, refused, told, words_button
from bot.slack.charge.examples import of_the_fleet
from bot.slack.charge.spoken import person_of, typed
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import Role
from notify.acts import Act
from notify.render import render_words
from notify.subscriptions import covers, end_subscriptions, lasting, subscribe
from notify.text.words import slack_unescape
from storage.audit import record_act
from storage.queries.rows import Page

MOST_OF_ONE = 50
"""As many subscriptions has one channel or person at most: each is compared with each alert that fires."""


def answer_subscribe(connection: Connection, asked: Asked) -> Answer:
    """Tell a channel, or a person in their own messages, of the alerts that the words describe, from now on."""
    words = filter_words(asked)
    try:
        if not words:
            _check_place(asked, [ALL])
    except WrongWords as wrong:
        return wrong.answer
    if not words:
        return refused("`subscribe` needs to know to what", mend="For example:", examples=EXAMPLES)
    if any(person_of(word) for word in words):
        rest = " ".join(word for word in words if not person_of(word)) or ALL
        each = "Each person subscribes for themselves, and nobody for somebody else"
        return refused(each, mend="They say:", examples=[f"/charge subscribe me {rest}"])
    try:
        wanted = read_subscription(connection, words, asked.place)
        _check_place(asked, words)
    except WrongWords as wrong:
        return wrong.answer
    here = [row for row in lasting(connection) if row.channel == wanted.channel]
    same = next((row for row in here if covers(row, wanted) and covers(wanted, row)), None)
    if same is None and len(here) >= MOST_OF_ONE:
        ends = "It takes no more than 50 subscriptions; end some, or ask for more with one:"
        return refused(ends, mend="", examples=["/charge subscriptions", EXAMPLES[2]])
    number = same.id if same is not None else _keep(connection, asked, wanted)
    heard = rules_heard_there(connection, asked, wanted)
    return told(
        "answer_subscribed",
        buttons=[
            words_button("Unsubscribe", f"unsubscribe {number}", 1),
            words_button("Subscriptions", "subscriptions", 2),
        ],
        act=None if same is not None else _act("subscribed", asked, wanted, about(connection, wanted)),
        number=number,
        place=asked.place,
        about=about(connection, wanted),
        before=same,
        wider=[row.id for row in here if row is not same and covers(row, wanted)],
        narrower=[row.id for row in here if row is not same and covers(wanted, row)],
        heard=heard[:SHOWN_RULES],
        heard_more=max(0, len(heard) - SHOWN_RULES),
        standing=standing(connection, asked, wanted),
    )


def _check_place(asked: Asked, words: Sequence[str]) -> None:
    """WrongWords where they may not subscribe this channel, or the bot could say nothing there."""
    place = asked.place
    again = slack_unescape(typed(tuple(words)))
    if place.is_person:
        return
    if asked.role < Role.OPERATOR:
        whole = f"A channel is subscribed by operators and admins; you are {asked.role.word}"
        mend = "You can have your own messages about it:"
        raise WrongWords(refused(whole, mend=mend, examples=[f"/charge subscribe me {again}"]))
    why = {
        "not in it": "I am not in that channel, or it is not there",
        "archived": "That channel is archived",
        "unknown": "Slack knows no such channel, or I am not in it",
        "unanswered": "Slack did not tell about that channel in time",
    }
    mends = {
        "archived": "Take it out of the archive and say it again, or have your own messages:",
        "unanswered": "Say it again in a minute:",
    }
    if place.why_not:
        named = f"#{place.name}" if place.name else place.channel
        mend = mends.get(place.why_not, "Say `/invite @Chargehand` there and say it again, or have your own messages:")
        here = f"/charge subscribe {named} {again}"
        example = here if place.why_not == "unanswered" else f"/charge subscribe me {again}"
        raise WrongWords(refused(why[place.why_not] + ":", about=named, mend=mend, examples=[example]))


def _keep(connection: Connection, asked: Asked, wanted: Any) -> int:
    number = subscribe(connection, wanted, asked.user, asked.now, is_outside=asked.is_outside)
    facts = {"channel": wanted.channel, "about": about(connection, wanted)}
    subject = f"subscription {number}"
    record_act(connection, asked.user, "subscribe", subject, asked.now, outcome="subscribed", facts=facts)
    return number


def _act(kind: str, asked: Asked, row: Any, said: str) -> Act | None:
    """What a channel is told of a subscription of its own; a person has the answer."""
    return Act(kind, asked.user, (), {"about": said}, channels=(row.channel,)) if row.name else None


def answer_subscriptions(connection: Connection, asked: Asked) -> Answer:
    """The subscriptions that somebody may see: their own, then those of channels."""
    seen = [row for row in lasting(connection) if may_see(row, asked)]
    if any(word.startswith("#") for word in asked.words):
        seen = [row for row in seen if row.channel == asked.place.channel]
    return _listed(connection, asked, seen)


def _listed(connection: Connection, asked: Asked, seen: Sequence[Any], problem: str = "") -> Answer:
    seen = sorted(seen, key=lambda row: (row.channel != asked.user, row.name, row.id))
    page = Page(tuple(seen[asked.offset : asked.offset + PAGE]), asked.offset, len(seen))
    return told(
        "answer_subscriptions",
        buttons=paging(page, "subscriptions"),
        rows=subscription_rows(connection, page.rows, asked),
        page=page,
        problem=problem,
        examples=of_the_fleet(connection, EXAMPLES if asked.role >= Role.OPERATOR else (EXAMPLES[0], *EXAMPLES[2:])),
    )


def subscription_rows(connection: Connection, rows: Sequence[Any], asked: Asked) -> list[tuple[str, Any]]:
    """A line for each subscription, with the button that ends it where they may."""
    lines = [
        render_words("answer_subscription_row.mrkdwn.j2", row=row, about=about(connection, row), user=asked.user)
        for row in rows
    ]
    ends = [
        words_button("Unsubscribe", f"unsubscribe {row.id}", n) if may_end(row, asked) else None
        for n, row in enumerate(rows, 1)
    ]
    return [(line["body"], end) for line, end in zip(lines, ends, strict=True)]


def answer_unsubscribe(connection: Connection, asked: Asked) -> Answer:
    """End a subscription by its number, or those of a channel or of one's own messages."""
    seen = [row for row in lasting(connection) if may_see(row, asked)]
    words = filter_words(asked)
    said = words[0].lstrip("#") if len(words) == 1 else ""
    try:
        if said.isascii() and said.isdecimal() and len(said) < 12:
            meant = [row for row in seen if row.id == int(said)]
        else:
            meant = _meant(connection, asked, words, [row for row in seen if row.channel == asked.place.channel])
    except WrongWords as wrong:
        return wrong.answer
    if not meant:
        own = asked.place.channel != asked.user and any(row.channel == asked.user for row in seen)
        whole = "There is no such subscription that lasts" if words else "Nothing is subscribed to here"
        examples = ["/charge subscriptions", *(["/charge unsubscribe me all"] if own else ())]
        mend = "See which there are, and end your own:" if own else "See which there are:"
        return refused(whole, mend=mend, examples=examples)
    if len(meant) > 1 and not words:
        return _listed(connection, asked, meant, "There are several. Which one is to end?")
    if not all(may_end(row, asked) for row in meant):
        whole = f"The subscriptions of channels are ended by operators and admins; you are {asked.role.word}"
        return refused(whole, mend="See which are yours:", examples=["/charge subscriptions"])
    numbers = [row.id for row in meant]
    end_subscriptions(connection, numbers, asked.user, asked.now)
    for row in meant:
        facts = {"channel": row.channel, "about": about(connection, row)}
        subject = f"subscription {row.id}"
        record_act(connection, asked.user, "unsubscribe", subject, asked.now, outcome="ended", facts=facts)
    ended = "; ".join(about(connection, row) for row in meant)
    return told(
        "answer_unsubscribed",
        act=_act("unsubscribed", asked, meant[0], ended),
        numbers=numbers,
        about=ended,
        row=meant[0],
        user=asked.user,
        own=meant[0].channel != asked.user and any(row.channel == asked.user for row in seen),
    )


def _meant(connection: Connection, asked: Asked, words: Sequence[str], here: Sequence[Any]) -> list[Any]:
    """Of the subscriptions of a place those that the words describe; all of them without any."""
    if not words or [word.lower() for word in words] == [ALL]:
        return list(here)
    wanted = read_subscription(connection, words, asked.place, "unsubscribe")
    return [row for row in here if covers(row, wanted) and covers(wanted, row)]


WORDS = (
    Word(
        "subscribe",
        "subscribe me|#channel severity>=warning [THING] [rule=NAME] [LABEL=VALUE]|all",
        "be told of alerts in your own messages; operators: in a channel",
        "subscribe me severity>=critical",
        answer_subscribe,
        mode=Mode.WRITES,
        places=True,
    ),
    Word(
        "subscriptions",
        "subscriptions [#channel]",
        "what you and the channels subscribed to",
        "subscriptions",
        answer_subscriptions,
        places=True,
    ),
    Word(
        "unsubscribe",
        "unsubscribe NUMBER|[#channel] FILTERS|all",
        "end a subscription; what stands stays",
        "unsubscribe {subscription}",
        answer_unsubscribe,
        mode=Mode.WRITES,
        places=True,
    ),
)
