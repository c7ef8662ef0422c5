"""Every word of /charge in one list: help, the nearest right word and the rights are all read from it.

`answer` is the one door for typed words, mentions and buttons; it checks the role, and runs inside a transaction that
reads, or writes where the word's mode says so.
"""

import re
from dataclasses import replace
from difflib import get_close_matches

from slack_sdk.models.blocks import ActionsBlock, ButtonElement
from sqlalchemy import Connection

from bot.slack.charge import help  # noqa: A004 - the word itself
from bot.slack.charge.acting import automations, charger_commands, own_commands, prices, session_commands
from bot.slack.charge.alerting import alerts, digests, handling, rule_files, rules, silences, subscriptions, why
from bot.slack.charge.answer import (
    LONGEST_QUESTION,
    Answer,
    Asked,
    Errand,
    Mode,
    Word,
    not_in_plan,
    refused,
    words_button,
)
from bot.slack.charge.examples import INVENTED, of_the_fleet
from bot.slack.charge.fleet import (
    chargers,
    charts,
    exports,
    health,
    locations,
    missing,
    own_exports,
    people,
    reports,
    sessions,
    status,
)
from bot.slack.charge.governing import audit, roles
from bot.slack.charge.meant import meant_by, without_fillers
from bot.slack.charge.spoken import plain, split, typed
from bot.slack.charge.things_by_id import WrongWords
from bot.slack.permissions import Role, Standing
from commands.requests.routes import COMMAND_ROUTES
from notify.text.words import slack_escape
from storage.health import ASK_SOON, switched_off
from storage.polls import poll_states


def answer_help(connection: Connection, asked: Asked) -> Answer:
    """What this person may do."""
    return help.answer_help(connection, asked, WORDS)


WORDS: tuple[Word, ...] = (
    Word(
        "help",
        "help [TOPIC]",
        "what you can say, or more of a topic or a word",
        "help alerts",
        answer_help,
        needs_data=False,
    ),
    *status.WORDS,
    *locations.WORDS,
    *chargers.WORDS,
    *sessions.WORDS,
    *session_commands.WORDS,
    *charger_commands.WORDS,
    *own_commands.WORDS,
    *automations.WORDS,
    *prices.WORDS,
    *reports.WORDS,
    *people.WORDS,
    *exports.WORDS,
    *own_exports.WORDS,
    *charts.WORDS,
    *health.WORDS,
    *missing.WORDS,
    *alerts.WORDS,
    *handling.WORDS,
    *rules.WORDS,
    *rule_files.WORDS,
    *digests.WORDS,
    *why.WORDS,
    *silences.WORDS,
    *subscriptions.WORDS,
    *roles.WORDS,
    *audit.WORDS,
)
MOST_SUGGESTIONS = 4
PLACEHOLDER = re.compile(r"@|#[a-z]|\b[A-Z]{4,}\b")
"""What stands in an example for something that only whoever pastes it knows."""

GREETINGS = {"hello", "hi", "hey"}
"""Said alone, what a newcomer says first: the answer is what there is to say."""

BY_NAME = {word.word: word for word in WORDS}


def find_word(words: tuple[str, ...]) -> Word | None:
    """The entry that the first two words name, or the first; no word at all asks for help."""
    if not words or (len(words) == 1 and words[0].lower().rstrip("!") in GREETINGS):
        return BY_NAME["help"]
    both = " ".join(words[:2]).lower()
    return BY_NAME.get(both) or BY_NAME.get(words[0].lower())


def writes(text: str) -> bool:
    """Whether the words of a text write down what they do, so that they are acknowledged after it."""
    word = find_word(split(text))
    return word is not None and word.mode is Mode.WRITES


def rest_of(text: str, word: Word | None) -> str:
    """What follows an entry's own words in a text as Slack sends it: its lines are kept, its escapes undone."""
    own = len(word.word.split()) if word is not None else 0
    parts = plain(text).split(maxsplit=own)
    return parts[own].rstrip() if len(parts) > own else ""


def answer(connection: Connection, words: tuple[str, ...], asked: Asked, standing: Standing) -> Answer | Errand:
    """Answer what was typed; a wrong word gets the nearest right one, a missing right is said."""
    try:
        found = _answered(connection, words, asked, standing)
    except WrongWords as wrong:
        found = wrong.answer
    if not isinstance(found, Answer) or not found.suggests:
        return found
    return _with_buttons(_with_ids(connection, found))


def _answered(connection: Connection, words: tuple[str, ...], asked: Asked, standing: Standing) -> Answer | Errand:
    word = find_word(words)
    if not standing.may(Role.VIEWER):
        return not_allowed(standing, Role.VIEWER, word.word if word is not None else "/charge")
    if word is None:
        return _wrong_word(connection, words)
    if not standing.may(word.needs):
        return not_allowed(standing, word.needs, word.word)
    off = {one.name: one for one in switched_off(connection, asked.now) if one.polled or asked.now - one.at < ASK_SOON}
    spared = bool(word.spared) and words[-1].lower() == word.spared
    if (
        not spared and word.route in off and word.route not in COMMAND_ROUTES
    ):  # those are asked for each time: a right is soon given
        return not_in_plan(word.word, off[word.route].reason)
    if word.needs_data:
        state = poll_states(connection, asked.now).get("chargers")
        if state is None or state.good_at is None:
            return _nothing_known(state.error if state is not None else None)
    return word.answer(connection, replace(asked, words=words[len(word.word.split()) :]))


def not_allowed(standing: Standing, needed: Role, what: str) -> Answer:
    """A person may not do this: what it needs, and who can change that."""
    if standing.outside:
        looks = [] if standing.may(Role.VIEWER) else ["Looking is allowed by CHARGEHAND_OUTSIDERS_MAY_LOOK"]
        return refused(
            f"`{what}` is for full members of this workspace; for Slack you are {standing.outside}",
            reasons=looks,
            mend="Ask somebody of the workspace, or whoever runs Chargehand.",
        )
    if standing.unsure:
        return refused(
            f"`{what}` needs the role {needed.word}, and Slack did not tell whether you have it",
            mend="Try again in a minute; an admin can see in the log why.",
        )
    return refused(
        f"`{what}` needs the role {needed.word}; you are {standing.role.word}",
        mend="An admin can give it to you with `/charge grant`, as can whoever runs Chargehand with "
        f"CHARGEHAND_{needed.name}S. Who the admins are, and what you may do:",
        examples=["/charge roles", "/charge help"],
    )


def _nothing_known(error: str | None) -> Answer:
    return refused(
        "EOSVOLT has not answered yet, so nothing is known",
        reasons=[error] if error else [],
        mend="Try again in a minute. Whoever runs Chargehand sees with `chargehand doctor` what is wrong.",
    )


def _wrong_word(connection: Connection, words: tuple[str, ...]) -> Answer:
    """The nearest word that only reads, to be said at once; of one that acts no more than its help."""
    both = " ".join(words[:2]).lower()
    longer = [word for word in WORDS if word.word.startswith(f"{words[0].lower()} ")]
    if longer and all(reads(word) for word in longer):
        examples = [f"/charge {word.word}" for word in longer]
        return refused(f"`{longer[0].word.split()[0]}` needs to know what", mend="There are:", examples=examples)
    said, rest = words[0], without_fillers(words)
    other = find_word(rest) if rest and rest != words else None
    meant = (typed(rest),) if other is not None and reads(other) else meant_by(rest)
    if meant:
        examples = [f"/charge {one}" for one in meant]
        return refused("There is no word", about=said, mend="Did you mean this?", examples=examples)
    words = rest or words
    near = get_close_matches(both if words[0] == said else words[0], BY_NAME, n=1, cutoff=0.8) or get_close_matches(
        words[0].lower(), BY_NAME, n=1, cutoff=0.6
    )
    if not near:
        return refused("There is no word", about=said, mend="See what there is:", examples=["/charge help"])
    word = BY_NAME[near[0]]
    if not reads(word):
        examples = [f"/charge help {word.word}", "/charge help"]
        return refused(
            "There is no word", about=said, mend=f"If you mean `{word.word}`, this tells how:", examples=examples
        )
    behind = typed(words[len(word.word.split()) :])
    example = f"/charge {word.word} {behind}".strip() if behind else None
    example = example or help.example_of(word, help.known_ids(connection)) or f"/charge {word.word}"
    return refused("There is no word", about=said, mend="Did you mean this?", examples=[example, "/charge help"])


def reads(word: Word) -> bool:
    """Whether a word only looks: it may be suggested, and said by a button."""
    return word.mode is Mode.READS and not word.acts


def _with_ids(connection: Connection, answer: Answer) -> Answer:
    """An error whose examples name things of this fleet in place of invented ones."""
    if answer.remade is None or not any(INVENTED.search(example) for example in answer.suggests):
        return answer
    said = answer.remade(of_the_fleet(connection, answer.suggests))
    below = answer.blocks[len(answer.remade(answer.suggests).blocks) :]  # what its word put there
    return replace(answer, text=said.text, blocks=[*said.blocks, *below], suggests=said.suggests)


def _with_buttons(answer: Answer) -> Answer:
    """An error whose suggestions that only read can be pressed as well as pasted."""
    pressed: list[ButtonElement] = []
    for example in answer.suggests[:MOST_SUGGESTIONS]:
        words = example.removeprefix("/charge ").strip()
        word = find_word(split(words))
        if word is not None and reads(word) and PLACEHOLDER.search(words) is None and len(words) <= LONGEST_QUESTION:
            pressed.append(words_button(f"/charge {words}", slack_escape(words), len(pressed) + 1))
    if not pressed:
        return answer
    row = ActionsBlock(elements=pressed, block_id="suggestions").to_dict()
    return replace(answer, blocks=[*answer.blocks, row])
