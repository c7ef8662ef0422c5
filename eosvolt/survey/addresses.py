"""Tries under which other paths an account may keep its lists: other words, other ways to write them, another base.

Every question is a read. A base that is another one moves every call with it; what acts is moved untried.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from eosvolt.contract import Contract
from eosvolt.errors import EosvoltError, Forbidden, InvalidRequest
from eosvolt.survey.envelopes import holds_list
from eosvolt.survey.probing import Probe

_WORDS = {
    "locations": "locations sites places facilities stations",
    "chargers": "chargers stations charge-points chargepoints charging-stations devices evses points",
    "sessions": "sessions transactions charging-sessions charges charge-sessions",
}
_LIKELY = 3  # words that are tried under every base
_BASES = ("", "/v1", "/v2", "/v3", "/api", "/api/v1", "/api/v2", "/api/v3", "/rest", "/rest/v1", "/ocpi/2.2.1")


async def other_path(probe: Probe, contract: Contract, name: str) -> dict[str, Any]:
    """Return the lines for a list, and what stands below it, under another path where one of the usual ones answers."""
    old = contract.routes[name].path
    base = old.rpartition("/")[0]
    for other in dict.fromkeys((base, *_BASES)):
        for word in _words(name, whole=other in (base, "")):
            lines = _moved(contract, name, base, other, f"{other}/{word}")
            if f"{other}/{word}" != old and await _answers(probe, contract, name, lines, known=other == base):
                return lines
    return {}


def moves_all(lines: Mapping[str, Any], name: str) -> bool:
    """Whether these lines for one list move the calls of others too: those are asked for under them first."""
    others = {"locations", "chargers", "sessions"} - {name}
    return any(f"routes.{one}.call" in lines for one in others)


def _words(name: str, *, whole: bool) -> Iterator[str]:
    """The words for a list, in small letters with and without their hyphen, and as XML names are written."""
    words = _WORDS[name].split()
    for word in words if whole else words[:_LIKELY]:
        yield from dict.fromkeys((word, word.replace("-", "_"), word.title().replace("-", "")))


def _moved(contract: Contract, name: str, base: str, other: str, path: str) -> dict[str, Any]:
    """The lines that put a list under a path, and all that stands under its base under the other one."""
    old = contract.routes[name].path
    lines = {}
    for one, route in contract.routes.items():
        if route.path == old or route.path.startswith(f"{old}/"):
            lines[f"routes.{one}.call"] = f"{route.method} {path}{route.path.removeprefix(old)}"
        elif route.method and base != other and route.path.startswith(f"{base}/"):
            lines[f"routes.{one}.call"] = f"{route.method} {other}{route.path.removeprefix(base)}"
    return {key: value for key, value in lines.items() if not key.startswith("routes.commands.")}


async def _answers(probe: Probe, contract: Contract, name: str, lines: dict[str, Any], *, known: bool) -> bool:
    """Whether a list comes under these lines; where the base is `known`, also whether it is only asked for wrongly."""
    told = await probe.ask(lines, lambda client: client.fetch_first_page(name))
    if isinstance(told, EosvoltError):
        return known and isinstance(told, InvalidRequest | Forbidden)
    return told is not None and holds_list(told, contract)
