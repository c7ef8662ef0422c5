"""A backtest tells how often the first of a rule's actions would have been tried, and how often a limit stopped it."""

from datetime import timedelta
from typing import Any

from bot.trials.rehearsal import Rehearsal
from bot.trials.reports import render_backtest
from rules.actions.automations import Rehearsed, rehearse
from rules.actions.steps import ActionStep, Limit
from rules.documents.document import rule_from_document
from rules.trials.backtest import Backtest, backtest
from storage.engine import Database
from tests.readings import MINUTE, T0, charger, connector, location, poll

HOUR = timedelta(hours=1)
FAULTED = {"name": "healing", "for_each": "connector", "when": 'connector.status == "Faulted"'}


def test_limits_and_the_cool_down_stop_what_they_would_have_stopped() -> None:
    step = ActionStep("reset_soft", "charger", Limit(2, 24 * HOUR), Limit(4, 24 * HOUR), 10 * MINUTE)
    at_one = [(T0 + number * HOUR, "ch1") for number in range(4)]
    assert rehearse(step, at_one) == Rehearsed("reset_soft", 2, 2)
    assert rehearse(step, [(T0, "ch1"), (T0 + 9 * MINUTE, "ch1"), (T0, "ch2")]) == Rehearsed("reset_soft", 2, 1)
    assert rehearse(step, [(T0, f"ch{number}") for number in range(6)]) == Rehearsed("reset_soft", 4, 2)
    assert rehearse(step, [(T0 + number * 12 * HOUR, "ch1") for number in range(4)]) == Rehearsed("reset_soft", 4, 0)


def told(database: Database, *actions: dict[str, Any]) -> Backtest:
    poll(database, T0, location(), resource="locations")
    for minute in range(240):
        status = "Faulted" if minute % 60 in range(20, 30) else "Available"
        poll(database, T0 + minute * MINUTE, charger(connector(status=status)))
    rule = rule_from_document({**FAULTED, **({"actions": list(actions)} if actions else {})}, "test")
    with database.read() as connection:
        end = T0 + 239 * MINUTE
        return backtest(connection, rule, since=T0, until=end, interval=MINUTE, speaker=Rehearsal())


def test_a_backtest_tells_what_would_have_been_tried(sqlite: Database) -> None:
    said = told(sqlite, {"reset": "soft", "limit": "3 per 24h"})
    assert len(said.firings) == 4
    assert said.acting == Rehearsed("reset_soft", 3, 1)
    line = "  actions: would have tried a soft reset 3 times at most (limits and the cool-down stopped 1)"
    assert line in render_backtest(said).splitlines()


def test_a_backtest_tells_how_often_a_price_would_have_been_changed(sqlite: Database) -> None:
    said = told(sqlite, {"price": 0.45, "limit": "3 per 24h"})
    assert said.acting == Rehearsed("change_price", 3, 1)
    assert "  actions: would have tried a price change 3 times at most" in render_backtest(said)


def test_a_backtest_counts_prices_for_each_location(sqlite: Database) -> None:
    poll(sqlite, T0, location(), resource="locations")
    for minute in range(30):
        status = "Faulted" if minute > 20 else "Available"
        both = (connector(f"c{number}", status, charger=f"ch{number}") for number in (1, 2))
        poll(sqlite, T0 + minute * MINUTE, *(charger(one, charger_id=one.charger_id) for one in both))
    rule = rule_from_document({**FAULTED, "actions": {"price": 0.45, "limit": "1 per 24h"}}, "test")
    with sqlite.read() as connection:
        end = T0 + 29 * MINUTE
        said = backtest(connection, rule, since=T0, until=end, interval=MINUTE, speaker=Rehearsal())
    assert (len(said.firings), said.acting) == (2, Rehearsed("change_price", 1, 1))


def test_a_backtest_of_a_rule_without_actions_tells_of_none(sqlite: Database) -> None:
    said = told(sqlite)
    assert said.acting is None
    assert "actions" not in render_backtest(said)
