"""The generated documents: up to date, complete, and true to what the language accepts."""

import re
from pathlib import Path

import pytest

from bot.cli.docs import DOCUMENTS, ROOT, main, stale_documents
from rules.documents.reader import KEYS_OF, KEYS_OF_ALL
from rules.language.conditions import WORDS, parse_condition
from rules.language.fields import FIELDS, UNITS
from rules.language.function_words import FUNCTIONS
from rules.registry.reference import KEY_ENGLISH, OPERATORS, render_rules_reference

ALL_KEYS = [key for keys in KEYS_OF.values() for key in keys]


def test_every_generated_document_is_up_to_date() -> None:
    assert stale_documents(ROOT, DOCUMENTS) == {}


def test_the_reference_names_every_field_key_unit_and_function() -> None:
    text = render_rules_reference()
    for word in (*FIELDS, *KEYS_OF_ALL, *ALL_KEYS, *UNITS):
        assert f"`{word}`" in text
    for name in FUNCTIONS:
        assert f"`{name}(" in text


def test_every_key_has_its_english_and_no_other() -> None:
    assert set(KEY_ENGLISH) == {*KEYS_OF_ALL, *ALL_KEYS}


def test_every_word_of_the_language_is_explained() -> None:
    written = " ".join(written for written, _, _ in OPERATORS) + " `true` `false`"
    assert {word for word in WORDS if not re.search(rf"\b{word}\b", written)} == set()


@pytest.mark.parametrize("example", [example for _, _, example in OPERATORS])
def test_every_example_is_a_condition(example: str) -> None:
    assert parse_condition(example.strip("`"), for_each="session")


def test_no_row_of_a_table_has_a_cell_too_many() -> None:
    for block in render_rules_reference().split("\n\n"):
        rows = [line for line in block.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) <= 1


def test_a_stale_document_is_named_by_the_check_and_mended_by_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{name} is out of date: run `python -m bot.cli.docs` and commit it" for name in DOCUMENTS
    ]
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [f"wrote {name}" for name in DOCUMENTS]
    assert main(["--check"], tmp_path) == 0
    (tmp_path / next(iter(DOCUMENTS))).write_text("edited by hand", encoding="utf-8")
    assert main(["--check"], tmp_path) == 1


def test_an_unknown_argument_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wrong"], tmp_path) == 2
    assert capsys.readouterr().err == "usage: python -m bot.cli.docs [--check]\n"
    assert not list(tmp_path.iterdir())
