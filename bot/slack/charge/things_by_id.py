"""A connector, charger, location or session, found by the id that somebody wrote; and what is said where none is."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, refused
from rules.registry.authoring import RuleRefused
from storage.queries.state import Kind, find_charger, find_connector, find_location, find_session, nearest_ids

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


def need_thing(connection: Connection, said: str, word: str, kinds: Sequence[Kind] = KINDS) -> Thing:
    """As `find_thing`; WrongWords, with the closest ids as commands to paste, where there is none."""
    found = find_thing(connection, said, kinds)
    if found is not None:
        return found
    near = [near for kind in kinds for near in nearest_ids(connection, kind, said, 2)][:3]
    told = f"There is no {' or '.join([', '.join(kinds[:-1]), kinds[-1]]) if len(kinds) > 1 else kinds[0]} with the id"
    raise WrongWords(
        refused(
            told,
            about=said[:100],
            mend="Did you mean one of these?" if near else "See which there are:",
            examples=[f"/charge {word} {known}" for known in near] or ["/charge chargers", "/charge locations"],
        )
    )


def no_rule(wrong: RuleRefused) -> Answer:
    """There is no such rule."""
    return refused(
        "There is no such rule", reasons=[str(wrong)], mend="See which there are:", examples=["/charge rules"]
    )


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
