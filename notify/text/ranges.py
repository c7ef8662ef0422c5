"""Ids of alerts as a button carries them: what a card named when it was drawn, short enough for Slack."""

from collections.abc import Collection, Sequence

LONGEST_TEXT = 1_500  # of a button's value of 2,000


def as_ranges(ids: Collection[int]) -> str | None:
    """The ids as text, such as "1-5,9"; None where that is too long for a button."""
    runs: list[list[int]] = []
    for one in sorted(set(ids)):
        if runs and runs[-1][1] == one - 1:
            runs[-1][1] = one
        else:
            runs.append([one, one])
    text = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return text if len(text) <= LONGEST_TEXT else None


def read_ranges(text: str) -> Sequence[tuple[int, int]]:
    """The first and last id of each run; ValueError for anything else."""
    found = []
    for run in filter(None, text.split(",")):
        first, _, last = run.partition("-")
        found.append((int(first), int(last or first)))
    return found
