"""The rooms of the house: each says what it is and may not do, none is a hall, and no file or function is long."""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOORS = ("bot", "commands", "notify", "rules", "storage", "eosvolt", "sandbox")
MOST_MODULES = 15


def rooms() -> list[Path]:
    folders = [folder for floor in FLOORS for folder in [ROOT / floor, *(ROOT / floor).rglob("*/")]]
    return sorted({folder for folder in folders if any(folder.glob("*.py")) and "migrations" not in folder.parts})


def named(folder: Path) -> str:
    return str(folder.relative_to(ROOT))


@pytest.mark.parametrize("room", rooms(), ids=named)
def test_a_room_says_what_it_is_and_what_it_may_not_do(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    sentences = [part for part in said.replace("\n", " ").split(".") if part.strip()]
    assert len(sentences) >= 2, f"{named(room)}/__init__.py: say in two sentences what this room is and may not do"
    denied = {"not", "no", "nothing", "never", "neither", "none", "nobody", "only", "alone"}
    assert denied & set(said.lower().replace(",", " ").replace(":", " ").replace(".", " ").split())


@pytest.mark.parametrize("room", rooms(), ids=named)
def test_a_room_is_no_hall(room: Path) -> None:
    modules = [file.name for file in room.glob("*.py") if file.name != "__init__.py"]
    assert len(modules) <= MOST_MODULES, f"{named(room)} has {len(modules)} modules: give it rooms"


WALLED = sorted(
    file
    for floor in (*FLOORS, "tests", "bench")
    for file in (ROOT / floor).rglob("*.py")
    if "migrations" not in file.parts  # revisions are made by Alembic
)


@pytest.mark.parametrize("file", WALLED, ids=named)
def test_a_file_fits_in_one_sitting_and_a_function_on_a_screen(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 400
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 50] == []


def modules() -> dict[str, Path]:
    files = [file for floor in FLOORS for file in (ROOT / floor).rglob("*.py") if "migrations" not in file.parts]
    return {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def _with_rooms_around(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)}


def _imports(file: Path, known: Collection[str]) -> Iterator[str]:
    """What is run as a module is: the modules that it imports as it is imported itself."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = (f"{node.module}.{one.name}" for one in node.names)
            yield from (name if name in known else node.module for name in whole)


def test_every_module_can_be_imported_first() -> None:
    """None imports itself in the end, by way of the rooms around what it imports too."""
    known = modules()
    leads_to = {
        name: {around for one in _imports(file, known) for around in _with_rooms_around(one) if around in known}
        - _with_rooms_around(name)
        for name, file in known.items()
    }
    while ends := {name for name, others in leads_to.items() if not others & leads_to.keys()}:
        leads_to = {name: others for name, others in leads_to.items() if name not in ends}
    assert {name: sorted(others & leads_to.keys()) for name, others in leads_to.items()} == {}
