"""Slack's limits on a message or a view, each checked and named; the numbers are those of Slack's Block Kit reference.

It finds what Slack would refuse or cut, also what slack_sdk.models does not look for: too many blocks, an id used
twice, too much text in all. It mends nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from notify.text.message import Attachment, SlackMessage

BLOCKS = 50
ATTACHMENTS = 20  # Slack refuses more than 100 and advises fewer than 20
MESSAGE_TEXT = 40_000
ALL_TEXT = 13_200  # undocumented: beyond it Slack answers msg_blocks_too_long
SECTION_TEXT = 3_000
HEADER_TEXT = 150
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
OPTION_VALUE = 150
OPTION_TEXT = 75
FIELDS = 10
FIELD_TEXT = 2_000
CONTEXT_ELEMENTS = 10
ACTION_ELEMENTS = 25
ID_LENGTH = 255
ADDRESS = 3_000
VIEW_BLOCKS = 100
VIEW_TITLE = 24
METADATA = 3_000
PLACEHOLDER = 150
OPTIONS = 100
LOUD = ("<!channel", "<!here", "<!everyone")


def check_message(message: SlackMessage) -> list[str]:
    """Everything about a message that Slack would refuse, cut or shout; empty where it is fine."""
    blocks = message.all_blocks
    problems = [
        *_longer("attachments", len(message.attachments), ATTACHMENTS),
        *_longer("blocks", len(blocks), BLOCKS),
        *_longer("text", len(message.text), MESSAGE_TEXT),
        *_longer("text over all blocks", sum(len(text) for _, text in _texts(blocks)), ALL_TEXT),
        *_repeated("block_id", (block["block_id"] for block in blocks if "block_id" in block)),
    ]
    if not message.text.strip():
        problems.append("text is empty")
    if message.reply_broadcast and message.thread_ts is None:
        problems.append("reply_broadcast without thread_ts")
    problems += [problem for one in message.attachments for problem in _check_attachment(one)]
    for number, block in enumerate(blocks):
        problems += [f"block {number}: {problem}" for problem in _check_block(block)]
    for kind, text in [("mrkdwn", message.text), *_texts(blocks)]:
        problems += [f"{word}> would page a channel" for word in LOUD if kind == "mrkdwn" and word in text]
    return problems


def _check_attachment(attachment: Attachment) -> Iterator[str]:
    """What Slack would hide of an attachment, or where its bar would stay grey."""
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", attachment.get("color", "")):
        yield f"color of an attachment: {attachment.get('color')!r} is no #rrggbb"
    if not attachment.get("fallback", "").strip():
        yield "an attachment has no fallback"
    if any(block["type"] in {"actions", "input"} or "accessory" in block for block in attachment.get("blocks", ())):
        yield "something to press stands in an attachment, which Slack may hide"


def check_view(view: Mapping[str, Any]) -> list[str]:
    """Everything about a modal or a Home tab that Slack would refuse or shout; empty where it is fine."""
    blocks: list[Mapping[str, Any]] = view["blocks"]
    problems = [
        *_longer("blocks", len(blocks), VIEW_BLOCKS),
        *_longer("title", len((view.get("title") or {}).get("text", "")), VIEW_TITLE),
        *_longer("submit", len((view.get("submit") or {}).get("text", "")), VIEW_TITLE),
        *_longer("private_metadata", len(view.get("private_metadata") or ""), METADATA),
        *_longer("callback_id", len(view.get("callback_id") or ""), ID_LENGTH),
        *_repeated("block_id", (block["block_id"] for block in blocks if "block_id" in block)),
    ]
    for number, block in enumerate(blocks):
        problems += [f"block {number}: {problem}" for problem in _check_block(block)]
    if view["type"] == "modal" and not view.get("submit") and any(block["type"] == "input" for block in blocks):
        problems.append("a modal with fields has no submit")
    problems += [
        f"{word}> would page a channel"
        for kind, text in _texts(blocks)
        for word in LOUD
        if kind == "mrkdwn" and word in text
    ]
    return problems


def _check_block(block: Mapping[str, Any]) -> Iterator[str]:
    yield from _longer("block_id", len(block.get("block_id", "")), ID_LENGTH)
    yield from (f"{kind} text is empty" for kind, text in _texts([block]) if not text.strip())
    match block["type"]:
        case "header":
            yield from _longer("header text", len(block["text"]["text"]), HEADER_TEXT)
        case "section":
            yield from _longer("section text", len(block.get("text", {}).get("text", "")), SECTION_TEXT)
            yield from _longer("fields", len(block.get("fields", ())), FIELDS)
            for field in block.get("fields", ()):
                yield from _longer("field text", len(field["text"]), FIELD_TEXT)
            yield from _check_elements([block["accessory"]] if "accessory" in block else [])
        case "context":
            yield from _longer("context elements", len(block["elements"]), CONTEXT_ELEMENTS)
            for element in block["elements"]:
                yield from _longer("context text", len(element.get("text", "")), FIELD_TEXT)
        case "actions":
            yield from _longer("action elements", len(block["elements"]), ACTION_ELEMENTS)
            yield from _check_elements(block["elements"])
        case "input":
            yield from _longer("label", len(block["label"]["text"]), FIELD_TEXT)
            yield from _longer("hint", len((block.get("hint") or {}).get("text", "")), FIELD_TEXT)
            yield from _check_elements([block["element"]])


def _check_elements(elements: list[Mapping[str, Any]]) -> Iterator[str]:
    yield from _repeated("action_id", (element["action_id"] for element in elements if "action_id" in element))
    for element in elements:
        yield from _longer("action_id", len(element.get("action_id", "")), ID_LENGTH)
        if element["type"] == "button":
            yield from _longer("button text", len(element["text"]["text"]), BUTTON_TEXT)
            yield from _longer("button value", len(element.get("value", "")), BUTTON_VALUE)
        most = element.get("max_length", SECTION_TEXT)
        yield from _longer("initial_value", len(element.get("initial_value") or ""), most)
        yield from _longer("placeholder", len((element.get("placeholder") or {}).get("text", "")), PLACEHOLDER)
        groups = [group["options"] for group in element.get("option_groups", ())]
        yield from _longer("options", max(map(len, [element.get("options", ()), *groups])), OPTIONS)
        for option in [*element.get("options", ()), *(option for group in groups for option in group)]:
            yield from _longer("option text", len(option["text"]["text"]), OPTION_TEXT)
            yield from _longer("option value", len(option["value"]), OPTION_VALUE)
            yield from _longer("option url", len(option.get("url") or ""), ADDRESS)


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text object inside, with its type."""
    if isinstance(value, Mapping):
        if value.get("type") in {"mrkdwn", "plain_text"}:
            yield value["type"], value["text"]
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _longer(what: str, length: int, limit: int) -> list[str]:
    return [f"{what}: {length} is more than {limit}"] if length > limit else []


def _repeated(what: str, ids: Iterable[str]) -> list[str]:
    return [f'{what} "{each}" is used {count} times' for each, count in Counter(ids).items() if count > 1]
