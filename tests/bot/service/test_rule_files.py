"""The service with real rule files: read again when they change; broken and emptied ones end nothing."""

import os
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from bot.service import app
from bot.service.app import Service, build
from bot.service.jobs import Jobs
from bot.service.rule_files import RuleKeeper
from eosvolt.client import EosvoltClient
from rules.documents.document import rule_from_document
from sandbox.slack import Message
from storage.engine import Database
from tests.bot.house import FAULTED, House
from tests.readings import T0

RULES = """\
routes:
  - {{severity: critical, notify: ["{channel}"]}}
rules:
  - name: connector-faulted
    for_each: connector
    when: connector.status == "Faulted"
    for: 30m
    severity: critical
"""


async def test_a_file_s_routes_are_used_and_read_again(closed_house: House, tmp_path: Path) -> None:
    house, file = closed_house, tmp_path / "site.yaml"
    file.write_text(RULES.format(channel="#ev-daily"), encoding="utf-8")
    house.break_connector(house.free())
    service = build(house.settings(chargehand_rules=(str(file),)), clock=house.clock, host="127.0.0.1")
    house.service = service
    await service.start()
    daily = house.workspace.channel("#ev-daily")
    for _ in range(100):
        if daily.messages:
            break
        service.ticker.wake("deliver")
        house.clock.ahead += house.running.jobs.plan.interval
        await house.workspace.next_change(0.1)
    assert "connector-faulted" in daily.messages[0].plain()
    assert house.workspace.channel("#ev-alerts").messages == []

    file.write_text(RULES.format(channel="#ev-ops"), encoding="utf-8")
    await service.reload_rules(house.clock())
    assert [route.notify for route in service.jobs.rules.plan.routes] == [("#ev-ops",)]
    file.write_text("routes: [{notify: 5}]\n", encoding="utf-8")
    await service.reload_rules(house.clock())
    assert [route.notify for route in service.jobs.rules.plan.routes] == [("#ev-ops",)]
    assert list(service.jobs.rules.documents) == ["connector-faulted"]


RULE = """\
- name: {name}
  for_each: connector
  when: connector.status == "Faulted"
  severity: critical
"""


async def served(house: House, folder: Path, **changes: object) -> Service:
    """The service at work with the rules of a folder, without its timers: the test looks when it wants to."""
    settings = house.settings(chargehand_rules=(str(folder),), **changes)
    service = build(settings, clock=house.clock, host="127.0.0.1")
    house.service = service
    await service.start()
    return service


async def looked(service: Service) -> None:
    """Look at the files as often as the service does in ten seconds, then let the watchdog look."""
    for _ in range(3):
        await service.look_at_rule_files(service.clock())
    await service.watch(service.clock())


def in_force(service: Service) -> list[str]:
    return sorted(service.jobs.rules.documents)


def firing(service: Service) -> int:
    with service.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM alert WHERE state = 'firing'").scalar_one())


async def message_to(house: House, place: str, text: str) -> Message:
    channel = house.workspace.direct_channel(place) if place.startswith("U") else house.workspace.channel(place)
    found: Message = await house.wait_for(
        lambda: next((message for message in channel.messages if text in message.plain()), None)
    )
    return found


async def test_files_that_change_are_read_again_by_themselves(
    closed_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "RULE_FILES_EVERY", timedelta(seconds=0.3))
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yaml").write_text(RULE.format(name="first"))
    service = await served(closed_house, folder)
    (folder / "two.yaml").write_text(RULE.format(name="second"))
    await closed_house.wait_for(lambda: in_force(service) == ["first", "second"] or None)
    (folder / "two.yaml").unlink()
    await closed_house.wait_for(lambda: in_force(service) == ["first"] or None)


async def test_an_edit_of_the_same_size_and_time_is_seen(closed_house: House, tmp_path: Path) -> None:
    file = tmp_path / "rules" / "one.yaml"
    file.parent.mkdir()
    file.write_text(RULE.format(name="first"))
    service = await served(closed_house, file.parent)
    before = file.stat()
    file.write_text(RULE.format(name="other"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    await looked(service)
    assert in_force(service) == ["other"]


async def test_a_file_that_is_still_being_written_is_waited_for(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(RULE.format(name="first"))
    keeper = RuleKeeper(Jobs(sqlite, cast("EosvoltClient", None)), [tmp_path / "one.yaml"])
    await keeper.begin(None, T0)
    assert not await keeper.look(T0)
    for length in (20, 40, 60):  # half a rule, each time more of it
        (tmp_path / "one.yaml").write_text(RULE.format(name="second")[:length])
        assert not await keeper.look(T0)
    (tmp_path / "one.yaml").write_text(RULE.format(name="second"))
    assert not await keeper.look(T0)
    assert await keeper.look(T0)
    assert keeper.held is None
    assert list(keeper.jobs.rules.documents) == ["second"]


async def test_a_rule_that_no_database_takes_leaves_those_before_in_force(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(RULE.format(name="first"))
    keeper = RuleKeeper(Jobs(sqlite, cast("EosvoltClient", None)), [tmp_path])
    await keeper.begin(None, T0)
    deep = "not (" * 15 + "charger.online" + " and charger.online)" * 15
    (tmp_path / "two.yaml").write_text(f"- name: second\n  for_each: connector\n  when: {deep}\n")
    await keeper.reload(T0)
    assert keeper.held is not None
    assert 'rule "second": a database cannot run it' in keeper.held.broken
    assert list(keeper.jobs.rules.documents) == ["first"]


async def test_rules_that_came_from_no_file_are_not_replaced_by_files(sqlite: Database, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(RULE.format(name="of-the-file"))
    keeper = RuleKeeper(Jobs(sqlite, cast("EosvoltClient", None)), [tmp_path])
    await keeper.begin([rule_from_document(FAULTED, "given")], T0)
    for _ in range(3):
        assert not await keeper.look(T0)
    assert list(keeper.jobs.rules.documents) == ["connector-faulted"]


async def test_broken_files_are_told_to_the_admins_and_mended_ones_too(closed_house: House, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yaml").write_text(RULE.format(name="first"))
    service = await served(closed_house, folder, chargehand_admins=("U0ADA00001",))
    (folder / "one.yaml").write_text("- name: first\n  for_each: connector\n  when: connector.statu == 1\n")
    with capture_logs() as logs:
        await looked(service)
        await looked(service)
    assert [entry["event"] for entry in logs].count("the rules are broken; those before stay in force") == 1
    message = await message_to(closed_house, "U0ADA00001", "The rule files are broken")
    assert "connector.status" in message.plain(), "with the nearest right word"
    assert in_force(service) == ["first"]
    (folder / "one.yaml").write_text(RULE.format(name="first") + RULE.format(name="second"))
    await looked(service)
    assert in_force(service) == ["first", "second"]
    await message_to(closed_house, "U0ADA00001", "The rule files are right again")


@pytest.mark.parametrize("how", ["emptied", "gone while it was stopped", "no setting"])
async def test_emptied_files_end_nothing_before_an_admin_says_so(closed_house: House, tmp_path: Path, how: str) -> None:
    house, folder = closed_house, tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yaml").write_text(RULE.format(name="first"))
    house.break_connector(house.free())
    service = await served(house, folder)
    await house.wait_for(lambda: firing(service) or None)
    alerts = firing(service)
    if how != "emptied":
        await house.stop()
    (folder / "one.yaml").unlink()
    if how == "gone while it was stopped":
        service = await served(house, folder)
    elif how == "no setting":
        service = build(house.settings(chargehand_rules=()), clock=house.clock, host="127.0.0.1")
        house.service = service
        await service.start()
    await looked(service)
    assert (in_force(service), firing(service)) == (["first"], alerts)
    await message_to(house, "#ev-alerts", "Every rule has gone from the rule files")

    assert "needs the role admin" in (await house.ask("rules accept", "vera")).plain()
    preview = await house.ask("rules accept")
    assert f"ends {alerts} open alert" in preview.plain()
    assert (in_force(service), firing(service)) == (["first"], alerts), "a look changes nothing"
    told = len(house.workspace.ephemerals("ada"))
    await house.click("ada", preview, "run_words")
    assert "that is right" in (await house.next_whisper("ada", told)).plain()
    await looked(service)
    assert (in_force(service), firing(service)) == ([], 0)
    await message_to(house, "#ev-alerts", "The rules are as their files say")


async def test_files_that_come_back_go_on_as_if_nothing_was(closed_house: House, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yaml").write_text(RULE.format(name="first"))
    service = await served(closed_house, folder)
    (folder / "one.yaml").rename(tmp_path / "aside.yaml")
    await looked(service)
    assert in_force(service) == ["first"]
    (tmp_path / "aside.yaml").rename(folder / "one.yaml")
    await looked(service)
    assert in_force(service) == ["first"]
    assert service.rules.held is None


async def test_an_old_acceptance_does_not_count_for_another_time(closed_house: House, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    service = await served(closed_house, folder)
    for _ in range(2):
        (folder / "one.yaml").write_text(RULE.format(name="first"))
        await looked(service)
        (folder / "one.yaml").unlink()
        await looked(service)
        assert in_force(service) == ["first"]
        closed_house.clock.ahead += timedelta(seconds=1)
        await closed_house.ask("rules accept yes")
        closed_house.clock.ahead += timedelta(seconds=1)
        await looked(service)
        assert in_force(service) == []
