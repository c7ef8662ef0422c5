"""The process looks seldom for what nobody holds, and finds it all the same."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from bot.service.operating.collecting import SELDOM, collect_seldom, uncollected


class Ring:
    """An object that holds itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


def test_what_holds_itself_goes_after_as_many_more_objects_and_no_sooner() -> None:
    gc.disable()
    collect_seldom()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    gc.collect()
    ring = Ring()
    gone = weakref.ref(ring)
    del ring
    held: list[list[int]] = [[] for _ in range(SELDOM[0] // 2)]
    assert gone() is not None
    held += [[] for _ in range(SELDOM[0] * 2)]
    assert gone() is None


def test_nothing_is_looked_for_while_somebody_works_and_all_is_again_after_the_last() -> None:
    gc.enable()
    with uncollected():
        assert not gc.isenabled()
        with pytest.raises(ValueError, match="broken"), uncollected():
            raise ValueError("broken")
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    with uncollected(), uncollected():
        pass
    was_off = not gc.isenabled()
    gc.enable()
    assert was_off
