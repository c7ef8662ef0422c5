"""Block Kit from rendered words: headers, sections, context lines and buttons as the dicts that Slack reads.

The SDK's models build and check each block; nothing here knows an alert from a digest, and no text is cut here.
"""

import json
from collections.abc import Sequence

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from notify.actions import ActionId
from notify.limits import SECTION_TEXT
from notify.message import Block


def header(text: str) -> Block:
    """A header of plain text, where nothing is parsed: neither mentions nor emoji names."""
    return HeaderBlock(text=PlainTextObject(text=text, emoji=False), block_id="title").to_dict()


def sections(mrkdwn: str) -> list[Block]:
    """One section a paragraph, split further between lines where one would pass Slack's 3,000 characters."""
    pieces = [piece for paragraph in mrkdwn.split("\n\n") for piece in _pieces(paragraph.strip("\n"))]
    return [
        SectionBlock(text=MarkdownTextObject(text=piece), block_id=f"body_{number}").to_dict()
        for number, piece in enumerate(pieces)
    ]


def context(notes: Sequence[str], mrkdwn: str) -> list[Block]:
    """The small print: lines of plain text, then one of mrkdwn; no block at all where there is nothing to say."""
    elements = [
        *(PlainTextObject(text=note, emoji=False) for note in notes),
        *((MarkdownTextObject(text=mrkdwn),) if mrkdwn else ()),
    ]
    return [ContextBlock(elements=elements, block_id="context").to_dict()] if elements else []


def acknowledge_button(incident_id: int, version: int) -> Block:
    """The Acknowledge button of one version of an incident's card; its value is compact JSON."""
    button = ButtonElement(
        text=PlainTextObject(text="Acknowledge", emoji=False),
        action_id=ActionId.ACKNOWLEDGE_INCIDENT.value,
        value=json.dumps({"incident": incident_id, "version": version}, separators=(",", ":")),
    )
    return ActionsBlock(elements=[button], block_id="actions").to_dict()


def acknowledge_all_button(roll_up_id: str, version: int) -> Block:
    """The Acknowledge all button of one version of a roll-up; the same action as that of a card."""
    button = ButtonElement(
        text=PlainTextObject(text="Acknowledge all", emoji=False),
        action_id=ActionId.ACKNOWLEDGE_INCIDENT.value,
        value=json.dumps({"roll_up": roll_up_id, "version": version}, separators=(",", ":")),
    )
    return ActionsBlock(elements=[button], block_id="actions").to_dict()


def approval_buttons(command_id: str, version: int) -> Block:
    """The Approve and Refuse buttons of a command's card; each carries the command, which decides only once."""
    value = json.dumps({"command": command_id, "version": version}, separators=(",", ":"))
    labels = (("Approve", ActionId.APPROVE_COMMAND, "primary"), ("Refuse", ActionId.REFUSE_COMMAND, "danger"))
    buttons = [
        ButtonElement(text=PlainTextObject(text=label, emoji=False), action_id=action.value, value=value, style=style)
        for label, action, style in labels
    ]
    return ActionsBlock(elements=buttons, block_id="actions").to_dict()


def _pieces(paragraph: str) -> list[str]:
    pieces: list[str] = []
    for line in paragraph.split("\n"):
        if not line:
            continue
        if pieces and len(pieces[-1]) + 1 + len(line) <= SECTION_TEXT:
            pieces[-1] += "\n" + line
        else:
            pieces.append(line)
    return pieces
