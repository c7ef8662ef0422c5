"""What a comparison proposes fits by type, and is one line of valid TOML a key; what it cannot guess it only tells."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from eosvolt.contract import contract_from, load_contract
from eosvolt.survey.comparison import Comparison, compare
from eosvolt.survey.lines import as_toml, merged, tried, written
from tests.eosvolt.wire import charger, connector, session


def lines_of(seen: Comparison) -> dict[str, Any]:
    return {key: value for one in seen.differences for key, value in one.lines.items()}


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in names}


def test_an_object_is_not_proposed_as_an_id_but_the_id_inside_it() -> None:
    rows = [
        {**without(charger(str(n)), "locationId"), "location": {"id": f"L{n % 2}", "city": "Oslo"}} for n in range(4)
    ]
    assert lines_of(compare(rows, load_contract(), "charger")) == {"fields.charger.location_id": "location.id"}


def test_a_list_is_not_proposed_as_an_id_nor_texts_as_connectors() -> None:
    row = {**without(charger("1"), "connectors"), "tags": ["a"], "charging_periods": [{"start": "x"}]}
    lines = lines_of(compare([row], load_contract(), "charger"))
    assert "fields.charger.connectors" not in lines
    assert not [value for value in lines.values() if value == "charging_periods"]


def test_one_word_of_yes_and_no_brings_the_other_one_too() -> None:
    seen = compare([charger("1", online=1), charger("2", online=1)], load_contract(), "charger")
    assert lines_of(seen) == {"fields.charger.online": {"names": ["online"], "values": {"1": True, "0": False}}}


def test_every_field_that_cannot_be_read_is_told_at_once() -> None:
    row = charger("1", online="MAYBE", updatedAt="soon", lastHeartbeat="long ago", heartbeatIntervalSeconds="often")
    told = {one.field for one in compare([row], load_contract(), "charger").differences}
    assert told >= {"online", "updated_at", "last_heartbeat", "heartbeat_interval_seconds"}


def test_what_cannot_be_guessed_is_told_without_a_line() -> None:
    rows = [charger("1", connectors=[connector("1.1", status="ZZTOP")]), charger("2", online="MAYBE")]
    seen = compare(rows, load_contract(), "charger")
    assert {one.field for one in seen.differences} == {"online", "connector.status"}
    assert lines_of(seen) == {}


def test_rows_and_totals_are_found_beside_a_meta_that_holds_neither() -> None:
    document = {"meta": {"request": "r-1", "took": 3}, "payload": {"items": [session("s1")], "itemCount": 7}}
    seen = compare(document, load_contract())
    assert seen.resource == "session"
    assert lines_of(seen)["envelope.rows"] == ["payload.items"]


@pytest.mark.parametrize("document", [{"status_code": 2003, "status_message": "Unknown location"}, {"ok": False}, []])
def test_an_answer_without_rows_is_never_right(document: Any) -> None:
    seen = compare(document, load_contract())
    assert seen.resource is None
    assert seen.differences


@pytest.mark.parametrize("value", ['a "quoted" word', "é\\", 3, 2.5, True, ["a", "b"], {"names": ["x"], "unit": "W"}])
def test_each_value_is_one_line_of_toml(value: Any) -> None:
    assert tomllib.loads(f"key = {as_toml(value)}") == {"key": value}
    (line,) = written({"fields.charger.name": value})
    assert "\n" not in line


def test_lines_go_where_their_table_is_and_comments_stay() -> None:
    before = '# mine\n[fields.charger]\nname = "title"  # as the portal shows it\n\n[paging]\nstyle = "offset"\n'
    after = merged(before, {"fields.charger.name": "label", "fields.charger.online": "link", "times.sent": "epoch_s"})
    assert "# mine" in after
    assert tomllib.loads(after) == {
        "fields": {"charger": {"name": "label", "online": "link"}},
        "paging": {"style": "offset"},
        "times": {"sent": "epoch_s"},
    }


def test_where_a_table_of_its_own_stands_in_the_way_the_file_is_written_anew() -> None:
    before = '[fields.charger.name]\nnames = ["title"]\n'
    after = merged(before, {"fields.charger.name": "label"})
    assert contract_from(after, "after").fields["charger"]["name"].names == ("label",)


def test_a_line_that_the_contract_would_refuse_is_not_given_out(tmp_path: Path) -> None:
    assert tried("", {"fields.charger.name": "a..b"}) is None
    assert tried("", {"fields.charger.name": "title"}) is not None
    assert not list(tmp_path.iterdir())
