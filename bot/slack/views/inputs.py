"""The fields of a form, and what somebody typed into them: one function a kind of field, one reader for all of them.

What is too long for Slack is cut or left out here, so that a form is always taken. Nothing here knows what is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.models.blocks import (
    ChannelSelectElement,
    InputBlock,
    InputInteractiveElement,
    Option,
    OptionGroup,
    PlainTextInputElement,
    PlainTextObject,
    RadioButtonsElement,
    StaticSelectElement,
    UserSelectElement,
)

from notify.text.limits import OPTION_TEXT, OPTION_VALUE
from notify.text.message import Block
from notify.text.words import short

Json = dict[str, Any]

MOST_OPTIONS = 100
LONGEST_HINT = 150
LONGEST_INITIAL = 3_000
ONLY = "typed"
"""The action id of a form's fields: each stands in a block of its own, whose id tells it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One option: what it stands for, and what people read."""

    value: str
    label: str


def text_field(
    name: str,
    label: str,
    *,
    hint: str = "",
    placeholder: str = "",
    initial: str = "",
    longest: int = 200,
    optional: bool = False,
    multiline: bool = False,
) -> Block:
    """A field to type into."""
    element = PlainTextInputElement(
        action_id=ONLY,
        initial_value=initial[: min(longest, LONGEST_INITIAL)] or None,
        placeholder=_plain(placeholder, LONGEST_HINT) if placeholder else None,
        multiline=multiline,
        max_length=longest,
    )
    return _input(name, label, element, hint=hint, optional=optional)


def select_field(
    name: str,
    label: str,
    choices: Iterable[Choice],
    *,
    initial: str | None = None,
    hint: str = "",
    optional: bool = False,
    radio: bool = False,
) -> Block:
    """A field to choose one of these from, at least one; as buttons where `radio` (ten at most)."""
    options = options_of(choices)[: 10 if radio else MOST_OPTIONS]
    first = next((option for option in options if option.value == initial), None)
    kind = RadioButtonsElement if radio else StaticSelectElement
    element = kind(action_id=ONLY, options=options, initial_option=first)
    return _input(name, label, element, hint=hint, optional=optional)


def grouped_field(
    name: str, label: str, groups: Mapping[str, Sequence[Choice]], *, initial: str | None = None, hint: str = ""
) -> Block:
    """A field to choose one from groups of choices; empty groups are left out."""
    told = [OptionGroup(label=_plain(group, OPTION_TEXT), options=options_of(some)) for group, some in groups.items()]
    told = [group for group in told if group.options][:MOST_OPTIONS]
    first = next((one for group in told for one in group.options or () if one.value == initial), None)
    element = StaticSelectElement(action_id=ONLY, option_groups=told, initial_option=first)
    return _input(name, label, element, hint=hint, optional=False)


def person_field(name: str, label: str, *, initial: str | None = None, optional: bool = False, hint: str = "") -> Block:
    """A field to choose somebody of the workspace."""
    return _input(name, label, UserSelectElement(action_id=ONLY, initial_user=initial), optional=optional, hint=hint)


def channel_field(name: str, label: str, *, optional: bool = False, hint: str = "") -> Block:
    """A field to choose a public channel."""
    return _input(name, label, ChannelSelectElement(action_id=ONLY), optional=optional, hint=hint)


def options_of(choices: Iterable[Choice]) -> list[Option]:
    """The choices as options, without those whose value Slack would not take, each value once."""
    taken = {one.value: one for one in choices if 0 < len(one.value) <= OPTION_VALUE}
    return [Option(text=_plain(one.label, OPTION_TEXT), value=one.value) for one in taken.values()]


def _input(name: str, label: str, element: InputInteractiveElement, *, hint: str = "", optional: bool = False) -> Block:
    return InputBlock(
        block_id=name,
        label=_plain(label, 200),
        element=element,
        hint=_plain(hint, LONGEST_HINT) if hint else None,
        optional=optional,
    ).to_dict()


def _plain(text: str, limit: int) -> PlainTextObject:
    return PlainTextObject(text=short(text, limit) or "?", emoji=False)


class FieldErrors(Exception):  # noqa: N818 - it carries several
    """What is wrong with a form, by the name of the field at which it is shown."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in errors.items()))
        self.errors = {name: short(text, 1_500) or "?" for name, text in errors.items()}


class Typed:
    """What stands in the fields of a form that was sent, and what the form was given to keep."""

    def __init__(self, values: Json, kept: Json) -> None:
        self._values = values
        self.kept = kept

    def text(self, name: str) -> str:
        """What a field says, as given; empty where it says nothing or is not there."""
        told = self._values.get(name, {}).get(ONLY, {})
        for key in ("value", "selected_user", "selected_channel"):
            if told.get(key):
                return str(told[key]).strip()
        return str((told.get("selected_option") or {}).get("value") or "")
