"""What a person asked, what they are answered, and how an entry of the command list looks.

An answer is a text with blocks, made by a plain function of a read transaction and the question; nothing here sends
it. Words are the templates' work, structure is built here.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ConfirmObject,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection

from bot.slack.permissions import Permissions, Role
from eosvolt.client import EosvoltClient
from eosvolt.terms.own_commands import OwnCommand
from notify.acts import Act
from notify.render import render_words
from notify.text import blocks
from notify.text.action_ids import ActionId
from notify.text.message import Block
from notify.text.words import short, slack_unescape
from notify.troubles import Finding
from rules.actions.command_kinds import COMMANDS_PER_DAY
from storage.engine import Database
from storage.queries.rows import Page
from storage.queries.state import Kind, data_age, nearest_ids

PAGE = 10
LONGEST_QUESTION = 200  # so that it fits into a button's value
LONGEST_WORDS = 1_500
"""As many characters of words does a Confirm button carry: its value may have 2,000."""


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as Slack tells of it, or the messages of the person who asks: `channel` is its id, or theirs.

    `why_not` says why nothing can be said there: "not in it", "archived", "unknown", "unanswered"; empty where it can.
    """

    channel: str
    name: str = ""
    is_person: bool = False
    is_private: bool = False
    why_not: str = ""


NOWHERE = Place("", why_not="unknown")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the words after the command's own, who asks, and what the answer depends on.

    `text` is what those words were, with its lines; `own_commands` are the account's, by name. `card_channel` is where
    a command's card would stand; only words that act are told it.
    """

    words: tuple[str, ...]
    user: str
    role: Role
    now: datetime
    interval: timedelta
    zone: str = "UTC"
    own_zone: str = ""  # of whoever asks, as Slack tells it; empty where it does not
    offset: int = 0
    card_channel: str = ""
    commands_per_day: int = COMMANDS_PER_DAY
    automations: str = "dry-run"  # as the setting says
    text: str = ""
    own_commands: Mapping[str, OwnCommand] = field(default_factory=dict)
    approvals: Mapping[str, str] = field(default_factory=dict)  # the channel in which a kind of command is approved
    place: Place = NOWHERE  # which the words name, or where they were typed; only words that need it are told
    alert_channel: str = ""  # where rules without a channel speak
    is_outside: bool = False  # a guest, or of another workspace
    confirmed: bool = False  # a preview of these very words was shown, and its button pressed


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said: `text` for notifications, `blocks` for eyes. `later`, run in a thread, says the rest.

    One that is for one person `alone` is shown to nobody else. `act` is what channels are to be told of, in the same
    transaction. After one that says `again` the button that asked may be pressed once more. `suggests` are the commands
    that an error names, `remade` makes it again with others.
    """

    text: str
    blocks: list[Block]
    later: "Callable[[Database], Answer] | None" = None
    alone: bool = False
    act: Act | None = None
    again: bool = False
    suggests: tuple[str, ...] = ()
    remade: "Callable[[Sequence[str]], Answer] | None" = None


class Mode(Enum):
    """What a word does to the database: it reads, tries something out and drafts it, or writes down what it does."""

    READS = auto()
    REHEARSES = auto()
    WRITES = auto()


@dataclass(slots=True)
class Office:
    """Where an answer that must ask outside turns to. Nothing here is used while a transaction is open.

    `slack_link` says how the connection to Slack stands, `wrong` what is wrong now; `approvals` are the channels in
    which kinds of commands are approved by a second person, where they must be. `work` are tasks that go on after their
    answer, and `wait` waits for so many seconds.
    """

    database: Database
    client: EosvoltClient
    slack: AsyncWebClient
    slack_link: Callable[[], Awaitable[str]]
    approvals: Mapping[str, str] = field(default_factory=dict)
    wrong: Callable[[], Awaitable[Sequence[Finding]]] | None = None
    permissions: Permissions | None = None
    work: set[asyncio.Task[None]] = field(default_factory=set)
    wait: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Errand:
    """An answer that must first ask EOSVOLT or Slack; `route` is the contract's name of what it asks, if of EOSVOLT.

    `of_thing`: it asks about one thing, so that a 404 says nothing about the account.
    """

    route: str
    run: Callable[[Office], Awaitable[Answer]]
    of_thing: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One word of /charge, or two: how it is written, what it does, an example with `{connector}` and such to fill in.

    `acts` words are told where a card would stand, and their previews are shown to the person alone. `route` is the
    contract's name of what it needs of EOSVOLT beside the polls, if anything; words that end in `spared` need nothing.
    One that needs no data answers before the first poll. One of `places` is about a channel, or about the messages of
    whoever asks.
    """

    word: str
    usage: str
    does: str
    example: str
    answer: Callable[[Connection, Asked], Answer | Errand]
    needs: Role = Role.VIEWER
    acts: bool = False
    route: str | None = None
    needs_data: bool = True
    mode: Mode = Mode.READS
    places: bool = False
    spared: str = ""


def button(
    label: str,
    action_id: ActionId,
    value: Any,
    *,
    style: str | None = None,
    number: int = 0,
    confirm: ConfirmObject | None = None,
) -> ButtonElement:
    """A button whose value is compact JSON; `number` keeps several of one kind apart in a row.

    `confirm` is what Slack asks before it tells of the click.
    """
    return ButtonElement(
        text=PlainTextObject(text=short(label, 70), emoji=False),
        action_id=action_id.value + (f"_{number}" if number else ""),
        value=json.dumps(value, separators=(",", ":")),
        style=style,
        confirm=confirm,
    )


def form_button(label: str, form: str, number: int = 0, **given: str) -> ButtonElement:
    """A button that opens a form, with what it is opened with."""
    return button(label, ActionId.OPEN_FORM, {"form": form, **given}, number=number)


def words_button(label: str, words: str, number: int = 0) -> ButtonElement:
    """A button that answers as if these words had been typed."""
    return button(label, ActionId.RUN_WORDS, {"words": words}, number=number)


def confirm_words(label: str, words: str, *, style: str = "primary") -> list[ButtonElement]:
    """The buttons below a preview: one that does what these words say, once, and one that does nothing."""
    value = {"words": words, "nonce": uuid.uuid4().hex}
    return [
        button(label, ActionId.CONFIRM_WORDS, value, style=style),
        button("Cancel", ActionId.CANCEL_COMMAND, {"verb": words.partition(" ")[0]}),
    ]


def told(
    template: str,
    *,
    buttons: Sequence[ButtonElement] = (),
    plain: Sequence[str] = (),
    preformatted: str = "",
    rows: Sequence[tuple[str, ButtonElement | None]] = (),
    later: Callable[[Database], Answer] | None = None,
    alone: bool = False,
    act: Act | None = None,
    **values: Any,
) -> Answer:
    """An answer in the words of templates/`template`.mrkdwn.j2, its buttons in a row below.

    `plain` are sentences with names in them, as given: shown between `body` and `after` where nothing is parsed.
    `preformatted` is a text with its lines, shown there too, in a code block. `rows` are lines of mrkdwn, each with the
    button that stands beside it.
    """
    words = render_words(f"{template}.mrkdwn.j2", **values)
    built: list[Block] = []
    if words.get("title"):
        built.append(blocks.header(slack_unescape(words["title"])))
    built += blocks.sections(words["body"])
    if plain:
        text = "\n".join(short(line, 400) for line in plain[:6])
        built.append(SectionBlock(text=PlainTextObject(text=text, emoji=False), block_id="plain").to_dict())
    built += blocks.preformatted(preformatted)
    built += [
        SectionBlock(text=MarkdownTextObject(text=row), accessory=beside, block_id=f"row_{n}").to_dict()
        for n, (row, beside) in enumerate(rows)
    ]
    if words.get("after"):
        built += [{**block, "block_id": f"after_{n}"} for n, block in enumerate(blocks.sections(words["after"]))]
    if buttons:
        built.append(ActionsBlock(elements=list(buttons), block_id="actions").to_dict())
    built += blocks.context((), words.get("context", ""))
    return Answer(" ".join(words["fallback"].split()), built, later, alone, act)


def _sentence(said: str) -> str:
    """What was said with a capital first, and ended once."""
    ended = said.rstrip(".")
    return ended[:1].upper() + ended[1:] + ("" if ended.endswith(("?", "!")) else ".")


def refused(
    problem: str,
    *,
    buttons: Sequence[ButtonElement] = (),
    mend: str,
    about: str = "",
    reasons: Sequence[str] = (),
    examples: Sequence[str] = (),
    preformatted: str = "",
) -> Answer:
    """What is wrong (`about` is the value that was, `reasons` say why), what to do next, and examples to paste.

    `problem` and `mend` are ours and mrkdwn; everything else is text from outside, as given.
    """
    sentences = [_sentence(reason) for reason in reasons]
    answer = told(
        "answer_refused",
        buttons=buttons,
        plain=sentences,
        preformatted=preformatted,
        problem=problem,
        about=about,
        mend=mend,
        examples=examples,
    )

    def remade(others: Sequence[str]) -> Answer:
        return refused(problem, mend=mend, about=about, reasons=reasons, examples=others, preformatted=preformatted)

    return replace(answer, suggests=tuple(examples), remade=remade)


def not_in_plan(what: str, reason: str, said: str = "") -> Answer:
    """EOSVOLT says that the account has no such thing; `said` are its own words."""
    kinds = {"forbidden": "that the key has no right to it (403)", "not_found": "that there is no such call (404)"}
    mends = {
        "forbidden": "Give the key the missing scope in the EOSVOLT admin portal, or have the plan changed;",
        "not_found": "`chargehand doctor` says how to mend it;",
    }
    return refused(
        f"`{what}` is not in this account's EOSVOLT plan, or the key has no right to it",
        reasons=[f"EOSVOLT said {kinds.get(reason, 'so')}{f': {said}' if said else ''}"],
        mend=f"{mends.get(reason, mends['not_found'])} a minute from now it is asked again. What there is:",
        examples=["/charge help"],
    )


def unknown_id(connection: Connection, kind: Kind, wrong: str, word: str) -> Answer:
    """No such thing: the closest ids, as commands to paste."""
    near = nearest_ids(connection, kind, wrong)
    lists = {"location": "locations", "charger": "chargers", "connector": "chargers", "session": "sessions"}
    return refused(
        f"There is no {kind} with the id",
        about=wrong,
        mend="Did you mean one of these?" if near else "See which there are:",
        examples=[f"/charge {word} {known}" for known in near] or [f"/charge {lists[kind]}"],
    )


def missing_id(word: str, kind: str, example: str) -> Answer:
    """A word that needs an id was given none."""
    return refused(f"`{word}` needs the id of a {kind}", mend="For example:", examples=[example])


def paging(page: Page[Any], words: str) -> list[ButtonElement]:
    """The buttons to the page before and after, where there is one."""
    buttons = []
    if page.offset > 0:
        before = {"words": words, "offset": max(0, page.offset - PAGE)}
        buttons.append(button("Previous", ActionId.PREVIOUS_PAGE, before))
    if page.offset + len(page.rows) < page.total:
        buttons.append(button("Next", ActionId.NEXT_PAGE, {"words": words, "offset": page.offset + PAGE}))
    return buttons


def age_of(connection: Connection, asked: Asked, resource: str = "chargers") -> Any:
    """How old what is shown is, for a template's context."""
    return data_age(connection, resource, asked.now, asked.interval)
