"""The recorded networks: small files in their forms, and the real ones where they are present."""

import csv
import gzip
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.recordings import RecordingError, open_recording
from sandbox.recordings.replay import ReplaySource
from sandbox.world.state import World
from tests.conftest import shared_folder

IRISH = "ts,cp_id,connector_type,from_status,to_status"
SCOTLAND = (
    "cp_id,connector_id,connector_type,start_time,end_time,duration_s,consumption_kwh,site,city,postcode,"
    "tariff_gbp_per_kwh,power_kw,latitude,longitude"
)
ACN = (
    "site,arrival,departure,requested_energy_kwh,delivered_energy_kwh,station_id,session_id,estimated_departure,"
    "claimed,period"
)
DATAVERSE = "sessionId,kwhTotal,dollars,created,ended,stationId,locationId"


def packed(folder: Path, name: str, rows: Sequence[str]) -> Path:
    folder.mkdir(exist_ok=True)
    with gzip.open(folder / f"{name}.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")
    return folder


def world_at(folder: Path, now: datetime) -> World:
    source = ReplaySource(open_recording(folder))
    source.advance_to(now)
    return source.world


def irish(folder: Path, *rows: str) -> Path:
    packed(folder, "irish_chargers.csv", ["cp_id,address", "N/A,Somewhere", 'CP:1-A/B,"Main Street, Cork"'])
    return packed(folder, "irish_status_transitions_2018-11.csv", [IRISH, *rows])


def on_1_november(clock: str) -> datetime:
    return datetime.fromisoformat(f"2018-11-01T{clock}:00+00:00")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("Available", "Available"), ("Part", "Charging"), ("Occ", "Charging"), ("OOS", "Faulted")]
)
def test_irish_statuses_become_ocpp_statuses(tmp_path: Path, theirs: str, ours: str) -> None:
    folder = irish(tmp_path, f"2018-11-01T15:17,CP:1-A/B,CHAdeMO,Unknown,{theirs}")
    fields = world_at(folder, on_1_november("15:17")).connectors["CP:1-A/B/CHAdeMO"][1]
    assert (fields["status"], fields["errorCode"], fields["type"]) == (ours, None, "CHAdeMO")


def test_an_irish_charger_is_offline_while_any_of_its_groups_is_out_of_contact(tmp_path: Path) -> None:
    folder = irish(
        tmp_path, "2018-11-01T15:17,CP:2,CHAdeMO,Unknown,Available", "2018-11-01T15:17,CP:2,ComboCCS,Unknown,OOS",
        "2018-11-01T15:22,CP:2,CHAdeMO,Available,OOC", "2018-11-01T15:27,CP:2,ComboCCS,OOS,OOC",
        "2018-11-01T15:32,CP:2,CHAdeMO,OOC,Available", "2018-11-01T15:37,CP:2,ComboCCS,OOC,Available",
    )  # fmt: skip
    source = ReplaySource(open_recording(folder))
    seen = []
    for clock in ("15:17", "15:22", "15:27", "15:32", "15:37"):
        source.advance_to(on_1_november(clock))
        charger = source.world.chargers.rows["CP:2"].fields
        seen.append((charger["online"], *[plug["status"] for plug in charger["connectors"]]))
    assert seen == [
        (True, "Available", "Faulted"),
        (False, "Available", "Faulted"),
        (False, "Available", "Faulted"),
        (False, "Available", "Faulted"),
        (True, "Available", "Available"),
    ]


def test_an_irish_group_first_seen_out_of_contact_has_no_status(tmp_path: Path) -> None:
    world = world_at(irish(tmp_path, "2018-11-01T15:17,CP:2,CHAdeMO,Unknown,OOC"), on_1_november("15:17"))
    assert world.chargers.rows["CP:2"].fields["online"] is False
    assert world.connectors["CP:2/CHAdeMO"][1]["status"] is None


def test_irish_changes_between_part_and_occ_are_no_change(tmp_path: Path) -> None:
    folder = irish(
        tmp_path, "2018-11-01T15:17,CP:2,CHAdeMO,Unknown,Occ", "2018-11-01T15:22,CP:2,CHAdeMO,Occ,Part",
    )  # fmt: skip
    world = world_at(folder, on_1_november("15:22"))
    assert world.chargers.rows["CP:2"].fields["updatedAt"] == "2018-11-01T15:17:00Z"


def test_an_irish_location_is_the_charge_point_with_its_address(tmp_path: Path) -> None:
    folder = irish(
        tmp_path, "2018-11-01T15:17,CP:1-A/B,CHAdeMO,Unknown,Occ", "2018-11-01T15:17,N/A,CHAdeMO,Unknown,Occ"
    )
    world = world_at(folder, on_1_november("15:17"))
    location = world.locations.rows["CP:1-A/B"].fields
    assert (location["address"], location["timezone"]) == ("Main Street, Cork", "Europe/Dublin")
    assert world.locations.rows["N/A"].fields["address"] == "Somewhere"


def test_a_short_irish_recording_has_no_hole(tmp_path: Path) -> None:
    assert not open_recording(irish(tmp_path, "2018-11-01T15:17,CP:2,CHAdeMO,Unknown,Occ")).gaps


def test_an_unknown_irish_status_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r'line 2, column "to_status": "Broken" is not one of Available'):
        open_recording(irish(tmp_path, "2018-11-01T15:17,CP:2,CHAdeMO,Unknown,Broken"))


def scotland(folder: Path, *rows: str) -> Path:
    return packed(folder, "cps_sessions_2025-10.csv", [SCOTLAND, *rows])


def test_a_scottish_session_is_active_without_energy_and_then_completed_with_it(tmp_path: Path) -> None:
    folder = scotland(
        tmp_path, "601,2,AC,2025-10-01T10:00:00,2025-10-01T11:30:00,5400,20.5,The Pier,Oban,PA34,0.4,22,,"
    )
    source = ReplaySource(open_recording(folder))
    assert source.start == datetime(2025, 10, 1, tzinfo=UTC)
    seen = []
    for hour in (9, 10, 12):
        source.advance_to(datetime(2025, 10, 1, hour, tzinfo=UTC))
        session = source.world.sessions.get("601-2-2025-10-01T10:00:00")
        plug = source.world.connectors["601/2"][1]["status"]
        facts = session and tuple(session.fields[name] for name in ("status", "energyKwh", "cost", "currency"))
        seen.append((plug, facts))
    assert seen == [
        ("Available", None),
        ("Charging", ("Active", None, None, "GBP")),
        ("Available", ("Completed", 20.5, 8.2, "GBP")),
    ]
    location = source.world.locations.rows["The Pier"].fields
    assert (location["address"], location["timezone"]) == ("The Pier, Oban, PA34", "Europe/London")
    assert source.world.connectors["601/2"][1]["maxPowerKw"] == 22.0


def test_overlapping_and_identical_scottish_sessions_are_told_apart(tmp_path: Path) -> None:
    folder = scotland(
        tmp_path, "601,1,,2025-10-01T10:00:00,2025-10-01T11:00:00,3600,5,,,,,,,",
        "601,1,,2025-10-01T10:00:00,2025-10-01T12:00:00,7200,6,,,,,,,",
    )  # fmt: skip
    source = ReplaySource(open_recording(folder))
    source.advance_to(datetime(2025, 10, 1, 11, 30, tzinfo=UTC))
    assert source.world.connectors["601/1"][1]["status"] == "Charging"
    source.advance_to(source.end)
    assert source.world.connectors["601/1"][1]["status"] == "Available"
    sessions = {row.id: row.fields for row in source.world.sessions}
    assert {name: row["energyKwh"] for name, row in sessions.items()} == {
        "601-1-2025-10-01T10:00:00": 5.0,
        "601-1-2025-10-01T10:00:00-2": 6.0,
    }
    assert {row["cost"] for row in sessions.values()} == {None}
    assert {row["locationId"] for row in sessions.values()} == {"601"}


def test_an_acn_session_keeps_its_offset_and_its_id(tmp_path: Path) -> None:
    row = "caltech,2019-05-01 01:18:45-07:00,2019-05-01 15:52:36-07:00,60.0,44.069,CA-305,2_39,,True,x"
    recording = open_recording(packed(tmp_path, "acn_sessions.csv", [ACN, row]))
    session = world_at(tmp_path, recording.end).sessions.rows["2_39"].fields
    assert (session["chargerId"], session["connectorId"]) == ("caltech/CA-305", "caltech/CA-305/1")
    assert (session["startedAt"], session["endedAt"]) == ("2019-05-01T08:18:45Z", "2019-05-01T22:52:36Z")
    assert (session["energyKwh"], session["cost"]) == (44.069, None)


def test_years_without_a_century_are_of_this_one(tmp_path: Path) -> None:
    rows = [DATAVERSE, "1,6.76,0.58,0014-11-21 12:05:46,0014-11-21 16:46:04,129465,461655"]
    recording = open_recording(packed(tmp_path, "station_data_dataverse.csv", rows))
    session = world_at(tmp_path, recording.end).sessions.rows["1"].fields
    assert (session["startedAt"], session["cost"], session["currency"]) == ("2014-11-21T12:05:46Z", 0.58, "USD")


def test_a_folder_without_data_says_which_files_were_looked_for(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"holds no recording; looked for timeline\.csv, irish_status"):
        open_recording(tmp_path)
    with pytest.raises(RecordingError, match="is not a folder"):
        open_recording(tmp_path / "absent")


def test_a_broken_gzip_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "timeline.csv.gz").write_bytes(gzip.compress(b"at,location_id\n" * 1000)[:-20])
    with pytest.raises(RecordingError, match=r"timeline\.csv\.gz"):
        open_recording(tmp_path)


def test_the_real_irish_record_agrees_with_a_plain_reading() -> None:
    folder = shared_folder("data/irish_status")
    source = ReplaySource(open_recording(folder))
    with gzip.open(folder / "irish_status_transitions_2018-11.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = {(row["cp_id"], row["connector_type"]): row["to_status"] for row in rows}
    source.advance_to(source.end)
    world = source.world
    assert (len(world.connectors), len(world.chargers), len(world.locations)) == (674, 539, 539)
    offline = {charger for (charger, _), status in last.items() if status == "OOC"}
    assert {row.id for row in world.chargers if not row.fields["online"]} == offline
    faulted = {f"{charger}/{kind}" for (charger, kind), status in last.items() if status == "OOS"}
    now_faulted = {name for name, (_, plug) in world.connectors.items() if plug["status"] == "Faulted"}
    assert faulted <= now_faulted
    assert all(last[tuple(name.rsplit("/", 1))] == "OOC" for name in now_faulted - faulted)  # type: ignore[index]


def test_the_real_irish_record_has_its_hole() -> None:
    source = ReplaySource(open_recording(shared_folder("data/irish_status")))
    down = {
        moment: source.is_down(datetime.fromisoformat(f"2018-11-{moment}:00+00:00"))
        for moment in ("11T04:52", "11T04:53", "18T12:00", "25T05:14", "25T05:15")
    }
    assert down == {"11T04:52": False, "11T04:53": True, "18T12:00": True, "25T05:14": True, "25T05:15": False}


def test_a_minute_of_the_real_irish_record_without_events_changes_nothing() -> None:
    source = ReplaySource(open_recording(shared_folder("data/irish_status")))
    source.advance_to(datetime(2018, 11, 18, tzinfo=UTC))
    quiet = source.world.chargers.changed_since(round(datetime(2018, 11, 11, 5, tzinfo=UTC).timestamp() * 1000))
    assert quiet == []
    assert source.next_event_at() == datetime(2018, 11, 25, 5, 15, tzinfo=UTC)


def test_the_real_scottish_record_ends_with_every_session_of_the_file() -> None:
    folder = shared_folder("data/chargeplace_scotland")
    source = ReplaySource(open_recording(folder))
    assert len(source.world.connectors) == 7086  # from the start of the recording
    source.advance_to(source.end)
    with gzip.open(folder / "cps_sessions_2025-10.csv.gz", "rt", encoding="utf-8", newline="") as file:
        expected = Counter(row["end_time"][:10] for row in csv.DictReader(file))
    assert Counter(row.fields["endedAt"][:10] for row in source.world.sessions) == expected
    assert not source.world.open_sessions
    assert {plug["status"] for _, plug in source.world.connectors.values()} == {"Available"}


@pytest.mark.parametrize(
    ("name", "sessions", "chargers"), [("acn_caltech_jpl", 27407, 107), ("workplace_cc0", 3395, 105)]
)
def test_the_real_workplaces_end_with_every_session(name: str, sessions: int, chargers: int) -> None:
    source = ReplaySource(open_recording(shared_folder(f"data/{name}")))
    source.advance_to(source.end + timedelta(days=1))
    assert (len(source.world.sessions), len(source.world.chargers)) == (sessions, chargers)
    assert not source.world.open_sessions
