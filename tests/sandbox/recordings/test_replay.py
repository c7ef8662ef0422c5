"""The neutral form, played into the API's answers: what each field does, and when."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox.recordings import RecordingError, open_recording
from sandbox.recordings.replay import ReplaySource
from tests.sandbox.neutral import HEADER, NOON, Hand, asking, connector, replay, write


async def test_a_thing_exists_from_its_first_mention_on(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Available", "2025-10-01T12:05:00Z,,,B,status,Faulted")
    clock = Hand()
    async with asking(source, clock) as client:
        assert [row["id"] for row in (await client.get("/v1/chargers")).json()["data"]] == ["A"]
        clock.after(minutes=4, seconds=59)
        assert (await client.get("/v1/chargers/B")).status_code == 404
        clock.after(seconds=1)
        assert (await connector(client, "B"))["status"] == "Faulted"


async def test_a_missing_charger_and_location_are_the_connectors_own_id(tmp_path: Path) -> None:
    async with asking(replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Available"), Hand()) as client:
        charger = (await client.get("/v1/chargers/A")).json()
        location = (await client.get("/v1/locations/A")).json()
    assert (charger["locationId"], charger["online"], charger["lastHeartbeat"]) == ("A", True, None)
    assert (location["timezone"], location["address"], location["currency"]) == ("UTC", "A", None)


async def test_a_missing_charger_and_location_are_inherited_from_an_earlier_mention(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T11:00:00Z,L,C,A,,", "2025-10-01T11:10:00Z,,C,B,status,Available",
        "2025-10-01T11:20:00Z,,,A,status,Faulted",
    )  # fmt: skip
    async with asking(source, Hand()) as client:
        charger = (await client.get("/v1/chargers/C")).json()
    assert charger["locationId"] == "L"
    assert [(plug["id"], plug["status"]) for plug in charger["connectors"]] == [("A", "Faulted"), ("B", "Available")]


async def test_status_moves_its_time_only_when_it_changes(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:00:00Z,,,A,status,Faulted", "2025-10-01T12:10:30Z,,,A,status,Faulted",
        "2025-10-01T14:20:30.250+02:00,,,A,status,",
    )  # fmt: skip
    clock = Hand(NOON + timedelta(minutes=15))
    async with asking(source, clock) as client:
        charger = (await client.get("/v1/chargers/A")).json()
        assert charger["connectors"][0]["statusChangedAt"] == "2025-10-01T12:00:00Z"
        assert charger["updatedAt"] == "2025-10-01T12:00:00Z"
        clock.after(minutes=6)
        charger = (await client.get("/v1/chargers/A")).json()
    assert charger["connectors"][0]["status"] is None
    assert charger["connectors"][0]["statusChangedAt"] == charger["updatedAt"] == "2025-10-01T12:20:30.250Z"


async def test_error_code_online_and_power_follow_their_rows_and_empty_means_null(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:00:00Z,L,C,A,error_code,GroundFailure", "2025-10-01T12:00:00Z,,C,,online,false",
        "2025-10-01T12:00:00Z,,,A,power_kw,7.4", "2025-10-01T12:01:00Z,,,A,error_code,",
        "2025-10-01T12:01:00Z,,C,,online,", "2025-10-01T12:01:00Z,,,A,power_kw,",
    )  # fmt: skip
    clock = Hand()
    async with asking(source, clock) as client:
        before = (await client.get("/v1/chargers/C")).json()
        clock.after(minutes=1)
        after = (await client.get("/v1/chargers/C")).json()
    plug = before["connectors"][0]
    assert (plug["errorCode"], before["online"], plug["powerKw"], plug["status"]) == ("GroundFailure", False, 7.4, None)
    plug = after["connectors"][0]
    assert (plug["errorCode"], after["online"], plug["powerKw"]) == (None, None, None)


async def test_a_session_starts_grows_ends_and_is_corrected(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:00:00Z,,,A,session_start,,S1", "2025-10-01T12:10:00Z,,,,,,S1,1.5",
        "2025-10-01T12:20:00Z,,,A,status,Charging,S1,2.5", "2025-10-01T12:30:00Z,,,A,session_end,,S1,4,1.20,EUR",
        "2025-10-01T13:00:00Z,,,,,,S1,4.25,1.30",
    )  # fmt: skip
    clock = Hand()
    seen = []
    async with asking(source, clock) as client:
        for _ in range(5):
            session = (await client.get("/v1/sessions/S1")).json()
            seen.append((session["status"], session["endedAt"], session["energyKwh"], session["cost"]))
            clock.after(minutes=30 if session["status"] == "Completed" else 10)
    assert seen == [
        ("Active", None, None, None),
        ("Active", None, 1.5, None),
        ("Active", None, 2.5, None),
        ("Completed", "2025-10-01T12:30:00Z", 4.0, 1.2),
        ("Completed", "2025-10-01T12:30:00Z", 4.25, 1.3),
    ]
    assert (session["startedAt"], session["currency"]) == ("2025-10-01T12:00:00Z", "EUR")


async def test_a_session_end_without_an_id_ends_the_connectors_open_session(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T11:00:00Z,,,A,session_start,", "2025-10-01T11:30:00Z,,,A,session_end,Failed,,3"
    )
    async with asking(source, Hand()) as client:
        (session,) = (await client.get("/v1/sessions")).json()["data"]
    assert (session["status"], session["energyKwh"], session["connectorId"]) == ("Failed", 3.0, "A")


async def test_a_price_belongs_to_the_location(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,L,C,A,,", "2025-10-01T12:00:00Z,,C,,price,0.59,,,,EUR")
    async with asking(source, Hand()) as client:
        pricing = (await client.get("/v1/locations/L/pricing")).json()
    assert (pricing["default"], pricing["unit"], pricing["currency"], pricing["blocks"]) == (0.59, "kWh", "EUR", [])


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (60, 503), (119, 503), (119.999, 503), (120, 200)], ids=str)
async def test_every_call_answers_503_from_gap_start_up_to_gap_end(tmp_path: Path, seconds: float, status: int) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:00:00Z,,,A,status,Available", "2025-10-01T12:01:00Z,,,,gap_start",
        "2025-10-01T12:02:00Z,,,,gap_end",
    )  # fmt: skip
    async with asking(source, Hand(NOON + timedelta(seconds=seconds))) as client:
        for path in ("/v1/chargers", "/v1/chargers/A", "/v1/nonsense"):
            answer = await client.get(path)
            assert (answer.status_code == 503) == (status == 503)
            if status == 503:
                assert answer.json()["code"] == "service_unavailable"


async def test_a_gap_without_an_end_lasts(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,,,A,status,Available", "2025-10-01T12:01:00Z,,,,gap_start")
    async with asking(source, Hand(NOON + timedelta(days=400))) as client:
        assert (await client.get("/v1/chargers")).status_code == 503


async def test_a_removed_connector_is_gone_and_its_charger_says_so(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:00:00Z,L,C,A,status,Faulted", "2025-10-01T12:00:00Z,,C,B,status,Available",
        "2025-10-01T12:05:00Z,,,A,removed,",
    )  # fmt: skip
    clock = Hand()
    async with asking(source, clock) as client:
        assert (await connector(client, "C"))["id"] == "A"
        clock.after(minutes=5)
        charger = (await client.get("/v1/chargers/C")).json()
    assert [plug["id"] for plug in charger["connectors"]] == ["B"]
    assert charger["updatedAt"] == "2025-10-01T12:05:00Z"


async def test_a_removed_charger_and_a_removed_location_are_gone_from_lists(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:00:00Z,L,C,A,status,Faulted", "2025-10-01T12:00:00Z,L,D,B,status,Available",
        "2025-10-01T12:05:00Z,,C,,removed,", "2025-10-01T12:06:00Z,L,,,removed,",
    )  # fmt: skip
    clock = Hand(NOON + timedelta(minutes=5))
    async with asking(source, clock) as client:
        assert [row["id"] for row in (await client.get("/v1/chargers")).json()["data"]] == ["D"]
        clock.after(minutes=1)
        assert (await client.get("/v1/chargers")).json()["total"] == 0
        assert (await client.get("/v1/locations")).json()["total"] == 0


async def test_a_removed_connector_exists_anew_when_it_is_mentioned_again(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T11:00:00Z,L,C,A,status,Faulted", "2025-10-01T11:05:00Z,,C,,removed,",
        "2025-10-01T11:30:00Z,,,A,status,Available",
    )  # fmt: skip
    async with asking(source, Hand()) as client:
        charger = (await client.get("/v1/chargers/C")).json()
    assert charger["locationId"] == "L"
    assert charger["connectors"][0]["statusChangedAt"] == "2025-10-01T11:30:00Z"


def test_rows_out_of_time_order_are_sorted_and_rows_of_one_moment_keep_their_order(tmp_path: Path) -> None:
    source = replay(
        tmp_path, "2025-10-01T12:05:00Z,,,A,status,Charging", "2025-10-01T12:00:00Z,,,A,status,Available",
        "2025-10-01T12:05:00Z,,,A,status,Finishing",
    )  # fmt: skip
    assert (source.start, source.end) == (NOON, NOON + timedelta(minutes=5))
    source.advance_to(NOON)
    assert source.world.connectors["A"][1]["status"] == "Available"
    source.advance_to(source.end)
    assert source.world.connectors["A"][1]["status"] == "Finishing"


def test_the_time_zone_column_is_optional_and_names_the_locations_zone(tmp_path: Path) -> None:
    row = "2025-10-01T12:00:00Z,L,C,A,status,Available,,,,,America/Halifax"
    source = replay(tmp_path, row, header=f"{HEADER},timezone")
    source.advance_to(NOON)
    assert source.world.locations.rows["L"].fields["timezone"] == "America/Halifax"


def test_a_gzipped_timeline_is_read_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain", "2025-10-01T12:00:00Z,,,A,status,Available")
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "timeline.csv.gz").write_bytes(gzip.compress((plain / "timeline.csv").read_bytes()))
    assert open_recording(packed).events == open_recording(plain).events


def test_steps_of_any_size_give_the_same_world(tmp_path: Path) -> None:
    rows = [
        f"2025-10-01T12:{minute:02d}:00Z,,,A,status,{'Faulted' if minute % 3 else 'Available'}" for minute in range(40)
    ]
    recording = open_recording(write(tmp_path, *rows))
    at_once, by_minutes = ReplaySource(recording), ReplaySource(recording)
    at_once.advance_to(recording.end)
    for minute in range(41):
        by_minutes.advance_to(NOON + timedelta(minutes=minute))
        by_minutes.advance_to(NOON)
    assert at_once.world.connectors["A"][1] == by_minutes.world.connectors["A"][1]


async def test_a_recording_cannot_be_acted_upon(tmp_path: Path) -> None:
    source = replay(tmp_path, "2025-10-01T12:00:00Z,,,A,session_start,,S1")
    async with asking(source, Hand()) as client:
        for path, body in (
            ("/v1/sessions/start", {"connectorId": "A"}),
            ("/v1/sessions/stop", {"sessionId": "S1"}),
            ("/v1/chargers/A/reset", {"type": "Soft"}),
            ("/v1/chargers/A/unlock", {"connectorId": "A"}),
            ("/v1/chargers/A/availability", {"operative": False}),
        ):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (409, "recording_is_read_only")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2025-10-01T12:00:00,,,A,status,Available", ['line 3, column "at": "2025-10-01T12:00:00"', "with an offset"]),
        ("2025-10-01T12:00:00Z,,,A,statu,Available", ['line 3, column "field": "statu"', "error_code"]),
        ("2025-10-01T12:00:00Z,,,A,power_kw,much", ['line 3, column "value": "much" is not a number']),
        ("2025-10-01T12:00:00Z,,,A,power_kw,nan", ['"nan" is not a number']),
        ("2025-10-01T12:00:00Z,,C,,online,maybe", ['column "value": "maybe" is not true, false or empty']),
        ("2025-10-01T12:00:00Z,,C,,status,Faulted", ['column "connector_id"', "field status"]),
        ("2025-10-01T12:00:00Z,,,,online,true", ['column "charger_id"']),
        ("2025-10-01T12:00:00Z,,,,,", ['column "location_id"']),
        ("2025-10-01T12:00:00Z,L,,,price,", ['column "value"', "a price"]),
        ("2025-10-01T12:00:00Z,,,A,session_end,", ["no open session"]),
        ("2025-10-01T12:00:00Z,,,,,,S9,1.0", ['column "session_id": "S9"']),
        ("2025-10-01T12:00:00Z,,,A,session_end,,S1,x", ['column "energy_kwh": "x"']),
        ("2025-10-01T12:00:00Z,,OTHER,K,status,Faulted", ['column "charger_id": "OTHER"', "since line 2"]),
        ("2025-10-01T12:00:00Z,,,,gap_end,", ["gap_start first"]),
    ],
)
def test_a_bad_row_is_named_with_line_column_value_and_what_is_expected(
    tmp_path: Path, row: str, words: list[str]
) -> None:
    folder = write(tmp_path, "2025-10-01T11:00:00Z,,C,K,status,Available", row)
    with pytest.raises(RecordingError) as caught:
        open_recording(folder)
    for word in ["timeline.csv", *words]:
        assert word in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, header="at,field,value")
    with pytest.raises(RecordingError, match=r"timeline\.csv, line 1: the column location_id, charger_id"):
        open_recording(folder)
