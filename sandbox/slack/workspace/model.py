"""What a stand-in workspace holds: users, groups, channels, messages, views, files, each with its Slack JSON.

Plain records: they check nothing, send nothing and read no clock. The keys are those of the samples in
slackapi/java-slack-sdk's json-logs.
"""

import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

CALL = re.compile(r"<!(channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^([A-Z0-9]+)[^>]*>|<@([UW][A-Z0-9]+)[^>]*>")


@dataclass
class Team:
    """The workspace and the one app installed in it."""

    id: str = "T0SANDBOX1"
    name: str = "Sandbox Charging"
    domain: str = "sandbox-charging"
    app_id: str = "A0CHARGE01"
    bot_id: str = "B0CHARGE01"
    bot_user: str = "U0CHARGE01"
    bot_name: str = "chargehand"

    def bot_profile(self) -> Json:
        icons = {f"image_{size}": "" for size in (36, 48, 72)}
        return {
            "id": self.bot_id,
            "deleted": False,
            "name": self.bot_name,
            "updated": 0,
            "app_id": self.app_id,
            "icons": icons,
            "team_id": self.id,
        }


@dataclass
class User:
    id: str
    name: str
    real_name: str
    timezone: str = "Europe/Copenhagen"
    timezone_offset: int = 3600
    is_admin: bool = False
    is_bot: bool = False
    deleted: bool = False
    is_guest: bool = False
    is_single_channel_guest: bool = False
    home_team: str = ""
    """The id of another workspace; empty for our own."""
    email: str = ""
    color: str = "2c6e9b"

    def to_json(self, team: Team) -> Json:
        profile: Json = {
            "real_name": self.real_name,
            "real_name_normalized": self.real_name,
            "display_name": self.name,
            "display_name_normalized": self.name,
            "team": self.home_team or team.id,
            "title": "",
            "phone": "",
            "status_text": "",
            "status_emoji": "",
            "avatar_hash": "",
        }
        if self.is_bot:
            profile |= {"bot_id": team.bot_id, "api_app_id": team.app_id}
        else:
            profile["email"] = self.email
        return {
            "id": self.id,
            "team_id": self.home_team or team.id,
            "name": self.name,
            "deleted": self.deleted,
            "color": self.color,
            "real_name": self.real_name,
            "tz": self.timezone,
            "tz_label": self.timezone,
            "tz_offset": self.timezone_offset,
            "profile": profile,
            "is_admin": self.is_admin,
            "is_owner": self.is_admin,
            "is_primary_owner": False,
            "is_restricted": self.is_guest or self.is_single_channel_guest,
            "is_ultra_restricted": self.is_single_channel_guest,
            **({"is_stranger": True} if self.home_team else {}),  # Slack names it for strangers alone
            "is_bot": self.is_bot,
            "is_app_user": False,
            "updated": 0,
        }


@dataclass
class UserGroup:
    id: str
    handle: str
    name: str
    users: list[str]

    def to_json(self, team: Team, *, include_users: bool, include_count: bool) -> Json:
        answer: Json = {
            "id": self.id,
            "team_id": team.id,
            "is_usergroup": True,
            "is_subteam": True,
            "name": self.name,
            "description": "",
            "handle": self.handle,
            "is_external": False,
            "date_create": 0,
            "date_update": 0,
            "date_delete": 0,
            "prefs": {"channels": [], "groups": []},
        }
        if include_users:
            answer["users"] = list(self.users)
        if include_count:
            answer["user_count"] = len(self.users)
        return answer


@dataclass(frozen=True)
class Shortcut:
    """One entry of the app's manifest: in the menu of each message, or (`in_messages` False) in the search field."""

    callback_id: str
    name: str
    in_messages: bool = True


@dataclass
class Message:
    """One message; `ephemeral_to` names the only user who sees it, `deleted` marks one that is gone."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    thread_ts: str | None = None
    broadcast: bool = False
    metadata: Json | None = None
    edited_ts: str | None = None
    edited_by: str | None = None
    bot_id: str | None = None
    username: str | None = None
    client_msg_id: str | None = None
    ephemeral_to: str | None = None
    deleted: bool = False
    subtype: str | None = None
    unfurl_links: bool = True
    unfurl_media: bool = True
    files: list[str] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts

    @property
    def edited(self) -> bool:
        return self.edited_ts is not None

    @property
    def in_channel(self) -> bool:
        """Whether it stands in the channel itself, not in a thread alone."""
        return not self.is_reply or self.broadcast

    @property
    def all_blocks(self) -> list[Json]:
        """Its own blocks, then those of its attachments."""
        return [*self.blocks, *(block for one in self.attachments for block in one.get("blocks") or [])]

    def plain(self) -> str:
        """Every word that a reader could see, blocks included, for tests that look for one."""
        found = [self.text]

        def collect(value: Any) -> None:
            if isinstance(value, dict):
                found.extend(v for k, v in value.items() if k in {"text", "alt_text"} and isinstance(v, str))
                for inner in value.values():
                    collect(inner)
            elif isinstance(value, list):
                for inner in value:
                    collect(inner)

        collect(self.all_blocks)
        return "\n".join(found)

    def notified(self) -> list[str]:
        """Whom the message calls: `channel`, `here`, `everyone`, ids of user groups and users.

        Slack looks for calls in `text` and in mrkdwn objects; a plain_text object calls nobody.
        """
        found = CALL.findall(self.text)

        def collect(value: Any) -> None:
            if isinstance(value, dict):
                if value.get("type") == "mrkdwn":
                    found.extend(CALL.findall(value["text"]))
                for inner in value.values():
                    collect(inner)
            elif isinstance(value, list):
                for inner in value:
                    collect(inner)

        collect(self.all_blocks)
        return sorted({next(part for part in call if part) for call in found})


@dataclass
class Channel:
    id: str
    name: str
    members: list[str] = field(default_factory=list)
    created: int = 0
    creator: str = ""
    topic: str = ""
    purpose: str = ""
    is_archived: bool = False
    is_private: bool = False
    im_user: str | None = None
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Indexes beside the list, made anew when a saved channel is read.
        self._by_ts: dict[str, Message] = {}
        self._replies: dict[str, list[Message]] = {}
        for message in self.messages:
            self._index(message)

    @property
    def is_im(self) -> bool:
        return self.im_user is not None

    def add(self, message: Message) -> None:
        self.messages.append(message)
        self._index(message)

    def _index(self, message: Message) -> None:
        self._by_ts[message.ts] = message
        if message.is_reply:
            self._replies.setdefault(str(message.thread_ts), []).append(message)

    def find(self, ts: str) -> Message | None:
        found = self._by_ts.get(ts)
        return None if found is None or found.deleted else found

    def thread(self, ts: str) -> list[Message]:
        """The parent and its replies in order; empty where there is no such thread."""
        parent = self.find(ts)
        replies = [m for m in self._replies.get(ts, []) if not m.deleted]
        return [parent, *replies] if parent is not None else replies

    def to_json(self, team: Team, *, viewer: str, with_members: bool = True) -> Json:
        if self.is_im:
            return {
                "id": self.id,
                "created": self.created,
                "is_archived": self.is_archived,
                "is_im": True,
                "is_org_shared": False,
                "user": self.im_user,
            }
        answer: Json = {
            "id": self.id,
            "name": self.name,
            "is_channel": not self.is_private,
            "is_group": self.is_private,
            "is_im": False,
            "created": self.created,
            "is_archived": self.is_archived,
            "is_general": self.name == "general",
            "unlinked": 0,
            "name_normalized": self.name,
            "is_shared": False,
            "creator": self.creator,
            "is_ext_shared": False,
            "is_org_shared": False,
            "shared_team_ids": [team.id],
            "pending_shared": [],
            "pending_connected_team_ids": [],
            "is_pending_ext_shared": False,
            "is_member": viewer in self.members,
            "is_private": self.is_private,
            "is_mpim": False,
            "topic": {"value": self.topic, "creator": "", "last_set": 0},
            "purpose": {"value": self.purpose, "creator": "", "last_set": 0},
            "previous_names": [],
        }
        if with_members:
            answer["num_members"] = len(self.members)
        return answer


@dataclass
class View:
    """A modal or a Home tab; `errors` are what the last submission was refused for, by block id."""

    id: str
    type: str
    user: str
    definition: Json
    hash: str
    root_view_id: str
    previous_view_id: str | None = None
    state: Json = field(default_factory=lambda: {"values": {}})
    errors: dict[str, str] = field(default_factory=dict)
    is_open: bool = True

    @property
    def callback_id(self) -> str:
        return str(self.definition.get("callback_id", ""))

    @property
    def blocks(self) -> list[Json]:
        return list(self.definition["blocks"])

    def to_json(self, team: Team) -> Json:
        given = self.definition
        return {
            "id": self.id,
            "team_id": team.id,
            "type": self.type,
            "blocks": given["blocks"],
            "title": given.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
            "submit": given.get("submit"),
            "close": given.get("close"),
            "private_metadata": given.get("private_metadata", ""),
            "callback_id": given.get("callback_id", ""),
            "external_id": given.get("external_id", ""),
            "state": self.state,
            "hash": self.hash,
            "clear_on_close": given.get("clear_on_close", False),
            "notify_on_close": given.get("notify_on_close", False),
            "root_view_id": self.root_view_id,
            "previous_view_id": self.previous_view_id,
            "app_id": team.app_id,
            "app_installed_team_id": team.id,
            "bot_id": team.bot_id,
        }


@dataclass
class File:
    """An upload: announced by `files.getUploadURLExternal`, filled by its URL, shared when completed."""

    id: str
    name: str
    length: int
    created: int
    title: str = ""
    alt_text: str = ""
    mimetype: str = "application/octet-stream"
    content: bytes | None = None
    is_complete: bool = False
    channels: list[str] = field(default_factory=list)

    def to_json(self, team: Team, base_url: str) -> Json:
        suffix = self.name.rpartition(".")[2] if "." in self.name else ""
        private = f"{base_url}/files-pri/{team.id}-{self.id}/{self.name}"
        answer: Json = {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title,
            "mimetype": self.mimetype,
            "filetype": suffix,
            "pretty_type": suffix.upper(),
            "user": team.bot_user,
            "user_team": team.id,
            "editable": False,
            "size": self.length,
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": bool(self.channels),
            "public_url_shared": False,
            "display_as_bot": False,
            "username": "",
            "url_private": private,
            "url_private_download": private,
            "permalink": private,
            "channels": list(self.channels),
            "groups": [],
            "ims": [],
            "has_rich_preview": False,
            "file_access": "visible",
        }
        if self.alt_text:
            answer["alt_txt"] = self.alt_text
        return answer
