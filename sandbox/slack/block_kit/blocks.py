"""Block Kit as Slack checks it: block types, their keys and limits, where each element may stand, ids, total size.

It answers with every fault at once in Slack's words; it never mends a block, except that `with_ids` fills in what
Slack itself adds to blocks that it took.
"""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.slack.block_kit.elements import (
    CHOICES,
    INPUTS,
    MULTI_SELECTS,
    OVERFLOW,
    PICKERS,
    SELECTS,
    button,
    image,
    plain_text,
    text,
)
from sandbox.slack.block_kit.errors import SlackError
from sandbox.slack.block_kit.shapes import (
    Check,
    Report,
    also,
    anything,
    boolean,
    by_type,
    integer,
    items,
    shape,
    string,
)

Json = dict[str, Any]

MESSAGE_BLOCKS_MAX = 50
VIEW_BLOCKS_MAX = 100
# Undocumented: Slack refuses a message whose blocks hold more characters than about this (SLACK.md).
TOTAL_CHARACTERS_MAX = 13_200

BUTTON = {"button": button}
IMAGE_ELEMENT = {"image": image()}
WORDS = {"plain_text": text(3000), "mrkdwn": text(3000)}

rich_text_element = by_type(
    {
        "rich_text_section": shape({"type": anything, "elements": items(anything, 0, 1000)}),
        "rich_text_list": shape(
            {"type": anything, "style": anything, "elements": items(anything, 0, 1000)},
            {"indent": integer(0, 8), "offset": integer(0, 100_000), "border": integer(0, 1)},
        ),
        "rich_text_preformatted": shape(
            {"type": anything, "elements": items(anything, 0, 1000)}, {"border": integer(0, 1), "language": string(255)}
        ),
        "rich_text_quote": shape({"type": anything, "elements": items(anything, 0, 1000)}, {"border": integer(0, 1)}),
    }
)


def section_says_something(value: Any, pointer: str, report: Report) -> None:
    if value.get("text") is None and not value.get("fields"):
        report.error("missing required field: text", pointer)


def block(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return shape({"type": anything, **required}, {"block_id": string(255), **(optional or {})})


COMMON: dict[str, Check] = {
    "section": also(
        block(
            {},
            {
                "text": text(3000),
                "fields": items(text(2000), maximum=10),
                "accessory": by_type(
                    {**BUTTON, **IMAGE_ELEMENT, **SELECTS, **MULTI_SELECTS, **PICKERS, **CHOICES, **OVERFLOW}
                ),
                "expand": boolean,
            },
        ),
        section_says_something,
    ),
    "divider": block({}),
    "image": image({"type": anything, "block_id": string(255), "title": plain_text(2000)}),
    "actions": block({"elements": items(by_type({**BUTTON, **SELECTS, **PICKERS, **CHOICES, **OVERFLOW}), maximum=25)}),
    "context": block({"elements": items(by_type({**IMAGE_ELEMENT, **WORDS}), maximum=10)}),
    "input": block(
        {
            "label": plain_text(2000),
            "element": by_type({**INPUTS, **SELECTS, **MULTI_SELECTS, **PICKERS, **CHOICES}),
        },
        {"hint": plain_text(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "header": block({"text": plain_text(150)}),
    "rich_text": block({"elements": items(rich_text_element, 0, 1000)}),
    "video": block(
        {"alt_text": string(2000), "title": plain_text(200), "thumbnail_url": string(3000), "video_url": string(3000)},
        {
            "title_url": string(3000),
            "description": plain_text(200),
            "author_name": string(50),
            "provider_name": string(255),
            "provider_icon_url": string(3000),
        },
    ),
}
MESSAGE_ONLY: dict[str, Check] = {
    "markdown": block({"text": string(12_000)}),
    "table": block({"rows": items(items(anything, maximum=20))}, {"column_settings": items(anything, maximum=20)}),
}
message_block = by_type({**COMMON, **MESSAGE_ONLY})
view_block = by_type(COMMON)


def interactive(given: Json) -> Iterator[Json]:
    """Every element of a block that has, or may have, an action id."""
    candidates = [given.get("accessory"), given.get("element")]
    if given.get("type") == "actions" and isinstance(given.get("elements"), list):
        candidates += given["elements"]
    yield from (c for c in candidates if isinstance(c, dict) and c.get("type") != "image")


def check_ids(blocks: list[Any], pointer: str, report: Report) -> None:
    """Block ids are unique in the message or view, action ids within their block (docs.slack.dev, block elements)."""
    seen_blocks: set[str] = set()
    for index, one in enumerate(blocks):
        if not isinstance(one, dict):
            continue
        block_id = one.get("block_id")
        if isinstance(block_id, str):
            if block_id in seen_blocks:
                report.error(f"`block_id` {block_id!r} already exists", f"{pointer}/{index}/block_id")
            seen_blocks.add(block_id)
        seen_actions: set[str] = set()
        for inner in interactive(one):
            action_id = inner.get("action_id")
            if isinstance(action_id, str):
                if action_id in seen_actions:
                    report.error(f"`action_id` {action_id!r} already exists", f"{pointer}/{index}")
                seen_actions.add(action_id)


def faults_of_message(blocks: Any, file_exists: Callable[[str], bool]) -> list[str]:
    """Everything wrong with a message's blocks, in Slack's words; empty when they may be posted."""
    report = Report(file_exists=file_exists)
    items(message_block, 0, MESSAGE_BLOCKS_MAX)(blocks, "/blocks", report)
    if isinstance(blocks, list):
        check_ids(blocks, "/blocks", report)
    return report.messages


def characters(value: Any) -> int:
    """The characters of all texts in blocks, as far as Slack is known to count them."""
    if isinstance(value, dict):
        return sum(
            len(inner) if key in {"text", "alt_text"} and isinstance(inner, str) else characters(inner)
            for key, inner in value.items()
        )
    return sum(characters(inner) for inner in value) if isinstance(value, list) else 0


def message_blocks(given: Any, file_exists: Callable[[str], bool]) -> list[Json]:
    """The blocks of a message as Slack would keep them.

    Raises SlackError: `invalid_blocks_format`, `invalid_blocks` with one message a fault, `msg_blocks_too_long`.
    """
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            raise SlackError("invalid_blocks_format") from None
    if not isinstance(given, list):
        raise SlackError("invalid_blocks_format")
    faults = faults_of_message(given, file_exists)
    if faults:
        raise SlackError("invalid_blocks", faults, extra={"errors": faults})
    if characters(given) > TOTAL_CHARACTERS_MAX:
        raise SlackError("msg_blocks_too_long")
    return with_ids(given)


def with_ids(blocks: list[Json]) -> list[Json]:
    """A copy with what Slack adds: a block id, an action id, `emoji` and `verbatim` of texts."""
    filled = copy.deepcopy(blocks)
    taken = {b["block_id"] for b in filled if b.get("block_id")}

    def fill_texts(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") == "plain_text":
                value.setdefault("emoji", True)
            elif value.get("type") == "mrkdwn":
                value.setdefault("verbatim", False)
            for inner in value.values():
                fill_texts(inner)
        elif isinstance(value, list):
            for inner in value:
                fill_texts(inner)

    for index, one in enumerate(filled):
        if not one.get("block_id"):
            # Derived from the place, so an edit that keeps the layout keeps the ids (Slack draws random ones).
            number = index
            while (block_id := f"b{number:03d}") in taken:
                number += 1000
            one["block_id"] = block_id
            taken.add(block_id)
        for place, inner in enumerate(interactive(one)):
            inner.setdefault("action_id", f"a{place:02d}")
        fill_texts(one)
    return filled
