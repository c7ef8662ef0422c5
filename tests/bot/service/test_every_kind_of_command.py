"""No kind of command is left out: each has its noun, its one call, the route that it needs, and who judges it."""

from bot.service.commanding import CALLS
from commands.outcomes.charger_verdicts import JUDGES
from commands.requests.routes import ROUTES
from rules.actions.command_kinds import NOUNS, CommandKind

JUDGED_ELSEWHERE = {
    CommandKind.START_SESSION: "commands.outcomes.verdicts",
    CommandKind.STOP_SESSION: "commands.outcomes.verdicts",
    CommandKind.CHANGE_PRICE: "commands.requests.price_checks",
}


def test_every_kind_has_its_noun_its_call_and_its_route() -> None:
    assert set(NOUNS) == set(CALLS) == set(ROUTES) == set(CommandKind)


def test_what_comes_of_every_kind_is_judged_by_somebody() -> None:
    assert set(JUDGES) | set(JUDGED_ELSEWHERE) == set(CommandKind)
