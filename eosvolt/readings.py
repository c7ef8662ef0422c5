"""Reads lists of rows into readings, and tells with its reason what cannot be read.

A field that cannot be read is unknown, and alone: its row is kept. A row of which not even the id can be read is set
aside, and takes no other one with it. What is told of either shows neither the token nor an id tag.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from eosvolt.contract import Contract, Route
from eosvolt.converters import as_json
from eosvolt.errors import Rejected, one_line
from eosvolt.mapping import RowMapper, RowUnreadable
from eosvolt.models import (
    ChargerReading,
    CommandAnswer,
    ConnectorReading,
    DriverReading,
    ExportReading,
    KeyReading,
    LocationReading,
    PriceBlock,
    PricingReading,
    ReportReading,
    SessionReading,
    SetAside,
    T,
    TeamReading,
    Unread,
)
from eosvolt.terms.paths import reach, steps_of

_LONGEST_ROW = 20_000
_MOST_LAYERS = 10
RESOURCES = ("location", "charger", "connector", "session")
"""What is polled, and has an id."""

PEOPLE = ("driver", "team", "key")
"""What an account with a fleet has besides; nothing of it is polled or kept."""

_OTHERS = {
    "pricing": ("default", "unit", "blocks"),
    "price_block": ("begins",),
    "report": ("sessions", "energy_kwh", "revenue", "revenues"),
    "export": ("id",),
    "command": ("status",),
}
"""What an answer may hold besides, and the fields by one of which each is recognised."""
REJECTED = frozenset({"Rejected", "UnlockFailed", "NotSupported"})

Reading = LocationReading | ChargerReading | SessionReading
Aside = SetAside | Unread
"""What could not be read: a row, or a field of rows."""


class Reader:
    """Makes readings from rows under one contract; `redacted` takes secrets out of text that is kept."""

    def __init__(self, contract: Contract, redacted: Callable[[str], str]) -> None:
        self._redacted = redacted
        self.mappers = {name: RowMapper(name, contract) for name in (*RESOURCES, *PEOPLE, *_OTHERS)}
        location, charger = self.mappers["location"], self.mappers["charger"]
        self._location_name, self._charger_name = location.place("name"), charger.place("name")
        self._charger_connectors = charger.place("connectors")
        self._connector_charger = self.mappers["connector"].place("charger_id")
        self._envelope_of_one = contract.envelope.one
        self._id_tags = contract.fields["session"]["id_tag"].names

    def rows(self, rows: list[Any], route: Route, read: Callable[[Any, list[Aside]], T]) -> tuple[list[T], list[Aside]]:
        """Return the readings of a page, and what cannot be read; where the contract says so, of what stands inside.

        What stands inside other rows then holds the one around it.
        """
        readings: list[T] = []
        aside: list[Aside] = []
        for row in _inner_rows(rows, route) if route.each else rows:
            try:
                readings.append(read(row, aside))
            except RowUnreadable as error:
                aside.append(self.set_aside(route.name.removesuffix("s"), row, str(error), error.field))
        return readings, aside

    def around(self, rows: list[Any], route: Route) -> list[object]:
        """Return what identifies the rows of a page around those that are meant."""
        mapper = self.mappers[route.outer]
        return [mapper.key_of(row) or (route.outer, as_json(row)) for row in rows]

    def location(self, row: Any, aside: list[Aside]) -> LocationReading:
        """Return a location's reading; one without a name is called by its id. Raises RowUnreadable."""
        values = self._lenient("location", row, aside)
        values[self._location_name] = values[self._location_name] or values[0]
        return LocationReading(*values)

    def charger(self, row: Any, aside: list[Aside]) -> ChargerReading:
        """Return a charger's reading with its connectors; bad ones join `aside`. Raises RowUnreadable."""
        values = self._lenient("charger", row, aside, ("location_id",))
        values[self._charger_name] = values[self._charger_name] or values[0]
        rows = values[self._charger_connectors]
        values[self._charger_connectors] = self._connectors(values[0], rows, row, aside) if rows else ()
        if "connectors" in values[-1]:
            told, reason = self.mappers["charger"].member(row, "connectors"), f"charger {values[0]}: no list"
            aside.append(self.set_aside("connector", told, reason, "", values[0]))
        return ChargerReading(*values)

    def session(self, row: Any, aside: list[Aside]) -> SessionReading:
        """Return a session's reading. Raises RowUnreadable."""
        reading = SessionReading(*self._lenient("session", row, aside))
        if reading.started_at is None and reading.status != "Pending" and "started_at" not in reading.unread:
            name = self.mappers["session"].spelled("started_at", row)
            aside.append(Unread("session", "started_at", name, f"{name}: is missing"))
            return replace(reading, unread=tuple(sorted((*reading.unread, "started_at"))))
        return reading

    def driver(self, row: Any, aside: list[Aside]) -> DriverReading:
        """Return a driver's reading. Raises RowUnreadable."""
        return DriverReading(*self._lenient("driver", row, aside))

    def team(self, row: Any, aside: list[Aside]) -> TeamReading:
        """Return a team's reading. Raises RowUnreadable."""
        return TeamReading(*self._lenient("team", row, aside))

    def key(self, row: Any, aside: list[Aside]) -> KeyReading:
        """Return a charge key's reading. Raises RowUnreadable."""
        return KeyReading(*self._lenient("key", row, aside))

    def _lenient(self, resource: str, row: Any, aside: list[Aside], missed: Sequence[str] = ()) -> list[Any]:
        """The values of a reading, `unread` the last of them; of the `missed` fields none is a thing to be told."""
        mapper = self.mappers[resource]
        values, unread = mapper.read_leniently(row)
        for name in missed:
            if values[mapper.place(name)] is None and name not in unread:
                unread[name] = f"{mapper.spelled(name, row)}: is missing"
        for name, reason in unread.items():
            if name != "status_raw":  # of the status itself it is told
                aside.append(Unread(resource, name, mapper.spelled(name, row), self._told(reason)))
        values.append(tuple(sorted(unread)) if unread else ())
        return values

    def _told(self, reason: str) -> str:
        return one_line(self._redacted(reason))

    def recognises(self, resource: str, thing: Any) -> bool:
        """Whether a part of an answer is a thing of this resource."""
        mapper = self.mappers[resource]
        if resource in RESOURCES or resource in PEOPLE:
            return mapper.key_of(thing) is not None
        return any(mapper.member(thing, name) is not None for name in _OTHERS[resource])

    def pricing(self, row: Any, _aside: list[Aside]) -> PricingReading:
        """Return the prices of a location; one bad block makes them unreadable, because half a price list is none."""
        mapper = self.mappers["pricing"]
        values, place = mapper.read(row), mapper.place("blocks")
        values[place] = tuple(PriceBlock(*self.mappers["price_block"].read(block)) for block in values[place])
        return PricingReading(*values)

    def report(self, row: Any, _aside: list[Aside]) -> ReportReading:
        """Return the figures of a report; one that cannot be read is not told. Raises RowUnreadable."""
        return ReportReading(*self.mappers["report"].read_leniently(row)[0])

    def export(self, row: Any, _aside: list[Aside]) -> ExportReading:
        """Return an export with its sessions; those that cannot be read are set aside."""
        export_id, status, rows, _ = self.mappers["export"].read(row)
        aside: list[Aside] = []
        sessions = []
        for session in rows:
            try:
                sessions.append(self.session(session, aside))
            except RowUnreadable as error:
                aside.append(self.set_aside("session", session, str(error), error.field))
        set_aside = tuple(one for one in aside if isinstance(one, SetAside))
        return ExportReading(export_id, status, tuple(sessions), set_aside)

    def command_answer(self, document: Any, one: Callable[[Any, Callable[[Any], bool]], Any]) -> CommandAnswer:
        """Return what a good answer to a charger command said; one without a readable status says nothing.

        `one` finds the single thing in an answer.
        """
        row = one(document, lambda thing: self.recognises("command", thing))
        try:
            return CommandAnswer(*self.mappers["command"].read(row or {}))
        except RowUnreadable:
            return CommandAnswer()

    def check_taken(self, document: Any, request: str) -> None:
        """Raise Rejected where a good answer says in the contract's words that the command was refused."""
        for answer in self._command_answers(document):
            if answer.status in REJECTED:
                raise Rejected(self._redacted(f"it answered {answer.status}"), request=request, code=answer.status)

    def _command_answers(self, document: Any) -> Iterator[CommandAnswer]:
        """What an answer says, from the outside in: "ok" may stand around a refusal."""
        layers = [document[0] if isinstance(document, list) and len(document) == 1 else document]
        for layer in layers:
            if not isinstance(layer, dict) or len(layers) > _MOST_LAYERS:
                continue
            layers += [layer[key] for key in self._envelope_of_one if key in layer]
            if self.recognises("command", layer):
                with suppress(RowUnreadable):
                    yield CommandAnswer(*self.mappers["command"].read(layer))

    def set_aside(self, resource: str, row: Any, reason: str, field: str = "", parent: str | None = None) -> SetAside:
        """Return the record of a row that could not be read, as JSON of at most about 20,000 characters."""
        mapper = self.mappers[resource]
        # Secrets are taken out before anything is shortened: half a token would no longer be recognised.
        row_json = self._redacted(as_json(self._without_id_tag(row) if resource == "session" else row))
        if len(row_json) > _LONGEST_ROW:
            row_json = as_json(row_json[:_LONGEST_ROW])
        return SetAside(resource, mapper.key_of(row), self._told(reason), row_json, field, parent)

    def _connectors(
        self, charger_id: str, rows: list[Any], around: Mapping[str, Any], aside: list[Aside]
    ) -> tuple[ConnectorReading, ...]:
        if self.mappers["connector"].reaches_out:
            outer = {"charger": {**around, "id": charger_id}, "location": around.get("location")}
            rows = [{**outer, **row} if isinstance(row, dict) else row for row in rows]
        place = self._connector_charger
        connectors: dict[str, ConnectorReading] = {}
        twice: set[str] = set()
        for row in rows:
            try:
                values = self._lenient("connector", row, aside)
            except RowUnreadable as error:
                reason = f"charger {charger_id}: {error}"
                aside.append(self.set_aside("connector", row, reason, error.field, charger_id))
                continue
            values[place] = charger_id
            if values[0] in connectors:
                twice.add(values[0])
                reason = f"charger {charger_id}: two connectors have the id {values[0]}"
                aside.append(self.set_aside("connector", row, reason, "", charger_id))
            connectors[values[0]] = ConnectorReading(*values)
        return tuple(one for one in connectors.values() if one.id not in twice)

    def _without_id_tag(self, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        heads = {name.partition(".")[0] for name in self._id_tags}
        return {key: "[id tag]" if key in heads and value is not None else value for key, value in row.items()}


def _inner_rows(rows: list[Any], route: Route) -> list[Any]:
    inner: list[Any] = []
    for outer in rows:
        found = reach(outer, steps_of(route.each)) or []
        things = found if isinstance(found, list) else [found]
        inner += [{route.outer: outer, **row} if isinstance(row, dict) else row for row in things]
    return inner
