"""What people saw outlives the sandbox in one JSON file."""

from pathlib import Path

import pytest

from sandbox.slack import SlackServer, SlackWorkspace
from sandbox.slack.server import saved_workspace
from tests.sandbox.slack.app import CARD, client_of, workspace_without_limits

ALERTS = "C0ALERTS01"


async def test_a_workspace_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "slack.json"
    workspace = workspace_without_limits()
    async with SlackServer(workspace, save_to=path) as server:
        client = client_of(server)
        ts = (await client.chat_postMessage(channel=ALERTS, text="card", blocks=CARD))["ts"]
        await client.files_upload_v2(channel=ALERTS, filename="a.png", content=b"\x89PNG", thread_ts=ts)
        await client.views_publish(user_id="U0ADA00001", view={"type": "home", "blocks": [{"type": "divider"}]})
        await workspace.say("ole", "#ev-alerts", "On my way", thread_ts=ts)
        await client.chat_postEphemeral(channel=ALERTS, user="U0OLE00002", text="psst")
    again = saved_workspace.load(path)
    assert again.channels == workspace.channels
    assert again.homes == workspace.homes
    assert again.files == workspace.files
    assert again.ephemerals("ole") == workspace.ephemerals("ole")
    assert again.new_id("F") not in workspace.files


async def test_a_restarted_sandbox_lets_the_bot_edit_its_old_card(tmp_path: Path) -> None:
    path = tmp_path / "slack.json"
    async with SlackServer(SlackWorkspace(), save_to=path) as server:
        ts = (await client_of(server).chat_postMessage(channel=ALERTS, text="card", blocks=CARD))["ts"]
    workspace = saved_workspace.load(path)
    async with SlackServer(workspace) as server:
        await client_of(server).chat_update(channel=ALERTS, ts=ts, text="resolved")
    assert [m.text for m in workspace.channel(ALERTS).messages] == ["resolved"]


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slack.json"
    path.write_text('{"form": 99}', encoding="utf-8")
    with pytest.raises(ValueError, match="form 99 is not 1"):
        saved_workspace.load(path)
