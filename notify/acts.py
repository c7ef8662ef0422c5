"""What somebody did to Chargehand itself, told to the channels that it concerns: automations, silences, rules.

One message an act and channel; it asks nothing and is never edited. Which channels those are is for the caller to know.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from notify.outbox import ACT, enqueue_message
from notify.routing import Routing

MOST_CHANNELS = 20


@dataclass(frozen=True, slots=True)
class Act:
    """What `user` did. `rules` are those that it concerns, all that act where it names none; or it names `channels`.

    `kind` names the words of templates/act.mrkdwn.j2; `facts` are JSON-able.
    """

    kind: str
    user: str
    rules: Sequence[str] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    channels: Sequence[str] = ()


def enqueue_act(connection: Connection, act: Act, routing: Routing, fallback: str | None) -> None:
    """Tell an act in every channel that the rules speak in which it concerns; in `fallback` where they have none."""
    concerned = act.rules if act.rules is not None else [name for name, rule in routing.rules.items() if rule.actions]
    channels = dict.fromkeys(act.channels or (channel for name in concerned for channel in channels_of(routing, name)))
    key = f"act:{uuid.uuid4().hex}"
    facts = {"act": act.kind, "user": act.user, **act.facts}
    for channel in list(channels)[:MOST_CHANNELS] or ([fallback] if fallback else []):
        enqueue_message(
            connection, natural_key=f"{key}:{channel}", kind=ACT, channel=channel, facts=facts, now=routing.now
        )


def channels_of(routing: Routing, name: str) -> Iterable[str]:
    """Every channel in which a rule may speak: its own, or those of the routes that could take it, or the usual one."""
    rule = routing.rules.get(name)
    if rule is None or rule.notify or rule.schedule:
        return routing.usual_channels(name)
    routed = [
        channel
        for route in routing.plan.routes
        if not route.severities or rule.severity in route.severities
        for channel in route.notify
    ]
    return routed or routing.usual_channels(name)
