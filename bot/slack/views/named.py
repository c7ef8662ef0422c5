"""What a click on a card is about: the alerts that the card named when it was drawn, whatever carries them.

The options of a menu are too short for many alerts; then a button beside it has them. It reads what Slack sent and
makes a condition of it, and asks the database nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from notify.alert_cards.snoozes import Snoozable
from notify.text.card_buttons import NAMED

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """The alerts of a card or a roll-up, and how the log of acts names it."""

    value: Json

    @property
    def snoozable(self) -> Snoozable:
        """The same as what can be snoozed."""
        return Snoozable(
            incident=int(self.value["incident"]) if "incident" in self.value else None,
            named=self.value.get(NAMED),
            roll_up=str(self.value["roll_up"]) if "roll_up" in self.value else None,
        )

    def alerts(self) -> ColumnElement[bool]:
        """Which alerts are meant."""
        return self.snoozable.alerts()

    @property
    def about(self) -> Json:
        """What a form about these alerts keeps."""
        return {name: self.value[name] for name in ("incident", "roll_up", NAMED) if name in self.value}

    @property
    def subject(self) -> str:
        """What was acted on, for the log of acts."""
        return f"incident {self.value['incident']}" if "incident" in self.value else "roll-up"


def named_by(body: Json, value: str) -> Named:
    """What a click with this value is about, with the alerts of a button of the same message where it has none."""
    told: Json = json.loads(value)
    if NAMED in told:
        return Named(told)
    for other in _values(body):
        same = [other.get(name) == told.get(name) for name in ("incident", "roll_up")]
        if NAMED in other and all(same):
            return Named({**told, NAMED: other[NAMED]})
    return Named(told)


def _values(body: Json) -> Iterator[Json]:
    """The values of the buttons of the message where somebody clicked."""
    for block in (body.get("message") or {}).get("blocks") or ():
        for element in block.get("elements") or ():
            if isinstance(element, dict) and element.get("type") == "button" and element.get("value"):
                try:
                    told = json.loads(element["value"])
                except ValueError:
                    continue
                if isinstance(told, dict):
                    yield told
