"""What the page asks of the server: its files, the workspace as one person sees it, changes as they come, actions.

It answers only requests addressed to loopback by name, so that no web page elsewhere can act here.
"""

import json
import re
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.block_kit.inputs import values_of
from sandbox.slack.workspace import posting
from sandbox.slack.workspace.model import Channel, Message, User, View
from sandbox.slack.workspace.workspace import Outcome, SlackWorkspace

Json = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "page"
FILES = {
    "": "index.html",
    **{name: name for name in ("style.css", "app.js", "blocks.js", "elements.js", "mrkdwn.js", "modal.js", "panel.js")},
}
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
SECURITY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
MESSAGES_SHOWN = 300
KEEP_ALIVE_SECONDS = 15.0


class PageServer:
    """The routes of the page."""

    def __init__(self, workspace: SlackWorkspace) -> None:
        self.workspace = workspace

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/page/state", self._state)
        app.router.add_get("/page/changes", self._changes)
        app.router.add_post("/page/act", self._act)
        app.router.add_get("/page/files/{file}", self._file)
        app.router.add_get("/archives/{channel}/{message}", self._permalink)
        app.router.add_get("/{name:[a-z]*(?:\\.[a-z]+)?}", self._static)

    async def _static(self, request: web.Request) -> web.Response:
        check_loopback(request)
        name = FILES.get(request.match_info["name"])
        if name is None:
            raise web.HTTPNotFound(text="There is no such page.")
        path = FOLDER / name
        return web.Response(
            text=path.read_text(encoding="utf-8"), content_type=TYPES[path.suffix], charset="utf-8", headers=SECURITY
        )

    async def _state(self, request: web.Request) -> web.Response:
        check_loopback(request)
        try:
            user = self.workspace.user(request.query.get("user", ""))
        except KeyError:
            user = next(iter(self.workspace.users.values()))
        return web.json_response(seen_by(self.workspace, user), headers=SECURITY)

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: one line with the workspace's version after each change."""
        check_loopback(request)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream", **SECURITY})
        await stream.prepare(request)
        try:
            told = -1
            while True:
                if told != self.workspace.version:
                    told = self.workspace.version
                    await stream.write(f"data: {told}\n\n".encode())
                elif not await self.workspace.next_change(KEEP_ALIVE_SECONDS):
                    await stream.write(b": still here\n\n")
        except ConnectionError:
            return stream

    async def _act(self, request: web.Request) -> web.Response:
        check_loopback(request)
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="JSON is needed here.")
        asked = json.loads(await request.text())
        try:
            outcome = await act(self.workspace, asked)
        except (LookupError, SlackError) as refusal:
            outcome = Outcome(str(refusal))
        return web.json_response({"error": outcome.error}, headers=SECURITY)

    async def _file(self, request: web.Request) -> web.Response:
        check_loopback(request)
        file = self.workspace.files.get(request.match_info["file"])
        if file is None or not file.is_complete:
            raise web.HTTPNotFound(text="There is no such file.")
        shown = file.mimetype in {"image/png", "image/jpeg", "image/gif", "image/webp"}
        kind = file.mimetype if shown else "application/octet-stream"
        return web.Response(body=file.content, content_type=kind, headers=SECURITY)

    async def _permalink(self, request: web.Request) -> web.Response:
        check_loopback(request)
        digits = request.match_info["message"].lstrip("p")
        raise web.HTTPFound(f"/#{request.match_info['channel']}/{digits[:-6]}.{digits[-6:]}")


def check_loopback(request: web.Request) -> None:
    """Refuse a request whose Host is not loopback: another site's name may point here."""
    if request.host.rpartition(":")[0] not in LOOPBACK and request.host not in LOOPBACK:
        raise web.HTTPForbidden(text="This page is for this machine alone.")


async def act(workspace: SlackWorkspace, asked: Json) -> Outcome:
    """Do what a person did on the page; raises LookupError or SlackError when it cannot be done."""
    user, verb = asked["user"], asked["verb"]
    if verb == "slash":
        command, _, text = asked["text"].partition(" ")
        return await workspace.slash(user, asked["channel"], command, text.strip())
    if verb == "say":
        await workspace.say(user, asked["channel"], with_mentions(workspace, asked["text"]), asked.get("thread_ts"))
    elif verb == "click":
        if "values" in asked:
            # What is typed in a modal goes along with every click in it.
            workspace.type_into(workspace.views[asked["target"]], asked["values"])
        return await workspace.click(
            user, asked["target"], asked["action_id"], asked.get("value"), block_id=asked["block_id"]
        )
    elif verb == "submit":
        return await workspace.submit(user, asked["view"], asked["values"])
    elif verb == "close":
        return await workspace.close_modal(user)
    elif verb == "shortcut":
        return await workspace.shortcut(user, asked["name"], asked.get("ts"))
    elif verb == "home":
        await workspace.open_home(user)
    elif verb == "dismiss":
        for message in workspace.ephemerals(user):
            if message.ts == asked["ts"]:
                workspace.dismiss(message)
    else:
        raise LookupError(f"there is no {verb!r}")
    return Outcome()


def with_mentions(workspace: SlackWorkspace, text: str) -> str:
    """Typed text as Slack sends it: its three escapes, and `@name` and `#name` as mentions."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for user in sorted(workspace.users.values(), key=lambda u: -len(u.name)):
        text = re.sub(rf"@{re.escape(user.name)}(?![\w-])", f"<@{user.id}>", text, flags=re.IGNORECASE)
    for channel in workspace.channels.values():
        if channel.name:
            text = text.replace(f"#{channel.name}", f"<#{channel.id}>")
    return text


def seen_by(workspace: SlackWorkspace, user: User) -> Json:
    """Everything that the page shows to one person."""
    channels = [c for c in workspace.channels.values() if not c.is_im or c.im_user == user.id]
    modal, home = workspace.modal(user.id), workspace.home(user.id)
    return {
        "version": workspace.version,
        "team": workspace.team.name,
        "bot": workspace.team.bot_user,
        "connected": workspace.connected,
        "commands": list(workspace.commands),
        "shortcuts": [{"name": s.name, "in_messages": s.in_messages} for s in workspace.shortcuts],
        "user": user.id,
        "users": [
            {"id": u.id, "name": u.name, "real_name": u.real_name, "color": u.color, "is_bot": u.is_bot}
            for u in workspace.users.values()
        ],
        "groups": [{"id": g.id, "handle": g.handle} for g in workspace.groups.values()],
        "channels": [channel_json(workspace, c, user) for c in channels],
        "modal": view_json(modal),
        "home": view_json(home),
    }


def channel_json(workspace: SlackWorkspace, channel: Channel, user: User) -> Json:
    whispers = [m for m in workspace.ephemerals(user.id) if m.channel == channel.id]
    messages = sorted([*[m for m in channel.messages if not m.deleted], *whispers], key=lambda m: float(m.ts))
    return {
        "id": channel.id,
        "name": channel.name,
        "topic": channel.topic,
        "is_im": channel.is_im,
        "is_archived": channel.is_archived,
        "has_bot": workspace.team.bot_user in channel.members,
        "messages": [shown_message(workspace, m) for m in messages[-MESSAGES_SHOWN:]],
    }


def shown_message(workspace: SlackWorkspace, message: Message) -> Json:
    shown = posting.message_json(workspace, message)
    shown.pop("bot_profile", None)
    shown |= {
        "thread_ts": message.thread_ts,
        "broadcast": message.broadcast,
        "ephemeral": bool(message.ephemeral_to),
        "files": [
            {"id": f, "title": workspace.files[f].title, "mimetype": workspace.files[f].mimetype} for f in message.files
        ],
    }
    return shown


def view_json(view: View | None) -> Json | None:
    if view is None:
        return None
    given = view.definition
    return {
        "id": view.id,
        "hash": view.hash,
        "title": given.get("title"),
        "submit": given.get("submit"),
        "close": given.get("close"),
        "blocks": view.blocks,
        "errors": view.errors,
        "values": values_of(view.blocks, view.state.get("values")),
    }
