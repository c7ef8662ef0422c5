"""A digest shows its chart as a file of Slack's: uploaded before it is posted, never doubled, and never its loss."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import resvg_py

from notify.digests.digest import enqueue_due_digests, refresh_digests
from notify.outbox import enqueue_message
from notify.routing import Routing
from sandbox.slack import HandClock, Message, SlackServer
from storage.engine import Database
from tests.bot.service.delivery.bench import DAILY, Bench
from tests.bot.service.delivery.service import serve_once
from tests.bot.service.delivery.test_kills import told
from tests.forks import KILLED, run
from tests.notify.digests.test_digest import EIGHT, Daily, prepared
from tests.notify.records import T0, insert_session

pytestmark = pytest.mark.on_either_database

CHANNELS = {"daily": ("#ev-daily",)}
QUARTER_PAST_NINE = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
ALT = "Energy and sessions, 02 Mar 2026: 10.0 kWh in 1 session; most in the hour from 09, 10.0 kWh."


@pytest.fixture
def desk(server: SlackServer, clock: HandClock, database: Database) -> Bench:
    """One session, whose digest is to be said."""
    bench = Bench(server, clock, prepared(database))
    bench.after((EIGHT - T0).total_seconds())
    with bench.database.write() as connection:
        insert_session(connection, "one", QUARTER_PAST_NINE)
        assert enqueue_due_digests(connection, [Daily()], Routing(bench.now, CHANNELS, default_zone="UTC"))
    return bench


def corrected(bench: Bench, late: str) -> None:
    """A session that is known late, and what it corrects."""
    with bench.database.write() as connection:
        insert_session(connection, late, QUARTER_PAST_NINE + timedelta(hours=2))
        assert refresh_digests(connection, ["daily"], Routing(bench.now, CHANNELS, default_zone="UTC"))


def posted(bench: Bench) -> Message:
    (message,) = (one for one in bench.messages(DAILY) if one.thread_ts is None)
    return message


def pictures(message: Message) -> list[dict[str, Any]]:
    return [block for block in message.blocks or () if block["type"] == "image"]


def files(bench: Bench) -> list[Any]:
    return list(bench.workspace.files.values())


async def test_the_chart_stands_between_the_figures_and_what_to_do(desk: Bench) -> None:
    await desk.deliver()
    message = posted(desk)
    (picture,) = pictures(message)
    (file,) = files(desk)
    assert picture["slack_file"] == {"id": file.id}
    assert picture["alt_text"] == file.alt_text == ALT
    assert file.content is not None
    assert file.content.startswith(b"\x89PNG")
    assert (file.name, file.channels) == ("energy-2026-03-02.png", [])
    calls = [call.method for call in desk.workspace.calls]
    assert calls.index("files.completeUploadExternal") < calls.index("chat.postMessage")
    kinds = [block["type"] for block in message.blocks or ()]
    assert kinds.index("section") < kinds.index("image") < kinds.index("context")


async def test_a_correction_draws_anew_what_is_another_picture_and_uploads_nothing_else(desk: Bench) -> None:
    await desk.deliver()
    corrected(desk, "late")
    await desk.deliver()
    (picture,) = pictures(posted(desk))
    assert "20.0 kWh in 2 sessions" in picture["alt_text"]
    assert [file.id for file in files(desk)][1:] == [picture["slack_file"]["id"]]
    # the same picture under other words: only the digest of the day is edited
    (row,) = (item for item in desk.items() if item.kind == "digest")
    with desk.database.write() as connection:
        enqueue_message(
            connection,
            natural_key=row.natural_key,
            kind="digest",
            channel=row.channel,
            facts={**row.facts, "late": True},
            now=desk.now,
        )
    await desk.deliver()
    assert "Late" in str(posted(desk).blocks)
    assert pictures(posted(desk)) == [picture]
    assert len(files(desk)) == 2


async def test_an_upload_that_fails_leaves_the_digest_without_its_chart(desk: Bench) -> None:
    faults = desk.workspace.faults
    orders = (
        partial(faults.refuse_next, "files.getUploadURLExternal", "missing_scope"),
        partial(faults.limit_next, "files.getUploadURLExternal"),
        partial(faults.drop_next_request, "files.completeUploadExternal"),
        partial(faults.fail_next, "files.completeUploadExternal"),
        partial(faults.answer_next, "files.getUploadURLExternal", "<html>"),
    )
    for number, order in enumerate(orders):
        order()
        await desk.deliver()
        message = posted(desk)
        assert pictures(message) == []
        assert "Without its chart: Slack did not take the file." in str(message.blocks)
        assert desk.calls("chat.postMessage") == len(desk.messages(DAILY)) <= 2
        corrected(desk, f"late {number}")
    await desk.deliver()
    assert len(pictures(posted(desk))) == 1  # the next words have theirs again
    assert "Without its chart" not in str(posted(desk).blocks)


async def test_a_machine_without_a_font_leaves_the_digest_without_its_chart(
    desk: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fontless = partial(resvg_py.svg_to_bytes, skip_system_fonts=True)
    monkeypatch.setattr(resvg_py, "svg_to_bytes", fontless)
    await desk.deliver()
    assert pictures(posted(desk)) == []
    assert "Without its chart: the machine has no font to write one with." in str(posted(desk).blocks)
    assert files(desk) == []


async def test_a_chart_that_cannot_be_drawn_costs_no_digest(desk: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.service.delivering.pictures.draw_picture", lambda *_: 1 / 0)
    await desk.deliver()
    assert "Without its chart: it could not be drawn; the log says why." in str(posted(desk).blocks)


@pytest.mark.parametrize(("refusals", "charts"), [(1, 1), (3, 0)])
async def test_a_file_that_slack_does_not_show_yet_is_given_time_and_then_left_out(
    desk: Bench, refusals: int, charts: int
) -> None:
    for _ in range(refusals):
        desk.workspace.faults.refuse_next("chat.postMessage", "invalid_blocks")
    await desk.deliver()
    assert desk.messages(DAILY) == []
    await desk.settle(steps=4, seconds=10)
    assert len(pictures(posted(desk))) == charts
    assert ("Without its chart: Slack did not take the file." in str(posted(desk).blocks)) is not bool(charts)
    assert len(files(desk)) == 1


@pytest.mark.parametrize("point", ["picture_uploaded", "picture_noted", "after_call"])
async def test_killed_around_the_upload_it_leaves_one_digest_with_its_chart(desk: Bench, point: str) -> None:
    assert await run(serve_once, told(desk, crash_at=point)) == KILLED
    for seconds in (1, 120):
        desk.after(seconds)
        assert await run(serve_once, told(desk)) == 0
    shown = [picture["slack_file"]["id"] for picture in pictures(posted(desk))]
    assert shown == [files(desk)[-1].id]
    assert len(files(desk)) == (2 if point == "picture_uploaded" else 1)
    assert desk.calls("chat.postMessage") == len(desk.messages(DAILY)) <= 2
