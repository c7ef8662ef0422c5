"""The Slack app manifest: what Slack must allow and send for Chargehand to work, to be pasted when making the app.

It names nothing that is not used. Slack's reference: docs.slack.dev/reference/app-manifest.
"""

from typing import Any

COMMAND = "/charge"

SCOPES = {
    "app_mentions:read": "to be asked by @mention",
    "channels:history": "to look up whether a message was posted, before it is sent again",
    "channels:read": "to find channels by name, and see whether it is a member",
    "chat:write": "to post and edit cards and digests",
    "commands": "for /charge",
    "files:write": "to send exports and show charts",
    "groups:history": "as channels:history, for private channels",
    "groups:read": "as channels:read, for private channels",
    "im:history": "as channels:history, for direct messages, and to be asked in them",
    "im:read": "as channels:read, for direct messages",
    "im:write": "to show a command's card, or send an export, to the person who asked",
    "usergroups:read": "for roles given to user groups, and to mention them",
    "users:read": "to see who is a guest, of another workspace, or one of its admins",
}
"""The bot's scopes, each with what it is for."""

EVENTS = (
    *("app_home_opened", "app_mention", "message.im"),
    *("channel_unarchive", "group_unarchive", "member_joined_channel"),
)
"""The last three let a channel that refused messages be tried at once; nothing depends on them."""

SILENCE_THIS, WHY_THIS = "silence_this", "why_this"
SHORTCUTS = (
    (SILENCE_THIS, "Silence this", "Keep the alerts of this message quiet for a while"),
    (WHY_THIS, "Why?", "Why the alerts of this message fire, clause by clause"),
)
"""In the menu of each message: the id under which Slack tells of it, its name, and what it is for."""


def manifest(*, name: str = "Chargehand", request_url: str | None = None, command: str = COMMAND) -> dict[str, Any]:
    """The manifest for Socket Mode, or with `request_url` (https://.../slack/events) for HTTP mode."""
    url = {"url": request_url} if request_url else {}
    events = {"request_url": request_url} if request_url else {}
    return {
        "display_information": {
            "name": name,
            "description": "Run EV chargers on EOSVOLT from Slack",
            "long_description": (
                "Slash commands act on the EOSVOLT API; rules that operators write watch the polled state and alert a "
                "channel; digests arrive on time. No alert is lost, doubled or left stale, no charger command is ever "
                "sent twice, and every alert can say why it fired."
            ),
            "background_color": "#1d3a2f",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": name, "always_online": True},
            "shortcuts": [
                {"name": name, "type": "message", "callback_id": callback, "description": does}
                for callback, name, does in SHORTCUTS
            ],
            "slash_commands": [
                {
                    "command": command,
                    "description": "Look at chargers and sessions; start, stop, reset; prices, reports, exports",
                    "usage_hint": "help | status | charger ID | start CONNECTOR | reset CHARGER",
                    "should_escape": True,
                    **url,
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS), **events},
            "interactivity": {"is_enabled": True, **events},
            "org_deploy_enabled": False,
            "socket_mode_enabled": request_url is None,
            "token_rotation_enabled": False,
        },
    }


def render_scopes_reference() -> str:
    """docs/slack-scopes.md: every scope that the app asks for, with what it is for."""
    lines = [
        "# What the Slack app may do",
        "",
        "<!-- Written by `python -m bot.cli.docs` from the code. Do not edit. -->",
        "",
        "`chargehand manifest` asks for these scopes of a bot, and for none of a user. `chargehand doctor` names those",
        "that the installed app lacks.",
        "",
        "| scope | what for |",
        "| --- | --- |",
        *(f"| `{scope}` | {what} |" for scope, what in sorted(SCOPES.items())),
        "",
        "Slack tells it these events:",
        "",
        *(f"- `{event}`" for event in EVENTS),
        "",
        "Socket Mode needs an app-level token with `connections:write` beside them. Of a channel's messages the app",
        "uses its own, by their metadata, and those that mention it.",
    ]
    return "\n".join(lines) + "\n"
