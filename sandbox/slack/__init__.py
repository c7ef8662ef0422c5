"""A stand-in Slack workspace that an unmodified Bolt app talks to, with a page for people.

It answers the Web API, opens Socket Mode websockets and sends signed requests; it never reaches the real Slack.
"""

from sandbox.slack.server.panel import Lever
from sandbox.slack.server.server import SlackServer
from sandbox.slack.workspace.clock import HandClock
from sandbox.slack.workspace.model import Channel, Message, Shortcut, User, View
from sandbox.slack.workspace.workspace import ALL_EVENTS, Outcome, SlackWorkspace

__all__ = [
    "ALL_EVENTS",
    "Channel",
    "HandClock",
    "Lever",
    "Message",
    "Outcome",
    "Shortcut",
    "SlackServer",
    "SlackWorkspace",
    "User",
    "View",
]
