"""What calls say: our words in the account's names, units and spellings, in path, query, headers and body.

Pure: it turns words into a Call that somebody else makes, and refuses to leave out a word that a path needs.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx

from eosvolt.contract import UNITS, Contract, Route
from eosvolt.errors import NotFound
from eosvolt.exchange import Call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Speech:
    """The account's way of being asked and told, under one contract and one base URL."""

    def __init__(self, contract: Contract, base_url: str) -> None:
        self._contract, self._base_url = contract, base_url

    def call(
        self,
        route: Route,
        words: Mapping[str, Any],
        query: Mapping[str, str] | None = None,
        *,
        acts: bool = False,
        asked_again: bool = False,
    ) -> Call:
        """Return the call that says these words; raises NotFound where the account has none, or a word is not known.

        What `acts` has a body, unless the account has it done by a GET.
        """
        if not route.method:
            raise NotFound("the contract file names no such call of this account", request=route.name, did_not_run=True)
        said = {word: self.sent(route.spoken(word, value)) for word, value in words.items() if value is not None}
        path = route.path_of(None, **{word: str(value) for word, value in said.items()})
        if "{" in path:
            missing = path.partition("{")[2].partition("}")[0]
            raise NotFound(
                f"its {missing} is not known before the next poll",
                request=f"{route.method} {route.path}",
                did_not_run=True,
            )
        asked = {**route.query, **(query or {})}
        return Call(
            f"{route.method} {path}",
            route.method,
            f"{self._base_url}{path}{f'?{urlencode(asked)}' if asked else ''}",
            json.dumps(self._body(route, said)).encode() if acts and route.method != "GET" else None,
            route.name,
            acts=acts,
            asked_again=asked_again,
            headers={"cache-control": "no-cache", **route.headers} if acts else route.headers,
        )

    def _body(self, route: Route, said: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in route.fixed.items():
            _put(body, name, value)
        for word, value in said.items():
            if f"{{{word}}}" not in route.path and route.body.get(word):
                _put(body, route.body[word], value)
        return body

    def params(self, route: Route, words: Mapping[str, Any]) -> dict[str, str]:
        """Our words as the API's parameters; one that the account does not have (an empty name) is left out."""
        given = {word: route.spoken(word, value) for word, value in words.items() if value is not None}
        params = {route.params[word]: str(self.sent(value)) for word, value in given.items()}
        status = words.get("status")
        if status is not None and route.params["status"] and given["status"] == status:
            spoken = self._contract.fields["session"]["status"].values
            params[route.params["status"]] = next((theirs for theirs, ours in spoken.items() if ours == status), status)
        if route.sort and route.params.get("sort"):
            params[route.params["sort"]] = route.sort
        params.pop("", None)
        return params

    def price(self, resource: str, name: str, value: Any) -> Any:
        """A part of prices in the API's units and names."""
        if name == "blocks":
            names = {word: spec.names[0] for word, spec in self._contract.fields["price_block"].items()}
            parts = ("begins", "ends", "price")
            return [
                {names[part]: self.price("price_block", part, getattr(block, part)) for part in parts}
                for block in value
            ]
        unit = self._contract.fields[resource][name].unit
        if unit is None or value is None:
            return value
        factors = UNITS["min"] if name == "blocking_fee_interval_minutes" else UNITS["major"]
        number = round(value / factors[unit], 6)
        return int(number) if number == int(number) and name == "blocking_fee_interval_minutes" else number

    def sent(self, value: Any) -> Any:
        """A value as it is sent; times as the contract says."""
        if not isinstance(value, datetime):
            return value
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: times given to the client must be aware")
        if self._contract.times.sent == "iso8601":
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        step = timedelta(seconds=1) if self._contract.times.sent == "epoch_s" else timedelta(milliseconds=1)
        return (value - _EPOCH) // step


def _put(body: dict[str, Any], name: str, value: Any) -> None:
    """Put a value under a name; a dot leads into an object inside."""
    *path, last = name.split(".")
    for key in path:
        body = body.setdefault(key, {})
    body[last] = value


def checked_base_url(base_url: str) -> str:
    """Return an address without its last slash; ValueError, in a sentence for people, where it is none of an API."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("EOSVOLT_BASE_URL must be an address such as https://api.eosvolt.com")
    if url.userinfo or url.query or url.fragment:
        # A user and password there would silently take the place of the bearer token.
        raise ValueError("EOSVOLT_BASE_URL must have no user, password, query or fragment")
    return base_url.rstrip("/")
