"""What the operator's settings add to messages: error codes of their vendors in words, and the way into EOSVOLT.

It holds values that were read and checked at the start; nothing here reads a setting.
"""

from dataclasses import dataclass, field

from notify.text.error_codes import ErrorCodes, standard_codes


@dataclass(frozen=True, slots=True)
class HouseWords:
    """`console_url` is a template of an address with the places {location}, {charger} and {connector}, or None."""

    codes: ErrorCodes = field(default_factory=standard_codes)
    console_url: str | None = None


PLAIN_WORDS = HouseWords()
"""What holds where nothing is set."""
