"""`chargehand doctor` on EOSVOLT: each route found, forbidden or different, with lines that mend what they say."""

import json
import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.cli.account_doctor import examine_account, examine_answer, examine_sample
from bot.cli.contract_doctor import RouteCheck, check_contract, table
from bot.cli.doctor import examine, report
from bot.settings import Settings
from eosvolt.contract import load_contract
from eosvolt.errors import MalformedAnswer
from eosvolt.survey.comparison import compare
from sandbox.eosvolt.accounts.plain import PLAIN
from sandbox.eosvolt.accounts.spoken import Spoken
from sandbox.eosvolt.api import create_api
from sandbox.eosvolt.server import serving
from sandbox.fleet.fleet import FleetSource
from tests.eosvolt.accounts import DIALECTS, FILES, NOON, TOKEN, Account, account, contract_of
from tests.eosvolt.wire import charger, connector, session

ACTING = {"charger_reset", "charger_unlock", "charger_availability", "session_start", "session_stop"}


async def checked(site: Account) -> dict[str, RouteCheck]:
    """The checks of an account by route, an hour into its day."""
    site.clock.after(hours=1)
    return {check.name: check for check in await check_contract(site.client, site.contract, site.clock())}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_under_its_own_contract_every_route_is_found_and_nothing_is_sent_that_acts(dialect: str) -> None:
    async with account(dialect, chargers=12) as site:
        checks = await checked(site)
        assert site.api.commands == []
    assert list(checks) == list(site.contract.routes)
    assert {name for name, check in checks.items() if check.verdict == "not tried"} >= ACTING | {"export"}
    assert {check.verdict for check in checks.values()} == {"found", "not tried"}
    assert not [line for check in checks.values() for line in check.lines]
    assert checks["chargers"].call == "GET /v1/chargers"
    assert checks["chargers"].told.startswith("12 rows, ")


async def test_a_forbidden_resource_is_told_and_the_others_are_still_asked() -> None:
    async with account("plain", chargers=6) as site:
        site.api.faults.forbidden = frozenset({"sessions", "pricing"})
        checks = await checked(site)
    assert (checks["sessions"].verdict, checks["pricing"].verdict) == ("forbidden", "forbidden")
    assert (checks["chargers"].verdict, checks["report_summary"].verdict) == ("found", "found")


async def test_an_account_without_a_fleet_lacks_it_and_is_not_at_fault() -> None:
    async with account("laravel", chargers=6) as site:
        checks = await checked(site)
    assert {checks[name].lacking for name in ("drivers", "teams", "keys")} == {True}
    assert checks["drivers"].told.startswith("this account has no drivers")
    async with account("plain", chargers=6) as site:
        checks = await checked(site)
    assert checks["keys"].told == "12 keys"


async def test_a_route_that_is_not_there_differs_and_names_its_line(tmp_path: Path) -> None:
    override = tmp_path / "site.toml"
    override.write_text('routes.chargers.call = "GET /v2/stations"\n')
    async with account("plain", chargers=2) as site:
        contract = load_contract(override)
        site.client._contract = contract
        site.contract = contract
        checks = await checked(site)
    assert checks["chargers"].verdict == "differs"
    assert checks["chargers"].lines == ('routes.chargers.call = "GET /v2/stations"',)
    assert checks["charger"].told == "no id is known to ask for"


async def test_an_account_of_other_words_is_told_lines_that_an_override_file_takes(tmp_path: Path) -> None:
    async with account("watts", chargers=6) as site:
        plain = load_contract()
        site.client._contract = site.contract = plain
        checks = await checked(site)
    assert checks["chargers"].verdict == "differs"
    shown = table(list(checks.values()))
    assert "At the top of the override file" in shown
    lines = [line.strip() for line in shown.splitlines() if line.startswith("  ")]
    tomllib.loads("\n".join(line for line in lines if not line.endswith("...")))


def bare_settings() -> Settings:
    return Settings(_env_file=None)  # type: ignore[call-arg]  # mypy does not see the name


def renamed(row: Any, names: dict[str, str]) -> Any:
    if isinstance(row, list):
        return [renamed(item, names) for item in row]
    if isinstance(row, dict):
        return {names.get(key, key): renamed(value, names) for key, value in row.items()}
    return row


def test_the_lines_for_a_charger_with_other_names_and_units_mend_it(tmp_path: Path) -> None:
    plug = connector("1.1", maxPowerKw=22000, status="IN_USE", statusChangedAt=1772359200000)
    row = charger("1", connectors=[plug], updatedAt=1772359200, online="UP")
    names = {"locationId": "location_identifier", "connectors": "outlets", "maxPowerKw": "max_power_kw"}
    document = {"records": [renamed(row, names)]}
    first = compare(document, load_contract())
    assert first.resource == "charger"
    lines = [one.line for one in first.differences if one.line]
    assert lines[0] == 'envelope.rows = ["records"]'
    assert 'fields.charger.location_id = "location_identifier"' in lines
    assert 'fields.charger.connectors = "outlets"' in lines
    assert first.unreadable == 2  # the charger, and the connector inside what would be read

    override = tmp_path / "site.toml"
    for _ in range(4):  # what is mended lets the next thing be seen, as for a person
        override.write_text("\n".join(dict.fromkeys(lines)))
        told = compare(document, load_contract(override))
        lines += [one.line for one in told.differences if one.line]
    assert told.differences == ()
    assert (told.unreadable, told.rows) == (0, 1)
    assert 'fields.connector.status.values = { IN_USE = "Charging" }' in lines
    assert 'fields.connector.max_power_kw = { names = ["max_power_kw"], unit = "W" }' in lines
    assert 'fields.connector.status_changed_at = { names = ["statusChangedAt"], unit = "epoch_ms" }' in lines
    assert 'fields.charger.updated_at = { names = ["updatedAt"], unit = "epoch_s" }' in lines
    assert 'fields.charger.online = { names = ["online"], values = { UP = true, DOWN = false } }' in lines


@pytest.mark.parametrize(
    ("document", "resource"),
    [
        ({"data": [charger("1")]}, "charger"),
        ([session("s1")], "session"),
        ({"data": session("s1")}, "session"),
        ({"items": [{"id": "L1", "name": "North", "timezone": "UTC", "currency": "EUR"}]}, "location"),
        ({"hello": "world"}, None),
        ([], None),
        ("text", None),
        ([1, None, []], None),
    ],
)
def test_a_sample_is_recognised_by_its_fields(document: Any, resource: str | None, tmp_path: Path) -> None:
    file = tmp_path / "sample.json"
    file.write_text(json.dumps(document))
    answer = examine_sample(file, bare_settings())
    shown = answer.text
    assert answer.differs == (resource is None)
    assert compare(document, load_contract()).resource == resource
    assert shown.startswith(f"sample.json: {resource or 'neither charger, session or location'}; ")
    assert ("Nothing differs" in shown) == (resource is not None)


def test_a_sample_shows_what_is_read_what_is_absent_and_what_is_unknown(tmp_path: Path) -> None:
    row = charger("1", colour="green", rfidCard="04A1B2C3")
    del row["firmware"]
    file = tmp_path / "sample.json"
    file.write_text(json.dumps({"data": [row]}))
    lines = [" ".join(line.split()) for line in examine_sample(file, bare_settings()).text.splitlines()]
    assert lines[0] == "sample.json: charger; 1 row, 20 of 23 fields, 0 unreadable"
    assert "location_id read from locationId" in lines
    assert "connector.max_power_kw read from maxPowerKw" in lines
    assert "firmware not there" in lines
    assert 'colour unknown: "green"' in lines
    assert "rfidCard unknown: (str, not shown)" in lines


@pytest.mark.parametrize("dialect", ["snake", "watts"])
async def test_a_recording_of_another_dialect_is_clean_under_its_file_alone(dialect: str, tmp_path: Path) -> None:
    async with account(dialect, chargers=6) as site:
        document = await site.client.fetch_from("chargers")
    assert compare(document, load_contract(FILES / f"{dialect}.toml"), "charger").differences == ()
    assert compare(document, contract_of(dialect)).resource == "charger"


def test_a_sample_that_is_no_json_is_one_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "sample.json"
    file.write_text("<html>")
    with pytest.raises(MalformedAnswer, match="is not JSON"):
        examine_sample(file, bare_settings())


async def test_the_doctor_fails_for_what_is_essential_and_does_without_the_rest(
    tmp_path: Path,
) -> None:
    api = create_api(FleetSource(6, 3, NOON), clock=lambda: NOON, token=TOKEN)
    api.faults.forbidden = frozenset({"chargers"})
    override = tmp_path / "site.toml"
    override.write_text('routes.report_summary.call = "GET /v1/figures"\n')
    async with serving(api) as url:
        settings = Settings(  # type: ignore[call-arg]  # mypy does not see the name
            _env_file=None,
            eosvolt_base_url=url,
            eosvolt_token=SecretStr(TOKEN),
            database_url=f"sqlite:///{tmp_path / 'chargehand.db'}",
            chargehand_contract=override,
        )
        findings = {finding.name: finding for finding in await examine(settings)}
    assert findings["GET /v1/chargers"].failed
    assert findings["GET /v1/figures"].skipped
    assert 'put into CHARGEHAND_CONTRACT: routes.report_summary.call = "GET' in findings["GET /v1/figures"].told


async def test_the_doctor_shows_a_line_a_route_and_the_clock(tmp_path: Path) -> None:
    api = create_api(FleetSource(6, 3, NOON), clock=lambda: NOON + timedelta(hours=1), token=TOKEN)
    api.faults.forbidden = frozenset({"pricing", "sessions"})
    async with serving(api) as url:
        settings = Settings(  # type: ignore[call-arg]  # mypy does not see the name
            _env_file=None,
            eosvolt_base_url=url,
            eosvolt_token=SecretStr(TOKEN),
            database_url=f"sqlite:///{tmp_path / 'chargehand.db'}",
        )
        findings = {finding.name: finding for finding in await examine(settings)}
    assert not findings["GET /v1/chargers"].failed
    for lacking in ("GET /v1/sessions", "GET /v1/locations/{id}/pricing"):
        assert (findings[lacking].failed, findings[lacking].skipped) == (False, True)
        assert findings[lacking].told.startswith("switched off: ")
    assert findings["POST /v1/sessions/start"].skipped
    assert findings["clock"].failed
    shown = report(list(findings.values()))
    assert all(len(line) < 400 for line in shown.splitlines())
    assert "-      POST /v1/sessions/start" in shown


def test_a_sample_is_told_all_at_once_with_its_first_rows_and_its_lines_can_be_written(tmp_path: Path) -> None:
    rows = [charger(str(n), online="UP", updatedAt=1772359200 + n) for n in range(5)]
    document = {
        "payload": {"chargers": [renamed(row, {"connectors": "outlets", "locationId": "siteId"}) for row in rows]}
    }
    file, override = tmp_path / "sample.json", tmp_path / "site.toml"
    override.write_text('# ours\n[fields.charger]\nname = "name"  # as it is\n')
    file.write_text(json.dumps(document))
    answer = examine_sample(file, bare_settings(), override)
    assert answer.differs
    assert "  charger 0 'Charger 0' at L1, online: 0.1 Available, 0 of 22 kW" in answer.text.splitlines()
    assert len([line for line in answer.text.splitlines() if line.startswith("  charger ")]) == 3
    assert "Written to" in answer.text
    assert "# ours" in override.read_text()
    told = examine_answer(document, load_contract(override), override.read_text(), "sample.json")
    assert (told.differs, dict(told.lines)) == (False, {})


async def test_the_doctor_shows_counts_and_the_first_rows_and_writes_what_mends(tmp_path: Path) -> None:
    api = create_api(FleetSource(6, 3, NOON), clock=lambda: NOON + timedelta(hours=1), token=TOKEN)
    tongue = replace(PLAIN, names={"charger": {"connectors": "outlets"}}, times="epoch_ms")
    override = tmp_path / "site.toml"
    async with serving(Spoken(api, tongue)) as url:
        settings = Settings(  # type: ignore[call-arg]  # mypy does not see the name
            _env_file=None, eosvolt_base_url=url, eosvolt_token=SecretStr(TOKEN)
        )
        first = await examine_account(settings, NOON + timedelta(hours=1), override)
        settings = settings.model_copy(update={"chargehand_contract": override})
        second = await examine_account(settings, NOON + timedelta(hours=1))
    assert first.differs
    assert 'fields.charger.connectors = "outlets"' in first.text
    assert "chargers: 6 of 6 that EOSVOLT counts" in first.text
    assert (second.differs, second.text.count("\n  charger ")) == (False, 3)
