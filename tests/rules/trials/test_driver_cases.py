"""The recipe about one driver's many sessions, as the page says it: its cases, a backtest, and where no tag is kept."""

from pathlib import Path

import pytest

from bot.trials.rehearsal import run_rule_tests
from rules.documents.document import rule_from_document
from rules.language.errors import RuleErrors
from rules.trials.backtest import CannotBacktest
from storage.engine import Database
from tests.conftest import ROOT
from tests.readings import MINUTE, T0, charger, connector, record_poll, session
from tests.rules.engine import Engine
from tests.rules.trials.test_backtest import fired, found, tried

SESSIONS = "".join(
    f"    s{number}: {{started: {number * 4}m, ended: {number * 4 + 2}m, energy: 50, id_tag: TAG{number}}}\n"
    for number in range(1, 8)
)
CASES = f"""
- name: the sixth session of one driver and the next are told
  sessions:
{SESSIONS}  checks:
    - eval_time: 40m
      expect_events: [{{rule: many-sessions, subject: s6}}, {{rule: many-sessions, subject: s7}}]
- name: of two drivers neither has so many
  sessions:
{SESSIONS.replace("TAG1", "other").replace("TAG2", "other")}  checks:
    - {{eval_time: 40m, expect_events: []}}
- name: without a tag nothing is known of drivers
  sessions:
{SESSIONS.replace(", id_tag: TAG", ", type: TAG")}  checks:
    - {{eval_time: 40m, expect_events: []}}
"""
OFTEN = {"name": "often", "for_each": "session", "when": "count(driver.sessions, 2h) >= 2"}


def recipe() -> str:
    page = (ROOT / "docs/recipes.md").read_text()
    return page.partition("## One driver")[2].partition("```yaml\n")[2].partition("```")[0]


def test_the_recipe_does_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "drivers.yaml").write_text(recipe())
    cases = CASES
    for number in range(1, 8):
        cases = cases.replace(f"id_tag: TAG{number}", "id_tag: ada").replace(f"type: TAG{number}", "type: Booking")
    (tmp_path / "drivers.test.yaml").write_text(cases)
    results = run_rule_tests([tmp_path / "drivers.yaml"])
    assert [(one.name, one.failures) for one in results if not one.passed] == []
    assert len(results) == 3


def test_what_a_driver_does_elsewhere_moves_the_alert_at_once_and_in_a_backtest(database: Database) -> None:
    engine = Engine(database, OFTEN, now=T0)
    now = T0
    for minute in range(40):
        now = T0 + minute * MINUTE
        readings = [
            session("open", started=T0, id_tag="ada"),
            session("strange", started=T0, id_tag="bob", connector_id="c2"),
            *(
                session(f"s{ends}", started=T0, ended_at=T0 + ends * MINUTE, id_tag="ada", connector_id="c2")
                for ends in (10, 20)
                if minute >= ends
            ),
        ]
        with database.write() as connection:
            record_poll(connection, now, charger(connector("c1"), connector("c2")))
            record_poll(connection, now, *readings, resource="sessions", plain_tags=True)
        engine.evaluate(now)
    told = fired(engine.transitions, "often")
    assert told == [("open", T0 + 20 * MINUTE, T0 + 20 * MINUTE, None)]
    assert found(tried(database, OFTEN)) == told


@pytest.mark.parametrize("for_each", ["connector", "charger", "location", "network"])
def test_only_a_session_has_a_driver(for_each: str) -> None:
    with pytest.raises(RuleErrors, match=f"driver.sessions cannot be read for each {for_each}"):
        rule_from_document({"name": "x", "for_each": for_each, "when": "count(driver.sessions, 1h) > 1"}, "x.yaml")


def test_where_no_tag_is_kept_a_backtest_says_so_and_not_nought(sqlite: Database) -> None:
    for minute in range(5):
        with sqlite.write() as connection:
            record_poll(connection, T0 + minute * MINUTE, charger(connector()))
            record_poll(connection, T0 + minute * MINUTE, session("s", started=T0, id_tag="ada"), resource="sessions")
    with pytest.raises(CannotBacktest, match="of no session it is kept who charged"):
        tried(sqlite, OFTEN)
