"""What the operator's settings add to messages: error codes of their vendors in words, and the way into EOSVOLT.

It holds values that were read and checked at the start; nothing here reads a setting.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from notify.text.error_codes import ErrorCodes, standard_codes
from notify.text.limits import ADDRESS

PLACES = ("location", "charger", "connector")
LONGEST_URL = 500


class ConsoleUrlError(ValueError):
    """A template of addresses that cannot be used, in words."""


@dataclass(frozen=True, slots=True)
class HouseWords:
    """`console_url` is a template of an address with the places {location}, {charger} and {connector}, or None."""

    codes: ErrorCodes = field(default_factory=standard_codes)
    console_url: str | None = None

    def console_of(self, ids: Mapping[str, str | None]) -> str | None:
        """The address of a thing in EOSVOLT, its ids escaped; None where the template names what it has not."""
        if self.console_url is None:
            return None
        wanted = [name for _, name, _, _ in string.Formatter().parse(self.console_url) if name]
        known = {name: quote(str(ids[name]), safe="") for name in wanted if ids.get(name)}
        if len(known) < len(set(wanted)):
            return None
        url = self.console_url.format(**known)
        return url if len(url) <= ADDRESS else None


def checked_console_url(template: str | None) -> str | None:
    """The template as it is, where it is an address with places that are known; raises ConsoleUrlError."""
    if template is None:
        return None
    try:
        places = [(name, spec, how) for _, name, spec, how in string.Formatter().parse(template) if name is not None]
        parts = urlsplit(template)
    except ValueError:
        raise ConsoleUrlError("it is no address with places such as {charger}") from None
    unknown = [name for name, spec, how in places if name not in PLACES or spec or how]
    if unknown:
        raise ConsoleUrlError(f"its places are {{{'}, {'.join(PLACES)}}}, and not {{{unknown[0]}}}")
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or "{" in parts.netloc
        or len(template) > LONGEST_URL
    ):
        raise ConsoleUrlError(f"it must begin with https:// and a host, and have at most {LONGEST_URL} characters")
    return template


PLAIN_WORDS = HouseWords()
"""What holds where nothing is set."""
