"""How seldom the process looks for objects that hold each other: what rules find is many objects that hold none.

Python looks each time 700 more were made, which is a fifth of the time of a storm. It decides nothing else.
"""

import gc

SELDOM = (10_000, 10, 10)
"""How many more objects are made, and how many looks at the young ones are taken, until the older are looked at."""


def collect_seldom() -> None:
    """Leave what has been imported out of every look from now on, and look seldom."""
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()
