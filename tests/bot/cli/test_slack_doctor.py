"""The manifest asks for what is used and for no less; the doctor names each thing that is wrong with its mend."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.cli.doctor import Finding
from bot.cli.slack_doctor import examine_slack
from bot.slack.manifest import EVENTS, SCOPES, manifest
from notify.subscriptions import Subscription, subscribe
from rules.documents.document import rule_from_document
from rules.registry.authoring import create_rule
from rules.registry.store import FROM_SLACK
from sandbox.slack.web_api.api import SCOPES_NEEDED
from sandbox.slack.workspace.model import User, UserGroup
from storage.grants import Grant, give_role
from tests.bot.house import FAULTED, House

RULES = """
- name: faulted
  for_each: connector
  when: connector.status == "Faulted"
  for: 30m
  severity: warning
  notify: ["#ev-alerts", "#ev-ops"]
"""


async def findings(house: House, rules: Path, text: str = RULES, **changes: Any) -> dict[str, Finding]:
    await asyncio.to_thread(rules.write_text, text)
    found = await examine_slack(house.settings(chargehand_rules=(str(rules),), **changes))
    return {finding.name: finding for finding in found}


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


async def test_all_is_well_with_the_stand_in(closed_house: House, rules: Path) -> None:
    found = await findings(closed_house, rules)
    assert list(found) == ["Slack token", "clock", "Slack scopes", "who may act", "Slack channels", "Slack door"]
    assert not [finding for finding in found.values() if finding.failed]
    assert found["Slack token"].told == "chargehand in Sandbox Charging"
    assert found["Slack door"].told == "Socket Mode opens"


async def test_http_mode_needs_no_socket(closed_house: House, rules: Path) -> None:
    closed_house.http = True
    assert "HTTP mode" in (await findings(closed_house, rules))["Slack door"].told


async def test_each_failure_says_its_mend(closed_house: House, rules: Path) -> None:
    house = closed_house
    assert "SLACK_BOT_TOKEN is missing" in (await findings(house, rules, slack_bot_token=None))["Slack token"].mend

    refused = (await findings(house, rules, slack_bot_token="xoxb-wrong"))["Slack token"]
    assert refused.failed
    assert "invalid_auth" in refused.told
    assert "OAuth & Permissions" in refused.mend

    house.workspace.scopes = tuple(scope for scope in house.workspace.scopes if scope != "usergroups:read")
    scopes = (await findings(house, rules))["Slack scopes"]
    assert scopes.failed
    assert scopes.told == "missing: usergroups:read (for roles given to user groups, and to mention them)"
    assert "chargehand manifest" in scopes.mend

    house.workspace.remove_bot("#ev-ops")
    house.workspace.archive("#ev-alerts")
    channels = (await findings(house, rules, RULES + RULES.replace("faulted", "more").replace("ev-ops", "gone")))[
        "Slack channels"
    ]
    assert channels.failed
    for problem in ("the bot is not in #ev-ops", "#ev-alerts is archived", "#gone does not exist"):
        assert problem in channels.told

    door = (await findings(house, rules, slack_app_token="xoxb-sandbox"))["Slack door"]
    assert door.failed
    assert "connections:write" in door.mend

    nothing = (await findings(house, rules, slack_app_token=None))["Slack door"]
    assert nothing.failed
    assert "Socket Mode lacks SLACK_APP_TOKEN" in nothing.told

    away = (await findings(house, rules, slack_api_url="http://127.0.0.1:9/api/"))["Slack token"]
    assert away.failed
    assert "SLACK_API_URL" in away.mend


async def test_what_was_made_in_slack_is_looked_at_too(closed_house: House, rules: Path) -> None:
    house = closed_house
    await house.start()
    made = {"name": "hot", "for_each": "charger", "when": "charger.online", "notify": ["#gone"]}
    nobody: dict[str, Any] = {"chargehand_workspace_admins": False, "chargehand_operators": ()}
    with house.running.database.write() as connection:
        create_rule(connection, rule_from_document(made, FROM_SLACK), "U0ADA00001", house.clock())
        assert (await findings(house, rules, **nobody))["who may act"].failed
        asked = Subscription("C0GENERAL4", "general"), Subscription("U0ADA00001")
        for one in asked:
            subscribe(connection, one, "U0ADA00001", house.clock(), is_outside=False)
        give_role(connection, Grant("U0VERA0003", "", "admin", "U0ADA00001", house.clock()))
    await house.stop()
    found = await findings(
        house, rules, chargehand_two_people=("reset",), chargehand_approval_channel="#nowhere", **nobody
    )
    assert "the bot is not in #general (subscribed)" in found["Slack channels"].told
    assert "/charge unsubscribe" in found["Slack channels"].mend
    assert "U0ADA00001" not in found["Slack channels"].told
    assert "#gone does not exist" in found["Slack channels"].told
    assert "#nowhere does not exist" in found["Slack channels"].told
    assert not found["who may act"].failed
    assert found["who may act"].told == "given in Slack: 1; the settings name nobody"


async def test_rules_without_any_channel_fail(closed_house: House, rules: Path) -> None:
    without = "\n".join(line for line in RULES.splitlines() if "notify" not in line)
    channels = (await findings(closed_house, rules, without, chargehand_alert_channel=None))["Slack channels"]
    assert channels.failed
    assert channels.told.startswith("no channel for 1 rules (")
    assert "CHARGEHAND_ALERT_CHANNEL" in channels.mend
    assert not (await findings(closed_house, rules, without))["Slack channels"].failed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"chargehand_workspace_admins": False, "chargehand_operators": ()}, "nobody may act in Slack"),
        ({"chargehand_admins": ("ada",)}, "ada is no Slack id, and no user group has this handle"),
        ({"chargehand_operators": ("@on-call",)}, "@on-call is no Slack id"),
        ({"chargehand_admins": ("U0NOBODY99",)}, "nobody here has the id U0NOBODY99"),
        ({"chargehand_admins": ("U0GUEST001",)}, "U0GUEST001 is a guest, and may do nothing"),
        ({"chargehand_admins": ("@empty",)}, "the user group @empty has no members"),
    ],
)
async def test_names_of_nobody_who_may_act_are_told(
    closed_house: House, rules: Path, changes: dict[str, Any], told: str
) -> None:
    workspace = closed_house.workspace
    workspace.users["U0GUEST001"] = User("U0GUEST001", "guest", "Guest", is_guest=True)
    workspace.groups["S0EMPTY"] = UserGroup("S0EMPTY", "empty", "Empty", [])
    found = (await findings(closed_house, rules, **changes))["who may act"]
    assert found.failed
    assert told in found.told
    assert "member id" in found.mend.lower()


async def test_people_and_groups_that_are_there_are_well(closed_house: House, rules: Path) -> None:
    names: dict[str, Any] = {"chargehand_admins": ("U0ADA00001",), "chargehand_operators": ("S0ONCALL01", "@oncall")}
    found = (await findings(closed_house, rules, chargehand_workspace_admins=False, **names))["who may act"]
    assert not found.failed, found


async def test_too_many_connections_are_told(closed_house: House, rules: Path) -> None:
    house = closed_house
    house.workspace.link.connections.extend([None] * 10)  # type: ignore[list-item] # only their number is looked at
    try:
        door = (await findings(house, rules))["Slack door"]
    finally:
        house.workspace.link.connections.clear()
    assert "too_many_websockets" in door.told


async def test_the_manifest_s_scopes_and_events_are_enough_for_everything(closed_house: House) -> None:
    house = closed_house
    house.workspace.scopes = tuple(SCOPES)
    house.workspace.subscriptions = frozenset(EVENTS)
    house.break_connector(house.free())
    await house.start(FAULTED)
    card = await house.card_of_an_alert()
    await house.click("ole", card, "acknowledge_incident")
    await house.next_whisper("ole", 0)
    preview = await house.ask(f"start {house.free()}", "ole", "#general")
    await house.click("ole", preview, "confirm_command")
    place = house.workspace.direct_channel("U0OLE00002")
    command = await house.wait_for(lambda: place.messages[0] if place.messages else None)
    await house.wait_for(lambda: house.fleet.world.open_sessions)
    house.clock.ahead += timedelta(seconds=10)
    await house.wait_for(lambda: "*Charging" in command.plain())
    await house.workspace.mention("ole", "#ev-ops", "status")
    await house.workspace.open_home("ole")
    await house.wait_for(lambda: house.workspace.home("ole"))
    assert [call for call in house.workspace.calls if call.error == "missing_scope"] == []


def test_the_manifest_names_no_scope_that_slack_does_not_know() -> None:
    known = {scope for scopes in SCOPES_NEEDED.values() for scope in scopes} | {"app_mentions:read", "commands"}
    assert set(SCOPES) <= known


def test_the_manifest_is_for_one_of_two_modes() -> None:
    socket, http = manifest(), manifest(request_url="https://chargehand.example/slack/events")
    assert socket["settings"]["socket_mode_enabled"] is True
    assert "request_url" not in str(socket)
    assert http["settings"]["socket_mode_enabled"] is False
    for told in (http["settings"]["event_subscriptions"], http["settings"]["interactivity"]):
        assert told["request_url"] == "https://chargehand.example/slack/events"
    assert http["features"]["slash_commands"][0]["url"] == "https://chargehand.example/slack/events"
    # Slack's limits on these texts (docs.slack.dev/reference/app-manifest)
    assert len(socket["display_information"]["description"]) <= 140
    assert 175 <= len(socket["display_information"]["long_description"]) <= 4_000
    assert len(socket["features"]["slash_commands"][0]["description"]) <= 2_000
