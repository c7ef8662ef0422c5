"""How seldom the process looks for objects that hold each other: what rules find is many objects that hold none.

Python looks each time 700 more were made, which is a fifth of the time of a storm. It decides nothing else.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SELDOM = (10_000, 10, 10)
"""How many more objects are made, and how many looks at the young ones are taken, until the older are looked at."""


def collect_seldom() -> None:
    """Leave what has been imported out of every look from now on, and look seldom."""
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()


_turn = threading.Lock()
_collected_before: list[bool] = []  # one for each who works, beside each other in threads


@contextmanager
def uncollected() -> Iterator[None]:
    """Look for none meanwhile: for work that soon ends, and makes many objects of which none holds itself."""
    with _turn:
        _collected_before.append(gc.isenabled() or any(_collected_before))
        gc.disable()
    try:
        yield
    finally:
        with _turn:
            if _collected_before.pop() and not _collected_before:
                gc.enable()
