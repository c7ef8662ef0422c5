"""The row of buttons below an alert's card: five at most stand side by side, the rest is in a menu behind them.

Each button carries what its card named when it was drawn. Nothing here knows an alert or a person's rights: a card is
the same for everybody, and a click is judged when it comes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    InteractiveElement,
    Option,
    OverflowMenuElement,
    PlainTextObject,
    StaticSelectElement,
)

from notify.text.action_ids import ActionId
from notify.text.limits import OPTION_VALUE
from notify.text.message import Block

VISIBLE = 5
NAMED = "alerts"
"""The key of the alerts that a card named, which are too many for the value of an option: a button beside has them."""

CHART = "chart"
"""What the option of a menu asks for that draws a chart into the card's thread."""

About = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Offered:
    """What a card offers: `acknowledge` is that button's label, `snooze` the choices by key, `console` an address.

    What is None, or False, is not offered.
    """

    acknowledge: str | None = None
    undo: bool = False
    snooze: Mapping[str, str] | None = None
    wake: bool = False
    acts: bool = False
    console: str | None = None
    chart: bool = False


def card_buttons(about: About, offered: Offered) -> list[Block]:
    """The row, as a list of one block. `about` is compact JSON in each value, with the version."""
    shown: list[tuple[str, ActionId]] = []
    if offered.acknowledge is not None:
        shown.append((offered.acknowledge, ActionId.ACKNOWLEDGE_INCIDENT))
    if offered.undo:
        shown.append(("Undo acknowledge", ActionId.UNDO_ACKNOWLEDGE))
    elements: list[InteractiveElement] = [_button(label, action, about) for label, action in shown]
    if offered.snooze is not None:
        elements.append(_snooze(about, offered.snooze))
    rest = [("End snooze", ActionId.END_SNOOZE)] if offered.wake else []
    rest += [("Silence…", ActionId.SILENCE_ALERTS), ("Why?", ActionId.WHY_ALERTS)]
    rest += [("Act…", ActionId.ACT_ON_ALERTS)] if offered.acts else []
    room = VISIBLE - len(elements)
    elements += [_button(label, action, about) for label, action in rest[:room]]
    menu = [_option(label, action.value, about) for label, action in rest[room:]]
    menu += [_option("Assign…", "assign", about), _option("Add a note…", "note", about)]
    if offered.chart:
        menu.append(_option("Chart", CHART, about))
    if offered.console is not None:
        menu.append(_option("Open in EOSVOLT", "open", about, offered.console))
    elements.append(OverflowMenuElement(action_id=ActionId.ALERT_MENU.value, options=menu))
    return [ActionsBlock(elements=elements, block_id="actions").to_dict()]


def _button(label: str, action_id: ActionId, value: About) -> ButtonElement:
    text = PlainTextObject(text=label, emoji=False)
    return ButtonElement(text=text, action_id=action_id.value, value=_compact(value))


def _snooze(about: About, choices: Mapping[str, str]) -> StaticSelectElement:
    options = [
        Option(text=PlainTextObject(text=label, emoji=False), value=_within({**about, "for": key}))
        for key, label in choices.items()
    ]
    placeholder = PlainTextObject(text="Snooze", emoji=False)
    return StaticSelectElement(action_id=ActionId.SNOOZE_INCIDENT.value, options=options, placeholder=placeholder)


def _option(label: str, does: str, about: About, url: str | None = None) -> Option:
    text = PlainTextObject(text=label, emoji=False)
    return Option(text=text, value=_within({**about, "do": does}), url=url)


def _within(value: About) -> str:
    """The value of an option, without the alerts where they do not fit."""
    whole = _compact(value)
    return whole if len(whole) <= OPTION_VALUE else _compact({k: v for k, v in value.items() if k != NAMED})


def _compact(value: About) -> str:
    return json.dumps(dict(value), separators=(",", ":"))
