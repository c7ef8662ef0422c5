"""What the pictures show: each scene does something in the demo as Ada, and says what is to be seen of it.

They run in this order, in one demo. Nothing here takes a picture.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from bot.cli.demo import Demo
from bot.cli.demo_panel import DemoClock
from sandbox.slack import Message, View
from tests.pictures.camera import Shown

USER = "ada"
MODAL = "#modal"
HOME = "#home"


class Studio:
    """The demo and what the scenes share of it."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.workspace = demo.workspace
        self.workspace.rate_limited = False

    async def hasten(self, seconds: float) -> None:
        """Let the demo's time go by at once."""
        clock = self.demo.service.clock
        assert isinstance(clock, DemoClock)
        clock.ahead += timedelta(seconds=seconds)
        self.demo.service.ticker.wake("deliver")
        await asyncio.sleep(0)

    async def message(self, channel: str, *words: str) -> Message:
        """The first message of a channel that says all of this, waited for."""
        place = self.workspace.channel(channel)

        def found() -> Message | None:
            return next((m for m in place.messages if m.bot_id and all(w in m.plain() for w in words)), None)

        return await self.workspace.wait_for(found, 90)

    async def ask(self, words: str, channel: str = "#ev-ops") -> Message:
        """Type `/charge words`; the answer."""
        before = len(self.workspace.ephemerals(USER))
        await self.workspace.slash(USER, channel, "/charge", words)
        told = await self.workspace.wait_for(lambda: self.workspace.ephemerals(USER)[before:], 60)
        return told[0]

    async def modal(self, *words: str) -> View:
        """The modal on top once it says all of this."""

        def found() -> View | None:
            view = self.workspace.modal(USER)
            return view if view is not None and all(w in str(view.blocks) for w in words) else None

        return await self.workspace.wait_for(found, 60)

    async def press(self, target: Message | View, label: str, value: str | None = None) -> None:
        """Press the button with this label, or choose in the menu with this action id."""
        for block in target.blocks:
            within = [block["accessory"]] if "accessory" in block else []
            within = block["elements"] if block["type"] == "actions" else within
            for element in within:
                if element.get("text", {}).get("text") == label or element.get("action_id") == label:
                    chosen = value if value is not None else element.get("value")
                    await self.workspace.click(USER, target, element["action_id"], chosen, block_id=block["block_id"])
                    return
        raise LookupError(label)

    async def tidy(self) -> None:
        """Close every modal."""
        while self.workspace.modal(USER) is not None:
            await self.workspace.close_modal(USER)


def shows(name: str, message: Message, says: str) -> Shown:
    """A message in its channel."""
    return Shown(name, f"#{message.channel}", f"#messages [data-ts='{message.ts}']", says)


def in_modal(name: str, says: str) -> Shown:
    """The modal on top."""
    return Shown(name, "#C0ALERTS01", MODAL, says)


async def card(studio: Studio) -> Message:
    return await studio.message("#ev-alerts", f"`{studio.demo.faulted}`")


async def digest(studio: Studio) -> Shown:
    message = await studio.message("#ev-daily", "Sessions on")
    return shows("digest", message, "Sessions on")


async def firing(studio: Studio) -> Shown:
    await studio.hasten(31)
    other = await studio.message("#ev-alerts", "ConnectorLockFailure", "out of order for")
    return shows("card-firing", other, "Acknowledge")


async def safety(studio: Studio) -> Shown:
    message = await studio.message("#ev-alerts", f"`{studio.demo.faulted}`", "GroundFailure")
    return shows("card-safety", message, "GroundFailure")


async def snoozed(studio: Studio) -> Shown:
    message = await studio.message("#ev-alerts", "ConnectorLockFailure", "out of order for")
    (row,) = (block for block in message.blocks if block["type"] == "actions")
    menu = next(one for one in row["elements"] if one["action_id"] == "snooze_incident")
    await studio.press(
        message, "snooze_incident", next(one["value"] for one in menu["options"] if '"1h"' in one["value"])
    )
    await studio.workspace.wait_for(lambda: "Snoozed until" in message.plain(), 60)
    return shows("card-snoozed", message, "Snoozed until")


async def acknowledged(studio: Studio) -> Shown:
    message = await studio.message("#ev-alerts", "ConnectorLockFailure", "out of order for")
    await studio.press(message, "End snooze")
    await studio.workspace.wait_for(lambda: "Snoozed until" not in message.plain(), 60)
    await studio.press(message, "Acknowledge")
    await studio.workspace.wait_for(lambda: "Acknowledged by" in message.plain(), 60)
    return shows("card-acknowledged", message, "Undo acknowledge")


async def alerts(studio: Studio) -> Shown:
    return shows("alerts", await studio.ask("alerts"), "Open alerts")


async def why(studio: Studio) -> Shown:
    return shows("why", await studio.ask(f"why {studio.demo.faulted} connector-faulted"), "connector")


async def status(studio: Studio) -> Shown:
    return shows("status", await studio.ask("status"), "connectors")


async def help_(studio: Studio) -> Shown:
    return shows("help", await studio.ask("help"), "/charge")


async def preview(studio: Studio) -> Shown:
    return shows("preview", await studio.ask(f"start {studio.demo.free}"), "Confirm")


async def command(studio: Studio) -> Shown:
    answer = await studio.ask(f"start {studio.demo.free}")
    await studio.press(answer, "Confirm")
    return shows("command", await studio.message("#ev-ops", studio.demo.free), studio.demo.free)


async def silence(studio: Studio) -> Shown:
    await studio.press(await studio.message("#ev-alerts", "ConnectorLockFailure"), "Silence…")
    view = await studio.modal("For how long")
    await studio.workspace.submit(USER, view, {"other": "for ever", "reason": "Known"})
    return in_modal("modal-silence", "30m, 2h or 3d")


async def act(studio: Studio) -> Shown:
    await studio.press(await studio.message("#ev-alerts", "ConnectorLockFailure"), "Act…")
    await studio.modal("What can be done here")
    return in_modal("modal-act", "Reset")


async def assign(studio: Studio) -> Shown:
    message = await studio.message("#ev-alerts", "ConnectorLockFailure")
    await studio.press(message, "alert_menu", "Assign…")
    view = await studio.modal("Who looks after it")
    await studio.workspace.submit(USER, view, {})
    await studio.modal("looks after it now")
    await studio.tidy()
    await studio.press(message, "alert_menu", "Add a note…")
    await studio.modal("Note")
    return in_modal("modal-note", "Note")


async def price_form(studio: Studio) -> Shown:
    place = studio.demo.fleet.world.locations.ordered()[0].id
    await studio.press(await studio.ask(f"price {place}"), "Change…")
    await studio.modal("What is changed")
    return in_modal("modal-price-form", "What is changed")


async def price(studio: Studio) -> Shown:
    place = studio.demo.fleet.world.locations.ordered()[0].id
    await studio.press(await studio.ask(f"price {place}"), "Change…")
    view = await studio.modal("What is changed")
    await studio.workspace.submit(USER, view, {"amount": "4.50"})
    await studio.modal("A large change")
    return in_modal("modal-price", "A large change")


async def start(studio: Studio) -> Shown:
    await studio.press(await studio.ask("start"), "Choose one…")
    await studio.modal("A free connector")
    return in_modal("modal-start", "A free connector")


async def rule(studio: Studio) -> Shown:
    await studio.press(await studio.ask("rules"), "New rule…")
    view = await studio.modal("For each")
    await studio.workspace.submit(USER, view, {"name": "stuck", "value": "Fautled"})
    return in_modal("modal-rule", "Faulted")


async def rule_preview(studio: Studio) -> Shown:
    await studio.press(await studio.ask("rules"), "New rule…")
    view = await studio.modal("For each")
    typed: dict[str, Any] = {"name": "stuck", "value": "Preparing", "lasting": "20m", "severity": "warning"}
    await studio.workspace.submit(USER, view, typed)
    await studio.modal("Backtest of")
    return in_modal("modal-rule-preview", "Backtest of")


async def new_digest(studio: Studio) -> Shown:
    await studio.press(await studio.ask("digest"), "New digest…")
    await studio.modal("Over")
    return in_modal("modal-digest", "When")


async def home(studio: Studio) -> Shown:
    await studio.workspace.open_home(USER)
    await studio.workspace.wait_for(lambda: studio.workspace.home(USER), 60)
    return Shown("home", HOME, "#messages .home", "The fleet at a glance")


async def resolved(studio: Studio) -> Shown:
    message = await studio.message("#ev-alerts", "ConnectorLockFailure")
    broken = next(one for one in studio.demo.fleet.world.connectors if f"`{one}`" in message.plain())
    studio.demo.fleet.force_connector(broken, {"status": "Available", "errorCode": None}, studio.demo.service.clock())
    await studio.workspace.wait_for(lambda: "Resolved: " in message.plain(), 120)
    return shows("card-resolved", message, "Resolved")


async def roll_up(studio: Studio) -> Shown:
    world = studio.demo.fleet.world
    for connector in list(world.connectors):
        told = {"status": "Faulted", "errorCode": "PowerMeterFailure"}
        studio.demo.fleet.force_connector(connector, told, studio.demo.service.clock())
    message = await studio.message("#ev-alerts", "places")
    return shows("roll-up", message, "places")


SCENES: tuple[Callable[[Studio], Awaitable[Shown]], ...] = (
    digest,
    firing,
    safety,
    snoozed,
    acknowledged,
    alerts,
    why,
    status,
    preview,
    command,
    silence,
    act,
    assign,
    price_form,
    price,
    start,
    rule,
    rule_preview,
    new_digest,
    home,
    resolved,
    roll_up,
    help_,
)
