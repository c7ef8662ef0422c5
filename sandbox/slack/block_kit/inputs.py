"""What people choose in menus, pickers and inputs, as Slack tells it to the app.

One table says under which key each element's choice is told; choices that an element does not offer are refused.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.slack.block_kit.blocks import interactive

Json = dict[str, Any]

# Element type: (key of the choice, key of its initial value).
CHOICE_KEYS: dict[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "checkboxes": ("selected_options", "initial_options"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
}
SEVERAL = {"selected_options", "selected_users", "selected_conversations", "selected_channels"}


def elements_of(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every interactive element with the block that it stands in."""
    for block in blocks:
        for element in interactive(block):
            yield block, element


def offered(element: Json) -> list[Json]:
    options = list(element.get("options") or [])
    for group in element.get("option_groups") or []:
        options += group["options"]
    return options


def option_named(element: Json, value: Any) -> Json:
    """The option with this value or these words; one of an external menu is taken as it is."""
    if isinstance(value, dict):
        return value
    options = offered(element)
    for option in options:
        if value in (option["value"], option["text"]["text"]):
            return option
    if element["type"].endswith("external_select"):
        return {"text": {"type": "plain_text", "text": str(value), "emoji": True}, "value": str(value)}
    raise LookupError(f"{value!r} is not offered; there are {[o['value'] for o in options]}")


def chosen(element: Json, value: Any) -> Json:
    """The choice `value` under its key; an option is named by its value or words, several by a list."""
    key = CHOICE_KEYS[element["type"]][0]
    if key == "value":
        return {key: None if value in (None, "") else str(value)}
    if key == "selected_option":
        return {key: None if value in (None, "") else option_named(element, value)}
    if key in SEVERAL:
        several = [value] if isinstance(value, (str, dict)) else list(value or [])
        return {key: [option_named(element, v) for v in several] if key == "selected_options" else several}
    return {key: None if value in (None, "") else value}


def initial(element: Json) -> Json:
    """What the element shows before anybody touches it."""
    key, initial_key = CHOICE_KEYS[element["type"]]
    return {key: element.get(initial_key, [] if key in SEVERAL else None)}


def values_of(blocks: list[Json], kept: Json | None = None) -> Json:
    """`state.values` of blocks: what was chosen before (`kept`), else the initial values."""
    values: Json = {}
    for block, element in elements_of(blocks):
        if element["type"] not in CHOICE_KEYS or element["type"] == "overflow":
            continue
        before = (kept or {}).get(block["block_id"], {}).get(element["action_id"])
        told = before or {"type": element["type"], **initial(element)}
        values.setdefault(block["block_id"], {})[element["action_id"]] = told
    return values


def missing(blocks: list[Json], values: Json) -> dict[str, str]:
    """What Slack itself refuses before it asks the app: empty required inputs, texts too short or too long."""
    errors = {}
    for block, element in elements_of(blocks):
        if block["type"] != "input":
            continue
        told = values[block["block_id"]][element["action_id"]]
        value = told.get(CHOICE_KEYS[element["type"]][0])
        if value in (None, "", []):
            if not block.get("optional"):
                errors[block["block_id"]] = "Please complete this required field."
        elif isinstance(value, str) and element["type"] == "plain_text_input":
            if len(value) < element.get("min_length", 0):
                errors[block["block_id"]] = f"Please enter at least {element['min_length']} characters."
            if len(value) > element.get("max_length", 3000):
                errors[block["block_id"]] = f"Please enter at most {element.get('max_length', 3000)} characters."
    return errors
