"""Names of people, user groups and channels as Slack's clients encode them in what somebody types.

It knows only names that the workspace has; all else stays as it was typed.
"""

import re

from sandbox.slack.workspace.state import WorkspaceState

NAMED = re.compile(r"(?<![\w<|^/.&@#])([@#])([\w][\w.-]*)")


def encoded(state: WorkspaceState, text: str) -> str:
    """The text with each known @name, @group and #channel as Slack sends it to an app that asks for that."""
    people = {user.name: user.id for user in state.users.values()}
    groups = {group.handle: group.id for group in state.groups.values()}
    channels = {channel.name: channel.id for channel in state.channels.values() if channel.name}

    def written(found: re.Match[str]) -> str:
        sign, name = found[1], found[2].rstrip(".-")
        rest = found[2][len(name) :]
        if sign == "#":
            return f"<#{channels[name]}|{name}>{rest}" if name in channels else found[0]
        if name in people:
            return f"<@{people[name]}|{name}>{rest}"
        return f"<!subteam^{groups[name]}|@{name}>{rest}" if name in groups else found[0]

    return NAMED.sub(written, text)
