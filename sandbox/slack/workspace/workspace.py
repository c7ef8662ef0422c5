"""The stand-in workspace as tests and `chargehand demo` use it: people type, click and submit; the app answers.

Each verb does what a person does in Slack and returns when Slack would show its result. What an app may do is in the
Web API's methods, not here.
"""

from dataclasses import dataclass
from typing import Any

from sandbox.slack.block_kit import inputs
from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.workspace import answers, fresh_workspace, payloads, posting, views
from sandbox.slack.workspace.app_link import Ack, AppLink, Delivery
from sandbox.slack.workspace.encoding import encoded
from sandbox.slack.workspace.model import Channel, Message, Shortcut, User, View
from sandbox.slack.workspace.state import SLACKBOT, WorkspaceState

Json = dict[str, Any]

ALL_EVENTS = frozenset(
    {
        "app_mention",
        "app_home_opened",
        "message",
        "member_joined_channel",
        "channel_archive",
        "channel_unarchive",
        "group_archive",
        "group_unarchive",
    }
)
SHOWN = {"text", "blocks"}


@dataclass(frozen=True)
class Outcome:
    """What a person sees of an action: no `error`, or the name that Slack shows; `body` is the app's own answer."""

    error: str | None = None
    body: Json | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass
class SlackWorkspace(WorkspaceState):
    """A workspace with one app; `subscriptions` and `shortcuts` are what the app's manifest asks for."""

    commands: tuple[str, ...] = ("/charge",)
    shortcuts: tuple[Shortcut, ...] = (Shortcut("silence_this", "Silence this"), Shortcut("why_this", "Why?"))
    subscriptions: frozenset[str] = frozenset({"app_mention", "app_home_opened", "message.im"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.users:
            fresh_workspace.fill(self)
        self.link = AppLink(self)

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything sent to the app, oldest first."""
        return self.link.deliveries

    @property
    def request_url(self) -> str | None:
        """Where HTTP mode's requests go; None means Socket Mode."""
        return self.link.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.link.request_url = url
        self.changed()

    @property
    def connected(self) -> bool:
        """Whether the app can be reached: a request URL, or an open websocket."""
        return bool(self.link.request_url or self.link.connections)

    async def slash(self, user: str, channel: str, command: str, text: str = "") -> Outcome:
        """Type a slash command; returns when it was acknowledged or shown as failed."""
        person, place = self.user(user), self._place(channel)
        if command not in self.commands:
            self._slackbot(place, person, f"`{command}` is not a valid command.")
            return Outcome("unknown_command")
        url, behind = payloads.new_response_url(self, "commands", person, place)
        payload = payloads.slash_command(
            self, person, place, command=command, text=encoded(self, text), response_url=url
        )
        ack = await self.link.deliver("slash_commands", payload)
        if ack.error is None and SHOWN & set(ack.body or {}):
            ack = self._shown(ack, lambda body: answers.answer(self, behind, body))
        if ack.error is not None:
            self._slackbot(place, person, f'{command} failed with the error "{ack.error}"')
        return Outcome(ack.error, ack.body)

    def _shown(self, ack: Ack, show: Any) -> Ack:
        try:
            show(ack.body or {})
        except SlackError as refusal:
            return Ack(str(refusal), body=ack.body)
        return ack

    def _slackbot(self, channel: Channel, person: User, text: str) -> None:
        posting.whisper(self, channel, SLACKBOT, person.id, text=text)

    def _place(self, name: str) -> Channel:
        """A channel by name or id; `@name` is that person's conversation with the bot."""
        return self.direct_channel(self.user(name).id) if name.startswith("@") else self.channel(name)

    async def click(
        self,
        user: str,
        target: Message | View | str,
        action_id: str,
        value: Any = None,
        *,
        block_id: str | None = None,
    ) -> Outcome:
        """Press a button, or choose `value` in a menu or picker, in a message or view.

        `target` may be a time stamp or a view id. Where several buttons share the action id, `value` or `block_id`
        tells which. A confirmation dialog counts as confirmed. Raises LookupError when there is no such element.
        """
        person = self.user(user)
        shown = self._target(target)
        block, element = self._element(shown, action_id, value, block_id)
        action = self._action(block, element, value)
        if isinstance(shown, View):
            if element["type"] in inputs.CHOICE_KEYS and element["type"] != "overflow":
                self.type_into(shown, {block["block_id"]: {action_id: value}})
            payload = payloads.view_action(self, person, shown, action)
        else:
            place = self.channels[shown.channel]
            url, _ = payloads.new_response_url(self, "actions", person, place, shown)
            kept: Json = {}
            if element["type"] not in ("button", "overflow"):
                kept = {block["block_id"]: {action_id: {"type": element["type"], **inputs.chosen(element, value)}}}
            values = inputs.values_of(shown.all_blocks, kept)
            payload = payloads.message_action(self, person, shown, action, values=values, response_url=url)
        ack = await self.link.deliver("interactive", payload)
        return Outcome(ack.error, ack.body)

    async def shortcut(self, user: str, name: str, message: Message | str | None = None) -> Outcome:
        """Choose a shortcut by its name: of a message that everybody sees, or without one where it is a global one."""
        person = self.user(user)
        found = [s for s in self.shortcuts if s.name == name and s.in_messages == (message is not None)]
        if not found:
            raise LookupError(f"there is no shortcut {name!r}; there are {[s.name for s in self.shortcuts]}")
        callback_id = found[0].callback_id
        if message is None:
            ack = await self.link.deliver(
                "interactive", payloads.global_shortcut(self, person, callback_id=callback_id)
            )
            return Outcome(ack.error, ack.body)
        shown = message if isinstance(message, Message) else self._message(message)
        if shown.ephemeral_to:
            raise LookupError("what only one person sees has no shortcuts")
        url, _ = payloads.new_response_url(self, "app", person, self.channels[shown.channel], shown)
        payload = payloads.message_shortcut(self, person, shown, callback_id=callback_id, response_url=url)
        ack = await self.link.deliver("interactive", payload)
        return Outcome(ack.error, ack.body)

    def _target(self, target: Message | View | str) -> Message | View:
        if not isinstance(target, str):
            return target
        return self.views[target] if target in self.views else self._message(target)

    def _message(self, ts: str) -> Message:
        for message in [*self.all_messages(), *self.whispers]:
            if message.ts == ts:
                return message
        raise LookupError(f"there is no message or view {ts!r}")

    def _element(self, shown: Message | View, action_id: str, value: Any, block_id: str | None) -> tuple[Json, Json]:
        blocks = shown.all_blocks if isinstance(shown, Message) else shown.blocks
        everything = list(inputs.elements_of(blocks))
        found = [
            (block, element)
            for block, element in everything
            if element["action_id"] == action_id and block_id in (None, block["block_id"])
        ]
        buttons = [pair for pair in found if pair[1]["type"] == "button" and pair[1].get("value") == value]
        if value is not None and buttons:
            found = buttons
        if not found:
            raise LookupError(f"there is no {action_id!r}; there are {[e['action_id'] for _, e in everything]}")
        return found[0]

    def _action(self, block: Json, element: Json, value: Any) -> Json:
        action: Json = {
            "type": element["type"],
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "action_ts": self.new_ts(),
        }
        if element["type"] == "button":
            told: Json = {key: element[key] for key in ("text", "value", "style") if key in element}
        else:
            told = inputs.chosen(element, value)
        return {**action, **told}

    def type_into(self, view: View, values: Json) -> None:
        """Fill in a view by block id or action id, without sending anything."""
        told = inputs.values_of(view.blocks, view.state.get("values"))
        for block, element in inputs.elements_of(view.blocks):
            block_id, action_id = block["block_id"], element["action_id"]
            given = values.get(block_id, values.get(action_id, ...))
            if isinstance(given, dict) and action_id in given:
                given = given[action_id]
            if given is not ... and block_id in told and action_id in told[block_id]:
                told[block_id][action_id] = {"type": element["type"], **inputs.chosen(element, given)}
        view.state = {"values": told}
        self.changed()

    async def submit(self, user: str, view: View | str | None = None, values: Json | None = None) -> Outcome:
        """Fill in a modal (by default the one on top) and press its submit button.

        `values` go by block id or action id. What Slack itself finds missing is `missing_fields`, in `view.errors`,
        and the app is not asked; the app's own errors are there too.
        """
        person = self.user(user)
        shown = self.modal(user) if view is None else self.views[view] if isinstance(view, str) else view
        if shown is None or not shown.is_open:
            raise LookupError(f"{person.name} has no open modal")
        self.type_into(shown, values or {})
        shown.errors = inputs.missing(shown.blocks, shown.state["values"])
        if shown.errors:
            return Outcome("missing_fields")
        ack = await self.link.deliver("interactive", payloads.view_submission(self, person, shown))
        if ack.error is None:
            ack = self._shown(ack, lambda body: answers.answer_submission(self, shown, body))
        return Outcome(ack.error, ack.body)

    async def close_modal(self, user: str) -> Outcome:
        """Press the cross or the close button of the modal on top."""
        person, shown = self.user(user), self.modal(user)
        if shown is None:
            raise LookupError(f"{person.name} has no open modal")
        clears = bool(shown.definition.get("clear_on_close"))
        closed = views.close_views(self, person.id, None if clears else shown)
        told = [v for v in closed if v.definition.get("notify_on_close")]
        for view in told:
            payload = payloads.view_closed(self, person, view, is_cleared=clears)
            ack = await self.link.deliver("interactive", payload)
            if ack.error is not None:
                return Outcome(ack.error)
        return Outcome()

    async def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Write a message; the app is told by the events that it subscribed to, in the background."""
        person, place = self.user(user), self._place(channel)
        if person.id not in place.members:
            await self.join(user, place.id)
        message = posting.post(
            self,
            place,
            person.id,
            text=text,
            thread_ts=posting.thread_root(place, thread_ts),
            client_msg_id=self.new_id("m"),
        )
        if f"<@{self.team.bot_user}>" in text and self.team.bot_user in place.members:
            self._tell(payloads.mention_event(self, message))
        if self.team.bot_user in place.members:
            self._tell(payloads.message_event(self, message))
        return message

    async def mention(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Write a message that begins with the bot's mention."""
        return await self.say(user, channel, f"<@{self.team.bot_user}> {text}", thread_ts)

    async def open_home(self, user: str, tab: str = "home") -> None:
        """Open the app's Home tab (or its `messages` tab); the app is told in the background."""
        self._tell(payloads.home_opened_event(self, self.user(user), tab))
        self.changed()

    async def join(self, user: str, channel: str, inviter: str | None = None) -> None:
        """Make a person, or the bot, a member of a channel."""
        person, place = self.user(user), self.channel(channel)
        if person.id not in place.members:
            place.members.append(person.id)
            by = self.user(inviter).id if inviter else None
            self._tell(payloads.joined_event(self, person, place, by))
            self.changed()

    def remove(self, user: str, channel: str) -> None:
        """Take a person, or the bot, out of a channel."""
        self.channel(channel).members.remove(self.user(user).id)
        self.changed()

    def remove_bot(self, channel: str) -> None:
        self.remove(self.team.bot_user, channel)

    def archive(self, channel: str, by: str = "ada") -> None:
        """Archive a channel; the app may hear `channel_archive`, of a private one `group_archive`."""
        self._archive(channel, by, archived=True)

    def unarchive(self, channel: str, by: str = "ada") -> None:
        """Take a channel out of the archive; the app may hear `channel_unarchive` or `group_unarchive`."""
        self._archive(channel, by, archived=False)

    def _archive(self, channel: str, by: str, *, archived: bool) -> None:
        place = self.channel(channel)
        place.is_archived = archived
        if self.team.bot_user in place.members:
            self._tell(payloads.archived_event(self, self.user(by), place))
        self.changed()

    def delete_message(self, target: Message | str) -> None:
        """Delete a message as a person may, without asking the app."""
        posting.delete(self, target if isinstance(target, Message) else self._message(target))

    def dismiss(self, message: Message) -> None:
        """Take away something that only one person sees."""
        message.deleted = True
        self.changed()

    def _tell(self, event: Json) -> None:
        names = {event["type"], f"{event['type']}.{event.get('channel_type', '')}"}
        if names & self.subscriptions:
            self.link.deliver_event(payloads.event_callback(self, event))
