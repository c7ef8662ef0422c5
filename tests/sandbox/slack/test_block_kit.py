"""Blocks and views are refused for what Slack refuses them for, with the place and Slack's kind of words."""

from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from sandbox.slack.block_kit.blocks import faults_of_message, with_ids
from sandbox.slack.workspace.views import faults_of_view
from tests.sandbox.slack.app import CARD, MODAL

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def button(**more: Any) -> Json:
    return {"type": "button", "action_id": "go", "text": plain("Go"), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def section(text: str = "x", **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def options(count: int) -> list[Json]:
    return [{"text": plain(f"o{n}"), "value": f"v{n}"} for n in range(count)]


CONFIRM = {"title": plain("Sure?"), "text": plain("Really"), "confirm": plain("Yes"), "deny": plain("No")}

RIGHT = [
    section(),
    section("x" * 3000, block_id="b" * 255),
    {"type": "section", "fields": [plain("x" * 2000)] * 10},
    section(accessory={"type": "overflow", "action_id": "o", "options": options(5)}),
    section(accessory={"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"}),
    {"type": "divider"},
    {"type": "header", "text": plain("x" * 150)},
    actions(button(value="v" * 2000, style="danger", confirm=CONFIRM)),
    actions({"type": "static_select", "action_id": "s", "placeholder": plain("Choose"), "options": options(100)}),
    actions({"type": "datepicker", "action_id": "d", "initial_date": "2026-02-28"}),
    {"type": "context", "elements": [plain("x"), {"type": "mrkdwn", "text": "y"}]},
    {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a", "title": plain("t")},
    {
        "type": "input",
        "label": plain("l"),
        "element": {"type": "plain_text_input", "action_id": "i", "multiline": True, "max_length": 3000},
    },
    {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}]}]},
]


@pytest.mark.parametrize("block", RIGHT, ids=lambda b: str(b["type"]))
def test_a_right_block_is_taken_and_slack_sdk_takes_it_too(block: Json) -> None:
    assert faults_of_message([block], lambda _: False) == []
    parsed = Block.parse(block)
    assert parsed is not None
    parsed.validate_json()


WRONG = [
    ({"type": "sectoin"}, "unsupported type: sectoin", "/blocks/0/type"),
    ({"type": "section"}, "missing required field: text", "/blocks/0"),
    (section("x" * 3001), "must be less than 3001 characters", "/blocks/0/text/text"),
    (section(""), "must be more than 0 characters", "/blocks/0/text/text"),
    (section(colour="red"), "invalid additional property: colour", "/blocks/0"),
    (section(block_id="b" * 256), "must be less than 256 characters", "/blocks/0/block_id"),
    ({"type": "section", "fields": [plain("x")] * 11}, "no more than 10 items allowed", "/blocks/0/fields"),
    ({"type": "header", "text": plain("x" * 151)}, "must be less than 151 characters", "/blocks/0/text/text"),
    ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "unsupported type: mrkdwn", "/blocks/0/text/type"),
    (actions(), "no fewer than 1 items allowed", "/blocks/0/elements"),
    (actions(*[button(action_id=f"a{n}") for n in range(26)]), "no more than 25 items", "/blocks/0/elements"),
    (actions(button(), button()), "`action_id` 'go' already exists", "/blocks/0"),
    (actions(button(value="v" * 2001)), "must be less than 2001 characters", "/blocks/0/elements/0/value"),
    (actions(button(text=plain("x" * 76))), "must be less than 76 characters", "/blocks/0/elements/0/text/text"),
    (actions(button(style="green")), "must be a valid enum value", "/blocks/0/elements/0/style"),
    (actions(button(confirm={"title": plain("?")})), "missing required field: text", "/blocks/0/elements/0/confirm"),
    (actions({"type": "static_select", "action_id": "s"}), "exactly one of: options", "/blocks/0/elements/0"),
    (actions({"type": "static_select", "action_id": "s", "options": options(101)}), "no more than 100", "/options"),
    (
        actions(
            {"type": "static_select", "action_id": "s", "options": options(2), "initial_option": options(3)[2]},
        ),
        "initial option was not found",
        "/blocks/0/elements/0",
    ),
    (actions({"type": "overflow", "action_id": "o", "options": options(6)}), "no more than 5 items", "/options"),
    (actions({"type": "datepicker", "action_id": "d", "initial_date": "28/2"}), "required format", "/initial_date"),
    (actions({"type": "plain_text_input", "action_id": "i"}), "unsupported type: plain_text_input", "/type"),
    ({"type": "context", "elements": [button()]}, "unsupported type: button", "/blocks/0/elements/0/type"),
    ({"type": "context", "elements": [plain("x")] * 11}, "no more than 10 items", "/blocks/0/elements"),
    ({"type": "image", "image_url": "https://example.com/a.png"}, "missing required field: alt_text", "/blocks/0"),
    ({"type": "image", "alt_text": "a"}, "exactly one of: image_url, slack_file", "/blocks/0"),
    ({"type": "input", "label": plain("l"), "element": button()}, "unsupported type: button", "/element/type"),
]


@pytest.mark.parametrize(("block", "words", "pointer"), WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_a_wrong_block_is_refused_at_its_place(block: Json, words: str, pointer: str) -> None:
    faults = faults_of_message([block], lambda _: False)
    assert any(words in fault and f"{pointer}]" in fault for fault in faults), faults


def test_block_ids_are_unique_in_a_message_and_action_ids_in_a_block() -> None:
    twice = faults_of_message([section(block_id="same"), section(block_id="same")], lambda _: False)
    assert twice == ["[ERROR] `block_id` 'same' already exists [json-pointer:/blocks/1/block_id]"]
    assert faults_of_message([actions(button()), actions(button())], lambda _: False) == []


def test_every_fault_is_told_at_once() -> None:
    faults = faults_of_message([section(""), {"type": "header"}, {"type": "nothing"}], lambda _: False)
    assert len(faults) == 3


def test_the_number_of_blocks_is_limited() -> None:
    assert faults_of_message([{"type": "divider"}] * 50, lambda _: False) == []
    assert "no more than 50 items" in faults_of_message([{"type": "divider"}] * 51, lambda _: False)[0]
    home = {"type": "home", "blocks": [{"type": "divider"}] * 100}
    assert faults_of_view(home, lambda _: False) == []
    home["blocks"].append({"type": "divider"})  # type: ignore[attr-defined]  # a dict of mixed values
    assert "no more than 100 items" in faults_of_view(home, lambda _: False)[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": plain("x" * 25)}, "must be less than 25 characters"),
        ({"title": None}, "missing required field: title"),
        ({"submit": None}, "`submit` is required"),
        ({"private_metadata": "x" * 3001}, "must be less than 3001 characters"),
        ({"nonsense": 1}, "invalid additional property: nonsense"),
        ({"blocks": [{"type": "markdown", "text": "x"}]}, "unsupported type: markdown"),
    ],
)
def test_a_wrong_modal_is_refused(change: Json, words: str) -> None:
    faults = faults_of_view({**MODAL, **change}, lambda _: False)
    assert any(words in fault for fault in faults), faults


def test_a_right_modal_is_taken() -> None:
    assert faults_of_view(MODAL, lambda _: False) == []


def test_ids_that_slack_adds_keep_those_given_and_are_unique() -> None:
    filled = with_ids([*CARD, section(), section(block_id="b002")])
    ids = [b["block_id"] for b in filled]
    assert ids[1] == "card"
    assert len(set(ids)) == len(ids)
    assert filled[0]["text"]["verbatim"] is False
    assert "block_id" not in CARD[0]
