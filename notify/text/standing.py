"""How a card stands, in a colour and in words: the bar beside its small print.

The colours are those that Okabe and Ito chose so that colour-blind people tell them apart, but for a red that is as red
as the sign in the title, and darker than the others. Each stands beside its words: colour alone says nothing. Which
state a card is in is decided elsewhere.
"""

from dataclasses import dataclass

CALM = "#868A91"
COLOURS = {"critical": "#C62B2B", "warning": "#E69F00", "info": "#56B4E9"}
STATES = {
    "acknowledged": ("#CC79A7", "Acknowledged"),
    "snoozed": (CALM, "Snoozed"),
    "silenced": (CALM, "Silenced"),
    "held": (CALM, "Held until quiet hours end"),
    "quiet": (CALM, "Kept quiet"),
}
RECOVERED = ("#009E73", "Recovered")
ENDED = ("#C8CACF", "Ended")


@dataclass(frozen=True, slots=True)
class Standing:
    """A colour as #rrggbb, and the words that say the same."""

    colour: str
    words: str


def standing_of(severity: str, ended_as: str | None, state: str, *, on_hold: bool = False) -> Standing:
    """How a card stands: by severity while somebody should look, calm where nobody needs to, green once recovered.

    What is on hold keeps the colour of its severity: nothing new is known, so nothing got better.
    """
    if ended_as is not None or state == "resolved":
        return Standing(*(RECOVERED if ended_as == "recovered" else ENDED))
    if state in STATES:
        return Standing(*STATES[state])
    return Standing(COLOURS.get(severity, COLOURS["warning"]), f"{'On hold' if on_hold else 'Firing'}, {severity}")
