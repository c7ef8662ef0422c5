"""No click is left out: each id of an action has its listener."""

from notify.text.action_ids import ActionId
from tests.conftest import ROOT


def test_every_action_has_a_listener() -> None:
    listeners = "\n".join(file.read_text() for file in (ROOT / "bot" / "slack" / "listeners").glob("*.py"))
    assert [action.name for action in ActionId if f"ActionId.{action.name}" not in listeners] == []
