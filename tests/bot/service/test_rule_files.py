"""The running service with a rules file that is a mapping: its routes are used, and read again when it is told to."""

from pathlib import Path

from bot.service.app import build
from tests.bot.house import House

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
