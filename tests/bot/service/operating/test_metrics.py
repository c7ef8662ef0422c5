"""/metrics: what Prometheus reads, from a service at work and from one whose database is gone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.service.operating.metrics import MEANINGS, MOST_ERRORS, Signals
from tests.bot.house import FAULTED, House, open_house


@pytest.fixture
async def http_house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(f"sqlite:///{tmp_path / 'chargehand.db'}", http=True) as house:
        yield house


async def measured(house: House) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample by the name of its metric and the values of its labels."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(str(house.workspace.link.request_url).replace("slack/events", "metrics"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    assert "ev-alerts" not in answer.text, "no channel is named"
    return found


async def test_a_service_at_work_tells_every_metric(http_house: House) -> None:
    house = http_house
    house.break_connector(house.free())
    await house.start(FAULTED)
    await house.card_of_an_alert()
    await house.running.keeping.run(house.clock())
    house.clock.ahead += timedelta(minutes=3)
    told = await measured(house)
    counted = {"chargehand_job_seconds_count" if name == "chargehand_job_seconds" else name for name in MEANINGS}
    told_of_errors = {"chargehand_api_errors_total", "chargehand_slack_errors_total"}
    assert counted - told_of_errors <= set(told) | {
        "chargehand_commands",
        "chargehand_troubles",
        "chargehand_lease_token",
        "chargehand_lease_seconds_left",
    }
    assert told["chargehand_up"] == {(): 1}
    assert told["chargehand_leader"] == {(): 1}
    assert told["chargehand_alerts"]["firing",] >= 1
    assert told["chargehand_deliveries_total"]["sent",] >= 1
    assert 179 < told["chargehand_data_age_seconds"]["chargers",] < 240
    assert told["chargehand_job_seconds_count"]["poll chargers",] >= 1
    assert told["chargehand_table_rows"]["alert",] >= 1
    assert told["chargehand_database_bytes"][()] > 100_000
    assert told["process_resident_memory_bytes"][()] > 1_000_000


async def test_a_database_that_cannot_be_read_is_told_by_a_page_that_answers(http_house: House) -> None:
    await http_house.start()
    with http_house.running.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE outbox RENAME TO gone")
    told = await measured(http_house)
    assert told["chargehand_up"] == {(): 0}
    assert "chargehand_data_age_seconds" not in told
    assert "chargehand_job_failing" in told


def test_names_of_errors_are_bounded() -> None:
    signals = Signals()
    for number in range(MOST_ERRORS + 10):
        signals.note_delivery("Refused", f"error_{number}: with a text of Slack's {'x' * 500}")
    labels = [
        sample.labels["error"]
        for family in signals.registry.collect()
        for sample in family.samples
        if sample.name == "chargehand_slack_errors_total"
    ]
    assert len(labels) == MOST_ERRORS + 1
    assert "other" in labels
    assert all(len(label) <= 60 for label in labels)
