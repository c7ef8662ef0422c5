"""Rule tests as data: a `*.test.yaml` file in, checked cases or every error at once out.

A case draws what the API says as strips of values over time, and says what must then stand (see `expected`).
Nothing here runs anything; what is mistyped is an error with file, case and line, never a value by default.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eosvolt.models import SESSION_STATUSES
from rules.documents.yaml_text import MAX_BYTES, YamlItem, read_items
from rules.language.conditions import QuantityError, parse_duration
from rules.language.fields import nearest
from rules.trials.expected import Check, read_checks
from rules.trials.strips import Strip, read_strip

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""When a case begins that does not say: Monday, 10:00 UTC."""


@dataclass(frozen=True, slots=True)
class CaseError:
    """One thing wrong with a test file; `line` is 1-based."""

    source: str
    case: str | None
    line: int | None
    message: str

    def __str__(self) -> str:
        case = f'case "{self.case}"' if self.case else ""
        where = ", ".join(part for part in (case, f"line {self.line}" if self.line else "") if part)
        return f"{self.source}: {where}: {self.message}" if where else f"{self.source}: {self.message}"


class CaseErrors(Exception):  # noqa: N818 (it carries several)
    """Everything that is wrong with the test files that were read."""

    def __init__(self, errors: Iterable[CaseError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing of a case: what stays as it is, and the strips of what changes, both by field name."""

    constants: Mapping[str, Any]
    strips: Mapping[str, Strip] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One test. Things by id; the value of a strip's step n is seen by the poll at `start + n * interval`."""

    source: str
    name: str
    line: int
    rules: tuple[Path, ...]
    start: datetime
    interval: timedelta
    locations: Mapping[str, Subject]
    chargers: Mapping[str, Subject]
    connectors: Mapping[str, Subject]
    sessions: Mapping[str, Subject]
    checks: tuple[Check, ...]
    only: frozenset[str] = frozenset()  # the rules that are compared; all of them where it names none

    def looks_at(self, rule: str | None) -> bool:
        """Whether what a rule does is compared."""
        return not self.only or rule in self.only


KEYS = ("name", "rules", "only", "start", "interval", "locations", "chargers", "connectors", "sessions", "checks")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of thing may say: its constants and strips by name, and the one that a bare text stands for."""

    constants: tuple[str, ...]
    strips: Mapping[str, str]  # name > status, text, flag, number or duration
    short: str


SHAPES = {
    "locations": Shape(
        ("name", "type", "address", "timezone", "currency", "support_contact", "blocking_fee_interval"),
        {"price": "number"},
        "timezone",
    ),
    "chargers": Shape(
        ("location", "name", "vendor", "model", "firmware", "serial", "labels", "heartbeat_interval"),
        {"online": "flag", "heartbeat_age": "duration"},
        "online",
    ),
    "connectors": Shape(
        ("charger", "type", "max_power"),
        {"status": "status", "error_code": "text", "vendor_error_code": "text", "power": "number"},
        "status",
    ),
    "sessions": Shape(
        (
            *("connector", "charger", "location", "started", "ended", "status", "type", "fail_reason", "stop_reason"),
            *("currency", "id_tag"),
        ),
        {"energy": "number", "cost": "number"},
        "connector",
    ),
}


def find_case_files(paths: Sequence[Path]) -> list[Path]:
    """The test files that are meant: a file itself, the one beside a rule file, all below a folder. CaseErrors."""
    found: list[Path] = []
    errors: list[CaseError] = []
    for path in paths:
        if path.is_dir():
            found += sorted(path.rglob("*.test.yaml"))
        elif not path.exists():
            errors.append(CaseError(str(path), None, None, "there is no such file or folder"))
        elif path.stem.endswith(".test"):
            found.append(path)
        elif (beside := path.with_name(f"{path.stem}.test.yaml")).exists():
            found.append(beside)
        else:
            errors.append(CaseError(str(path), None, None, f"no tests: {beside.name} is not beside it"))
    if not found and not errors:
        errors.append(CaseError(", ".join(map(str, paths)), None, None, "no tests: no file ends in .test.yaml"))
    if errors:
        raise CaseErrors(errors)
    return list(dict.fromkeys(found))


def load_cases(path: Path) -> list[Case]:
    """The cases of one test file. Raises CaseErrors with all that is wrong with it."""
    source = str(path)
    try:
        content = path.read_bytes()
        text = content.decode()
    except UnicodeDecodeError as wrong:
        raise CaseErrors([CaseError(source, None, None, f"not UTF-8 text (byte {wrong.start + 1})")]) from None
    if len(content) > MAX_BYTES:
        raise CaseErrors([CaseError(source, None, None, f"the file has more than {MAX_BYTES:,} bytes")])
    items, problems = read_items(text)
    errors = [CaseError(source, None, problem.line, problem.message) for problem in problems]
    if not items and not errors:
        errors.append(CaseError(source, None, None, "the file holds no case"))
    cases = []
    taken: dict[str, int] = {}
    for item in items:
        reader = _Reader(path, item)
        case = reader.case()
        errors += reader.errors
        if case.name in taken:
            errors.append(CaseError(source, case.name, item.line, f"line {taken[case.name]} has the same name"))
        taken.setdefault(case.name, item.line)
        cases.append(case)
    if errors:
        raise CaseErrors(errors)
    return cases


class _Reader:
    """Reads one case and notes each error with the line of the key it is under."""

    def __init__(self, path: Path, item: YamlItem) -> None:
        self.path = path
        self.item = item
        self.values: dict[str, Any] = item.value if isinstance(item.value, dict) else {}
        name = self.values.get("name")
        self.name = name.strip()[:200] if isinstance(name, str) else ""
        self.errors = [
            CaseError(str(path), self.name or None, problem.line or item.line, problem.message)
            for problem in item.problems
        ]
        self.start, self.interval = START, timedelta(minutes=1)

    def wrong(self, key: str | None, message: str, suggestion: str | None = None) -> None:
        line = self.item.key_lines.get(key, self.item.line) if key else self.item.line
        message += f'; did you mean "{suggestion}"?' if suggestion else ""
        self.errors.append(CaseError(str(self.path), self.name or None, line, message))

    def case(self) -> Case:
        if not isinstance(self.item.value, dict):
            self.wrong(None, "a case is a mapping of keys; a test file is a list of cases")
        self.keys(self.values, KEYS, None, "")
        if not self.name:
            self.wrong(None, 'a case needs a "name"')
        self.start = self.moment("start", self.values.get("start", START), "start")
        self.interval = self.span("interval", self.values.get("interval", "1m"), "interval")
        if self.interval < timedelta(seconds=1):
            self.wrong("interval", '"interval" is shorter than a second')
            self.interval = timedelta(minutes=1)
        things = {kind: self.things(kind) for kind in SHAPES}
        return Case(
            source=str(self.path),
            name=self.name,
            line=self.item.line,
            rules=self.rules(),
            start=self.start,
            interval=self.interval,
            locations=things["locations"],
            chargers=things["chargers"],
            connectors=things["connectors"],
            sessions=things["sessions"],
            checks=read_checks(self, self.values.get("checks")),
            only=self.only(),
        )

    def keys(self, values: Mapping[str, Any], known: Sequence[str], key: str | None, where: str) -> None:
        for name in values:
            if name not in known:
                self.wrong(key or name, f'{where}unknown key "{str(name)[:60]}"', nearest(str(name), known))

    def listed(self, key: str, values: Any, where: str) -> list[Mapping[str, Any]]:
        items = values if isinstance(values, list) else [values]
        for number, item in enumerate(items, 1):
            if not isinstance(item, dict):
                self.wrong(key, f"{where}[{number}] is no mapping of keys")
        return [item for item in items if isinstance(item, dict)]

    def rules(self) -> tuple[Path, ...]:
        named = self.values.get("rules")
        if named is None:
            named = [self.path.name.removesuffix(".test.yaml") + ".yaml"]
        names = named if isinstance(named, list) else [named]
        paths = [self.path.parent / str(name) for name in names]
        for path, name in zip(paths, names, strict=True):
            if not path.exists():
                self.wrong("rules", f'there is no rule file "{name}" beside the test')
        return tuple(path for path in paths if path.exists())

    def only(self) -> frozenset[str]:
        named = self.values.get("only", [])
        names = named if isinstance(named, list) else [named]
        if not all(isinstance(name, str) for name in names):
            self.wrong("only", '"only" is a list of the rules that the case looks at, by their names')
        return frozenset(map(str, names))

    def span(self, key: str, value: Any, where: str) -> timedelta:
        if value == 0 and not isinstance(value, bool):
            return timedelta()
        try:
            return timedelta(seconds=parse_duration(str(value)))
        except (QuantityError, OverflowError) as error:
            self.wrong(key, f"{where}: {error}")
            return timedelta()

    def moment(self, key: str, value: Any, where: str) -> datetime:
        """A time (ISO 8601, UTC unless it says) or the time since the case's start (`35m`, or `-3h` before it)."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        if re.match(r"\d{4}-\d\d-\d\d", text):
            try:
                found = datetime.fromisoformat(text)
            except ValueError:
                self.wrong(key, f'{where}: "{text[:60]}" is no time such as 2026-03-02T10:00:00Z')
                return self.start
            return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
        if key == "start":
            self.wrong(key, f'{where}: "{text[:60]}" is no time such as 2026-03-02T10:00:00Z')
            return START
        if re.match(r"-\d", text):
            return self.start - self.span(key, text[1:], where)
        return self.start + self.span(key, value, where)

    def things(self, kind: str) -> dict[str, Subject]:
        values = self.values.get(kind, {})
        if not isinstance(values, dict):
            self.wrong(kind, f'"{kind}" is a mapping from ids to what is said of them')
            return {}
        return {str(thing_id): self.thing(kind, str(thing_id), told) for thing_id, told in values.items()}

    def thing(self, kind: str, thing_id: str, told: Any) -> Subject:
        shape, where = SHAPES[kind], f"{kind}.{thing_id}"
        if told is None:
            told = {}
        elif not isinstance(told, dict):
            told = {shape.short: told}
        self.keys(told, (*shape.constants, *shape.strips), kind, f"{where}: ")
        constants = {name: value for name, value in told.items() if name in shape.constants}
        for name in ("started", "ended"):
            if name in constants:
                constants[name] = self.moment(kind, constants[name], f"{where}.{name}")
        if kind == "sessions" and "started" not in constants:
            constants["started"] = self.start
        final = constants.get("status")
        if final is not None and final not in SESSION_STATUSES:
            self.wrong(kind, f'{where}.status: "{final}" is no session status', nearest(str(final), SESSION_STATUSES))
        for name in ("max_power", "blocking_fee_interval"):
            if name in constants and not _is_number(constants[name]):
                self.wrong(kind, f"{where}.{name} must be a number (kW, minutes)")
                del constants[name]
        if "heartbeat_interval" in constants:
            span = self.span(kind, constants["heartbeat_interval"], f"{where}.heartbeat_interval")
            constants["heartbeat_interval"] = span.total_seconds()
        strips = {
            name: self.strip(kind, told[name], shape.strips[name], f"{where}.{name}")
            for name in shape.strips
            if name in told
        }
        return Subject(constants, strips)

    def strip(self, key: str, value: Any, kind: str, where: str) -> Strip:
        problems: list[str] = []
        steps = read_strip(value, kind, problems)
        for problem in problems:
            self.wrong(key, f"{where}: {problem}")
        return steps


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
