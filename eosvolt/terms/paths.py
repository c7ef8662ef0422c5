"""Paths into answers: `site.id`, `evses[].connectors[]`, `prices[0].amount`, and ids made of several parts.

A path reaches what is there and None where nothing is; it raises nothing for what came. A composite, such as
`{charger.id}.{id}`, is a text with paths in braces.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

_SEGMENT = re.compile(r"([^.\[\]{}]+)((?:\[\d*\])*)")
_INDEX = re.compile(r"\[(\d*)\]")
_BRACES = re.compile(r"\{([^{}]*)\}")
_ALL = -1
Step = str | int
Reach = Callable[[Any], Any]


def is_composite(name: str) -> bool:
    """Whether a name is made of parts in braces."""
    return "{" in name or "}" in name


def why_wrong(name: str) -> str:
    """Return why a name is no path and no composite, or nothing."""
    if is_composite(name):
        parts = _BRACES.findall(name)
        if not parts or is_composite(_BRACES.sub("", name)):
            return "its braces do not match"
        if "}{" in name:
            return "two parts need something between them, such as a dot, or nobody could take them apart again"
        return next((f"{{{part}}}: {why}" for part in parts if (why := why_wrong(part))), "")
    if not name or any(_SEGMENT.fullmatch(segment) is None for segment in name.split(".")):
        return "a path is written as site.id, evses[].connectors[] or prices[0].amount"
    return ""


@lru_cache(maxsize=2048)
def steps_of(name: str) -> tuple[Step, ...]:
    """Return a path as its keys and indexes; -1 stands for every item of a list."""
    steps: list[Step] = []
    for segment in name.split("."):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            return (name,)
        steps.append(match[1])
        steps += [int(index) if index else _ALL for index in _INDEX.findall(match[2])]
    return tuple(steps)


def heads_of(name: str) -> tuple[str, ...]:
    """Return the keys of a row with which a name begins: one for a path, one for each part of a composite."""
    names = _BRACES.findall(name) if is_composite(name) else [name]
    return tuple(str(steps_of(one)[0]) for one in names)


def parts_of(name: str) -> tuple[str, ...]:
    """Return the paths in the braces of a composite."""
    return tuple(_BRACES.findall(name))


def reach(value: Any, steps: Iterable[Step]) -> Any:
    """Return what stands at the end of a path; a list where it names every item of one, None where nothing stands."""
    rest = list(steps)
    for place, step in enumerate(rest):
        if step == _ALL:
            if not isinstance(value, list):
                return None
            reached = [reach(item, rest[place + 1 :]) for item in value]
            flat = [inner for one in reached for inner in (one if isinstance(one, list) else [one])]
            return [one for one in flat if one is not None]
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def getter_of(name: str) -> Reach:
    """Return the function from a whole row to what a path or a composite makes of it."""
    if not is_composite(name):
        steps = steps_of(name)
        return lambda row: row[name] if isinstance(row, dict) and name in row else reach(row, steps)
    parts = {part: steps_of(part) for part in parts_of(name)}

    def composed(row: Any) -> str | None:
        found = {part: reach(row, steps) for part, steps in parts.items()}
        if not all(_is_part(value) for value in found.values()):
            return None
        return _BRACES.sub(lambda match: str(found[match[1]]), name)

    return composed


def _is_part(value: Any) -> bool:
    return (isinstance(value, str) and value != "") or (isinstance(value, int) and not isinstance(value, bool))


def take_apart(name: str, text: str, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the parts of an id that a composite made, by their paths; nothing where it was not made so.

    `known` are parts that are told already. Where a separator stands in the others themselves, the last one counts.
    """
    pieces = _BRACES.split(name)
    known = known or {}
    pattern = "".join(
        f"({re.escape(known[piece]) if piece in known else '.+'})" if place % 2 else re.escape(piece)
        for place, piece in enumerate(pieces)
    )
    match = re.fullmatch(pattern, text, re.DOTALL)
    return dict(zip(parts_of(name), match.groups(), strict=True)) if match else {}
