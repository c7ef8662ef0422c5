"""Every limit of Slack's that a message can break is found and named."""

from typing import Any

import pytest

from notify.text.limits import check_message
from notify.text.message import SlackMessage

BUTTON: dict[str, Any] = {"type": "button", "text": {"type": "plain_text", "text": "Go"}, "action_id": "go"}


def section(text: str = "hello", **values: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **values}


def buttons(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": [{**BUTTON, **change} for change in changes]}


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def problems(*blocks: dict[str, Any], text: str = "hello", **values: Any) -> list[str]:
    return check_message(SlackMessage("C1", text, list(blocks), {}, **values))


def test_a_message_at_every_limit_is_fine() -> None:
    ids = [{"action_id": f"{n:255}", "value": "v" * 2000, "text": plain("t" * 75)} for n in range(25)]
    header = {"type": "header", "text": plain("h" * 150), "block_id": "b" * 255}
    assert problems(header, section("s" * 3000), buttons(*ids), *([section()] * 47), text="t" * 40_000) == []


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ([section()] * 51, "blocks: 51 is more than 50"),
        ([section("s" * 3001)], "block 0: section text: 3001 is more than 3000"),
        ([section("s" * 2900)] * 5, "text over all blocks: 14500 is more than 13200"),
        ([section(block_id="a"), section(block_id="a")], 'block_id "a" is used 2 times'),
        ([section(block_id="b" * 256)], "block 0: block_id: 256 is more than 255"),
        ([section(" ")], "block 0: mrkdwn text is empty"),
        ([section("<!here|here>")], "<!here> would page a channel"),
        ([{"type": "header", "text": plain("h" * 151)}], "block 0: header text: 151 is more than 150"),
        ([buttons({}, {})], 'block 0: action_id "go" is used 2 times'),
        ([buttons({"action_id": "a" * 256})], "block 0: action_id: 256 is more than 255"),
        ([buttons({"value": "v" * 2001})], "block 0: button value: 2001 is more than 2000"),
        ([buttons({"text": plain("t" * 76)})], "block 0: button text: 76 is more than 75"),
        ([buttons(*({"action_id": str(n)} for n in range(26)))], "block 0: action elements: 26 is more than 25"),
        ([{"type": "section", "fields": [plain("f")] * 11}], "block 0: fields: 11 is more than 10"),
        ([{"type": "section", "fields": [plain("f" * 2001)]}], "block 0: field text: 2001 is more than 2000"),
        ([{"type": "context", "elements": [plain("c")] * 11}], "block 0: context elements: 11 is more than 10"),
    ],
)
def test_a_message_beyond_a_limit_is_told_which(blocks: list[dict[str, Any]], problem: str) -> None:
    assert problems(*blocks) == [problem]


def bar(**values: Any) -> dict[str, Any]:
    return {"color": "#D55E00", "fallback": "Firing", "blocks": [section("small")], **values}


@pytest.mark.parametrize(
    ("attachments", "problem"),
    [
        ([bar(color="red")], "color of an attachment: 'red' is no #rrggbb"),
        ([bar(fallback=" ")], "an attachment has no fallback"),
        ([bar(blocks=[buttons({})])], "something to press stands in an attachment, which Slack may hide"),
        ([bar(blocks=[section(accessory=BUTTON)])], "something to press stands in an attachment, which Slack may hide"),
        ([bar(blocks=[section("<!here>")])], "<!here> would page a channel"),
        ([bar(blocks=[section(block_id="a")]), bar(blocks=[section(block_id="a")])], 'block_id "a" is used 2 times'),
        ([bar(blocks=[section("s" * 2900)] * 5)], "text over all blocks: 14505 is more than 13200"),
        ([bar(blocks=[])] * 21, "attachments: 21 is more than 20"),
    ],
)
def test_what_is_attached_counts_to_the_message_and_has_nothing_to_press(
    attachments: list[dict[str, Any]], problem: str
) -> None:
    assert problems(section(), attachments=attachments) == [problem]


def test_the_text_beside_the_blocks_is_checked_too() -> None:
    assert problems(text="t" * 40_001) == ["text: 40001 is more than 40000"]
    assert problems(text=" ") == ["text is empty"]
    assert problems(text="<!channel>") == ["<!channel> would page a channel"]
    assert problems(reply_broadcast=True) == ["reply_broadcast without thread_ts"]
    assert problems(reply_broadcast=True, thread_ts="1.0") == []


def test_one_action_id_may_stand_in_two_blocks() -> None:
    assert problems(buttons({}), buttons({})) == []
