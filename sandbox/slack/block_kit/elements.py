"""Block Kit's composition objects and elements: text, options, confirmations, buttons, menus, pickers, inputs.

Limits are those of docs.slack.dev/reference/block-kit; which element may stand in which block is in `blocks`.
"""

from typing import Any

from sandbox.slack.block_kit.shapes import (
    Check,
    Report,
    also,
    anything,
    boolean,
    by_type,
    exactly_one,
    integer,
    items,
    one_of,
    shape,
    string,
)

DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
TIME = r"([01]\d|2[0-3]):[0-5]\d"


def plain_text(maximum: int, minimum: int = 1) -> Check:
    return by_type(
        {"plain_text": shape({"type": anything, "text": string(maximum, minimum)}, {"emoji": boolean})},
    )


def text(maximum: int) -> Check:
    """A text object of either kind."""
    return by_type(
        {
            "plain_text": shape({"type": anything, "text": string(maximum)}, {"emoji": boolean}),
            "mrkdwn": shape({"type": anything, "text": string(maximum)}, {"verbatim": boolean}),
        }
    )


confirm = shape(
    {"title": plain_text(100), "text": text(300), "confirm": plain_text(30), "deny": plain_text(30)},
    {"style": one_of("primary", "danger")},
)


def option(words: Check, *, url: bool = False) -> Check:
    extra = {"url": string(3000)} if url else {}
    return shape({"text": words, "value": string(150)}, {"description": plain_text(75), **extra})


plain_option = option(plain_text(75))
rich_option = shape({"text": text(75), "value": string(150)}, {"description": text(75)})
option_group = shape({"label": plain_text(75), "options": items(plain_option)})
dispatch = shape({"trigger_actions_on": items(one_of("on_enter_pressed", "on_character_entered"))})


def initial_is_offered(value: Any, pointer: str, report: Report) -> None:
    """An initial option must be one of the options, key for key, as Slack asks."""
    offered = list(value.get("options") or [])
    for group in value.get("option_groups") or []:
        offered += (group.get("options") or []) if isinstance(group, dict) else []
    given = list(value.get("initial_options") or [])
    if value.get("initial_option") is not None:
        given.append(value["initial_option"])
    values = [o.get("value") for o in offered if isinstance(o, dict)]
    for one in given:
        if not isinstance(one, dict) or one.get("value") not in values:
            report.error("initial option was not found in the options", pointer)


def element(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    """An interactive element: the keys given, and those that all of them share."""
    shared = {"action_id": string(255), "confirm": confirm, "focus_on_load": boolean}
    return shape({"type": anything, **required}, {**shared, **(optional or {})})


placeholder = {"placeholder": plain_text(150)}
at_most = {"max_selected_items": integer(1, 1000)}
conversation_filter = shape(
    {},
    {
        "include": items(one_of("im", "mpim", "private", "public")),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)
conversation = {"default_to_current_conversation": boolean, "filter": conversation_filter}

slack_file = also(shape({}, {"id": string(255), "url": string(3000)}), exactly_one("id", "url"))


def shown_file_exists(value: Any, pointer: str, report: Report) -> None:
    shown = value.get("slack_file")
    if isinstance(shown, dict) and not report.file_exists(str(shown.get("id") or shown.get("url") or "")):
        report.error("invalid slack file", f"{pointer}/slack_file")


def image(extra: dict[str, Check] | None = None) -> Check:
    return also(
        shape(
            {"type": anything, "alt_text": string(2000)},
            {"image_url": string(3000), "slack_file": slack_file, **(extra or {})},
        ),
        exactly_one("image_url", "slack_file"),
        shown_file_exists,
    )


button = element(
    {"text": plain_text(75)},
    {
        "url": string(3000),
        "value": string(2000),
        "style": one_of("primary", "danger"),
        "accessibility_label": string(75),
    },
)
static_options = {"options": items(plain_option), "option_groups": items(option_group)}

SELECTS: dict[str, Check] = {
    "static_select": also(
        element({}, {**static_options, "initial_option": plain_option, **placeholder}),
        exactly_one("options", "option_groups"),
        initial_is_offered,
    ),
    "external_select": element(
        {}, {"initial_option": plain_option, "min_query_length": integer(0, 3000), **placeholder}
    ),
    "users_select": element({}, {"initial_user": string(255), **placeholder}),
    "conversations_select": element(
        {}, {"initial_conversation": string(255), "response_url_enabled": boolean, **conversation, **placeholder}
    ),
    "channels_select": element({}, {"initial_channel": string(255), "response_url_enabled": boolean, **placeholder}),
}
MULTI_SELECTS: dict[str, Check] = {
    "multi_static_select": also(
        element({}, {**static_options, "initial_options": items(plain_option), **at_most, **placeholder}),
        exactly_one("options", "option_groups"),
        initial_is_offered,
    ),
    "multi_external_select": element(
        {}, {"initial_options": items(plain_option), "min_query_length": integer(0, 3000), **at_most, **placeholder}
    ),
    "multi_users_select": element({}, {"initial_users": items(string(255)), **at_most, **placeholder}),
    "multi_conversations_select": element(
        {}, {"initial_conversations": items(string(255)), **conversation, **at_most, **placeholder}
    ),
    "multi_channels_select": element({}, {"initial_channels": items(string(255)), **at_most, **placeholder}),
}
PICKERS: dict[str, Check] = {
    "datepicker": element({}, {"initial_date": string(10, pattern=DATE), **placeholder}),
    "timepicker": element({}, {"initial_time": string(5, pattern=TIME), "timezone": string(255), **placeholder}),
    "datetimepicker": element({}, {"initial_date_time": integer(1_000_000_000, 9_999_999_999)}),
}
CHOICES: dict[str, Check] = {
    "checkboxes": also(
        element({"options": items(rich_option, maximum=10)}, {"initial_options": items(rich_option, maximum=10)}),
        initial_is_offered,
    ),
    "radio_buttons": also(
        element({"options": items(rich_option, maximum=10)}, {"initial_option": rich_option}), initial_is_offered
    ),
}
OVERFLOW: dict[str, Check] = {
    "overflow": element({"options": items(option(plain_text(75), url=True), maximum=5)}),
}
INPUTS: dict[str, Check] = {
    "plain_text_input": element(
        {},
        {
            "initial_value": string(3000, 0),
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
            "dispatch_action_config": dispatch,
            **placeholder,
        },
    ),
    "number_input": element(
        {"is_decimal_allowed": boolean},
        {
            "initial_value": string(255),
            "min_value": string(255),
            "max_value": string(255),
            "dispatch_action_config": dispatch,
            **placeholder,
        },
    ),
    "email_text_input": element({}, {"initial_value": string(3000), "dispatch_action_config": dispatch, **placeholder}),
    "url_text_input": element({}, {"initial_value": string(3000), "dispatch_action_config": dispatch, **placeholder}),
    "rich_text_input": element({}, {"initial_value": anything, "dispatch_action_config": dispatch, **placeholder}),
    "file_input": element({}, {"filetypes": items(string(255)), "max_files": integer(1, 10)}),
}
