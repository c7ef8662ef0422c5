"""The colour and the words of how a card stands: never one without the other, and told apart without seeing red."""

import pytest

from notify.text.standing import COLOURS, STATES, standing_of
from notify.text.words import CALM_SIGNS, SIGNS


def lightness(colour: str) -> float:
    """The relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("severity", COLOURS)
def test_nothing_that_is_calm_or_over_looks_like_what_fires(severity: str) -> None:
    firing = standing_of(severity, None, "firing")
    assert firing.words == f"Firing, {severity}"
    others = [standing_of(severity, None, state) for state in STATES]
    others += [standing_of(severity, ended, "resolved") for ended in ("recovered", "removed", "mixed", None)]
    for other in others:
        assert other.colour not in COLOURS.values()
        assert other.words != firing.words


def test_what_is_on_hold_says_so_in_the_colour_of_its_severity() -> None:
    held = standing_of("critical", None, "firing", on_hold=True)
    assert (held.colour, held.words) == (COLOURS["critical"], "On hold, critical")
    assert standing_of("critical", None, "acknowledged", on_hold=True).words == "Acknowledged"


def test_what_is_critical_is_darker_than_the_rest_so_that_nobody_has_to_see_red() -> None:
    for other in ("warning", "info"):
        assert lightness(COLOURS["critical"]) < 0.75 * lightness(COLOURS[other])


def test_each_severity_and_state_has_its_sign_its_colour_and_its_words() -> None:
    assert set(COLOURS) == set(SIGNS)
    assert set(STATES) == set(CALM_SIGNS)
    assert len({words for _, words in STATES.values()}) == len(STATES)


def test_a_severity_of_a_later_version_looks_like_a_warning() -> None:
    assert standing_of("fatal", None, "firing").colour == COLOURS["warning"]
