"""How all rules of the files speak: the routes and the quiet hours, read from any one of them and kept as one row.

Each can be defined once in all the files: a second definition is an error that names both places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.documents.quiet_hours import QuietHours, read_quiet_hours
from rules.documents.reader import DocumentReader, kind_of_value
from rules.documents.routes import Route, When, read_route, routed_channels
from rules.documents.yaml_text import YamlSection
from rules.language.errors import RuleError


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    """The routes in their order, and the quiet hours; without them each rule speaks where it says, at any hour."""

    routes: tuple[Route, ...] = ()
    quiet_hours: QuietHours | None = None

    def channels(
        self, severity: str, location_id: str | None, labels: Mapping[str, Any], when: When
    ) -> tuple[str, ...]:
        """Where the routes send an alert at a moment; nowhere where none takes it."""
        return routed_channels(self.routes, severity, location_id, labels, when)

    def document(self) -> dict[str, Any]:
        """The JSON-able form that is stored."""
        quiet = self.quiet_hours.document() if self.quiet_hours is not None else None
        return {"routes": [route.document() for route in self.routes], "quiet_hours": quiet}


PLAIN = SpeechPlan()
"""No routes and no quiet hours."""


class PlanReader:
    """Gathers the plan from the sections of the files, and notes in `errors` what is wrong with it."""

    def __init__(self) -> None:
        self.errors: list[RuleError] = []
        self._places: dict[str, str] = {}
        self._routes: tuple[Route, ...] = ()
        self._quiet_hours: QuietHours | None = None

    def read(self, sections: Mapping[str, YamlSection], source: str) -> None:
        """Take the sections of one file."""
        for name, section in sections.items():
            if name in self._places:
                told = f'"{name}" stands in {self._places[name]} already; all files together have one'
                self.errors.append(RuleError(source, None, told, section.line))
                continue
            self._places[name] = f"{source}, line {section.line}"
            if name == "routes":
                self._read_routes(section, source)
            else:
                self._read_quiet_hours(section, source)

    def plan(self) -> SpeechPlan:
        """What was read."""
        return SpeechPlan(self._routes, self._quiet_hours)

    def _read_routes(self, section: YamlSection, source: str) -> None:
        if not section.is_list:
            example = '- {severity: critical, notify: ["#ev-critical"]}'
            self.errors.append(RuleError(source, None, f'"routes" must be a list, as in {example}', section.line))
            return
        routes: list[Route] = []
        for item in section.items:
            reader = DocumentReader(item, source)
            if not isinstance(item.value, dict):
                reader.wrong(None, f"a route is a mapping of keys, but this is {kind_of_value(item.value)}")
            else:
                routes.append(read_route(reader))
            if routes[:-1] and not reader.errors and _takes_all(routes[-2]):
                reader.wrong(None, "no alert comes here: the route before takes every one, and does not continue")
            self.errors += _by_line(reader)
        self._routes = tuple(routes)

    def _read_quiet_hours(self, section: YamlSection, source: str) -> None:
        if section.is_list or not isinstance(section.items[0].value, dict):  # a list may be empty
            told = '"quiet_hours" must be a mapping, as in {from: "22:00", to: "07:00"}'
            self.errors.append(RuleError(source, None, told, section.line))
            return
        reader = DocumentReader(section.items[0], source)
        self._quiet_hours = read_quiet_hours(reader)
        self.errors += _by_line(reader)


def _takes_all(route: Route) -> bool:
    return not (route.severities or route.locations or route.labels or route.window or route.goes_on)


def _by_line(reader: DocumentReader) -> Sequence[RuleError]:
    return sorted(reader.errors, key=lambda error: error.line or 0)
