"""A workspace written to a JSON file and read again, so that what people saw outlives the sandbox.

Open modals, trigger ids, response URLs and the app's connections are not kept: they end with the process.
"""

import base64
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.slack.workspace.clock import Clock
from sandbox.slack.workspace.model import Channel, File, Message, User, UserGroup, View
from sandbox.slack.workspace.workspace import SlackWorkspace

Json = dict[str, Any]

FORM = 1


def save(workspace: SlackWorkspace, path: Path) -> None:
    """Write the workspace, replacing the file whole."""
    kept: Json = {
        "form": FORM,
        "counter": workspace.counter,
        "users": [asdict(u) for u in workspace.users.values()],
        "groups": [asdict(g) for g in workspace.groups.values()],
        "channels": [asdict(c) for c in workspace.channels.values()],
        "whispers": [asdict(m) for m in workspace.whispers if not m.deleted],
        "homes": [asdict(v) for v in workspace.homes.values()],
        "files": [
            {**asdict(f), "content": base64.b64encode(f.content or b"").decode()}
            for f in workspace.files.values()
            if f.is_complete
        ],
    }
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(kept), encoding="utf-8")
    os.replace(part, path)


def load(path: Path, clock: Clock | None = None) -> SlackWorkspace:
    """The workspace that `save` wrote; raises ValueError for another form of file."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept.get("form") != FORM:
        raise ValueError(f"{path}: form {kept.get('form')!r} is not {FORM}; remove the file to begin anew")
    workspace = SlackWorkspace() if clock is None else SlackWorkspace(clock=clock)
    workspace.counter = kept["counter"]
    workspace.users = {u["id"]: User(**u) for u in kept["users"]}
    workspace.groups = {g["id"]: UserGroup(**g) for g in kept["groups"]}
    workspace.channels = {c["id"]: channel_of(c) for c in kept["channels"]}
    workspace.whispers = [Message(**m) for m in kept["whispers"]]
    workspace.homes = {v["user"]: View(**v) for v in kept["homes"]}
    workspace.views = {v.id: v for v in workspace.homes.values()}
    workspace.files = {f["id"]: file_of(f) for f in kept["files"]}
    return workspace


def channel_of(kept: Json) -> Channel:
    return Channel(**{**kept, "messages": [Message(**m) for m in kept["messages"]]})


def file_of(kept: Json) -> File:
    return File(**{**kept, "content": base64.b64decode(kept["content"])})
