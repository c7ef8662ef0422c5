"""The Web API's files methods: the two-step upload, and what is known of a file.

A file exists for messages and `slack_file` only after its bytes came and `files.completeUploadExternal` was called.
"""

from typing import Any

from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace import posting
from sandbox.slack.workspace.arguments import Arguments
from sandbox.slack.workspace.model import Channel
from sandbox.slack.workspace.state import WorkspaceState

Json = dict[str, Any]


def get_upload_url(state: WorkspaceState, arguments: Arguments) -> Json:
    name = arguments.required("filename")
    length = arguments.number("length", 0)
    if length <= 0:
        raise SlackError("invalid_arguments", ["[ERROR] must be greater than 0 [json-pointer:/length]"])
    file = state.new_file(name, length, alt_text=arguments.text("alt_txt") or arguments.text("alt_text") or "")
    return {"upload_url": f"{state.base_url}/upload/v1/{file.id}", "file_id": file.id}


def channels_to_share(state: WorkspaceState, arguments: Arguments) -> list[Channel]:
    shared = []
    for name in [arguments.text("channel_id") or "", *arguments.words("channels")]:
        if not name:
            continue
        channel = state.channels.get(name)
        if channel is None:
            raise SlackError("channel_not_found")
        if channel.is_archived:
            raise SlackError("is_archived")
        if state.team.bot_user not in channel.members:
            raise SlackError("not_in_channel")
        shared.append(channel)
    return shared


def complete_upload(state: WorkspaceState, arguments: Arguments) -> Json:
    asked = arguments.json("files")
    if not isinstance(asked, list) or not asked:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: files"])
    shared = channels_to_share(state, arguments)
    files = []
    for one in asked:
        file = state.files.get(str(one.get("id")))
        if file is None or file.content is None:
            raise SlackError("file_not_found")
        file.title = one.get("title") or file.name
        file.is_complete = True
        file.channels += [c.id for c in shared if c.id not in file.channels]
        files.append(file)
    for channel in shared:
        posting.post(
            state,
            channel,
            state.team.bot_user,
            text=arguments.text("initial_comment") or "",
            thread_ts=posting.thread_root(channel, arguments.text("thread_ts")),
            files=[f.id for f in files],
        )
    state.changed()
    return {"files": [f.to_json(state.team, state.base_url) for f in files]}


def file_info(state: WorkspaceState, arguments: Arguments) -> Json:
    file = state.files.get(arguments.required("file", "file_not_found"))
    if file is None or not file.is_complete:
        raise SlackError("file_not_found")
    paging = {"count": 100, "total": 0, "page": 1, "pages": 0}
    return {"file": file.to_json(state.team, state.base_url), "comments": [], "paging": paging}


METHODS = {
    "files.getUploadURLExternal": get_upload_url,
    "files.completeUploadExternal": complete_upload,
    "files.info": file_info,
}
