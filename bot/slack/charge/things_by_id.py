"""A connector, charger, location or session by the id or name that somebody wrote; and what is said where none is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.slack.charge.answer import LONGEST_WORDS, Answer, refused, told, words_button
from bot.slack.charge.spoken import typed
from rules.registry.authoring import NoSuchRule
from storage.queries.names import Found, things_called
from storage.queries.state import Kind, find_charger, find_connector, find_location, find_session, nearest_ids

MOST_CHOICES = 5
EVERYTHING = frozenset({"all", "everything", "*"})
KINDS: tuple[Kind, ...] = ("connector", "charger", "location", "session")


class WrongWords(Exception):  # noqa: N818 - read as what happened
    """Words that cannot be understood; `answer` says why and what to write."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Thing:
    """A known location, charger, connector or session."""

    kind: Kind
    id: str
    location_id: str | None

    @property
    def column(self) -> str:
        """The name of the column that holds its id in tables of alerts and silences."""
        return f"{self.kind}_id"


def find_thing(connection: Connection, said: str, kinds: Sequence[Kind] = KINDS) -> Thing | None:
    """The thing with this id, whatever it is: a connector before a charger, a location, a session."""
    for kind in kinds:
        found = _FIND[kind](connection, said)
        if found is not None:
            return found
    return None


def need_thing(
    connection: Connection, said: str, word: str, kinds: Sequence[Kind] = KINDS, after: Sequence[str] = ()
) -> Thing:
    """As `find_thing`, or by its name; WrongWords where nothing is called so, or several things are.

    `word` and `after` are what stands before and behind it in the words, so that a choice says them with an id.
    """
    found = find_thing(connection, said, kinds)
    if found is not None:
        return found
    called = things_called(connection, said, by_name(kinds))
    if len(called.things) == 1 and not called.is_near:
        (only,) = called.things
        known = find_thing(connection, only.id, [only.kind])
        if known is not None:
            return known
    if said.casefold() in EVERYTHING:
        raise WrongWords(_one_by_one(said, word, kinds))
    called = called if called.things else _by_first_words(connection, said, kinds)
    near = [near for kind in kinds for near in nearest_ids(connection, kind, said, 2)][:3]
    if called.things and (not called.is_near or not near):
        raise WrongWords(_choice(said, word, called, after))
    told_ = f"There is no {' or '.join([', '.join(kinds[:-1]), kinds[-1]]) if len(kinds) > 1 else kinds[0]} with the id"
    raise WrongWords(
        refused(
            told_,
            about=said[:100],
            mend="Did you mean one of these?" if near else "See which there are:",
            examples=[f"/charge {' '.join(_again(word, known, after))}" for known in near] or _lists(kinds),
        )
    )


def _by_first_words(connection: Connection, said: str, kinds: Sequence[Kind]) -> Found:
    """What is called as some of the first words are: the rest of the name was mistyped."""
    words = said.split()
    tries = (things_called(connection, " ".join(words[:used]), by_name(kinds)) for used in range(len(words) - 1, 0, -1))
    things = next((found.things for found in tries if found.things and not found.is_near), ())
    return Found(things, is_near=True)


def whole_values(connection: Connection, words: Sequence[str], others: Collection[str] = ()) -> list[str]:
    """The words, with a value of several that stand there without quotes as one: `location=Sligo Station`.

    `others` are words that mean something by themselves. Words behind a value that name another thing stay apart.
    """
    left, whole = list(words), []
    while left:
        word = left.pop(0)
        key, _, value = word.partition("=")
        behind = next((n for n, one in enumerate(left) if "=" in one or one[0] == "#" or one.lower() in others), None)
        kind = next((one for one in KINDS if value and one == key.lower()), None)
        used = _used(connection, kind, value, left[:behind]) if kind is not None else 0
        whole.append(" ".join([word, *left[:used]]))
        del left[:used]
    return whole


def _used(connection: Connection, kind: Kind, value: str, behind: Sequence[str]) -> int:
    """How many of the words behind a value belong to it: as many as name a thing with it, else all that name none."""
    for used in range(len(behind), 0, -1):
        said = " ".join([value, *behind[:used]])
        called = things_called(connection, said, by_name([kind]))
        if find_thing(connection, said, [kind]) is not None or (called.things and not called.is_near):
            return used
    rest = " ".join(behind)
    alone = find_thing(connection, value, [kind]) is not None
    return 0 if alone or not rest or find_thing(connection, rest) is not None else len(behind)


def _one_by_one(said: str, word: str, kinds: Sequence[Kind]) -> Answer:
    """A word that means everything, where one thing is to be named."""
    *others, last = kinds
    one = f"{', '.join(others)} or {last}" if others else last
    ruled = ["/charge silence rule=connector-faulted for 2h Technician on site"] if word == "silence" else []
    return refused(
        f"`{word.rstrip('=')}` is not said of everything at once: name one {one}, and not",
        about=said[:20],
        mend="All alerts of one rule or place can be silenced; see which there are:"
        if ruled
        else "See which there are:",
        examples=[*ruled, *_lists(kinds)],
    )


def by_name(kinds: Sequence[Kind]) -> list[Kind]:
    """The kinds that are looked for by name: a connector only where nothing larger may be meant."""
    named: list[Kind] = [kind for kind in kinds if kind in {"location", "charger"}]
    return named or [kind for kind in kinds if kind == "connector"]


def _lists(kinds: Sequence[Kind]) -> list[str]:
    lists = {"location": "locations", "charger": "chargers", "connector": "chargers", "session": "sessions active"}
    return list(dict.fromkeys(f"/charge {lists[kind]}" for kind in reversed(kinds)))[:2]


def _again(word: str, id_: str, after: Sequence[str]) -> tuple[str, ...]:
    """The words once more, with an id in its place."""
    *before, last = word.split()
    return (*before, f"{last}{id_}", *after) if last.endswith("=") else (*before, last, id_, *after)


def _choice(said: str, word: str, called: Found, after: Sequence[str]) -> Answer:
    """Which of several things is meant: buttons that say the words again with an id."""
    shown = called.things[:MOST_CHOICES]
    texts = [typed(_again(word, one.id, after)) for one in shown]
    fits = all(len(text) <= LONGEST_WORDS for text in texts)
    buttons = [
        words_button(f"{one.name} {one.id}".strip(), text, n)
        for n, (one, text) in enumerate(zip(shown, texts, strict=True), 1)
    ]
    return told(
        "answer_choice",
        alone=True,
        buttons=buttons if fits else [],
        said=said,
        shown=shown,
        total=len(called.things),
        is_near=called.is_near,
        example=f"/charge {' '.join(_again(word, shown[0].id, after))}",
    )


def no_rule(wrong: NoSuchRule) -> Answer:
    """There is no such rule: the nearest one, or where to see which there are."""
    near = [f"/charge rules show {wrong.near}"] if wrong.near else []
    mend = "Did you mean the first of these?" if near else "See which there are:"
    return refused("There is no rule", about=wrong.name[:80], mend=mend, examples=[*near, "/charge rules"])


def _connector(connection: Connection, said: str) -> Thing | None:
    row = find_connector(connection, said)
    return Thing("connector", row.id, row.location_id) if row is not None else None


def _charger(connection: Connection, said: str) -> Thing | None:
    row = find_charger(connection, said)
    return Thing("charger", row.id, row.location_id) if row is not None else None


def _location(connection: Connection, said: str) -> Thing | None:
    row = find_location(connection, said)
    return Thing("location", row.id, row.id) if row is not None else None


def _session(connection: Connection, said: str) -> Thing | None:
    row = find_session(connection, said)
    return Thing("session", row.id, row.location_id) if row is not None else None


_FIND = {"connector": _connector, "charger": _charger, "location": _location, "session": _session}
