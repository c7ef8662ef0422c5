"""The recipe of the library, as operators switch it on, end to end against the living fleet."""

import pytest

from bot.slack.charge.alerting.why import answer_why
from bot.slack.charge.answer import Asked
from bot.slack.permissions import Role
from bot.trials.reports import render_explanation
from rules.documents.files import load_rules
from rules.explanations.explain import explain
from storage.engine import Database
from tests.commands.automations.place import CONNECTOR, RESET, Place, place_on, stamp
from tests.conftest import ROOT

RECIPE = ROOT / "rules" / "library" / "self-healing.yaml"


@pytest.fixture
def recipe() -> dict[str, object]:
    (rule,) = load_rules([RECIPE])
    return rule.document


async def fault_and_wait(place: Place) -> None:
    place.fault()
    await place.minutes(10)


async def test_fault_reset_recovery_one_card(sqlite: Database, recipe: dict[str, object]) -> None:
    async with place_on(sqlite, recipe) as place:
        await fault_and_wait(place)
        (command,) = place.commands()
        (card,) = place.cards()
        assert place.posts == [RESET]
        assert (command.requested_by, command.rule_id) == ("rule self-healing", "self-healing")
        assert "Resolved: " in card
        assert f"tried {stamp(command.requested_at)}" in card
        assert ", helped: seen" in card


async def test_why_says_that_the_actions_held_the_alert_back(sqlite: Database, recipe: dict[str, object]) -> None:
    async with place_on(sqlite, recipe) as place:
        await fault_and_wait(place)
        with place.jobs.database.read() as connection:
            told = explain(connection, "self-healing", CONNECTOR, place.clock.now)
            words = (CONNECTOR, "self-healing")
            asked = Asked(words, "U0ADA00001", Role.VIEWER, place.clock.now, place.jobs.plan.interval)
            answer = answer_why(connection, asked)
        assert "held until its rule's actions were over" in render_explanation(told)
        assert "held until its rule's actions were over" in str(answer.blocks)


async def test_fault_reset_no_help_the_alert_says_so_and_the_third_reset_is_stopped(
    sqlite: Database, recipe: dict[str, object]
) -> None:
    async with place_on(sqlite, recipe) as place:
        place.ends = None
        for told in ("did not help: `looked at for 3m`",) * 2 + ("limit of 2 per 24h for one charger reached",):
            await fault_and_wait(place)
            assert told in place.cards()[-1]
            assert "self-healing" in place.cards()[-1]
            place.force({"status": "Available", "errorCode": None})
            await place.minutes(1)
        assert place.posts == [RESET, RESET]
