"""Modals and Home tabs: their definition checked as Slack checks it, and the stack of views that a user looks at.

Faults of a definition are `invalid_arguments` with Slack's messages; at most 3 modals stand on one another.
"""

import json
from collections.abc import Callable
from typing import Any

from sandbox.slack.block_kit.blocks import VIEW_BLOCKS_MAX, check_ids, view_block, with_ids
from sandbox.slack.block_kit.elements import plain_text
from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.block_kit.shapes import Report, anything, boolean, by_type, items, shape, string
from sandbox.slack.workspace.model import View
from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]

STACK_MAX = 3
VIEW_BYTES_MAX = 250_000

blocks_of_view = items(view_block, 0, VIEW_BLOCKS_MAX)
shared = {"private_metadata": string(3000, 0), "callback_id": string(255, 0), "external_id": string(255, 0)}
definition = by_type(
    {
        "modal": shape(
            {"type": anything, "title": plain_text(24), "blocks": blocks_of_view},
            {
                **shared,
                "submit": plain_text(24),
                "close": plain_text(24),
                "clear_on_close": boolean,
                "notify_on_close": boolean,
                "submit_disabled": boolean,
            },
        ),
        "home": shape({"type": anything, "blocks": blocks_of_view}, shared),
    }
)


def faults_of_view(given: Any, file_exists: Callable[[str], bool]) -> list[str]:
    """Everything wrong with a view's definition, in Slack's words; empty when it may be shown."""
    report = Report(file_exists=file_exists)
    definition(given, "/view", report)
    blocks = given.get("blocks") if isinstance(given, dict) else None
    if isinstance(blocks, list):
        check_ids(blocks, "/view/blocks", report)
        has_input = any(isinstance(b, dict) and b.get("type") == "input" for b in blocks)
        if given.get("type") == "modal" and has_input and not given.get("submit"):
            report.error("`submit` is required when an input block is within blocks array", "/view/submit")
    return report.messages


def checked_view(state: WorkspaceState, given: Any, wanted: str) -> Json:
    """The definition as Slack would keep it; raises `invalid_arguments` or `view_too_large`."""
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise SlackError(
                "invalid_arguments", ["[ERROR] must provide a valid JSON object [json-pointer:/view]"]
            ) from None
    faults = faults_of_view(given, state.file_exists)
    if not faults and given["type"] != wanted:
        faults = [f"[ERROR] must be of type {wanted} [json-pointer:/view/type]"]
    if faults:
        raise SlackError("invalid_arguments", faults)
    if len(json.dumps(given)) > VIEW_BYTES_MAX:
        raise SlackError("view_too_large")
    return {**given, "blocks": with_ids(given["blocks"])}


def check_external_id(state: WorkspaceState, given: Json, own: View | None = None) -> None:
    external_id = given.get("external_id")
    for view in state.views.values():
        if external_id and view is not own and view.is_open and view.definition.get("external_id") == external_id:
            raise SlackError("duplicate_external_id")


def push_view(state: WorkspaceState, user: str, given: Json) -> View:
    """Put a checked modal on the user's stack; raises `push_limit_reached` at the fourth."""
    stack = state.modals.setdefault(user, [])
    if len(stack) >= STACK_MAX:
        raise SlackError("push_limit_reached")
    check_external_id(state, given)
    view_id = state.new_id("V")
    view = View(
        id=view_id,
        type="modal",
        user=user,
        definition=given,
        hash=state.new_hash(),
        root_view_id=stack[0] if stack else view_id,
        previous_view_id=stack[-1] if stack else None,
    )
    state.views[view_id] = view
    stack.append(view_id)
    state.changed()
    return view


def open_view(state: WorkspaceState, user: str, given: Json) -> View:
    """Show a checked modal as the user's only one."""
    close_views(state, user)
    return push_view(state, user, given)


def replace_view(state: WorkspaceState, view: View, given: Json) -> View:
    """Show another definition in the same view; what was typed into blocks that stay is kept."""
    check_external_id(state, given, view)
    view.definition = given
    view.hash = state.new_hash()
    view.errors = {}
    kept = {b["block_id"] for b in given["blocks"]}
    values = view.state.get("values", {})
    view.state = {"values": {block: value for block, value in values.items() if block in kept}}
    state.changed()
    return view


def close_views(state: WorkspaceState, user: str, only: View | None = None) -> list[View]:
    """Take one view, or all, off the user's stack; answers those that closed."""
    stack = state.modals.get(user, [])
    closing = [only.id] if only is not None else list(stack)
    closed = []
    for view_id in closing:
        if view_id in stack:
            stack.remove(view_id)
            view = state.views[view_id]
            view.is_open = False
            closed.append(view)
    state.changed()
    return closed


def publish_home(state: WorkspaceState, user: str, given: Json) -> View:
    home = state.homes.get(user)
    if home is not None:
        return replace_view(state, home, given)
    view_id = state.new_id("V")
    home = View(view_id, "home", user, given, state.new_hash(), root_view_id=view_id)
    state.homes[user] = home
    state.views[view_id] = home
    state.changed()
    return home
