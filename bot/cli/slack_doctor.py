"""Slack's side of `chargehand doctor`: token, scopes, the rules' channels, Socket Mode and the clock.

It posts nothing and joins nothing; each failure says its mend. Every check runs, whatever the others found.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from bot.cli.doctor import Finding
from bot.setting_doubts import nobody_may_act
from bot.settings import Settings, missing_setting
from bot.slack.doors.identity import Workspace
from bot.slack.manifest import SCOPES
from bot.slack.permissions import NOT_OURS, USER_ID, why_outside
from bot.slack.web_client import SLACK_FAULTS, WebClient, error_name
from notify.subscriptions import lasting
from rules.actions.audience import PERSON
from rules.documents.document import Rule
from rules.documents.files import load_rule_files
from rules.language.errors import RuleErrors
from rules.registry.store import FROM_SLACK, stored_rules
from storage.engine import Database
from storage.grants import all_grants
from storage.migrate import current_revision, latest_revision

SKEW_TOLERATED = timedelta(minutes=2)
"""Slack's signatures are refused once 5 minutes old; 2 leave room for the way."""
PAGE = 200
CONNECT_SECONDS = 10

Json = dict[str, Any]


async def examine_slack(settings: Settings) -> list[Finding]:
    """Look at Slack's side, in the order in which things must work."""
    if settings.slack_bot_token is None:
        return [Finding("Slack token", True, "none is set", missing_setting("SLACK_BOT_TOKEN"))]
    token = settings.secret("SLACK_BOT_TOKEN")
    slack = WebClient(token, settings.slack_api_url)
    try:
        answer = await slack.auth_test()
    except SLACK_FAULTS as error:
        return [Finding("Slack token", True, _told(error), _mend(error, "SLACK_BOT_TOKEN"))]
    who = f"{answer.get('user')} in {answer.get('team')}"
    return [
        Finding("Slack token", False, who),
        _examine_clock(answer.headers),
        _examine_scopes(answer.headers),
        await _examine_people(settings, slack, answer),
        await _examine_channels(settings, slack),
        await _examine_door(settings, slack),
    ]


def _examine_clock(headers: Any) -> Finding:
    date = next((value for name, value in headers.items() if name.lower() == "date"), None)
    if date is None:
        return Finding("clock", False, "Slack did not tell its time")
    skew = parsedate_to_datetime(date) - datetime.now(UTC)
    if abs(skew) > SKEW_TOLERATED:
        told = (
            f"this machine is {abs(skew.total_seconds()):.0f} s {'behind' if skew > timedelta(0) else 'ahead of'} Slack"
        )
        return Finding("clock", True, told, "Set the clock by NTP: Slack's requests are refused once 5 minutes old.")
    return Finding("clock", False, f"within {abs(skew.total_seconds()):.0f} s of Slack's")


def _examine_scopes(headers: Any) -> Finding:
    told = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    granted = {scope.strip() for scope in str(told).split(",")}
    missing = [f"{scope} ({what})" for scope, what in SCOPES.items() if scope not in granted]
    if missing:
        mend = "Paste the output of `chargehand manifest` into the app's manifest, and install the app again."
        return Finding("Slack scopes", True, f"missing: {', '.join(missing)}", mend)
    return Finding("Slack scopes", False, f"all {len(SCOPES)}")


async def _examine_people(settings: Settings, slack: AsyncWebClient, us: Any) -> Finding:
    """Whether somebody may act, and whether every name in the settings is a person or a group that is there."""
    nobody = nobody_may_act(settings)
    given = (await asyncio.to_thread(_kept, settings)).grants
    if nobody is not None and given:
        return Finding("who may act", False, f"given in Slack: {len(given)}; the settings name nobody")
    if nobody is not None:
        told, _, mend = nobody.partition(". ")
        return Finding("who may act", True, told, mend)
    names = [*settings.chargehand_admins, *settings.chargehand_operators]
    workspace = Workspace(us.get("team_id") or "", us.get("enterprise_id"), us.get("user_id"), us.get("bot_id"))
    try:
        groups = await _groups(slack) if any(USER_ID.fullmatch(name) is None for name in names) else {}
        problems = {name: await _problem_of(name, slack, workspace, groups) for name in dict.fromkeys(names)}
    except SLACK_FAULTS as error:
        return Finding("who may act", True, _told(error), _mend(error, "SLACK_BOT_TOKEN"))
    wrong = [problem for problem in problems.values() if problem is not None]
    if wrong:
        mend = "Put member ids (in Slack: profile, three dots, Copy member ID) or user groups (@handle) there."
        return Finding("who may act", True, "; ".join(wrong), mend)
    also = ["the workspace's admins"] if settings.chargehand_workspace_admins else []
    return Finding("who may act", False, ", ".join([*problems, *also]))


async def _groups(slack: AsyncWebClient) -> dict[str, Json]:
    answer = await slack.usergroups_list(include_users=True)
    groups = answer.get("usergroups") or ()
    return {str(group[key]).lower(): group for group in groups for key in ("id", "handle")}


async def _problem_of(name: str, slack: AsyncWebClient, us: Workspace, groups: dict[str, Json]) -> str | None:
    """What is wrong with a name in CHARGEHAND_ADMINS or CHARGEHAND_OPERATORS."""
    if USER_ID.fullmatch(name) is None:
        group = groups.get(name.lstrip("@").lower())
        if group is None:
            return f"{name} is no Slack id, and no user group has this handle"
        return None if group.get("users") else f"the user group {name} has no members"
    try:
        told = (await slack.users_info(user=name))["user"]
    except SlackApiError as error:
        if error_name(error) in NOT_OURS:
            return f"nobody here has the id {name}"
        raise
    outside = why_outside(told, us)
    return f"{name} is {outside}, and may do nothing" if outside else None


async def _examine_channels(settings: Settings, slack: AsyncWebClient) -> Finding:
    try:
        kept = await asyncio.to_thread(_kept, settings)
        wanted, mute = {**_channels(settings, kept.rules), **kept.subscribed}, _mute(settings, kept.rules)
        known = await _known_channels(slack) if wanted else {}
    except RuleErrors:
        return Finding("Slack channels", True, "the rules cannot be read", "Correct the rules first.")
    except SLACK_FAULTS as error:
        return Finding("Slack channels", True, _told(error), _mend(error, "SLACK_BOT_TOKEN"))
    absent = [name for name in wanted if name not in known]
    outside = [name for name in wanted if name in known and not known[name].get("is_member")]
    closed = [name for name in wanted if name in known and known[name].get("is_archived")]
    problems = [
        *mute,
        *(f"{wanted[name]} does not exist, or is private and the bot is not in it" for name in absent),
        *(f"the bot is not in {wanted[name]}" for name in outside),
        *(f"{wanted[name]} is archived" for name in closed),
    ]
    if problems:
        mend = "Invite the bot in each channel (`/invite @Chargehand`), or correct the rules' `notify`."
        if any(name in kept.subscribed for name in (*absent, *outside, *closed)):
            mend += " A channel's subscriptions are ended with `/charge unsubscribe`."
        if mute:
            mend = "Set CHARGEHAND_ALERT_CHANNEL, where a rule without `notify` speaks. " + mend
        return Finding("Slack channels", True, "; ".join(problems), mend)
    return Finding("Slack channels", False, ", ".join(wanted.values()) if wanted else "no rule names one")


@dataclass(frozen=True, slots=True)
class Kept:
    """What people made in Slack: rules in force, whom roles were given, channels that subscribed, by id in words."""

    rules: Sequence[Rule] = ()
    grants: Sequence[str] = ()
    subscribed: Mapping[str, str] = field(default_factory=dict)


def _kept(settings: Settings) -> Kept:
    """What the database has of it; nothing where it is not there or cannot be read, of which its own check tells."""
    try:
        database = Database(settings.database_url)
    except (SQLAlchemyError, ImportError):
        return Kept()
    try:
        if current_revision(database) != latest_revision():
            return Kept()
        with database.read() as connection:
            rules = [rule for rule in stored_rules(connection).values() if rule.source == FROM_SLACK]
            subscribed = {row.channel: f"#{row.name} (subscribed)" for row in lasting(connection) if row.name}
            return Kept(rules, tuple(all_grants(connection)), subscribed)
    except SQLAlchemyError:
        return Kept()
    finally:
        database.close()


def _mute(settings: Settings, kept: Sequence[Rule]) -> list[str]:
    """A sentence for the rules that can be heard nowhere: no channel is theirs, and no route could give them one."""
    if settings.chargehand_alert_channel:
        return []
    files = load_rule_files([Path(name) for name in settings.chargehand_rules])
    all_ = (*files.rules, *kept)
    mute = [rule.name for rule in all_ if not rule.notify and (rule.schedule or not files.plan.routes)]
    return [f"no channel for {len(mute)} rules ({', '.join(mute[:3])}{', ...' * (len(mute) > 3)})"] if mute else []


def _channels(settings: Settings, kept: Sequence[Rule]) -> dict[str, str]:
    files = load_rule_files([Path(name) for name in settings.chargehand_rules])
    of_rules = [channel for rule in (*files.rules, *kept) for channel in rule.notify]
    routed = [channel for route in files.plan.routes for channel in route.notify]
    asked = {*settings.approvals.values()}
    fallback = [settings.chargehand_alert_channel] if settings.chargehand_alert_channel else []
    named = [*fallback, *of_rules, *routed, *sorted(asked)]
    return {name: name for name in named if not (name.startswith("@") or PERSON.fullmatch(name))}


async def _known_channels(slack: AsyncWebClient) -> dict[str, Json]:
    """The channels that the bot can see, by id and by #name."""
    known: dict[str, Json] = {}
    cursor = ""
    while True:
        page = await slack.conversations_list(types="public_channel,private_channel", limit=PAGE, cursor=cursor)
        for channel in page["channels"]:
            known[channel["id"]] = known[f"#{channel['name']}"] = channel
        cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            return known


async def _examine_door(settings: Settings, slack: AsyncWebClient) -> Finding:
    if settings.slack_app_token is None:
        missing = [name for name in ("SLACK_SIGNING_SECRET", "PORT") if getattr(settings, name.lower()) is None]
        if missing:
            told = f"no way in: Socket Mode lacks SLACK_APP_TOKEN, HTTP mode {', '.join(missing)}"
            return Finding("Slack door", True, told, missing_setting("SLACK_APP_TOKEN"))
        return Finding("Slack door", False, f"HTTP mode on port {settings.port}: Slack must reach /slack/events there")
    try:
        opened = await slack.apps_connections_open(app_token=settings.secret("SLACK_APP_TOKEN"))
        async with (
            asyncio.timeout(CONNECT_SECONDS),
            aiohttp.ClientSession() as session,
            session.ws_connect(opened["url"]) as socket,
        ):
            greeting = await socket.receive_json()
    except (*SLACK_FAULTS, TypeError, ValueError) as error:
        return Finding("Slack door", True, f"Socket Mode: {_told(error)}", _mend(error, "SLACK_APP_TOKEN"))
    if greeting.get("type") != "hello":
        told = f"Socket Mode: {greeting.get('reason') or greeting.get('type')}"
        return Finding(
            "Slack door", True, told, "Stop other processes that use this app's token; 10 connections are the most."
        )
    return Finding("Slack door", False, "Socket Mode opens")


def _told(error: BaseException) -> str:
    if isinstance(error, SlackApiError):
        needed = error.response.get("needed")
        return f"Slack answers {error_name(error)}" + (f", needed: {needed}" if needed else "")
    return f"Slack cannot be reached ({type(error).__name__})"


def _mend(error: BaseException, setting: str) -> str:
    if isinstance(error, SlackApiError):
        return missing_setting(setting).partition(" is missing: ")[2]
    return "Check the network, a proxy, and SLACK_API_URL."
