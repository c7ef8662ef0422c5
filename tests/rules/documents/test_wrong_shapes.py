"""Rules files, typed rules and rule tests of any shape whatever: read, or refused in words; nothing breaks."""

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.documents.files import load_rule_files
from rules.documents.routes import When
from rules.documents.typed_text import read_typed
from rules.language.errors import RuleErrors
from rules.trials.cases import CaseErrors, load_cases
from tests.examples import examples
from tests.readings import T0

WHOLE: dict[str, Any] = {
    "quiet_hours": {
        "from": "22:00",
        "to": "07:00",
        "timezone": "Europe/Copenhagen",
        "days": ["mon-thu", "sun"],
        "severities": ["info"],
    },
    "routes": [{"severity": "critical", "location": ["L12"], "labels": {"a": "b"}, "notify": ["#a"], "continue": True}],
    "rules": [
        {
            "name": "hot",
            "description": "hot",
            "for_each": "connector",
            "when": 'connector.status == "Faulted"',
            "while": "charger.online",
            "for": "30m",
            "keep_firing_for": "5m",
            "on_gap": "pause",
            "severity": "critical",
            "group_by": ["location"],
            "repeat": "1h",
            "ack_for": "8h",
            "escalate": [{"after": "30m", "notify": ["@oncall"]}],
            "inhibits": ["cold"],
            "actions": [
                {
                    "reset": "soft",
                    "limit": "2 per 24h",
                    "limit_total": "10 per 24h",
                    "cool_down": "10m",
                    "after": "1m",
                    "approval": "#ops",
                    "verify": 'connector.status != "Faulted"',
                    "within": "5m",
                }
            ],
            "alert": "after_actions",
            "dry_run": True,
            "notify": ["#a"],
            "labels": {"team": "north"},
        },
        {"name": "cold", "for_each": "location", "when": "location.name contains \"x\"", "safety": False},
        {"name": "day", "schedule": "0 8 * * *", "timezone": "location", "digest": "sessions", "window": "yesterday"},
        {"name": "gone", "on": "charger.offline", "when": "charger.online", "settle": "2m", "max_age": "1h"},
        {"name": "dear", "for_each": "location", "when": "location.name is unknown", "actions": {"price": 0.5}},
    ],
}  # fmt: skip
CASES: list[Any] = [
    {
        "name": "heats",
        "rules": ["hot"],
        "locations": {"l1": {"timezone": "UTC"}},
        "chargers": {"ch1": {"online": "true x5 false", "labels": ["test"]}},
        "connectors": {"c1": {"status": "Available x5 Faulted", "error_code": "NoError x5 GroundFailure"}},
        "sessions": {"s1": {"energy": "0 x5 1", "status": "Active"}},
        "checks": [
            {"eval_time": "4m", "expect_alerts": []},
            {
                "eval_time": "36m",
                "expect_alerts": [{"rule": "hot", "subject": "c1", "state": "firing", "active_at": "5m"}],
                "expect_messages": [{"kind": "card", "title": "Firing: hot", "text": "GroundFailure"}],
            },
        ],
    }
]
WORDS = [
    "",
    " ",
    "0",
    "24:00",
    "22:00",
    "location",
    "mon",
    "sat-",
    "#a",
    "@a",
    "1h",
    "-1h",
    "9" * 30,
    "\x00",
    "a: b",
    "x" * 3000,
]
SHAPES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=6),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=6,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in a document."""
    yield way
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in below:
        yield from places(inner, (*way, key))


def with_shape(document: Any, way: tuple[Any, ...], shape: Any) -> Any:
    if not way:
        return shape
    changed = deepcopy(document)
    place = changed
    for key in way[:-1]:
        place = place[key]
    place[way[-1]] = shape
    return changed


def read(path: Path, document: Any) -> None:
    """Read the document as a rules file; what is accepted must work."""
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        files = load_rule_files([path])
    except RuleErrors:
        return
    for rule in files.rules:
        assert rule_from_document(rule.document, rule.source) == rule
        if rule.kind == "alert":
            compile_rule(rule)
    json.dumps(files.plan.document())
    if files.plan.quiet_hours is not None:
        files.plan.quiet_hours.until("info", "Europe/Dublin", "UTC", datetime(2026, 3, 2, 23, tzinfo=UTC))
    files.plan.channels("critical", "L12", {"a": "b"}, When(T0, "UTC"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shapes") / "site.yaml"


@pytest.mark.parametrize("shape", [[], {}, None, "x", 0, [[]]], ids=repr)
def test_every_place_of_a_rules_file_takes_or_refuses_every_simple_shape(file: Path, shape: Any) -> None:
    for way in places(WHOLE):
        read(file, with_shape(WHOLE, way, shape))


def test_every_place_of_a_rules_file_takes_or_refuses_any_shape(file: Path) -> None:
    @settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(list(places(WHOLE))), SHAPES)
    def law(way: tuple[Any, ...], shape: Any) -> None:
        read(file, with_shape(WHOLE, way, shape))

    law()


def test_a_stored_or_typed_rule_of_any_shape_is_read_or_refused() -> None:
    @settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
    @given(st.integers(0, len(WHOLE["rules"]) - 1), st.data())
    def law(number: int, data: st.DataObject) -> None:
        rule = WHOLE["rules"][number]
        way = data.draw(st.sampled_from([way for way in places(rule) if way]))
        document = with_shape(rule, way, data.draw(SHAPES))
        with suppress(RuleErrors):
            rule_from_document(document, "stored")
        line = "; ".join(f"{key}: {json.dumps(said)}" for key, said in document.items())
        for text in (json.dumps(document), line):
            with suppress(RuleErrors):
                read_typed(text, "typed")

    law()


def test_rule_tests_of_any_shape_are_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "hot.yaml").write_text(json.dumps(WHOLE), encoding="utf-8")

    @settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
    @given(st.sampled_from(list(places(CASES))), SHAPES)
    def law(way: tuple[Any, ...], shape: Any) -> None:
        path = tmp_path / "hot.test.yaml"
        path.write_text(json.dumps(with_shape(CASES, way, shape)), encoding="utf-8")
        with suppress(CaseErrors):
            load_cases(path)

    law()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("quiet_hours: []\n", 'line 1: "quiet_hours" must be a mapping'),
        ("rules: []\nquiet_hours: []\n", 'line 2: "quiet_hours" must be a mapping'),
    ],
)
def test_empty_quiet_hours_are_refused_in_words(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RuleErrors) as refused:
        load_rule_files([path])
    assert line in str(refused.value)
