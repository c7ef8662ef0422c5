"""The title of a rule: a sentence in words with places for what it is about, such as "{connector} out of order".

It parses and checks the template; what stands in its places is filled in where a message is written.
"""

from collections.abc import Iterator, Mapping
from string import Formatter

from rules.language.fields import NETWORK, REACHABLE, nearest

LONGEST_TITLE = 80
DURATION = "duration"
"""The place for how long it has been so; the others are things that the rule's subject is, or has above it."""


def title_places(for_each: str, *, lasts: bool = True) -> tuple[str, ...]:
    """The places that a title may have in a rule about these things; `lasts`: what it tells of has a duration."""
    things = tuple(thing for thing in REACHABLE[for_each] if thing != NETWORK)
    return (*things, DURATION) if lasts else things


def title_problem(title: str, places: tuple[str, ...]) -> tuple[str, str | None] | None:
    """What is wrong with a title, and the nearest right word if there is one; None where it is right."""
    if len(title) > LONGEST_TITLE:
        return f'"title" has more than {LONGEST_TITLE} characters', None
    if "\n" in title:
        return '"title" has more than one line', None
    told = ", ".join(f"{{{place}}}" for place in places)
    try:
        parsed = list(Formatter().parse(title))
    except ValueError:
        return f'"title" has a brace without its other half; places are written {told}', None
    for _, place, form, conversion in parsed:
        if place is None:
            continue
        if place not in places or form or conversion:
            return f'"title" has no place "{{{place[:40]}}}" here, but {told}', nearest(place, places)
    return None


def fill_title(title: str, values: Mapping[str, str]) -> str:
    """The title with its places filled; a place without a value says its own name."""
    return " ".join("".join(_filled(title, values)).split())


def _filled(title: str, values: Mapping[str, str]) -> Iterator[str]:
    for words, place, _, _ in Formatter().parse(title):
        yield words
        if place is not None:
            yield values.get(place) or f"a {place}"
