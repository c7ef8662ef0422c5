"""`chargehand record`: a faithful account without people and secrets, that a sandbox serves to the same contract."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from bot.cli.contract_doctor import check_contract
from bot.cli.recorder import Cleaner, record_account, write_recording
from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, contract_from
from eosvolt.errors import Conflict, NotFound
from eosvolt.survey.surveying import survey
from eosvolt.tokens import TokenSource
from sandbox.eosvolt.accounts.public import TONGUES
from sandbox.eosvolt.accounts.spoken import Spoken
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.in_process import InProcessTransport
from sandbox.eosvolt.recorded import RecordedApi, RecordingError
from sandbox.fleet.fleet import FleetSource
from tests.eosvolt.accounts import EXAMPLES, NOON, TOKEN, Hand, at_once, contract_of

BARE = 'paging.style = "none"\n'
LATER = NOON + timedelta(hours=3)


@pytest.mark.parametrize("dialect", ["plain", *TONGUES])
async def test_a_recorded_account_is_read_as_the_account_was(dialect: str, tmp_path: Path) -> None:
    clock, token, contract = Hand(), TokenSource.from_text(TOKEN), contract_of(dialect)
    fleet = FleetSource(30, 3, NOON)
    api = create_api(fleet, clock=clock, token=TOKEN)
    clock.after(hours=3)
    onward = InProcessTransport(Spoken(api, TONGUES[dialect]) if dialect in TONGUES else api)
    kept = await record_account("http://live", token, contract, LATER, onward=onward)
    write_recording(kept, tmp_path, LATER)
    saved = json.dumps(kept)
    assert TOKEN not in saved
    assert not [tag for tag in tags_of(fleet) if tag in saved]
    assert not [name for name in names_of(fleet) if f'"{name}"' in saved]
    served = InProcessTransport(RecordedApi(tmp_path))
    async with (
        EosvoltClient("http://live", token, contract, transport=onward, attempts=1, clock=clock) as live,
        EosvoltClient("http://kept", token, contract, transport=served, attempts=1, pause=at_once) as client,
    ):
        was, now = await live.fetch_chargers(), await client.fetch_chargers()
        assert (now.complete, now.shortfall, now.set_aside) == (True, "", ())
        assert [(row.id, row.location_id, row.online) for row in now.rows] == [
            (row.id, row.location_id, row.online) for row in was.rows
        ]
        assert [plug.status for row in now.rows for plug in row.connectors] == [
            plug.status for row in was.rows for plug in row.connectors
        ]
        day = LATER - timedelta(days=1) + timedelta(minutes=7)  # another moment than the one that was asked for
        sessions = await client.fetch_sessions(started_from=day)
        assert sessions.complete
        assert len(sessions.rows) > 10
        assert (await client.fetch_charger(now.rows[0].id)).id == now.rows[0].id
        with pytest.raises(NotFound):
            await client.fetch_charger("chargehand-knows-no-such-id")


@pytest.mark.parametrize("dialect", ["plain", *TONGUES])
async def test_doctor_finds_nothing_wrong_with_a_recording_of_an_account_it_found_right(
    dialect: str, tmp_path: Path
) -> None:
    clock, token, contract = Hand(), TokenSource.from_text(TOKEN), contract_of(dialect)
    api = create_api(FleetSource(12, 3, NOON), clock=clock, token=TOKEN)
    clock.after(hours=3)
    onward = InProcessTransport(Spoken(api, TONGUES[dialect]) if dialect in TONGUES else api)
    write_recording(await record_account("http://live", token, contract, LATER, onward=onward), tmp_path, LATER)
    served, asked_at = InProcessTransport(RecordedApi(tmp_path)), LATER + timedelta(days=2)

    def client(under: Contract) -> EosvoltClient:
        return EosvoltClient("http://kept", token, under, transport=served, attempts=1, pause=at_once)

    override = (EXAMPLES / f"{dialect}.toml").read_text() if dialect in TONGUES else ""
    found = await survey(client, override, asked_at)
    assert ([one.told for one in found.differences], found.lines, found.troubles) == ([], {}, [])
    assert len(found.lists["chargers"].rows) == 12
    async with client(contract) as asking:
        checks = await check_contract(asking, contract, asked_at)
    assert [check.call for check in checks if check.verdict not in {"found", "not tried"} and not check.lacking] == []


def tags_of(fleet: FleetSource) -> list[str]:
    fleet.world.load_past(None)
    return [row.fields["idTag"] for row in fleet.world.sessions.ordered() if row.fields["idTag"]]


def names_of(fleet: FleetSource) -> list[str]:
    return [row.fields["name"] for row in fleet.world.locations]


async def test_nothing_can_be_acted_upon_in_a_recording(tmp_path: Path) -> None:
    (tmp_path / "answer-0000.json").write_text(
        json.dumps({"path": "/v1/x", "query": {}, "status": 200, "headers": {}, "body": []})
    )
    transport = InProcessTransport(RecordedApi(tmp_path))
    token = TokenSource.from_text(TOKEN)
    async with EosvoltClient("http://kept", token, contract_of("plain"), transport=transport, attempts=1) as client:
        with pytest.raises(Conflict, match="serves a recording"):
            await client.post_reset("1", "Soft")


async def test_a_recording_is_served_with_the_date_of_today_where_a_clock_is_given(tmp_path: Path) -> None:
    date = {"date": "Wed, 01 Oct 2025 12:00:00 GMT"}
    answer = {"path": "/v1/sessions", "query": {}, "status": 200, "headers": date, "body": {"data": [], "total": 0}}
    (tmp_path / "answer-0000.json").write_text(json.dumps(answer))
    today = NOON + timedelta(days=40)
    for clock, behind in ((None, timedelta(days=-40)), (lambda: today, timedelta(0))):
        transport, contract = InProcessTransport(RecordedApi(tmp_path, clock)), contract_from(BARE, "bare")
        token = TokenSource.from_text(TOKEN)
        async with EosvoltClient("http://kept", token, contract, transport=transport, clock=lambda: today) as client:
            assert (await client.fetch_sessions()).clock_skew == behind


def test_a_folder_without_answers_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="chargehand record --out DIR"):
        RecordedApi(tmp_path)


def test_the_same_word_stands_for_the_same_person_everywhere() -> None:
    clean = Cleaner(TokenSource.from_text("tok-1234567-secret"))
    told = clean({"driver": {"name": "Ada"}, "rfid": "04A1", "rows": [{"rfid": "04A1", "note": "ask ada@example.com"}]})
    assert told["rfid"] == told["rows"][0]["rfid"] != "04A1"
    assert "Ada" not in json.dumps(told)
    assert told["rows"][0]["note"] == "ask someone@example.org"
    assert clean.text("Bearer tok-1234567-secret") != "Bearer tok-1234567-secret"
