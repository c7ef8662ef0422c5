"""A message as it goes to Slack: plain data, ready for `chat.postMessage` or `chat.update`. It decides nothing."""

from dataclasses import dataclass, field
from typing import Any

Block = dict[str, Any]
Attachment = dict[str, Any]

EVENT_TYPE = "chargehand_message"


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """One rendered message. `text` is what notifications read; `metadata` names the outbox row and its version.

    `attachments` are a card's small print beside a bar in its colour; an edit without any takes away what stood.
    """

    channel: str
    text: str
    blocks: list[Block]
    metadata: dict[str, Any]
    thread_ts: str | None = None
    reply_broadcast: bool = False
    attachments: list[Attachment] = field(default_factory=list)

    @property
    def all_blocks(self) -> list[Block]:
        """Its own blocks, then those of its attachments."""
        return [*self.blocks, *(block for one in self.attachments for block in one.get("blocks", ()))]
