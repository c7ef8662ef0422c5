"""The functions of the condition language: what each may be called with, what is refused and how, and every recipe."""

import json
from datetime import UTC, datetime

import pytest

from rules.alerts.query import compile_rule
from rules.documents.document import rule_from_document
from rules.language.conditions import parse_condition
from rules.language.errors import ConditionErrors
from rules.language.expressions import (
    Aggregate,
    Compare,
    Literal,
    LocalTime,
    Since,
    Windowed,
    fields_of,
    to_text,
    type_of,
)
from rules.language.expressions import FieldRef as Field
from rules.language.fields import Type
from rules.language.function_words import FUNCTIONS
from rules.language.functions import MAX_AGGREGATES
from rules.matching.compile import CLOCK_EVERY, RELATIONS_EVERY, SLOWLY_EVERY
from rules.matching.windows import local_clocks, zone_offsets
from storage.engine import Database
from tests.readings import MINUTE, T0, charger, connector, location
from tests.rules.engine import Engine

ENERGY = Compare("<", Field("session.energy"), Literal(0.1, Type.ENERGY))
HOUR, DAY = Literal(3600.0, Type.DURATION), Literal(86400.0, Type.DURATION)

RECIPES = {
    1: ("charger", "charger.heartbeat_age > max(2 * charger.heartbeat_interval, 5m)"),
    2: (
        "location",
        (
            "count(location.chargers where not charger.online) >= 2 "
            "and share(location.chargers where not charger.online) >= 50 %"
        ),
    ),
    3: ("connector", 'connector.status == "Faulted"'),
    4: ("connector", 'connector.error_code in ["GroundFailure", "OverCurrentFailure", "PowerSwitchFailure"]'),
    5: ("connector", 'changes(connector.status == "Faulted", 1h) >= 4 or changes(charger.online, 1h) >= 4'),
    6: ("connector", 'connector.status == "Faulted" and count(connector.sessions) == 0'),
    7: (
        "session",
        (
            'connector.status in ["Available", "Faulted", "Unavailable"] and since(connector.status) >= 15m '
            "or not charger.online and since(charger.online) >= 30m or session.duration > 24h"
        ),
    ),
    8: ("connector", "streak(connector.sessions where session.energy < 0.1 kWh and session.duration >= 2m) >= 3"),
    9: ("session", 'connector.status == "Charging" and increase(session.energy, 20m) < 0.05 kWh'),
    10: (
        "connector",
        'connector.status == "Preparing" and since(connector.status) >= 15m and count(connector.sessions) == 0',
    ),
    11: (
        "connector",
        (
            'count(connector.sessions where session.status == "Failed", 1h) >= 3 '
            'or share(last(20, connector.sessions) where session.status == "Completed") < 90 %'
        ),
    ),
    12: ("connector", 'connector.status == "Finishing" and since(connector.status) > location.blocking_fee_interval'),
    13: (
        "connector",
        (
            'connector.status == "Available" and charger.online and since(connector.id) >= 48h '
            'and count(connector.sessions where session.status == "Completed", 48h) == 0'
        ),
    ),
    14: ("connector", "uptime(connector, 365d) < 98.5 %"),
}


@pytest.mark.parametrize("number", RECIPES)
def test_every_recipe_that_has_a_condition_can_be_said(number: int) -> None:
    for_each, when = RECIPES[number]
    parsed = parse_condition(when, for_each=for_each)
    assert parse_condition(to_text(parsed), for_each=for_each) == parsed
    compile_rule(rule_from_document({"name": "recipe", "for_each": for_each, "when": when}, "recipes.yaml"))


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ("count(connector.sessions) > 1", Aggregate("count", "connector.sessions")),
        (
            "count(connector.sessions where session.energy < 0.1 kWh, 24h) > 1",
            Aggregate("count", "connector.sessions", where=ENERGY, window=DAY),
        ),
        (
            "share(last(20, connector.sessions where session.energy < 0.1 kWh) where session.energy < 0.1 kWh) > 1 %",
            Aggregate("share", "connector.sessions", where=ENERGY, last=20, among=ENERGY),
        ),
        (
            "sum(connector.sessions.energy, 24h) > 1 kWh",
            Aggregate("sum", "connector.sessions", "session.energy", window=DAY),
        ),
        ("min(location.connectors.power) > 1 kW", Aggregate("min", "location.connectors", "connector.power")),
        ("changes(connector.status, 1h) > 1", Windowed("changes", Field("connector.status"), HOUR)),
        ("uptime(connector, 24h) > 1 %", Windowed("uptime", None, DAY)),
        ("since(connector.status) > 1h", Since(Field("connector.status"))),
        ('weekday == "Monday"', LocalTime("weekday")),
    ],
)
def test_a_function_means(condition: str, left: Aggregate | Windowed | Since | LocalTime) -> None:
    parsed = parse_condition(condition, for_each="connector")
    assert isinstance(parsed, Compare)
    assert parsed.left == left
    assert type_of(left) in {type_of(parsed.right), Type.ENUM}


def test_what_stands_in_a_where_is_said_of_other_things_than_the_subject() -> None:
    parsed = parse_condition(
        "count(location.chargers where charger.online) > 1 and charger.online", for_each="connector"
    )
    assert fields_of(parsed) == {"charger.online"}
    assert fields_of(parse_condition("count(location.chargers where charger.online) > 1", for_each="location")) == set()


EXAMPLE = {name: example for name, (example, _) in FUNCTIONS.items()}
ERRORS = [
    ("count(connector.status) > 1", 1, f'"count" goes over related things; expected {EXAMPLE["count"]}'),
    ("count(location.charger) > 1", 1, f'"count" goes over related things; expected {EXAMPLE["count"]}'),
    ("share(location.chargers) > 1 %", 1, f'"share" needs a "where"; expected {EXAMPLE["share"]}'),
    (
        "count(location.chargers where charger.onlin) > 1",
        31,
        'unknown field "charger.onlin"; did you mean "charger.online"?',
    ),
    (
        "count(location.chargers where connector.status == 'Faulted') > 1",
        31,
        "connector.status cannot be read for each charger; expected a field of charger or location",
    ),
    (
        "count(location.chargers, 1h) > 1",
        1,
        "a window needs sessions, but location.chargers are chargers; expected location.sessions",
    ),
    (
        "sum(connector.sessions.enery, 1h) > 1 kWh",
        5,
        'unknown field "connector.sessions.enery"; did you mean "connector.sessions.energy"?',
    ),
    (
        "count(location.chargers where count(charger.connectors) > 1) > 1",
        31,
        '"count" cannot stand inside the "where" of another function',
    ),
    ("count(connector.sessions, 401d) > 1", 27, "a window is longer than 0s and at most 9600h (400 days)"),
    ("count(connector.sessions, 5) > 1", 27, "a window is a duration; expected 1h or 30d"),
    ("count(connector.sessions, 0s) > 1", 27, "a window is longer than 0s and at most 9600h (400 days)"),
    (
        "changes(connector.power, 1h) > 1",
        9,
        (
            '"changes" needs one field whose history is kept; expected a condition on one of connector.status, '
            "connector.error_code, charger.online, location.price"
        ),
    ),
    ("changes(connector.staus == 'a', 1h) > 1", 9, 'unknown field "connector.staus"; did you mean "connector.status"?'),
    (
        "location.chargers == 1",
        1,
        "location.chargers are many things; expected a function over them: count(location.chargers)",
    ),
    ("count(location.chargers) >= 50 %", 29, "count(location.chargers) is a number, but 50 % is a percentage"),
    (
        "charger.online where true",
        16,
        f'"where" stands inside a function, after what it narrows down; expected {EXAMPLE["count"]}',
    ),
    ('hours("8-18")', 1, f'"hours" takes two times of day in one text; expected {EXAMPLE["hours"]}'),
    ('weekday == "Mon"', 12, None),
    ("last(0, connector.sessions) > 1", 1, f'"last" stands inside another function; expected {EXAMPLE["last"]}'),
]


@pytest.mark.parametrize(("condition", "column", "sentence"), ERRORS)
def test_a_misused_function_says_where_and_what(condition: str, column: int, sentence: str | None) -> None:
    with pytest.raises(ConditionErrors) as raised:
        parse_condition(condition, for_each="connector")
    (error,) = raised.value.errors
    assert error.column == column
    assert sentence is None or error.sentence() == sentence


def test_a_condition_has_so_many_functions_over_things_and_no_more() -> None:
    some = ["changes(connector.status, 1h) > 1"] * MAX_AGGREGATES
    parse_condition(" or ".join(some), for_each="connector")
    with pytest.raises(ConditionErrors, match="at most 8 functions over related things and windows"):
        parse_condition(" or ".join([*some, some[0]]), for_each="connector")


@pytest.mark.parametrize("example", [example for example, _ in FUNCTIONS.values()])
def test_every_example_of_a_function_is_one(example: str) -> None:
    parse_condition(f"({example}) is unknown", for_each="session")


@pytest.mark.parametrize(
    ("for_each", "when", "every", "wakes"),
    [
        ("connector", 'connector.status == "Faulted"', None, False),
        ("location", "count(location.chargers) > 1", RELATIONS_EVERY, False),
        ("connector", "since(connector.status) > 1h", None, True),
        ("connector", "uptime(connector, 365d) < 97 %", SLOWLY_EVERY, False),
        ("connector", "uptime(connector, 2h) < 97 %", CLOCK_EVERY, False),
        ("connector", 'business_hours("08:00-18:00")', CLOCK_EVERY, False),
        ("session", "increase(session.energy, 20m) < 1 kWh", CLOCK_EVERY, False),
        ("connector", "since(connector.status) + 1h > 2h", CLOCK_EVERY, False),
        ("location", "count(location.sessions where session.duration > 24h) > 1", CLOCK_EVERY, False),
    ],
)
def test_a_rule_is_matched_in_full_only_where_no_moment_can_be_told(
    for_each: str, when: str, every: object, wakes: bool
) -> None:
    compiled = compile_rule(rule_from_document({"name": "x", "for_each": for_each, "when": when}, "x.yaml"))
    assert (compiled.full_every, compiled.wakes) == (every, wakes)


def test_a_local_clock_follows_its_zone_through_both_changes_of_the_clocks() -> None:
    zones = ["Europe/Copenhagen", "No/Such", "../etc/passwd", ""]
    winter = local_clocks(zones, datetime(2026, 3, 29, 0, 59, tzinfo=UTC))
    summer = local_clocks(zones, datetime(2026, 3, 29, 1, 0, tzinfo=UTC))
    assert winter == f'{{"Europe/Copenhagen": {6 * 86400 + 1 * 3600 + 59 * 60}}}'
    assert summer == f'{{"Europe/Copenhagen": {6 * 86400 + 3 * 3600}}}'
    assert json.loads(local_clocks(zones, datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "Asia/Tokyo")) == {
        "Europe/Copenhagen": 6 * 86400 + 3 * 3600,
        **dict.fromkeys(["", "No/Such", "../etc/passwd"], 6 * 86400 + 10 * 3600),
    }


def test_offsets_tell_of_each_change_of_the_clocks_in_between_to_the_second() -> None:
    first, last = datetime(2026, 3, 1, 12, 34, 56, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    told = json.loads(zone_offsets(["Europe/Copenhagen", "No/Such"], first, last))
    spring, autumn = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert [one["offset"] for one in told] == [3600, 7200, 3600]
    assert [one["until"] for one in told[:2]] == [spring.timestamp(), autumn.timestamp()]
    assert [one["from"] for one in told[1:]] == [spring.timestamp(), autumn.timestamp()]
    assert told[0]["from"] <= first.timestamp() < last.timestamp() < told[2]["until"]
    (lord_howe, *_) = json.loads(zone_offsets(["Australia/Lord_Howe"], first, first))  # half an hour of summer time
    assert lord_howe["offset"] == 11 * 3600


@pytest.mark.parametrize("zone", [None, "No/Such"])
def test_a_location_that_names_no_zone_is_in_the_default_one(database: Database, zone: str | None) -> None:
    rule = {
        "name": "evening",
        "for_each": "connector",
        "when": 'connector.status == "Faulted" and hours("19:00-20:00") and weekday in ["Monday"]',
    }
    engine = Engine(database, rule, now=T0)
    engine.default_zone = "Asia/Tokyo"  # 10:00 is 19:00 there
    engine.tick(T0 - MINUTE, location("l1", timezone=zone), resource="locations")
    assert engine.tick(T0, charger(connector("c1", "Faulted"))) == ["c1 inactive>firing since 10:00"]
    assert engine.tick(T0 + 60 * MINUTE) == ["c1 firing>resolved since 10:00"]


def test_business_hours_are_those_of_the_location(database: Database) -> None:
    rule = {
        "name": "open",
        "for_each": "connector",
        "when": 'business_hours("06:00-11:30") and connector.status == "Faulted"',
    }
    engine = Engine(database, rule, now=T0)
    engine.tick(
        T0,
        location("l1", timezone="Europe/Copenhagen"),
        location("l2", timezone="America/New_York"),
        resource="locations",
    )
    far = charger(connector("c2", "Faulted", charger="ch2"), charger_id="ch2", location_id="l2")
    assert engine.tick(T0, charger(connector("c1", "Faulted")), far) == [
        "c1 inactive>firing since 10:00"
    ]  # 11:00, 05:00
    assert engine.tick(T0 + 30 * MINUTE) == ["c1 firing>resolved since 10:00"]
    assert engine.tick(T0 + 60 * MINUTE) == ["c2 inactive>firing since 11:00"]
