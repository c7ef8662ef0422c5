"""The documents of the house against the house: every path, module, function and test that they name is there.

Nothing here judges whether a sentence is true; it finds the names that a change left behind.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli.docs import DOCUMENTS as GENERATED
from bot.slack.charge.registry import WORDS
from tests.conftest import ROOT
from tests.test_rooms import FLOORS, named

TOP = (".ci", "bench", "docs", "templates", "tests", *FLOORS)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BY_HAND = [file for file in DOCUMENTS if named(file) not in GENERATED]
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text()

PATH = re.compile(rf"(?<![\w/.@-])(?:{'|'.join(map(re.escape, TOP))})/[\w./*-]*")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
MODULE = re.compile(rf"`((?:{'|'.join(FLOORS)})(?:\.\w+)+)`")
WIDEST = 120


def paths_in(text: str) -> set[str]:
    return {found.rstrip(".") for found in PATH.findall(text)}


def is_there(path: str) -> bool:
    """Whether a path is one of the project's; one with a star, whether it finds any."""
    return any(ROOT.glob(path.rstrip("/"))) if "*" in path else (ROOT / path).exists()


def section(title: str) -> str:
    return ARCHITECTURE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> Iterator[list[str]]:
    """The rows of a section's table, as cells, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split(" | ")]


def spans(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=named)
def test_no_document_holds_the_marks_of_a_merge(document: Path) -> None:
    lines = document.read_text().splitlines()
    assert [line for line in lines if line.startswith(("<<<<<<< ", ">>>>>>> "))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    assert sorted(path for path in paths_in(text) if not is_there(path)) == []
    assert [link for link in LINK.findall(text) if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_module_that_a_document_names_exists(document: Path) -> None:
    for dotted in MODULE.findall(document.read_text()):
        parts = dotted.split(".")
        whole, above = ROOT.joinpath(*parts), ROOT.joinpath(*parts[:-1]).with_suffix(".py")
        is_module = whole.is_dir() or whole.with_suffix(".py").is_file()
        assert is_module or (above.is_file() and parts[-1] in above.read_text()), dotted


@pytest.mark.parametrize("document", BY_HAND, ids=named)
def test_no_line_that_is_written_by_hand_is_wider_than_a_screen(document: Path) -> None:
    wrapped = (line for line in document.read_text().splitlines() if not line.startswith(("    ", "|")))
    assert [line for line in wrapped if len(line) > WIDEST] == []


def test_the_straight_line_names_at_most_ten_functions_up_to_the_message_each_where_it_is_defined() -> None:
    steps = [(step, *spans(function), *spans(file)) for step, function, file, _ in rows("The straight line")]
    assert len([step for step, _, _ in steps if step != "act"]) <= 10
    for _, function, file in steps:
        tree = ast.parse((ROOT / file).read_text())
        defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        assert function in defined, f"{file} has no {function}"


def test_every_module_stands_in_a_room_that_the_map_has() -> None:
    rooms = {spans(room)[0] for room, _ in rows("The rooms")}
    modules = {file for floor in (*FLOORS, "bench", "templates") for file in (ROOT / floor).rglob("*.py")}
    folders = {f"{named(file.parent)}/" for file in modules if "migrations" not in file.parts}
    assert sorted(folders - rooms) == []
    assert sorted(room for room in rooms if not (ROOT / room).is_dir()) == []


def test_the_map_names_no_module_that_left_its_room() -> None:
    for room, said in rows("The rooms"):
        folder = ROOT / spans(room)[0]
        modules = [word for word in spans(said) if re.fullmatch(r"[a-z_]+", word)]
        gone = [word for word in modules if not (folder / word).is_dir() and not (folder / f"{word}.py").is_file()]
        assert gone == [], f"{room} has no such module"


def test_every_name_of_the_code_that_the_map_tells_is_in_the_code() -> None:
    code = "\n".join(file.read_text() for floor in FLOORS for file in (ROOT / floor).rglob("*.py"))
    unfenced = re.sub(r"^```.*?^```$", "", ARCHITECTURE, flags=re.MULTILINE | re.DOTALL)
    prose = "\n".join(line for line in unfenced.splitlines() if not line.startswith("|"))
    told = [span for span in spans(prose) if re.fullmatch(r"[A-Za-z_]+(\.[A-Za-z_]+)*", span)]
    names = {part for span in told if not span.endswith((".py", ".toml", ".md")) for part in span.split(".")}
    assert sorted(name for name in names - set(FLOORS) if not re.search(rf"\b{name}\b", code)) == []


def test_the_glossary_has_at_most_25_words_in_their_order() -> None:
    words = re.findall(r"^- \*\*(.+?)\*\*", section("Glossary"), re.MULTILINE)
    assert 0 < len(words) <= 25
    assert words == sorted(set(words))


def test_each_decision_has_its_own_number_and_stands_in_the_index() -> None:
    numbers = [file.name[:4] for file in DECISIONS]
    assert len(set(numbers)) == len(numbers)
    indexed = LINK.findall((ROOT / "docs" / "decisions" / "README.md").read_text())
    assert sorted(indexed) == [file.name for file in DECISIONS]


@pytest.mark.parametrize("decision", DECISIONS, ids=named)
def test_a_decision_has_its_date_and_says_where_in_the_code_it_holds(decision: Path) -> None:
    title, blank, head = decision.read_text().split("\n", 2)
    assert title.startswith("# ")
    assert blank == ""
    assert re.match(r"Date: 20\d\d-\d\d-\d\d\. Where: `", head)
    assert paths_in(head.split("\n\n", 1)[0])


def test_the_readme_tells_every_word_of_charge() -> None:
    table = (ROOT / "README.md").read_text().split("\n## In Slack\n", 1)[1].split("\n## ", 1)[0]
    told = {word for span in spans(table) for word in re.findall(r"[a-z]+", span)}
    assert sorted({word.word.split()[0] for word in WORDS} - told) == []


def test_every_test_that_contributing_names_is_one() -> None:
    defined = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        defined |= set(re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE))
    told = set(re.findall(r"`(test_\w+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert told
    assert sorted(told - defined) == []
