"""The title of what is told, filled in: names and numbers for its places, and words for a rule that has no title.

It takes plain values as they came from outside and gives plain text: escaping is the template's work.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from notify.text.words import duration, short
from rules.documents.titles import DURATION, fill_title

LONGEST_NAME = 40
NAMED_AFTER = {"connector": "charger", "charger": "charger", "location": "location", "session": None}
"""Whose name each thing has: a connector has none of its own."""


@dataclass(frozen=True, slots=True)
class Things:
    """The things of one kind that something is about: how many, and one of them with the name that it goes by."""

    count: int
    thing_id: str | None
    name: str | None = None

    def words(self, thing: str) -> str | None:
        """One by its name (a connector with its id too), several by their number."""
        if not self.count or self.thing_id is None:
            return None
        if self.count > 1:
            return f"{self.count} {thing}s"
        if not self.name or not self.name.strip():
            return f"{thing} {short(self.thing_id, LONGEST_NAME)}"
        name = short(self.name, LONGEST_NAME)
        return f"{name} {short(self.thing_id, LONGEST_NAME)}" if thing in {"connector", "session"} else name


def title_of(
    document: Mapping[str, object], rule_id: str, things: Mapping[str, Things], lasted: timedelta, *, is_over: bool
) -> str:
    """What the alerts or the event of a rule say first.

    While it goes on its length is told as a least one, which stays true however long the message stands.
    """
    told = duration(lasted)
    values = {DURATION: told if is_over else f"over {told}"}
    values |= {thing: words for thing, some in things.items() if (words := some.words(thing)) is not None}
    title = document.get("title")
    if isinstance(title, str):
        try:
            return fill_title(title, values)
        except (ValueError, KeyError):  # stored by a version that knew another form
            pass
    words = str(document.get("name") or rule_id).replace("-", " ").capitalize()
    about = str(document.get("for_each") or next(iter(things), ""))
    return f"{words}: {values[about]}" if about in values else words


def kind_of(document: Mapping[str, object], rule_id: str) -> str:
    """What a rule finds, in words, of no thing in particular: for figures of many of its alerts."""
    title = document.get("title")
    words = str(document.get("name") or rule_id).replace("-", " ")
    if isinstance(title, str):
        with suppress(ValueError, KeyError):  # stored by a version that knew another form
            words = fill_title(title.replace(f" for {{{DURATION}}}", ""), {thing: f"{thing}s" for thing in NAMED_AFTER})
    return words[:1].upper() + words[1:]
