"""The account that EOSVOLT.md assumes, as a tongue: what single differences are tried on.

It says the same as the stand-in API does by itself.
"""

from sandbox.eosvolt.accounts.rules import PRICES, plain_rules
from sandbox.eosvolt.accounts.tongue import Rule, Tongue
from sandbox.eosvolt.pages import Manner

PLAIN = Tongue(
    rules=(
        *plain_rules("/v1", "chargers", "sessions", "locations"),
        Rule("GET", "/v1/locations/{id}/pricing", "/v1/locations/{id}/pricing"),
        Rule("PUT", "/v1/locations/{id}/pricing", "/v1/locations/{id}/pricing", body=PRICES),
    ),
    manner=Manner("page", frozenset({"total", "has_next"}), names={"has_next": "hasNextPage"}),
    params={name: name for name in ("updatedSince", "from", "to", "status", "locationId", "connectorId")},
)
