"""What EOSVOLT's refusal of a command means, in words with what to do. It decides nothing about the command."""

from eosvolt.errors import Conflict, EosvoltError, Forbidden, InvalidRequest, NotFound

CODES = {
    "connector_not_available": "the connector is not free: look at its status, end its session or choose another one",
    "charger_offline": "the charger is offline: ask again when it is back, or have its network looked at",
    "connector_gone": "the connector is no longer there",
    "session_not_active": "the session has already ended",
    "prices_changed": "the prices are no longer those that were shown: look at them, then ask again",
    "Rejected": "the charger refused: look at it first, then ask again",
    "UnlockFailed": "the charger could not release the cable: have somebody look at it there",
    "NotSupported": "this charger cannot do that",
}
"""EOSVOLT's codes for a refusal, in words with what to do."""

REFUSED_BY_TYPE: tuple[tuple[type[EosvoltError], str], ...] = (
    (Conflict, "the present state of the charger does not allow it: look at it first, then ask again"),
    (NotFound, "EOSVOLT knows no such charger, connector or session: check the id"),
    (Forbidden, "the EOSVOLT token has no right to do this: give its key the scope in the EOSVOLT admin portal"),
    (InvalidRequest, "EOSVOLT did not accept the request: run `chargehand doctor`"),
)


def refusal_in_words(error: EosvoltError) -> str:
    """Why EOSVOLT or the charger refused, and what to do; EOSVOLT's own sentence where its code is not known."""
    words = CODES.get(error.code or "")
    if words is not None:
        return words
    known = next((words for kind, words in REFUSED_BY_TYPE if isinstance(error, kind)), "EOSVOLT refused it")
    said = error.message.rstrip(".")
    return f"{known} (EOSVOLT said: {said})" if said else known
