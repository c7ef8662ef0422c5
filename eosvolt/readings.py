"""Reads lists of rows into readings and sets aside, with its reason, what cannot be read.

A bad connector does not take its charger with it, nor a bad charger the other ones. What is set aside shows neither the
token nor an id tag.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from eosvolt.contract import Contract, Route
from eosvolt.converters import as_json
from eosvolt.errors import Rejected, one_line
from eosvolt.mapping import RowMapper, RowUnreadable
from eosvolt.models import (
    ChargerReading,
    CommandAnswer,
    ConnectorReading,
    ExportReading,
    LocationReading,
    PriceBlock,
    PricingReading,
    ReportReading,
    SessionReading,
    SetAside,
    T,
)
from eosvolt.terms.paths import reach, steps_of

_LONGEST_ROW = 20_000
_MOST_LAYERS = 10
RESOURCES = ("location", "charger", "connector", "session")
"""What is polled, and has an id."""

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


class Reader:
    """Makes readings from rows under one contract; `redacted` takes secrets out of text that is kept."""

    def __init__(self, contract: Contract, redacted: Callable[[str], str]) -> None:
        self._redacted = redacted
        self.mappers = {name: RowMapper(name, contract) for name in (*RESOURCES, *_OTHERS)}
        location, charger = self.mappers["location"], self.mappers["charger"]
        self._location_name, self._charger_name = location.place("name"), charger.place("name")
        self._charger_connectors = charger.place("connectors")
        self._connector_charger = self.mappers["connector"].place("charger_id")
        self._envelope_of_one = contract.envelope.one
        self._id_tags = contract.fields["session"]["id_tag"].names

    def rows(
        self, rows: list[Any], route: Route, read: Callable[[Any, list[SetAside]], T]
    ) -> tuple[list[T], list[SetAside]]:
        """Return the readings of a page and what of it is set aside; where the contract says so, of what stands inside.

        What stands inside other rows then holds the one around it.
        """
        readings: list[T] = []
        set_aside: list[SetAside] = []
        for row in _inner_rows(rows, route) if route.each else rows:
            try:
                readings.append(read(row, set_aside))
            except RowUnreadable as error:
                set_aside.append(self.set_aside(route.name.removesuffix("s"), row, str(error), error.field))
        return readings, set_aside

    def around(self, rows: list[Any], route: Route) -> list[object]:
        """Return what identifies the rows of a page around those that are meant."""
        mapper = self.mappers[route.outer]
        return [mapper.key_of(row) or (route.outer, as_json(row)) for row in rows]

    def location(self, row: Any, _set_aside: list[SetAside]) -> LocationReading:
        """Return a location's reading; one without a name is called by its id. Raises RowUnreadable."""
        values = self.mappers["location"].read(row)
        values[self._location_name] = values[self._location_name] or values[0]
        return LocationReading(*values)

    def charger(self, row: Any, set_aside: list[SetAside]) -> ChargerReading:
        """Return a charger's reading with its connectors; bad ones join `set_aside`. Raises RowUnreadable."""
        mapper = self.mappers["charger"]
        values = mapper.read(row)
        values[self._charger_name] = values[self._charger_name] or values[0]
        rows = values[self._charger_connectors]
        values[self._charger_connectors] = self._connectors(values[0], rows, row, set_aside) if rows else ()
        return ChargerReading(*values)

    def session(self, row: Any, _set_aside: list[SetAside]) -> SessionReading:
        """Return a session's reading. Raises RowUnreadable."""
        values = self.mappers["session"].read(row)
        return SessionReading(*values)

    def recognises(self, resource: str, thing: Any) -> bool:
        """Whether a part of an answer is a thing of this resource."""
        mapper = self.mappers[resource]
        if resource in RESOURCES:
            return mapper.key_of(thing) is not None
        return any(mapper.member(thing, name) is not None for name in _OTHERS[resource])

    def pricing(self, row: Any, _set_aside: list[SetAside]) -> PricingReading:
        """Return the prices of a location; one bad block makes them unreadable, because half a price list is none."""
        mapper = self.mappers["pricing"]
        values, place = mapper.read(row), mapper.place("blocks")
        values[place] = tuple(PriceBlock(*self.mappers["price_block"].read(block)) for block in values[place])
        return PricingReading(*values)

    def report(self, row: Any, _set_aside: list[SetAside]) -> ReportReading:
        """Return the figures of a report. Raises RowUnreadable."""
        return ReportReading(*self.mappers["report"].read(row))

    def export(self, row: Any, _set_aside: list[SetAside]) -> ExportReading:
        """Return an export with its sessions; those that cannot be read are set aside."""
        export_id, status, rows, _ = self.mappers["export"].read(row)
        aside: list[SetAside] = []
        sessions = []
        for session in rows:
            try:
                sessions.append(self.session(session, aside))
            except RowUnreadable as error:
                aside.append(self.set_aside("session", session, str(error), error.field))
        return ExportReading(export_id, status, tuple(sessions), tuple(aside))

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

    def set_aside(self, resource: str, row: Any, reason: str, field: str = "") -> SetAside:
        """Return the record of a row that could not be read, as JSON of at most about 20,000 characters."""
        mapper = self.mappers[resource]
        # Secrets are taken out before anything is shortened: half a token would no longer be recognised.
        row_json = self._redacted(as_json(self._without_id_tag(row) if resource == "session" else row))
        if len(row_json) > _LONGEST_ROW:
            row_json = as_json(row_json[:_LONGEST_ROW])
        return SetAside(resource, mapper.key_of(row), one_line(self._redacted(reason)), row_json, field)

    def _connectors(
        self, charger_id: str, rows: list[Any], around: Mapping[str, Any], aside: list[SetAside]
    ) -> tuple[ConnectorReading, ...]:
        if self.mappers["connector"].reaches_out:
            outer = {"charger": {**around, "id": charger_id}, "location": around.get("location")}
            rows = [{**outer, **row} if isinstance(row, dict) else row for row in rows]
        read, place = self.mappers["connector"].read, self._connector_charger
        connectors: dict[str, ConnectorReading] = {}
        for row in rows:
            try:
                values = read(row)
            except RowUnreadable as error:
                aside.append(self.set_aside("connector", row, f"charger {charger_id}: {error}", error.field))
                continue
            values[place] = charger_id
            connectors[values[0]] = ConnectorReading(*values)
        return tuple(connectors.values())

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
