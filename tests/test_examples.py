"""What a plain run leaves out is left to the other database alone: no case is lost, and no test runs on one only."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.examples import DATABASES, on_either

MARKED = Path(__file__).parent / "notify" / "test_impact.py"  # one of those marked, with tests of one case and of many


@pytest.fixture
def items(request: pytest.FixtureRequest) -> list[pytest.Item]:
    """Every test of a module that is marked, each case on both databases."""
    package = request.node.getparent(pytest.Package)
    found = pytest.Module.from_parent(package, path=MARKED).collect()
    return [item for item in found if isinstance(item, pytest.Function)]


def _told(item: pytest.Item) -> tuple[str, str, str]:
    """The test, the case of it by its values, and the database."""
    spec = item.callspec  # type: ignore[attr-defined]  # those of the module have parameters
    others = {name: repr(value) for name, value in spec.params.items() if name != "database"}
    return item.name.partition("[")[0], repr(sorted(others.items())), spec.params["database"]


def test_a_plain_run_tries_each_case_on_one_database_and_each_test_on_both(
    items: list[pytest.Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    every = [_told(item) for item in items if hasattr(item, "callspec")]
    left = [_told(item) for item in on_either(items) if hasattr(item, "callspec")]
    kinds = defaultdict(set)
    for name, _, kind in left:
        kinds[name].add(kind)
    cases = Counter((name, case) for name, case, _ in left)
    many = Counter(name for name, _ in cases)
    assert set(cases) == {(name, case) for name, case, _ in every}
    assert all(found == set(DATABASES) for found in kinds.values())
    assert all(times == (2 if many[name] == 1 else 1) for (name, _), times in cases.items())
    assert len(left) < len(every)


def test_all_are_run_on_both_in_ci(items: list[pytest.Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert on_either(items) == items
