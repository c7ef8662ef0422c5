"""Whom `notify` names: a channel by its name or id, or a person by the member id. It asks Slack nothing."""

import re

from rules.actions.steps import CHANNEL

PERSON = re.compile(r"[UW][A-Z0-9]{2,20}")
"""A person's member id, as the profile in Slack gives it."""

_MENTIONED = re.compile(r"<@([UW][A-Z0-9]{2,20})(?:\|[^<>]*)?>|@([UW][A-Z0-9]{6,20})")


def place_of(text: str) -> str:
    """A channel as it is written, or a person's id, also where it is written as a mention."""
    found = _MENTIONED.fullmatch(text)
    return text if found is None else found[1] or found[2]


def wrong_place(text: str) -> tuple[str, str | None]:
    """What is wrong with a place that is neither, and what it was probably meant to be; empty where nothing is."""
    if CHANNEL.fullmatch(text) or PERSON.fullmatch(text):
        return "", None
    if text.startswith("@"):
        told = f'"{text[:60]}" is no member id: a person is told by it, as in "U0ADA1234" (in Slack: the profile, ⋮, '
        return f"{told}Copy member ID); a group is mentioned by `escalate`", None
    named = f"#{text.lower()}"
    message = f'"{text[:60]}" is no Slack channel, such as "#ev-alerts", and no channel id'
    return message, named if CHANNEL.fullmatch(named) else None
