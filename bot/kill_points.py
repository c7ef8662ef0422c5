"""Points at which a test lets the process die; outside tests nothing happens at them."""

from collections.abc import Callable

CrashAt = Callable[[str], None]


def never_crash(_point: str) -> None:
    """Do nothing, at every point."""
