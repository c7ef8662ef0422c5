"""A message as it goes to Slack: plain data, ready for `chat.postMessage` or `chat.update`. It decides nothing."""

from dataclasses import dataclass
from typing import Any

Block = dict[str, Any]

EVENT_TYPE = "chargehand_message"


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """One rendered message. `text` is what notifications read; `metadata` names the outbox row and its version."""

    channel: str
    text: str
    blocks: list[Block]
    metadata: dict[str, Any]
    thread_ts: str | None = None
    reply_broadcast: bool = False
