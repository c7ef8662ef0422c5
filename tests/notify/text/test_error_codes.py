"""Error codes in words: every standard one is told whole, and an operator's file adds to them or is refused."""

from pathlib import Path

import pytest

from notify.text.error_codes import CodesError, load_codes, standard_codes
from notify.text.words import named

OCPP = """
ConnectorLockFailure EVCommunicationError GroundFailure HighTemperature InternalError LocalListConflict OtherError
OverCurrentFailure OverVoltage PowerMeterFailure PowerSwitchFailure ReaderFailure ResetFailure UnderVoltage WeakSignal
"""


def test_every_code_of_ocpp_and_chargex_is_told_whole_and_as_plain_text() -> None:
    codes = standard_codes()
    for code in (*OCPP.split(), *(f"CX{number:03d}" for number in range(1, 27))):
        words = codes.explain(code, None)
        assert words is not None, code
        for text in (words.name, words.meaning, words.cause, words.mends):
            assert text is not None, code
            assert "`" not in named(text, 200), text


def test_the_vendors_code_says_more_and_goes_first_in_any_case() -> None:
    codes = standard_codes()
    told = codes.explain("OtherError", "cx026")
    assert told is not None
    assert told.name == "Cable cut"
    same, ground = codes.explain(None, "CX002"), codes.explain("GroundFailure", "unheard of")
    assert same == ground


def test_a_code_that_nobody_explained_has_no_words() -> None:
    assert standard_codes().explain("NoSuchCode", None) is None
    assert standard_codes().explain(None, None) is None


def test_an_operators_file_adds_codes_and_says_known_ones_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "codes.yaml"
    path.write_text("E12: Fan broken\n4711: {name: Door open, mends: somebody on site}\nGroundFailure: Earth leak\n")
    codes = load_codes(path)
    names = [words.name for code in ("E12", "4711", "GroundFailure") if (words := codes.explain(code, None))]
    assert names == ["Fan broken", "Door open", "Earth leak"]
    assert codes.explain("CX001", None) == standard_codes().explain("ConnectorLockFailure", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- E12", "must be a mapping"),
        ("E12: [1]", 'the code "E12" must have a text'),
        ("E12: {meaning: x}", 'the code "E12" has no "name"'),
        ("E12: {name: x, colour: red}", 'unknown key "colour"'),
        (f"E12: {'x' * 61}", "1 to 60 characters"),
        ("E12: {name: x", "line"),
        ("E12: ''", "1 to 60 characters"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "codes.yaml"
    path.write_text(text)
    with pytest.raises(CodesError, match=r"codes\.yaml") as refused:
        load_codes(path)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CodesError, match="cannot be read"):
        load_codes(tmp_path / "none.yaml")
