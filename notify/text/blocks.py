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
    ImageBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)
from slack_sdk.models.blocks.basic_components import SlackFile

from notify.text.action_ids import ActionId
from notify.text.limits import SECTION_TEXT
from notify.text.message import Attachment, Block
from notify.text.standing import Standing
from notify.text.words import code_line, short

PREFORMATTED_TEXT = SECTION_TEXT - 10
ALT_TEXT = 1_900  # Slack takes 2,000
PREFORMATTED_PIECES = 3
"""Of 2,990 characters each: less than the 13,200 that all blocks may have."""


def header(text: str) -> Block:
    """A header of plain text, where nothing is parsed: neither mentions nor emoji names."""
    return HeaderBlock(text=PlainTextObject(text=text, emoji=False), block_id="title").to_dict()


def picture(file_id: str, alt: str) -> Block:
    """A picture that Slack has as a file, and the same facts in words for those who do not see it."""
    return ImageBlock(
        slack_file=SlackFile(id=file_id), alt_text=short(alt, ALT_TEXT) or "chart", block_id="picture"
    ).to_dict()


def sections(mrkdwn: str, name: str = "body") -> list[Block]:
    """One section a paragraph, split further between lines where one would pass Slack's 3,000 characters."""
    pieces = [piece for paragraph in mrkdwn.split("\n\n") for piece in _pieces(paragraph.strip("\n"))]
    return [
        SectionBlock(text=MarkdownTextObject(text=piece), block_id=f"{name}_{number}").to_dict()
        for number, piece in enumerate(pieces)
    ]


def preformatted(text: str) -> list[Block]:
    """A text from outside in code blocks that nothing inside can end, line by line; what is too long is left out."""
    pieces: list[list[str]] = [[]]
    room = PREFORMATTED_TEXT
    for line in text.rstrip().splitlines() if text.strip() else ():
        clean = code_line(line)
        if len(clean) + 1 > room:
            pieces.append([])
            room = PREFORMATTED_TEXT
        pieces[-1].append(clean)
        room -= len(clean) + 1
    shown = [piece for piece in pieces if piece]
    if len(shown) > PREFORMATTED_PIECES:
        shown = [*shown[:PREFORMATTED_PIECES], ["…"]]
    return [
        SectionBlock(text=MarkdownTextObject(text="```\n" + "\n".join(piece) + "\n```"), block_id=f"code_{n}").to_dict()
        for n, piece in enumerate(shown)
    ]


def context(notes: Sequence[str], mrkdwn: str) -> list[Block]:
    """The small print: lines of plain text, then one of mrkdwn; no block at all where there is nothing to say."""
    elements = [
        *(PlainTextObject(text=note, emoji=False) for note in notes),
        *((MarkdownTextObject(text=mrkdwn),) if mrkdwn else ()),
    ]
    return [ContextBlock(elements=elements, block_id="context").to_dict()] if elements else []


def bar(standing: Standing, mrkdwn: str, notes: Sequence[str]) -> Attachment:
    """The small print beside a bar in a colour: how it stands and who acted, then lines of plain text.

    Slack may hide what stands in an attachment, so nothing in it is to be pressed, or needed to understand the rest.
    """
    said = mrkdwn.startswith(standing.words.split()[0])  # "Acknowledged by", "Snoozed until"
    lines = mrkdwn if said else "\n".join(filter(None, (f"*{standing.words}*", mrkdwn)))
    small = context([], lines) + [{**block, "block_id": "notes"} for block in context(notes, "")]
    return {"color": standing.colour, "fallback": standing.words, "blocks": small}


def approval_buttons(command_id: str, kind: str, version: int) -> Block:
    """The Approve and Refuse buttons of a command's card; each carries the command, which decides only once."""
    value = json.dumps({"command": command_id, "kind": kind, "version": version}, separators=(",", ":"))
    labels = (("Approve", ActionId.APPROVE_COMMAND, "primary"), ("Refuse", ActionId.REFUSE_COMMAND, "danger"))
    buttons = [
        ButtonElement(text=PlainTextObject(text=label, emoji=False), action_id=action.value, value=value, style=style)
        for label, action, style in labels
    ]
    return ActionsBlock(elements=buttons, block_id="actions").to_dict()


def words_buttons(said: Sequence[tuple[str, str]]) -> Block:
    """A row of buttons, each by its label, that answer as if these words had been typed."""
    buttons = [
        ButtonElement(
            text=PlainTextObject(text=label, emoji=False),
            action_id=f"{ActionId.RUN_WORDS.value}_{number}",
            value=json.dumps({"words": words}, separators=(",", ":")),
        )
        for number, (label, words) in enumerate(said, 1)
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
