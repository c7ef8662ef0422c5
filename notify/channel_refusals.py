"""The person who named a channel that refuses messages is told so, once: nobody else can know that they must mend it.

A rule of a file has no person to tell; the fallback channel's explanation, or the watch over refusals, is then all.
"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from notify.outbox import NOTICE, enqueue_message
from rules.registry.store import FROM_SLACK
from storage.schema import RULE, RULE_VERSION


def tell_author(connection: Connection, item: Row[Any], error: str, now: datetime) -> bool:
    """Tell whoever last changed the rule of a refused message, once a version of the rule and channel.

    `error` is Slack's error name. False where there is nobody to tell, or they were told before.
    """
    if item.rule_id is None:
        return False
    last = connection.execute(
        sa.select(RULE_VERSION.c.author, RULE_VERSION.c.version)
        .join(RULE, sa.and_(RULE.c.id == RULE_VERSION.c.rule_id, RULE.c.version == RULE_VERSION.c.version))
        .where(RULE.c.id == item.rule_id, RULE.c.source == FROM_SLACK)
    ).first()
    if last is None or item.channel == last.author:
        return False
    facts = {
        "title": "A channel of your rule takes no messages",
        "text": f"Rule {item.rule_id} speaks in {item.channel}, and Slack refuses that: {error}. Invite the app there, "
        f"or change the rule: /charge rules edit {item.rule_id} notify: #another-channel",
    }
    key = f"refused:{item.rule_id}:{last.version}:{item.channel}"
    return enqueue_message(connection, natural_key=key, kind=NOTICE, channel=last.author, facts=facts, now=now)
