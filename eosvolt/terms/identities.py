"""Which charger and location a connector belongs to, and which part of a composite id is the account's own.

It learns from readings and takes composites apart; what it was never told it does not guess.
"""

from collections.abc import Mapping
from itertools import islice

from eosvolt.terms.paths import is_composite, parts_of, take_apart
from eosvolt.terms.shapes import Contract

_MOST_LEARNT = 200_000
KINDS = ("charger", "connector", "session")
"""The things whose ids may be made of parts."""

_OUTER = ("charger.", "location.")


class Identities:
    """The ids of one account; `forms` say by kind what they are made of."""

    def __init__(self, contract: Contract) -> None:
        self._composites = {name: contract.fields[name]["id"].composite for name in KINDS}
        self.forms = {name: " or ".join(contract.fields[name]["id"].names) for name in KINDS}
        self._charger_of: dict[str, str] = {}
        self._location_of: dict[str, str] = {}
        self._connector_of: dict[str, str] = {}

    def learn_charger(self, charger_id: str, location_id: str | None, connector_ids: tuple[str, ...]) -> None:
        """Note where a charger stands, and its connectors."""
        if location_id is not None:
            _note(self._location_of, charger_id, location_id)
        for connector_id in connector_ids:
            _note(self._charger_of, connector_id, charger_id)

    def learn_session(self, session_id: str, connector_id: str) -> None:
        """Note on which connector a session runs."""
        _note(self._connector_of, session_id, connector_id)

    def words_of_charger(self, charger_id: str) -> dict[str, str]:
        """Return the account's words for a charger: `id` and, where it is known, `location_id`."""
        parts = take_apart(self._composites["charger"], charger_id) if self._composites["charger"] else {}
        words = {"id": _own(parts, charger_id)}
        location_id = self._location_of.get(charger_id) or parts.get("location.id")
        return words if location_id is None else {**words, "location_id": location_id}

    def words_of_connector(self, connector_id: str, charger_id: str | None = None) -> dict[str, str]:
        """Return the account's words for a connector: `connector_id`, and `charger_id`, `location_id` where known."""
        composite = self._composites["connector"]
        charger_id = charger_id or self._charger_of.get(connector_id)
        known = {} if charger_id is None else {"charger.id": charger_id}
        parts = take_apart(composite, connector_id, known) if composite else {}
        charger_id = charger_id or parts.get("charger.id")
        words = {"connector_id": _own(parts, connector_id)}
        if charger_id is None:
            return words
        of_charger = self.words_of_charger(charger_id)
        return {**words, **{"charger_id" if word == "id" else word: value for word, value in of_charger.items()}}

    def words_of_session(self, session_id: str) -> dict[str, str]:
        """Return the account's words for a session: `session_id`, and those of its connector where it is known."""
        composite = self._composites["session"]
        own = _own(take_apart(composite, session_id), session_id) if composite else session_id
        connector_id = self._connector_of.get(session_id)
        return {"session_id": own, **({} if connector_id is None else self.words_of_connector(connector_id))}


def own_part(form: str | None, thing_id: str, around: str | None = None) -> str:
    """Return the part of an id of this form that is the thing's own; the whole id where it is not made of parts.

    `around` is the id of the charger or location that it belongs to.
    """
    made = next((name for name in (form or "").split(" or ") if is_composite(name)), "")
    if not made:
        return thing_id
    known = {} if around is None else {f"{outer}id": around for outer in _OUTER}
    return _own(take_apart(made, thing_id, known) or take_apart(made, thing_id), thing_id)


def _own(parts: Mapping[str, str], whole: str) -> str:
    """The part of an id that is the thing's own: the last one that is not of the thing around it."""
    own = [value for path, value in parts.items() if not path.startswith(_OUTER)]
    return own[-1] if own else whole


def _note(book: dict[str, str], key: str, value: str) -> None:
    book[key] = value
    if len(book) > _MOST_LEARNT:  # many at once: a dict takes long to find its first key where those before are gone
        for oldest in list(islice(book, _MOST_LEARNT // 10)):
            del book[oldest]


def outer_word(name: str) -> str:
    """Return "charger" or "location" where a name reaches into the row around, else nothing."""
    paths = parts_of(name) or (name,)
    return next((outer[:-1] for outer in _OUTER for path in paths if path.startswith(outer)), "")
