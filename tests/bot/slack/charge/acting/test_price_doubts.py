"""A change of prices gives pause where it is more than half of what it was, in whichever direction."""

import pytest

from bot.slack.charge.acting.price_doubts import steep_change


def prices(default: float | None, fee: float | None = None, blocks: tuple[list[object], ...] = ()) -> dict[str, object]:
    return {"default": default, "blocking_fee": fee, "blocks": list(blocks), "blocking_fee_interval_minutes": None}


@pytest.mark.parametrize(
    ("before", "changes", "words"),
    [
        (prices(0.45), {"default": 100.0}, "222 times what it was"),
        (prices(0.45), {"default": 0.68}, "51% more than it was"),
        (prices(0.45), {"default": 0.67}, None),
        (prices(0.45), {"default": 0.23}, None),
        (prices(0.45), {"default": 0.045}, "10 times less than it was"),
        (prices(0.45), {"default": 0.0}, "it becomes free"),
        (prices(0.0), {"default": 0.1}, "it was free until now"),
        (prices(0.0), {"default": 0.0}, None),
        (prices(None), {"default": 0.5}, None),
        (prices(0.5, fee=0.1), {"blocking_fee": 1.0}, "10 times what it was"),
        (prices(0.5), {"blocks": [["17:00", "20:00", 5.0]]}, "10 times what it was"),
        (prices(0.5, blocks=(["17:00", "20:00", 4.0],)), {"blocks": [["17:00", "20:00", 5.0]]}, None),
    ],
)
def test_how_large_a_change_is(before: dict[str, object], changes: dict[str, object], words: str | None) -> None:
    steep = steep_change(before, changes)
    assert (steep.words if steep is not None else None) == words
