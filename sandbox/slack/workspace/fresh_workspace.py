"""The people and channels that a fresh stand-in workspace holds, and their names in one place.

Nobody here is real. The bot is a member of every channel except #general, so that a wrong route can be seen.
"""

from sandbox.slack.workspace.model import Channel, User, UserGroup
from sandbox.slack.workspace.state import SLACKBOT, WorkspaceState

PEOPLE = (
    User("U0ADA00001", "ada", "Ada Holm", is_admin=True, email="ada@sandbox.test", color="7b3f8c"),
    User("U0OLE00002", "ole", "Ole Bruun", email="ole@sandbox.test", color="2c6e9b"),
    User("U0VERA0003", "vera", "Vera Lind", email="vera@sandbox.test", color="3a7d44"),
)
CHANNELS = (
    ("C0ALERTS01", "ev-alerts", "What is broken right now"),
    ("C0DAILY002", "ev-daily", "Yesterday's sessions at 08:00"),
    ("C0OPS00003", "ev-ops", "People who act on chargers"),
    ("C0GENERAL4", "general", "Everybody"),
)
ONCALL = "S0ONCALL01"


def fill(state: WorkspaceState) -> None:
    """Put the default people, group and channels into an empty workspace."""
    team = state.team
    bot = User(team.bot_user, team.bot_name, "Chargehand", is_bot=True, color="e07a1f")
    slackbot = User(SLACKBOT, "slackbot", "Slackbot", is_bot=True, color="777777")
    for user in (*PEOPLE, bot, slackbot):
        state.users[user.id] = User(**vars(user))
    ids = [u.id for u in PEOPLE]
    state.groups[ONCALL] = UserGroup(ONCALL, "oncall", "On call", [ids[1]])
    for channel_id, name, topic in CHANNELS:
        members = [*ids] if name == "general" else [*ids, team.bot_user]
        state.channels[channel_id] = Channel(
            channel_id, name, members, created=int(state.clock()), creator=ids[0], topic=topic
        )
