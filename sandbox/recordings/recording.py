"""What a recording is: events in time order, the gaps, and what is known of each thing besides its events.

It only holds and checks; reading files is the task of the modules beside it.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

from sandbox.world.times import from_ms


class RecordingError(Exception):
    """A recording that cannot be read; the message names file, line, column, value and what is expected."""

    @classmethod
    def at(cls, file: str, line: int, column: str, value: str, expected: str) -> "RecordingError":
        return cls(f'{file}, line {line}, column "{column}": "{value}" is not {expected}')


class Event(NamedTuple):
    """One recorded fact. `at_ms` is milliseconds since 1970; ids are "" where the fact is not about such a thing.

    `field` is one of the neutral form's fields, or "" for a mention or a correction of a session's energy or cost.
    """

    at_ms: int
    field: str
    location_id: str = ""
    charger_id: str = ""
    connector_id: str = ""
    value: str | float | bool | None = None
    session_id: str = ""
    energy_kwh: float | None = None
    cost: float | None = None
    currency: str | None = None


Details = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Recording:
    """Events in time order between `start_ms` and `end_ms`; a gap is [from, to) in ms, `to` None where it does not end.

    `locations`, `chargers` and `connectors` say by id what the API shows besides the events (camelCase fields).
    `present` lists (location, charger, connector) that exist from the beginning, before any event.
    """

    name: str
    start_ms: int
    end_ms: int
    events: Sequence[Event]
    gaps: Sequence[tuple[int, int | None]] = ()
    locations: Details = field(default_factory=dict)
    chargers: Details = field(default_factory=dict)
    connectors: Details = field(default_factory=dict)
    present: Sequence[tuple[str, str, str]] = ()

    @property
    def start(self) -> datetime:
        return from_ms(self.start_ms)

    @property
    def end(self) -> datetime:
        return from_ms(self.end_ms)

    @cached_property
    def has_sessions(self) -> bool:
        """Whether it tells of charging sessions; one that does not cannot say that there were none."""
        return any(event.session_id for event in self.events)


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """A text file, gzipped where its name says so; RecordingError where it cannot be read."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="")
        ) as file:
            yield file
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise RecordingError(f"{path.name} cannot be read: {error}") from error


def read_rows(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[tuple[int, list[str]]]:
    """The named columns of each row of a CSV with a header, with its line number; "" where there is none."""
    with open_text(path) as file:
        reader = csv.reader(file)
        try:
            header = next(reader, None)
            if header is None:
                raise RecordingError(f"{path.name} is empty; expected a header with the columns {', '.join(columns)}")
            missing = [name for name in columns if name not in header]
            if missing:
                raise RecordingError(f"{path.name}, line 1: the column {', '.join(missing)} is missing")
            places = [header.index(name) if name in header else -1 for name in (*columns, *optional)]
            width = len(header)
            for row in reader:
                if not row:
                    continue
                if len(row) < width:
                    row.extend([""] * (width - len(row)))
                yield reader.line_num, [row[place] if place >= 0 else "" for place in places]
        except csv.Error as error:
            raise RecordingError(f"{path.name}, line {reader.line_num}: not valid CSV: {error}") from error


def find_file(folder: Path, name: str) -> Path | None:
    """`name` or `name`.gz in the folder; None where neither is there."""
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None
