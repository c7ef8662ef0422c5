"""The manifest asks for what is used and for nothing else, and the document names each scope with its reason."""

import re

from bot.slack.manifest import EVENTS, SCOPES, manifest, render_scopes_reference
from sandbox.slack.web_api.api import SCOPES_NEEDED
from tests.conftest import ROOT

OF_EVENTS = {"app_mention": "app_mentions:read", "message.im": "im:history"}
OF_FEATURES = {"commands"}


def calls() -> set[str]:
    """The Web API's methods that the code calls, as Slack names them."""
    text = "\n".join(file.read_text() for file in (ROOT / "bot").rglob("*.py"))
    called = {found.replace("_", "").lower() for found in re.findall(r"\.(\w+)\b", text)}
    return {method for method in SCOPES_NEEDED if method.replace(".", "").lower() in called}


def test_every_scope_is_needed_by_a_call_an_event_or_a_feature() -> None:
    needed = {scope for method in calls() for scope in SCOPES_NEEDED[method]}
    needed |= {OF_EVENTS[event] for event in EVENTS if event in OF_EVENTS} | OF_FEATURES
    assert set(SCOPES) - needed == set(), "asked for and not used"
    assert needed - set(SCOPES) == set(), "used and not asked for"
    assert len(calls()) > 8


def test_the_document_names_each_with_its_reason() -> None:
    told = render_scopes_reference()
    assert all(f"| `{scope}` | {what} |" in told for scope, what in SCOPES.items())
    asked = manifest()["oauth_config"]["scopes"]
    assert asked == {"bot": sorted(SCOPES)}


def test_people_can_write_to_the_app_and_names_reach_it_as_ids() -> None:
    features = manifest()["features"]
    assert features["app_home"]["messages_tab_read_only_enabled"] is False
    assert features["slash_commands"][0]["should_escape"] is True
    assert "message.im" in manifest()["settings"]["event_subscriptions"]["bot_events"]
