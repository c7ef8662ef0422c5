"""How many examples a law is tried with: all of them in CI, a third of them in a plain run, which must stay short."""

import os


def examples(full: int) -> int:
    """The number of hypothesis examples for this run, of `full` in CI."""
    return full if os.environ.get("CI") else max(3, full // 3)
