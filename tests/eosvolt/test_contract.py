"""The contract file: complete as packaged, corrected by an override, and clear about what is wrong in one."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from eosvolt.contract import ContractError, load_contract
from eosvolt.models import (
    ChargerReading,
    CommandAnswer,
    ConnectorReading,
    ExportReading,
    LocationReading,
    PriceBlock,
    PricingReading,
    ReportReading,
    SessionReading,
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_packaged_contract_names_every_assumed_call() -> None:
    calls = {f"{route.method} {route.path}" for route in load_contract().routes.values() if route.method}
    assert calls == {
        "GET /v1/locations",
        "GET /v1/locations/{id}",
        "GET /v1/chargers",
        "GET /v1/chargers/{id}",
        "POST /v1/chargers/{id}/reset",
        "POST /v1/chargers/{id}/unlock",
        "POST /v1/chargers/{id}/availability",
        "GET /v1/sessions",
        "GET /v1/sessions/{id}",
        "POST /v1/sessions/start",
        "POST /v1/sessions/stop",
        "GET /v1/locations/{id}/pricing",
        "PUT /v1/locations/{id}/pricing",
        "GET /v1/reports/summary",
        "POST /v1/exports/sessions",
        "GET /v1/exports/{id}",
        "GET /v1/drivers",
        "GET /v1/teams",
        "GET /v1/keys",
    }


@pytest.mark.parametrize(
    ("resource", "reading"),
    [
        ("location", LocationReading),
        ("charger", ChargerReading),
        ("connector", ConnectorReading),
        ("session", SessionReading),
        ("pricing", PricingReading),
        ("price_block", PriceBlock),
        ("report", ReportReading),
        ("export", ExportReading),
        ("command", CommandAnswer),
    ],
)
def test_the_packaged_contract_says_where_each_field_of_a_reading_is_found(resource: str, reading: type) -> None:
    ours = {"extra", "set_aside", "status_raw", "unread"}  # made of what a row says, or of all that is left of it
    assert {field.name for field in fields(reading)} - ours == set(load_contract().fields[resource])


def test_an_override_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    text = '[fields.session]\nenergy_kwh = { unit = "Wh" }\nid = "uuid"\n[routes.chargers]\nlimit = 25\n'
    contract, packaged = load_contract(written(tmp_path, text)), load_contract()
    assert contract.fields["session"]["energy_kwh"].unit == "Wh"
    assert contract.fields["session"]["energy_kwh"].names == packaged.fields["session"]["energy_kwh"].names
    assert contract.fields["session"]["id"].names == ("uuid",)
    assert contract.fields["session"]["id"].required is True
    assert contract.routes["chargers"].limit == 25
    assert contract.routes["chargers"].params == packaged.routes["chargers"].params
    assert contract.paging == packaged.paging


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ('[fields.charger]\nseriall = "sn"', "fields.charger.seriall", 'did you mean "serial"?'),
        ('[fields.connector.power_kw]\nunit = "kilowatt"', "fields.connector.power_kw.unit", "one of W, kW, MW"),
        ('[fields.charger.name]\nunit = "kW"', "fields.charger.name.unit", "has no unit"),
        ('[fields.charger.name]\nname = "x"', "fields.charger.name.name", 'did you mean "names"?'),
        ("[fields.charger]\nid = []", "fields.charger.id.names", "at least one name"),
        ("[fields.charger]\nid = 5", "fields.charger.id", "must be a table"),
        ('[paging]\nstyle = "pages"', "paging.style", "one of page, offset"),
        ('[routes.chargers.paging]\nstyle = "pages"', "routes.chargers.paging.style", "one of page, offset"),
        ("[routes.chargers.paging]\npages = 2", "routes.chargers.paging.pages", 'did you mean "page"?'),
        ("[paging]\nfirst_page = -1", "paging.first_page", "at least 0"),
        ('[routes.charger]\ncall = "GET /v1/chargers"', "routes.charger.call", "a path with {id}"),
        ('[routes.chargers]\ncall = "FETCH it"', "routes.chargers.call", 'such as "GET /v1/chargers"'),
        ("[routes.chargers]\nlimit = 2.5", "routes.chargers.limit", "a whole number"),
        ('[routes.charger]\ncalls = "GET /x"', "routes.charger.calls", 'did you mean "call"?'),
        ("[envelope]\nrows = [1]", "envelope.rows", "a list of names"),
        ('[errors.kinds]\nodd = "strange"', "errors.kinds.odd", "one of unauthorized"),
        ('[times]\nnaive_timezone = "Mars/Base"', "times.naive_timezone", "an IANA time zone"),
        ("limits = 3", "limits", "must be a table"),
        ("[extra]\na = 1", "extra", 'unknown key "extra"'),
    ],
)
def test_a_wrong_key_or_value_is_one_error_that_names_file_and_key(
    tmp_path: Path, text: str, key: str, reason: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ContractError) as caught:
        load_contract(path)
    assert re.fullmatch(rf"{re.escape(str(path))}, line \d: {re.escape(key)}: .*", str(caught.value))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_toml_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"site\.toml: is not TOML"):
        load_contract(written(tmp_path, "a = = 1"))
    with pytest.raises(ContractError, match=r"absent\.toml: cannot be read"):
        load_contract(tmp_path / "absent.toml")
    latin = tmp_path / "latin.toml"
    latin.write_bytes("# Ærø".encode("latin-1"))
    with pytest.raises(ContractError, match=r"latin\.toml: is not UTF-8"):
        load_contract(latin)


@pytest.mark.parametrize("thing_id", ["../sessions/start", "a/b", "..", "a?b#c", "é 1"])
def test_no_id_can_name_another_route(thing_id: str) -> None:
    path = load_contract().routes["charger"].path_of(thing_id)
    assert path.startswith("/v1/chargers/")
    last = path.removeprefix("/v1/chargers/")
    assert not set("/?# ") & set(last)
    assert last not in {".", ".."}
