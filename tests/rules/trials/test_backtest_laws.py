"""A backtest finds what the service said in worlds in which things appear, vanish, come back and move."""

from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import SQLModel

from storage.engine import Database
from tests.examples import examples
from tests.rules.trials.drawn_histories import HISTORIES, live
from tests.rules.trials.test_backtest import fired, found, tried

OUT = 'connector.status == "Faulted"'
ALERTS = {
    "connector": [
        OUT,
        f"{OUT} and charger.online",
        f'{OUT} and location.id == "l1"',
        'charger.id == "ch1" and connector.status != "Available"',
        'connector.error_code == "GroundFailure"',
        f"since(connector.status) > 6m and {OUT}",
        "changes(connector.status, 10m) >= 2",
        "uptime(connector, 15m) < 60 %",
        'downtime(connector where connector.status != "Unavailable", 20m) >= 5m',
        "count(connector.sessions) >= 1",
        "count(connector.sessions where session.energy < 1 kWh, 20m) >= 1",
        'streak(connector.sessions where session.status == "Failed") >= 1',
        "count(charger.connectors) >= 2",
        'count(location.connectors where connector.status == "Faulted") >= 2',
        "since(connector.id) < 8m",
        "avg(connector.power, 10m) > 5 kW",
        "max(connector.power, 10m) >= 11 kW",
        "min(connector.power, 5m) > 0 kW and connector.power < 50 kW",
    ],
    "charger": [
        "not charger.online",
        'not charger.online and location.name == "Location l2"',
        "changes(charger.online, 10m) >= 1",
        f"count(charger.connectors where {OUT}) >= 1",
        "uptime(charger, 12m) < 80 %",
        "sum(charger.sessions.energy, 30m) > 0.5 kWh",
        'location.id == "l2" and hours("05:00-05:30")',
        "count(charger.connectors where changes(connector.status, 10m) >= 1) >= 1",
    ],
    "location": [
        "share(location.chargers where not charger.online) >= 50 %",
        "count(location.chargers) >= 2",
        f"count(location.connectors where {OUT}) >= 2",
        "location.price > 1 EUR/kWh",
        "uptime(location, 12m) < 80 %",
        "count(location.sessions, 20m) >= 1",
        'hours("11:05-11:20")',
        "avg(location.power, 12m) > 6 kW",
        "max(location.power, 8m) > 12 kW",
    ],
    "session": [
        "session.energy < 1 kWh and session.duration > 6m",
        'session.status == "Pending"',
        'session.status == "Active" and since(session.status) > 3m',
        "session.energy < 3 kW * session.duration",
        "increase(session.energy, 8m) < 0.2 kWh",
        f"{OUT} or not charger.online",
        'location.id == "l1"',
        "location.price > 1 EUR/kWh",
    ],
    "network": [
        f"count(network.connectors where {OUT}) >= 2",
        "share(network.chargers where not charger.online) > 40 %",
        "count(network.sessions) >= 1",
        "count(network.connectors where avg(connector.power, 8m) > 5 kW) >= 1",
        "count(network.locations where location.price > 1 EUR/kWh) >= 1",
        "count(network.chargers where uptime(charger, 10m) < 70 %) >= 1",
        "max(network.sessions.energy, 30m) > 1 kWh",
    ],
}
EVENTS: dict[str, list[str | None]] = {
    "session.started": [None, 'location.id == "l1"'],
    "session.ended": ["session.energy < 1 kWh", None],
    "session.failed": [None],
    "status.changed": [OUT, 'location.id == "l2"'],
    "error_code.changed": [None, "charger.online"],
    "charger.online": [None],
    "charger.offline": ['location.id == "l1"', None],
    "price.changed": [None, "location.price > 1 EUR/kWh"],
}
MORE: list[dict[str, Any]] = [
    {},
    {},
    {"for": "3m"},
    {"for": "2m", "keep_firing_for": "3m"},
    {"for": "4m", "on_gap": "pause"},
    {"for": "4m", "on_gap": "reset"},
    {"for": '3m of hours("11:00-11:20")'},
]
WHILE = {"connector": "charger.online", "charger": 'location.id == "l1"', "session": "charger.online"}
EVERY_ALERT = [(for_each, when) for for_each, conditions in ALERTS.items() for when in conditions]
EVERY_EVENT = [(on, when) for on, conditions in EVENTS.items() for when in conditions]


@st.composite
def rules(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some rules of every kind, each with a name of its own."""
    made: list[dict[str, Any]] = []
    for for_each, when in draw(st.lists(st.sampled_from(EVERY_ALERT), min_size=2, max_size=2, unique=True)):
        rule = {"name": f"rule-{len(made)}", "for_each": for_each, "when": when, **draw(st.sampled_from(MORE))}
        if for_each in WHILE and draw(st.booleans()):
            rule["while"] = WHILE[for_each]
        made.append(rule)
    for on, condition in draw(st.lists(st.sampled_from(EVERY_EVENT), min_size=1, max_size=1, unique=True)):
        event = {"name": f"rule-{len(made)}", "on": on, **({} if condition is None else {"when": condition})}
        made.append(event)
    return made


@settings(max_examples=examples(9), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(rules(), HISTORIES)
def test_a_backtest_is_the_replay_of_what_was_said_of_things_that_appear_vanish_and_move(
    documents: list[dict[str, Any]], history: Any
) -> None:
    database = Database("sqlite://", durable=False)
    SQLModel.metadata.create_all(database.engine)
    engine, events, _ = live(database, documents, history)
    for document in documents:
        told = tried(database, document)
        assert found(told) == fired(engine.transitions, document["name"]), document
        announced = [(one.subject, one.event_at, one.at) for one in events if one.rule_id == document["name"]]
        assert [(one.subject, one.event_at, one.at) for one in told.events] == announced, document
    database.close()
