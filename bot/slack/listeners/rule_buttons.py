"""The Confirm button of a rule: what was shown is done once, if the rule is still as it was shown.

Alerts, their messages and the log of who did it are written in one transaction with the rule, then acknowledged.
"""

import json
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from sqlalchemy import Connection

from bot.slack.charge import registry
from bot.slack.charge.alerting.rules import confirmed, refusal
from bot.slack.charge.answer import Answer
from bot.slack.crowd.intents import TooLateError
from bot.slack.listeners.responder import Responder, too_late, whisper
from bot.slack.permissions import Role
from notify.acts import Act
from notify.text.action_ids import ActionId
from rules.language.errors import RuleErrors
from rules.registry.authoring import Act as RuleAct
from rules.registry.authoring import RuleRefused
from rules.registry.drafts import Confirmed, confirm_draft
from storage.audit import record_act

Json = dict[str, Any]


def register(app: AsyncApp, responder: Responder) -> None:
    """Register the clicks about rules."""

    @app.action(ActionId.CONFIRM_RULE.value)
    async def on_confirm_rule(ack: AsyncAck, body: Json, action: Json, respond: AsyncRespond) -> None:
        answer, final = await confirm(responder, body["user"]["id"], json.loads(action["value"]))
        await ack()
        if final and responder.adopt_rules is not None:
            await responder.adopt_rules()
        await whisper(respond, answer, replace_original=final)


ENDS = (RuleAct.SWITCH_OFF, RuleAct.DELETE)
"""After these a rule says nothing any more, which its channels are told."""


def _told_of(done: Confirmed, user: str) -> Act:
    verb = "deleted" if done.draft.act is RuleAct.DELETE else "switched off"
    facts = {"verb": verb, "rule": done.rule.name, "ended": sum(done.outcome.ended.values())}
    return Act("rule", user, (done.rule.name,), {**facts, "safety": False})


async def confirm(responder: Responder, user: str, value: Json) -> tuple[Answer, bool]:
    """Do what a draft says for a person, if they may; what to tell them, and whether it was done."""
    standing = await responder.permissions.standing_at_click(user)
    if not standing.may(Role.ADMIN):
        return registry.not_allowed(standing, Role.ADMIN, "rules"), False
    now = responder.clock()

    def write(connection: Connection) -> Confirmed:
        done = confirm_draft(connection, str(value["draft"]), user, now, responder.zone)
        if responder.tell_of_rule is not None:
            responder.tell_of_rule(connection, done.rule, done.outcome.transitions, now)
        facts = {"version": done.outcome.version, "document": done.rule.document}
        record_act(connection, user, "rule", f"rule {done.rule.name}", now, outcome=done.draft.act.value, facts=facts)
        if done.draft.act in ENDS and responder.tell_of_act is not None:
            responder.tell_of_act(connection, _told_of(done, user), now, done.rule)
        return done

    try:
        done = await responder.write(write)
    except TooLateError:
        return too_late("Nothing was changed"), False
    except (RuleRefused, RuleErrors) as wrong:
        return refusal(wrong), False
    responder.wake_deliveries()
    return confirmed(done, user), True
