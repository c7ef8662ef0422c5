"""How the cost of the same 1,000 changes grows with the fleet around them: it should go with the changes alone.

The fleets have fewer rules than the other rows', so that the largest of them is ready in time.
"""

from pathlib import Path

from bench.house import settled
from bench.measuring import Stopwatch
from bench.rows.evaluation import turn_some
from bench.sizes import Size
from bench.world import MINUTE, T0, Fleet

CHANGES = 1_000
RULES = 20
BASE = 10_000
"""The fleet that larger ones are set against."""


def evaluated(connectors: int) -> str:
    """The name of the figure of evaluation in a fleet of this size."""
    return f"growth {connectors} some"


def recorded(connectors: int) -> str:
    """The name of the figure of recording in a fleet of this size."""
    return f"growth {connectors} record some"


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """The same changes in each fleet, the smallest first."""
    for connectors in size.growth:
        house = settled(f"sqlite:///{folder}/growth{connectors}.db", Fleet(connectors), RULES)
        now = T0 + MINUTE
        for turn in range(1, size.laps + 1):
            now += 2 * MINUTE
            turn_some(watch, f"growth {connectors}", house, Fleet(connectors, turn, CHANGES), now)
        house.close()
