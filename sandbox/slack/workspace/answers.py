"""What an app answers to people: immediate answers to commands, response URLs, answers to a submitted view.

A response URL works 5 times within 30 minutes of the stand-in's clock; a broken answer raises `SlackError`.
"""

from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace import posting, views
from sandbox.slack.workspace.arguments import Arguments
from sandbox.slack.workspace.model import View
from sandbox.slack.workspace.state import ResponseUrl, WorkspaceState

Json = dict[str, Any]

USES_MAX = 5
LIFETIME = 30 * 60.0


def use_response_url(state: WorkspaceState, path: str, body: Json) -> None:
    """One answer through a response URL; raises `expired_url`, `used_url` or what is wrong with the answer."""
    behind = state.response_urls.get(path)
    if behind is None or state.clock() - behind.issued_at > LIFETIME:
        raise SlackError("expired_url")
    if behind.uses >= USES_MAX:
        raise SlackError("used_url")
    answer(state, behind, body)
    behind.uses += 1


def answer(state: WorkspaceState, behind: ResponseUrl, body: Json) -> None:
    """Whisper to the person, speak in the channel, or replace or delete the message that was clicked.

    Without `response_type` an answer is seen by the person alone; without `replace_original` it is a new message.
    """
    source = behind.source
    if body.get("delete_original") in (True, "true"):
        if source is None:
            raise SlackError("message_not_found")
        posting.delete(state, source)
        return
    content = posting.content_of(state, Arguments(body))
    if body.get("replace_original") in (True, "true") and source is not None:
        if source.deleted:
            raise SlackError("message_not_found")
        posting.edit(state, source, content)
        return
    channel = state.channels[behind.channel]
    bot = {"bot_id": state.team.bot_id}
    root = posting.thread_root(channel, body.get("thread_ts"))
    if body.get("response_type") == "in_channel":
        posting.post(state, channel, state.team.bot_user, thread_ts=root, **content)
    elif body.get("response_type", "ephemeral") == "ephemeral":
        content.pop("metadata", None)
        posting.whisper(state, channel, state.team.bot_user, behind.user, thread_ts=root, **bot, **content)
    else:
        raise SlackError("invalid_response_type")


def answer_submission(state: WorkspaceState, view: View, body: Json) -> None:
    """Do what the acknowledgement of a submission says: close, show errors, update, push or clear.

    Raises SlackError where Slack would tell the person that it had trouble.
    """
    action = body.get("response_action")
    if action is None:
        views.close_views(state, view.user, view)
    elif action == "clear":
        views.close_views(state, view.user)
    elif action == "errors":
        errors = body.get("errors") or {}
        inputs = {b["block_id"] for b in view.blocks if b["type"] == "input"}
        if not errors or not set(errors) <= inputs:
            raise SlackError("invalid_arguments", [f"errors name {sorted(errors)}, inputs are {sorted(inputs)}"])
        view.errors = dict(errors)
        state.changed()
    elif action in ("update", "push"):
        given = views.checked_view(state, body.get("view"), "modal")
        if action == "update":
            views.replace_view(state, view, given)
        else:
            views.push_view(state, view.user, given)
    else:
        raise SlackError("invalid_arguments", [f"unknown response_action {action!r}"])
