"""Every view and card with hostile and maximal inputs: Slack's checks, ours, the SDK's and @slack/types take them."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from bot.slack.charge.answer import Answer, Asked, refused, told
from bot.slack.listeners.forms import FORMS
from bot.slack.permissions import Role
from bot.slack.views.act_menu import act_menu
from bot.slack.views.form import CALLBACK, Form
from bot.slack.views.home import home_blocks
from bot.slack.views.named import Named, named_by
from bot.slack.views.showing import modal, of_answer, waiting
from notify.digests.tables import tables_of
from notify.render import render_digest, render_tables
from notify.text import blocks
from notify.text.card_buttons import Offered, card_buttons
from notify.text.limits import LOUD, check_view
from notify.text.ranges import as_ranges
from notify.text.standing import standing_of
from rules.alerts.snoozes import CHOICES
from rules.documents.reader import DIGESTS
from sandbox.slack.block_kit.blocks import faults_of_message
from sandbox.slack.workspace.views import faults_of_view
from storage.schema import ALERT
from tests.bot.house import FAULTED, House, open_house
from tests.bot.slack.test_hostile_names import HOSTILE, make_hostile
from tests.conftest import ROOT
from tests.notify.digests.maximal import maximal

Json = dict[str, Any]

MANY = as_ranges(range(1, 700, 2)) or ""
TSC = ROOT / ".node" / "node_modules" / ".bin" / "tsc"
NAMES = [name or "?" for name in HOSTILE]


@pytest.fixture
async def views(tmp_path: Path) -> AsyncIterator[list[Json]]:
    """Every view of a house in which each text of EOSVOLT's is hostile, and the messages as views of a kind of ours."""
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", chargers=120) as house:
        make_hostile(house)
        for connector in list(house.fleet.world.connectors)[:30]:
            house.break_connector(connector)
        await house.start(FAULTED, {**FAULTED, "name": "n" * 80, "for_each": "connector", "severity": "info"})
        await house.card_of_an_alert()
        found = await asyncio.to_thread(every_view, house)
        found += [{"type": "home", "blocks": one.all_blocks} for one in house.workspace.all_messages() if one.blocks]
        found += digests()
        yield found


def digests() -> list[Json]:
    """Each kind of digest at its longest, and its lists."""
    shown = []
    for kind in DIGESTS:
        for name in NAMES:
            facts = maximal(kind, name)
            shown += [
                render_digest(facts).blocks,
                *([render_tables(lists).blocks] if (lists := tables_of(facts)) else []),
            ]
    return [{"type": "home", "blocks": one} for one in shown]


def every_view(house: House) -> list[Json]:
    found = [waiting(), of_answer(refused(*NAMES[:1], mend="x", about=NAMES[3], reasons=NAMES, examples=NAMES))]
    found.append(of_answer(told("answer_act_menu", refusals=[], offered=0), channel="C" * 200, title="t" * 200))
    responder = house.running.responder
    _, asked = asyncio.run(asking(house))
    with responder.database.read() as connection:
        for form in FORMS.values():
            for given in givens(house):
                opened = form.opened(connection, asked, given)
                found.append(of_answer(opened) if isinstance(opened, Answer) else as_modal(form, opened, given))
        for role in Role:
            how: Json = {"now": asked.now, "interval": asked.interval, "zone": "Europe/Copenhagen"}
            found.append({"type": "home", "blocks": home_blocks(connection, user=NAMES[0], role=role, **how)})
        found.append(of_answer(act_menu(connection, ALERT.c.id > 0, asked.now, 20)))
        found.append(of_answer(act_menu(connection, ALERT.c.id < 0, asked.now, 20)))
    return found


async def asking(house: House) -> tuple[Any, Asked]:
    responder = house.running.responder
    return None, Asked((), "U0ADA00001", Role.ADMIN, responder.clock(), responder.interval)


def as_modal(form: Form, opened: Any, given: Json) -> Json:
    kept = {**given, "channel": "C0ALERTS01"}
    return modal(form.title, opened, submit=form.submit, callback_id=CALLBACK + form.name, metadata=kept)


def givens(house: House) -> list[Json]:
    """What forms are opened with: nothing, a card of two alerts, one of very many, hostile words."""
    places = [{"location": row.id} for row in house.fleet.world.locations][:3]
    return [
        {},
        *places,
        {"incident": 1, "alerts": "1-2"},
        {"incident": 1, "alerts": MANY},
        {"rule": NAMES[1], "what": NAMES[3]},
    ]


def cards() -> list[list[Json]]:
    """The rows of buttons of cards: of one alert, and of so many that no option could carry them."""
    choices = {choice.key: choice.label for choice in CHOICES}
    shown = []
    for named in ("1", MANY):
        about: dict[str, int | str] = {"incident": 10**9, "version": 10**6, "alerts": named}
        every = Offered("Acknowledge", snooze=choices, wake=True, acts=True, console="https://x.example/" + "y" * 400)
        different = (every, replace(every, acknowledge=None, undo=True, snooze=None), Offered())
        shown += [card_buttons(about, offered) for offered in different]
        shown.append(card_buttons({"roll_up": "f" * 32, "version": 1, "alerts": named}, every))
    return shown


async def test_every_view_passes_slack_s_checks_ours_and_the_sdk_s(views: list[Json]) -> None:
    assert len(views) > 40
    for view in views:
        assert faults_of_view(view, lambda _: True) == []
        assert check_view(view) == []
        for block in Block.parse_all(view["blocks"]):
            block.validate_json()
        View(**view).validate_json()
        assert not [word for word in LOUD if f"{word}>" in mrkdwn_of(view)]


def mrkdwn_of(value: Any) -> str:
    """Every text inside that Slack reads for calls."""
    if isinstance(value, dict):
        own = value["text"] if value.get("type") == "mrkdwn" else ""
        return own + "".join(mrkdwn_of(inner) for inner in value.values())
    return "".join(mrkdwn_of(inner) for inner in value) if isinstance(value, list) else ""


def test_a_row_of_buttons_shows_five_at_most_and_fits_for_any_number_of_alerts() -> None:
    for shown in cards():
        assert faults_of_message(shown, lambda _: True) == []
        (row,) = shown
        assert len([e for e in row["elements"] if e["type"] != "overflow"]) <= 5
        assert len(row["elements"][-1]["options"]) <= 5


def test_a_menu_s_choice_acts_on_all_that_the_card_named_though_it_has_no_room_for_them() -> None:
    shown = cards()[4]
    menu = next(e for e in shown[0]["elements"] if e["type"] == "static_select")
    assert "alerts" not in json.loads(menu["options"][0]["value"])
    named = named_by({"message": {"blocks": shown}}, menu["options"][0]["value"])
    assert named.value["alerts"] == MANY
    assert Named({"incident": 1}).value == {"incident": 1}


def test_what_breaks_a_limit_of_views_is_found() -> None:
    text = {"type": "plain_text", "text": "x"}
    wide: Json = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "t" * 25},
        "private_metadata": "m" * 3001,
        "blocks": [{"type": "divider"}] * 101 + [{"type": "header", "text": text, "block_id": "a"}] * 2,
    }
    told_ = check_view(wide)
    for part in ("title: 25", "private_metadata: 3001", "blocks: 103", 'block_id "a" is used 2 times'):
        assert any(part in problem for problem in told_), part
    field: Json = {
        "type": "input",
        "label": text,
        "element": {"type": "plain_text_input", "max_length": 10, "initial_value": "y" * 11},
    }
    assert check_view({"type": "modal", "title": text, "blocks": [field]}) == [
        "block 0: initial_value: 11 is more than 10",
        "a modal with fields has no submit",
    ]


async def test_the_types_of_slack_s_own_package_take_every_view(views: list[Json], tmp_path: Path) -> None:
    if not TSC.exists() or shutil.which("node") is None:
        pytest.skip("@slack/types is not installed: `make slack-types`")
    lines = ['import type { KnownBlock, MessageAttachment, View } from "@slack/types";']
    bar = blocks.bar(standing_of("critical", None, "firing"), NAMES[0], NAMES[:3])
    lines += [f"export const bar: MessageAttachment = {json.dumps(bar)};"]
    lines += [f"export const view{n}: View = {json.dumps(view)};" for n, view in enumerate(views)]
    lines += [f"export const row{n}: KnownBlock[] = {json.dumps(row)};" for n, row in enumerate(cards())]
    lines += ["// @ts-expect-error: a header takes no mrkdwn, so this shows that the types are asked"]
    lines += ['export const no: KnownBlock = {"type": "header", "text": {"type": "mrkdwn", "text": "x"}};']
    (tmp_path / "samples.ts").write_text("\n".join(lines))
    (tmp_path / "node_modules").symlink_to(TSC.parents[1])
    command = [
        str(TSC),
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--moduleResolution",
        "node10",
        "--module",
        "commonjs",
    ]
    running = await asyncio.create_subprocess_exec(
        *command, str(tmp_path / "samples.ts"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told_, _ = await asyncio.wait_for(running.communicate(), 120)
    assert told_.decode() == ""
