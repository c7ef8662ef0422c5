"""Where a list was left, so that another walk can go on there: as facts that a database keeps, and read back with care.

What was seen is kept by id, so that the whole list still adds up. It knows neither pages nor calls.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list stands: its number or offset, and the parameters that ask for it."""

    number: int
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place in a list, and what was seen before it.

    `asked` is how the list was asked for, `holes` the places of pages that failed, `nameless` the number of rows
    without an id. Where the list is asked for otherwise now, the bookmark is worth nothing.
    """

    asked: str
    number: int
    query: Mapping[str, str]
    holes: tuple[int, ...]
    seen: tuple[str, ...]
    nameless: int
    total: int | None
    pages: int

    def as_json(self) -> dict[str, Any]:
        """The bookmark as JSON can hold it."""
        return asdict(self)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Bookmark | None":
        """A bookmark that was kept; None where it cannot be read."""
        try:
            return cls(
                str(told["asked"]),
                int(told["number"]),
                {str(name): str(value) for name, value in told["query"].items()},
                tuple(int(hole) for hole in told["holes"]),
                tuple(str(one) for one in told["seen"]),
                int(told["nameless"]),
                None if told["total"] is None else int(told["total"]),
                int(told["pages"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return None
