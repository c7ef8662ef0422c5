"""The Web API's views methods: open, push, update, publish.

A trigger id opens one view within 3 seconds; an edit that names a hash is refused when the view has changed since.
"""

from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace import views
from sandbox.slack.workspace.arguments import Arguments
from sandbox.slack.workspace.model import View
from sandbox.slack.workspace.state import TRIGGER_LIFETIME, WorkspaceState

Json = dict[str, Any]


def user_of_trigger(state: WorkspaceState, arguments: Arguments) -> str:
    """Whose trigger id it is, used up by this; raises `invalid_`, `exchanged_` or `expired_trigger_id`."""
    trigger = state.triggers.get(arguments.required("trigger_id"))
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.used:
        raise SlackError("exchanged_trigger_id")
    if state.clock() - trigger.issued_at > TRIGGER_LIFETIME:
        raise SlackError("expired_trigger_id")
    return trigger.user


def open_modal(state: WorkspaceState, arguments: Arguments) -> Json:
    return shown(state, arguments, views.open_view)


def push_modal(state: WorkspaceState, arguments: Arguments) -> Json:
    return shown(state, arguments, views.push_view)


def shown(state: WorkspaceState, arguments: Arguments, show: Any) -> Json:
    given = views.checked_view(state, arguments.json("view"), "modal")
    user = user_of_trigger(state, arguments)
    view: View = show(state, user, given)
    state.triggers[arguments.required("trigger_id")].used = True
    return {"view": view.to_json(state.team)}


def check_hash(view: View, arguments: Arguments) -> None:
    given = arguments.text("hash")
    if given and given != view.hash:
        raise SlackError("hash_conflict")


def update_view(state: WorkspaceState, arguments: Arguments) -> Json:
    view_id, external_id = arguments.text("view_id"), arguments.text("external_id")
    if not view_id and not external_id:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: view_id"])
    candidates = [v for v in state.views.values() if v.is_open]
    found = [
        v for v in candidates if v.id == view_id or (external_id and v.definition.get("external_id") == external_id)
    ]
    if not found:
        raise SlackError("not_found")
    view = found[0]
    given = views.checked_view(state, arguments.json("view"), view.type)
    check_hash(view, arguments)
    return {"view": views.replace_view(state, view, given).to_json(state.team)}


def publish_view(state: WorkspaceState, arguments: Arguments) -> Json:
    user = arguments.required("user_id")
    if user not in state.users:
        raise SlackError("user_not_found")
    given = views.checked_view(state, arguments.json("view"), "home")
    home = state.homes.get(user)
    if home is not None:
        check_hash(home, arguments)
    return {"view": views.publish_home(state, user, given).to_json(state.team)}


METHODS = {
    "views.open": open_modal,
    "views.push": push_modal,
    "views.update": update_view,
    "views.publish": publish_view,
}
