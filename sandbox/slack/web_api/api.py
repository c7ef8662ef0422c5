"""The Web API's one door: token, scopes and name of the method, then the method itself.

A call that is refused raises `SlackError`; every call is kept in `state.calls`. A method that the stand-in does not
know is refused as Slack refuses it.
"""

import secrets
from collections.abc import Callable
from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.web_api import chat, conversations, files, people, views
from sandbox.slack.workspace.arguments import Arguments
from sandbox.slack.workspace.state import Call, WorkspaceState

Json = dict[str, Any]
Method = Callable[[WorkspaceState, Arguments], Json]


def open_connection(state: WorkspaceState, _arguments: Arguments) -> Json:
    """A websocket address that may be used once."""
    ticket = secrets.token_hex(16)
    state.tickets.add(ticket)
    address = state.base_url.replace("http", "ws", 1)
    return {"url": f"{address}/link/?ticket={ticket}&app_id={state.team.app_id}"}


METHODS: dict[str, Method] = {
    "apps.connections.open": open_connection,
    **people.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **views.METHODS,
    **files.METHODS,
}

# The scopes of which one is needed; by the kind of channel where several are named (docs.slack.dev/reference/scopes).
SCOPES_NEEDED: dict[str, tuple[str, ...]] = {
    "chat.postMessage": ("chat:write",),
    "chat.update": ("chat:write",),
    "chat.postEphemeral": ("chat:write",),
    "chat.delete": ("chat:write",),
    "reactions.add": ("reactions:write",),
    "conversations.list": ("channels:read", "groups:read", "im:read"),
    "conversations.info": ("channels:read", "groups:read", "im:read"),
    "conversations.members": ("channels:read", "groups:read", "im:read"),
    "conversations.history": ("channels:history", "groups:history", "im:history"),
    "conversations.replies": ("channels:history", "groups:history", "im:history"),
    "conversations.open": ("im:write",),
    "conversations.join": ("channels:join",),
    "users.info": ("users:read",),
    "users.list": ("users:read",),
    "users.lookupByEmail": ("users:read.email",),
    "usergroups.list": ("usergroups:read",),
    "usergroups.users.list": ("usergroups:read",),
    "team.info": ("team:read",),
    "bots.info": ("users:read",),
    "files.getUploadURLExternal": ("files:write",),
    "files.completeUploadExternal": ("files:write",),
    "files.info": ("files:read",),
}


def check_token(state: WorkspaceState, method: str, token: str | None) -> None:
    if method not in METHODS:
        raise SlackError("unknown_method", extra={"req_method": method})
    if not token:
        raise SlackError("not_authed")
    if token not in (state.bot_token, state.app_token):
        raise SlackError("invalid_auth")
    if (token == state.app_token) != (method == "apps.connections.open"):
        raise SlackError("not_allowed_token_type")


def check_scopes(state: WorkspaceState, method: str, arguments: Arguments) -> None:
    needed = SCOPES_NEEDED.get(method, ())
    channel = state.channels.get(arguments.text("channel") or "")
    if channel is not None and len(needed) > 1:
        needed = (needed[2] if channel.is_im else needed[1] if channel.is_private else needed[0],)
    if needed and not set(needed) & set(state.scopes):
        raise SlackError("missing_scope", extra={"needed": needed[0], "provided": ",".join(state.scopes)})


def call_method(state: WorkspaceState, method: str, token: str | None, given: Json) -> Json:
    """Do what one call asks and answer its body, `{"ok": true, ...}`; raises SlackError."""
    kept = Call(method, {k: v for k, v in given.items() if k != "token"}, state.clock())
    try:
        check_token(state, method, token)
        arguments = Arguments(given)
        check_scopes(state, method, arguments)
        return {"ok": True, **METHODS[method](state, arguments)}
    except SlackError as refusal:
        kept.error = refusal.name
        raise
    finally:
        state.calls.append(kept)
        state.changed()
