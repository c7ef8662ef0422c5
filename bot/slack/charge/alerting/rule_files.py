"""`/charge rules accept`: an admin says that rules may go with their files, from which every one of them has gone.

It notes that and no more: the service, which watches the files, takes it up within seconds.
"""

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.answer import Answer, Asked, Mode, Word, refused, told, words_button
from bot.slack.permissions import Role
from notify.troubles import open_troubles
from rules.lifecycle import OPEN_STATES
from rules.registry.listing import count_file_rules
from rules.registry.store import FROM_SLACK
from storage.audit import record_act
from storage.schema import ALERT, RULE

ACCEPT = "accept rule files"
"""What the audit log calls this."""
GONE = "rules_gone"
"""The trouble that says that files hold no rule any more."""


def answer_accept(connection: Connection, asked: Asked) -> Answer:
    """Show what would end; with `yes`, note that it may."""
    if GONE not in {row.key for row in open_troubles(connection)}:
        return refused(
            "No rule has gone with its file, so there is nothing to accept",
            mend="Look at the rules:",
            examples=["/charge rules"],
        )
    rules = count_file_rules(connection)
    alerts = _open_alerts(connection)
    accepted = [word.lower() for word in asked.words] == ["yes"]
    if accepted:
        facts = {"rules": rules, "alerts": alerts}
        record_act(connection, asked.user, ACCEPT, "rules", asked.now, outcome="accepted", facts=facts)
    buttons = [] if accepted else [words_button("Remove them", "rules accept yes")]
    return told("answer_rule_files", buttons=buttons, rules=rules, alerts=alerts, accepted=accepted)


def _open_alerts(connection: Connection) -> int:
    files = sa.select(RULE.c.id).where(RULE.c.removed_at.is_(None), RULE.c.source != FROM_SLACK)
    mine = (ALERT.c.state.in_(OPEN_STATES), ALERT.c.rule_id.in_(files))
    return int(connection.execute(sa.select(sa.func.count()).select_from(ALERT).where(*mine)).scalar_one())


WORDS = (
    Word(
        "rules accept",
        "rules accept [yes]",
        "let rules go whose files hold none any more; before that they stay in force",
        "rules accept",
        answer_accept,
        needs=Role.ADMIN,
        needs_data=False,
        mode=Mode.WRITES,
    ),
)
