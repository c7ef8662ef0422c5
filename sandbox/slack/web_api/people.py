"""The Web API's methods about who there is: users, user groups, the team, the bot itself."""

from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace.arguments import Arguments, page_of
from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]


def auth_test(state: WorkspaceState, _arguments: Arguments) -> Json:
    team = state.team
    return {
        "url": f"{state.base_url}/",
        "team": team.name,
        "user": team.bot_name,
        "team_id": team.id,
        "user_id": team.bot_user,
        "bot_id": team.bot_id,
        "is_enterprise_install": False,
    }


def user_info(state: WorkspaceState, arguments: Arguments) -> Json:
    user = state.users.get(arguments.required("user", "user_not_found"))
    if user is None:
        raise SlackError("user_not_found")
    shown = user.to_json(state.team)
    if arguments.flag("include_locale"):
        shown["locale"] = "en-GB"
    return {"user": shown}


def list_users(state: WorkspaceState, arguments: Arguments) -> Json:
    page, cursor = page_of(list(state.users.values()), arguments, default=1000)
    return {
        "members": [u.to_json(state.team) for u in page],
        "cache_ts": int(state.clock()),
        "response_metadata": {"next_cursor": cursor},
    }


def user_by_email(state: WorkspaceState, arguments: Arguments) -> Json:
    email = arguments.required("email", "users_not_found")
    for user in state.users.values():
        if user.email == email and not user.deleted:
            return {"user": user.to_json(state.team)}
    raise SlackError("users_not_found")


def list_groups(state: WorkspaceState, arguments: Arguments) -> Json:
    flags = {"include_users": arguments.flag("include_users"), "include_count": arguments.flag("include_count")}
    return {"usergroups": [g.to_json(state.team, **flags) for g in state.groups.values()]}


def list_group_users(state: WorkspaceState, arguments: Arguments) -> Json:
    group = state.groups.get(arguments.required("usergroup", "no_such_subteam"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def team_info(state: WorkspaceState, _arguments: Arguments) -> Json:
    team = state.team
    return {
        "team": {
            "id": team.id,
            "name": team.name,
            "domain": team.domain,
            "email_domain": "",
            "icon": {"image_34": "", "image_default": True},
            "url": f"{state.base_url}/",
        }
    }


def bot_info(state: WorkspaceState, arguments: Arguments) -> Json:
    if arguments.text("bot") not in (None, state.team.bot_id):
        raise SlackError("bot_not_found")
    bot = state.team.bot_profile()
    bot.pop("team_id")
    return {"bot": {**bot, "user_id": state.team.bot_user}}


METHODS = {
    "auth.test": auth_test,
    "users.info": user_info,
    "users.list": list_users,
    "users.lookupByEmail": user_by_email,
    "usergroups.list": list_groups,
    "usergroups.users.list": list_group_users,
    "team.info": team_info,
    "bots.info": bot_info,
}
