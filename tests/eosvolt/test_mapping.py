"""Rows become readings in fixed units; what does not fit is refused with its reason."""

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosvolt.contract import load_contract
from eosvolt.mapping import RowUnreadable
from eosvolt.models import CONNECTOR_STATUSES, SetAside, Unread
from eosvolt.readings import Aside, Reader
from tests.eosvolt.wire import AT, charger, connector, session

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)


def reader(contract: str = "", folder: Path | None = None) -> Reader:
    if folder is None:
        return Reader(load_contract(), lambda text: text)
    path = folder / "site.toml"
    path.write_text(contract, encoding="utf-8")
    return Reader(load_contract(path), lambda text: text)


def test_a_charger_row_becomes_a_charger_with_its_connectors() -> None:
    row = charger("242", connectors=[connector("242.1", powerKw=7, status="Charging")])
    reading = reader().charger(row, [])
    assert (reading.id, reading.location_id, reading.name, reading.online) == ("242", "L1", "Charger 242", True)
    assert reading.last_heartbeat == reading.updated_at == TEN
    assert reading.heartbeat_interval_seconds == 300
    assert reading.labels == ("public",)
    (inner,) = reading.connectors
    assert (inner.id, inner.charger_id, inner.status, inner.power_kw) == ("242.1", "242", "Charging", 7.0)
    assert reading.extra == inner.extra == {}


def test_snake_case_is_read_as_camel_case_is() -> None:
    def snake(value: Any) -> Any:
        if isinstance(value, list):
            return [snake(item) for item in value]
        if isinstance(value, dict):
            spelled = {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value[key] for key in value}
            return {key: snake(item) for key, item in spelled.items()}
        return value

    assert reader().charger(snake(charger("1")), []) == reader().charger(charger("1"), [])
    assert reader().session(snake(session("1")), []) == reader().session(session("1"), [])


@pytest.mark.parametrize("status", CONNECTOR_STATUSES)
def test_each_of_the_nine_statuses_is_known_in_any_case_and_with_separators(status: str) -> None:
    spelled = (status, status.upper(), status.lower(), status.replace("ded", "ded_"))
    for text in spelled:
        (inner,) = reader().charger(charger("1", connectors=[connector("1.1", status=text)]), []).connectors
        assert (inner.status, inner.status_raw) == (status, text)


@pytest.mark.parametrize(("given_status", "raw"), [("Exploded", "Exploded"), (None, None), (7, "7")])
def test_an_unknown_status_is_none_and_kept_as_given(given_status: object, raw: str | None) -> None:
    (inner,) = reader().charger(charger("1", connectors=[connector("1.1", status=given_status)]), []).connectors
    assert (inner.status, inner.status_raw) == (None, raw)


def test_an_unknown_session_status_is_kept_as_given() -> None:
    assert reader().session(session("1", status="COMPLETED"), []).status == "Completed"
    assert reader().session(session("1", status="Billing"), []).status == "Billing"


def test_unknown_fields_are_kept_aside() -> None:
    row = charger("1", evse={"a": 1}, connectors=[connector("1.1", colour="red")])
    reading = reader().charger(row, [])
    assert reading.extra == {"evse": {"a": 1}}
    assert reading.connectors[0].extra == {"colour": "red"}


def test_a_thing_without_a_name_is_called_by_its_id() -> None:
    assert reader().charger({"id": 7, "locationId": 3}, []).name == "7"
    assert reader().location({"id": "L1", "name": None}, []).name == "L1"


def test_a_bad_connector_does_not_take_its_charger_with_it() -> None:
    aside: list[Aside] = []
    row = charger("1", connectors=[connector("1.1"), connector("", id={"no": "id"}), "odd"])
    reading = reader().charger(row, aside)
    assert [inner.id for inner in reading.connectors] == ["1.1"]
    assert [(one.resource, one.key, one.parent) for one in aside if isinstance(one, SetAside)] == [
        ("connector", None, "1")
    ] * 2
    assert "charger 1: id: {" in aside[0].reason


def test_two_connectors_of_a_charger_with_one_id_are_refused_and_never_merged() -> None:
    aside: list[Aside] = []
    row = charger("1", connectors=[connector("a"), connector("b"), connector("a", status="Faulted")])
    assert [inner.id for inner in reader().charger(row, aside).connectors] == ["b"]
    assert [one.reason for one in aside] == ["charger 1: two connectors have the id a"]


UNREADABLE: list[tuple[str, str, object, object]] = [
    ("charger", "name", {"en": "Harbour"}, "1"),
    ("charger", "online", 1, None),
    ("charger", "online", "yes", None),
    ("charger", "labels", "a", ()),
    ("charger", "labels", [1], ()),
    ("charger", "connectors", {}, ()),
    ("charger", "updatedAt", 1772359200000, None),
    ("charger", "updatedAt", "yesterday", None),
    ("charger", "updatedAt", "0001-01-01T00:00:00+14:00", None),
    ("charger", "updatedAt", ["x"], None),
    ("charger", "lastHeartbeat", "1970-01-01T00:00:00.740Z", None),
    ("charger", "heartbeatIntervalSeconds", float("inf"), None),
    ("charger", "heartbeatIntervalSeconds", "NaN", None),
    ("charger", "heartbeatIntervalSeconds", "1_000", None),
    ("charger", "heartbeatIntervalSeconds", "\u0661", None),
    ("charger", "heartbeatIntervalSeconds", "1,5", None),
    ("charger", "heartbeatIntervalSeconds", 10**400, None),
    ("charger", "heartbeatIntervalSeconds", True, None),
    ("charger", "vendor", ["a"], None),
    ("connector", "status", {"is": "Faulted"}, None),
    ("connector", "statusChangedAt", "1970-01-01T00:00:00.740Z", None),
    ("connector", "statusChangedAt", "0001-01-01T00:00:00Z", None),
    ("connector", "maxPowerKw", "NaN", None),
    ("connector", "errorCode", ["GroundFailure"], None),
    ("session", "status", {}, None),
    ("session", "endedAt", "0001-01-01T00:00:00Z", None),
    ("session", "energyKwh", "much", None),
    ("session", "chargerId", {}, None),
    ("location", "timezone", {}, None),
    ("location", "name", ["x"], "1"),
]


@pytest.mark.parametrize(("resource", "field", "given", "unknown"), UNREADABLE)
def test_a_field_that_cannot_be_read_is_unknown_alone_and_told(
    resource: str, field: str, given: object, unknown: object
) -> None:
    mapping, aside, plain = reader(), list[Aside](), {"id": "1", "name": "Harbour"}
    made: dict[str, Any] = {"charger": charger("1"), "connector": connector("1"), "session": session("1")}
    row = {**made.get(resource, plain), field: given}
    if resource == "connector":
        around = charger("c", connectors=[connector("0"), row])
        reading: Any = mapping.charger(around, aside).connectors[1]
    else:
        reading = getattr(mapping, resource)(row, aside)
    (ours,) = {"status_raw", *reading.unread} - {"status_raw"}
    assert getattr(reading, ours) == unknown
    told = [one for one in aside if isinstance(one, Unread)]
    assert [(one.resource, one.field) for one in told] == [(resource, field)]
    assert told[0].reason.startswith(f"{field}: ")
    whole = getattr(reader(), resource)(made.get(resource, plain), []) if resource != "connector" else None
    if whole is not None:
        others = [one.name for one in fields(whole) if one.name not in {ours, "unread"}]
        assert [getattr(reading, name) for name in others] == [getattr(whole, name) for name in others]


def test_a_charger_whose_connectors_cannot_be_read_says_that_there_are_some() -> None:
    aside: list[Aside] = []
    reader().charger(charger("1", connectors={"a": 1}), aside)
    assert [(one.resource, one.key, one.parent) for one in aside if isinstance(one, SetAside)] == [
        ("connector", None, "1")
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (charger("1", id=None), "id: is missing"),
        (charger(""), "id: is missing"),
        (charger("1", id=True), "id: true is no id"),
        (charger("1", id={"a": 1}), "is no id"),
        (charger("1", locationId={"site": 1}), "locationId"),
        ({}, "id: is missing"),
        ([], "is no object"),
        (None, "is no object"),
        ("id", "is no object"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_reason(row: Any, reason: str) -> None:
    with pytest.raises(RowUnreadable) as caught:
        reader().charger(row, [])
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:00:00Z", TEN),
        ("2026-03-01T11:00:00+01:00", TEN),
        ("2026-03-01T10:00:00.000000000Z", TEN),
        ("2026-03-01 10:00:00", TEN),
        ("2026-03-01T24:00:00Z", datetime(2026, 3, 2, tzinfo=UTC)),
        ("20260301T2400Z", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T00:59:60.5+01:00", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 10:00:00 GMT", TEN),
        ("01 Mar 2026 11:00:00 +0100", TEN),
        ("2026-03-01 10:00:00 UTC", TEN),
        ("2026-03-01T10:00:00UTC", TEN),
        ("2026-03-01 10:00:00.000 +0000 UTC", TEN),
        ("2026-03-01T11:00:00 +01:00", TEN),
        ("", None),
        (None, None),
    ],
)
def test_times_become_utc(text: str | None, expected: datetime | None) -> None:
    assert reader().session(session("1", endedAt=text), []).ended_at == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T24:00:01Z",
        "2026-03-01T24:00:00.5Z",
        "2026-03-01T25:00:00Z",
        "2026-03-01T10:12:60Z",
        "2026-03-01T23:59:60+01:00",
        "2026-03-01T11:00:00+01:00 UTC",
        "Sun, 31 Feb 2026 10:00:00 GMT",
        "Sunday",
        "10",
    ],
)
def test_a_moment_that_there_is_not_is_not_guessed(text: str) -> None:
    with pytest.raises(RowUnreadable, match="startedAt"):
        reader().session(session("1", startedAt=text), [])


@pytest.mark.parametrize(("given", "read"), [("7.5", 7.5), (" 11 ", 11.0), ("-1e-1", -0.1), (".5", 0.5), ("3.", 3.0)])
def test_a_number_given_as_text_is_read(given: str, read: float) -> None:
    (inner,) = reader().charger(charger("1", connectors=[connector("1.1", powerKw=given)]), []).connectors
    assert inner.power_kw == read


@pytest.mark.parametrize("spelled", ["GroundFailure", "GROUND_FAILURE", "Ground Failure", "ground-failure"])
def test_an_error_code_is_known_however_it_is_spelled(spelled: str) -> None:
    (inner,) = reader().charger(charger("1", connectors=[connector("1.1", errorCode=spelled)]), []).connectors
    assert inner.error_code == "GroundFailure"


@pytest.mark.parametrize("code", ["E-4711", "ground failure 2", "", "NO-ERROR?"])
def test_a_vendors_own_code_stays_as_it_is_unless_it_is_one_of_the_standards(code: str) -> None:
    (inner,) = reader().charger(charger("1", connectors=[connector("1.1", errorCode=code)]), []).connectors
    assert inner.error_code == ("NoError" if code == "NO-ERROR?" else code)


def test_an_id_with_a_character_that_could_not_be_read_is_no_id() -> None:
    with pytest.raises(RowUnreadable, match="could not be read"):
        reader().charger(charger("\ufffdr"), [])


def test_a_time_without_zone_is_read_in_the_zone_that_the_contract_names(tmp_path: Path) -> None:
    local = reader('[times]\nnaive_timezone = "Europe/Copenhagen"', tmp_path)
    assert local.session(session("1", startedAt="2026-03-01T11:00:00"), []).started_at == TEN


def test_units_and_words_come_from_the_contract_file(tmp_path: Path) -> None:
    contract = """
        [fields.session]
        energy_kwh = { names = ["meter.wh"], unit = "Wh" }
        cost = { names = ["totalCents"], unit = "minor" }
        started_at = { names = ["begin"], unit = "epoch_ms" }
        ended_at = { names = ["end"], unit = "epoch_s" }
        status = { names = ["state"], values = { running = "Active" } }
    """
    row = {"id": 1, "connectorId": 9, "meter": {"wh": 7400}, "totalCents": 1234, "begin": 1772359200000}
    reading = reader(contract, tmp_path).session({**row, "end": 1772359200.0, "state": "running"}, [])
    assert (reading.energy_kwh, reading.cost, reading.status) == (7.4, 12.34, "Active")
    assert reading.started_at == reading.ended_at == TEN
    assert reading.extra == {}


def test_numbers_that_stand_for_words_are_translated(tmp_path: Path) -> None:
    contract = '[fields.connector.status]\nvalues = { 2 = "Charging" }\n[fields.charger.online]\nvalues = { 1 = true }'
    reading = reader(contract, tmp_path).charger(charger("1", online=1, connectors=[connector("1.1", status=2)]), [])
    assert (reading.online, reading.connectors[0].status, reading.connectors[0].status_raw) == (True, "Charging", "2")


def test_an_alias_that_is_there_is_found_whatever_the_shape_of_the_row() -> None:
    mixed = reader()
    rows: list[dict[str, Any]] = [
        {"id": "1", "connector_id": "c", "startedAt": AT},
        {"startedAt": AT, "connectorId": "c", "id": "1"},
        {"started_at": AT, "connectorId": "c", "id": "1", "odd": 1},
    ]
    assert {mixed.session(row, []).connector_id for row in rows} == {"c"}
    assert mixed.session(rows[2], []).extra == {"odd": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*session("1"), "odd"]), json_values), st.sampled_from(["session", "charger"]))
def test_any_json_is_a_reading_or_a_reason_and_nothing_else(row: dict[str, Any], resource: str) -> None:
    mapping = reader()
    read = mapping.session if resource == "session" else mapping.charger
    try:
        read(row, [])
    except RowUnreadable as error:
        aside = mapping.set_aside(resource, row, str(error))
        assert aside.reason
