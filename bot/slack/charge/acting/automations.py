"""`/charge automations`: whether rules act, what they are at, and the one switch for all of them.

Switching them on is shown first; every switch is written down with who did it and told to the channels of the rules
that act. What waited is cancelled in the same transaction.
"""

from collections.abc import Callable

from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Word, confirm_words, told, words_button
from bot.slack.charge.answer import Mode as Does
from bot.slack.permissions import Role
from commands.automations.switch import acting_rules, at_work, read_switch
from commands.automations.tries import set_switch
from notify.acts import Act
from rules.actions.automations import Mode

LABELS = {Mode.OFF: "Switch off", Mode.DRY_RUN: "Only tell", Mode.ON: "Switch on"}


def answer_automations(connection: Connection, asked: Asked) -> Answer:
    """How automations stand, what waits, and which rules act."""
    switch = read_switch(connection, Mode(asked.automations))
    others = [mode for mode in LABELS if mode is not switch.mode] if asked.role >= Role.ADMIN else []
    return told(
        "answer_automations",
        buttons=[words_button(LABELS[mode], f"automations {mode}", n) for n, mode in enumerate(others, 1)],
        switch=switch,
        work=at_work(connection),
        rules=acting_rules(connection),
    )


def _switching(mode: Mode) -> Callable[[Connection, Asked], Answer]:
    def answer(connection: Connection, asked: Asked) -> Answer:
        before = read_switch(connection, Mode(asked.automations)).mode
        if mode is Mode.ON and before is not Mode.ON and not asked.confirmed:
            buttons = confirm_words("Switch on", f"automations {mode}", style="danger")
            rules = acting_rules(connection)
            return told("answer_automations_ask", alone=True, buttons=buttons, before=before, rules=rules)
        cancelled = set_switch(connection, mode, asked.user, asked.now)
        changed = Act("automations", asked.user, facts={"mode": mode.value, "before": before.value})
        act = changed if mode is not before else None
        return told("answer_automations_set", act=act, mode=mode, before=before, cancelled=cancelled)

    return answer


def _word(mode: Mode, does: str) -> Word:
    word = f"automations {mode}"
    return Word(word, word, does, word, _switching(mode), needs=Role.ADMIN, mode=Does.WRITES, needs_data=False)


WORDS = (
    Word(
        "automations",
        "automations",
        "whether rules act by themselves, and what waits",
        "automations",
        answer_automations,
        needs_data=False,
    ),
    _word(Mode.ON, "let the actions of rules be carried out, after a preview"),
    _word(Mode.DRY_RUN, "let rules only tell what they would do"),
    _word(Mode.OFF, "stop all actions of rules, and cancel what waits"),
)
