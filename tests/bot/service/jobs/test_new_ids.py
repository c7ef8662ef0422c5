"""A contract that makes other ids of the same things: their history, alerts and silences go with them, or end aloud."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from bot.cli.id_doctor import told_of_ids
from commands.requests.enqueue import enqueue_command
from eosvolt.contract import contract_from
from eosvolt.terms.identities import Identities, own_part
from storage.engine import Database
from storage.migrate import latest_revision
from storage.schema import (
    ALERT,
    CHARGER,
    COMMAND,
    CONNECTOR,
    INCIDENT,
    INTERVAL,
    OUTBOX,
    SAMPLE,
    SESSION,
    SILENCE,
    TRANSITION,
)
from tests.bot.service.jobs.api_of_rows import ApiOfRows, charger_row, plug_row, session_row

FAULTED: dict[str, Any] = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
OFFLINE: dict[str, Any] = {"name": "offline", "for_each": "charger", "when": "not charger.online"}
BECAME: dict[str, Any] = {"name": "became", "on": "status.changed", "settle": "0s"}
COMPOSITE = """
fields.connector.id = "{charger.id}.{id}"
fields.session.connector_id = "{chargerId}.{connectorId}"
"""


@pytest.fixture
async def api(database: Database) -> AsyncIterator[ApiOfRows]:
    api = ApiOfRows(database, FAULTED, OFFLINE, BECAME)
    api.rows["chargers"] = [
        charger_row("ch1", plug_row("1", "Faulted"), plug_row("x1")),
        charger_row("ch2", plug_row("2"), plug_row("x2", "Faulted"), online=False),
    ]
    api.rows["sessions"] = [session_row("s1", "x1", api.now)]
    await api.tick()
    busy = charger_row("ch2", plug_row("2", "Preparing"), plug_row("x2", "Faulted"), online=False)
    api.rows["chargers"][1] = busy
    assert await api.tick(chargers=[busy]) == ["2 event"]
    yield api
    await api.jobs.client.aclose()


def silence(api: ApiOfRows, **ids: str) -> int:
    with api.database.write() as connection:
        values = {
            "labels": {},
            "until_sessions": [],
            "weekly": {},
            "author": "U1",
            "reason": "known",
            "until_recovery": False,
        }
        statement = sa.insert(SILENCE).values(**values, created_at=api.now, **ids).returning(SILENCE.c.id)
        return int(connection.execute(statement).scalar_one())


def column(api: ApiOfRows, *columns: Any) -> list[Any]:
    with api.database.read() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in connection.execute(sa.select(*columns))]


def card_version(api: ApiOfRows) -> int:
    return int(max(column(api, OUTBOX.c.version)))


async def test_stored_rows_take_their_new_ids_with_history_alerts_and_silences(api: ApiOfRows) -> None:
    quiet = silence(api, connector_id="x2")
    before = api.alerts()
    assert set(before) == {"1", "x2", "ch2"}
    began = {row[0]: row[1] for row in column(api, INTERVAL.c.thing_id, INTERVAL.c.valid_from)}
    await api.restart(COMPOSITE)
    assert await api.tick(chargers=[api.rows["chargers"][0]]) == [], "a poll of changes makes no second thing of any"
    assert set(api.stored(CONNECTOR, "charger_id")) == {"1", "2", "x1", "x2"}
    assert await api.tick() == []
    assert api.asked[-3:].count("chargers") == 1, "the whole list is asked for at once"
    assert api.stored(CONNECTOR, "charger_id", "gone_at") == {
        "ch1.1": ("ch1", None),
        "ch1.x1": ("ch1", None),
        "ch2.2": ("ch2", None),
        "ch2.x2": ("ch2", None),
    }
    after = api.alerts()
    assert {name: row.id for name, row in after.items()} == {
        "ch1.1": before["1"].id,
        "ch2.x2": before["x2"].id,
        "ch2": before["ch2"].id,
    }
    assert after["ch2.x2"].connector_id == "ch2.x2"
    assert after["ch2.x2"].labels["connector"] == "ch2.x2"
    assert (quiet, "ch2.x2") in column(api, SILENCE.c.id, SILENCE.c.connector_id)
    moved = {row[0]: row[1] for row in column(api, INTERVAL.c.thing_id, INTERVAL.c.valid_from)}
    assert moved["ch1.1"] == began["1"]
    assert set(column(api, TRANSITION.c.subject)) == {"ch1.1", "ch2.x2", "ch2"}
    assert column(api, SESSION.c.connector_id) == ["ch1.x1"]
    api.rows["chargers"] = [charger_row("ch1", plug_row("1"), plug_row("x1")), api.rows["chargers"][1]]
    assert await api.tick(chargers=[api.rows["chargers"][0]]) == ["ch1.1 resolved", "ch1.1 event"], (
        "the same alert goes on"
    )
    assert await api.ticks(3) == []


async def test_a_row_that_may_have_been_several_ends_as_identity_changed(api: ApiOfRows) -> None:
    silence(api, connector_id="1")
    # by an older version, one row stood for the connectors 1 of both
    api.rows["chargers"] = [
        charger_row("ch1", plug_row("1", "Faulted"), plug_row("x1")),
        charger_row("ch2", plug_row("1"), plug_row("x2", "Faulted"), online=False),
    ]
    shown = card_version(api)
    await api.restart(COMPOSITE)
    assert sorted([*(await api.tick()), *(await api.tick())]) == ["ch1.1 firing"]
    ended = column(api, ALERT.c.subject, ALERT.c.state, ALERT.c.ended_because)
    assert ("1", "resolved", "identity changed") in ended
    assert api.stored(CONNECTOR, "gone_at")["1"] == api.now
    assert column(api, SILENCE.c.ended_by) == ["identity changed"]
    assert card_version(api) > shown, "the card says so"


async def test_doctor_says_beforehand_what_becomes_of_what(api: ApiOfRows) -> None:
    silence(api, connector_id="2")
    await api.restart(COMPOSITE)
    api.rows["chargers"][0] = charger_row("ch1", plug_row("1", "Faulted"), plug_row("x1"), plug_row("2"))
    read = {"chargers": (await api.jobs.client.fetch_chargers()).rows, "sessions": ()}
    url = api.database.engine.url.render_as_string(hide_password=False)
    with api.database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{latest_revision()}')")
    told = told_of_ids(url, api.jobs.client.id_forms, read)
    with api.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    assert told[1] == "Ids change with this contract:"
    assert "3 stored connectors keep history, alerts and silences under new ids, such as ch1.1 for 1" in told[2]
    assert "1 stored connector may have been several things, or none that is there now: 2." in told[3]
    assert told[3].endswith("with 0 open alerts, 1 silences and 0 subscriptions.")
    assert set(api.stored(CONNECTOR, "gone_at")) == {"1", "2", "x1", "x2"}, "it changes nothing"


async def test_chargers_and_their_connectors_follow_and_back_again(api: ApiOfRows) -> None:
    before = {row.id for row in api.alerts().values()}
    both = 'fields.charger.id = "{locationId}/{id}"\nfields.connector.id = "{charger.id}.{id}"\n'
    for override, charger, plug in ((both, "l1/ch2", "l1/ch2.x2"), ("", "ch2", "x2")):
        await api.restart(override)
        await api.ticks(2)
        assert set(api.alerts()) >= {charger, plug}
        assert {row.id for row in api.alerts().values()} == before
        assert api.stored(CONNECTOR, "charger_id")[plug] == charger
        assert set(api.stored(CHARGER, "gone_at").values()) == {None}


SHORT: dict[str, Any] = {
    "name": "short",
    "for_each": "session",
    "when": "session.energy < 1 kWh",
    "notify": ["#alerts"],
}


async def test_a_problem_follows_its_charger_and_has_one_card(api: ApiOfRows) -> None:
    await api.restart('fields.charger.id = "{locationId}/{id}"\n')
    await api.ticks(2)
    assert set(column(api, INCIDENT.c.problem_key)) == {"charger:l1/ch1", "charger:l1/ch2"}
    first = charger_row("ch1", plug_row("1", "Faulted"), plug_row("x1", "Faulted"))
    api.rows["chargers"][0] = first
    assert await api.tick(chargers=[first]) == ["x1 firing", "x1 event"]
    cards = column(api, OUTBOX.c.kind, OUTBOX.c.rule_id)
    assert cards.count(("alert_card", "faulted")) == 2, "one of each charger, as before"


async def test_sessions_follow_with_their_alerts_energies_and_commands_and_are_not_doubled(database: Database) -> None:
    api = ApiOfRows(database, SHORT)
    api.rows["chargers"] = [charger_row("ch1", plug_row("x1", "Charging"))]
    api.rows["sessions"] = [session_row("s1", "x1", api.now, energyKwh=0.1)]
    assert await api.tick() == ["s1 firing"]
    assert await api.tick(sessions=[{**api.rows["sessions"][0], "energyKwh": 0.2}]) == []
    before = api.alerts()["s1"].id
    with database.write() as connection:
        asked = enqueue_command(
            connection, kind="stop_session", nonce="n", user="U1", channel="C1", now=api.now, session_id="s1"
        )
    assert asked.is_new, asked
    samples = len(column(api, SAMPLE.c.session_id))
    for override, name in (('fields.session.id = "{chargerId}/{id}"', "ch1/s1"), ("", "s1")):
        await api.restart(override)
        await api.ticks(2)
        assert {subject: row.id for subject, row in api.alerts().items()} == {name: before}
        assert column(api, SESSION.c.id) == [name]
        assert column(api, COMMAND.c.session_id) == [name]
        assert column(api, COMMAND.c.state) == ["requested"]
        assert (set(column(api, SAMPLE.c.session_id)), len(column(api, SAMPLE.c.session_id)) >= samples) == (
            {name},
            True,
        )
    done = {**api.rows["sessions"][0], "status": "Completed", "endedAt": api.now.isoformat(), "energyKwh": 5.0}
    api.rows["sessions"] = [done]
    assert await api.tick(sessions=[done]) == ["s1 resolved"]
    await api.jobs.client.aclose()


def test_an_own_part_is_found_whatever_stands_in_the_id_around() -> None:
    form = "{charger.id}.{id}"
    assert own_part(form, "100.1.2") == "2"
    assert own_part(form, "100.1.2", "100") == "1.2"
    assert own_part("id or uid", "100.1") == "100.1"
    assert Identities(contract_from(COMPOSITE, "site.toml")).forms["connector"] == form
