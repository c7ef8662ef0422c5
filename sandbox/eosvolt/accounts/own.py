"""Two invented accounts: a cursor with jobs, and an offset from 1 that tells good from bad in a word.

They are names and words alone.
"""

from sandbox.eosvolt.accounts.rules import PRICES, plain_rules
from sandbox.eosvolt.accounts.tongue import Rule, Tongue
from sandbox.eosvolt.pages import Manner

NORDIC = Tongue(
    rules=(
        *plain_rules("/nordic/v2", "stations", "charges", "sites"),
        Rule(
            "POST",
            "/nordic/v2/stations/{station}/plugs/{plug}/charges",
            "/v1/sessions/start",
            body={"connectorId": "{station}.{plug}", "idTag": "{tag}"},
        ),
        Rule("POST", "/nordic/v2/charges/{id}/end", "/v1/sessions/stop", body={"sessionId": "{id}"}),
        Rule("POST", "/nordic/v2/stations/{id}/reset", "/v1/chargers/{id}/reset", body={"type": "{kind}"}),
        Rule(
            "POST",
            "/nordic/v2/stations/{id}/plugs/{plug}/release",
            "/v1/chargers/{id}/unlock",
            body={"connectorId": "{id}.{plug}"},
        ),
        Rule(
            "POST",
            "/nordic/v2/stations/{id}/service",
            "/v1/chargers/{id}/availability",
            body={"connectorId": "{id}.{plug}", "operative": "{inService}"},
        ),
        Rule("GET", "/nordic/v2/jobs/{id}", "job"),
        Rule("GET", "/nordic/v2/sites/{id}/price", "/v1/locations/{id}/pricing"),
        Rule("PUT", "/nordic/v2/sites/{id}/price", "/v1/locations/{id}/pricing", body=PRICES),
    ),
    manner=Manner("cursor", frozenset({"next_page", "total"}), under="page", names={"next_page": "nextCursor"}),
    names={
        "charger": {"online": "link", "lastHeartbeat": "seen"},
        "connector": {"status": "state", "statusChangedAt": "since"},
        "session": {"status": "state"},
        "command": {"status": "state", "success": ""},
    },
    words={
        "online": {True: "UP", False: "DOWN"},
        "connector.status": {"Available": "FREE", "Charging": "BUSY", "Faulted": "BROKEN"},
    },
    factors={"heartbeatIntervalSeconds": 1000},
    params={"changedAfter": "updatedSince", "from": "from", "to": "to", "state": "status", "plug": "connectorId"}
    | {"site": "locationId"},
    times="epoch_s",
    wrap=lambda page: {"payload": {"items": page.rows}, "page": page.beside.get("page", {})},
    one=lambda thing: {"payload": thing},
    local=True,
    jobs=True,
)

HARBOUR = Tongue(
    rules=(
        *plain_rules("/harbour", "points", "sessions", "locations"),
        Rule("POST", "/harbour/start", "/v1/sessions/start", body={"connectorId": "{plug.id}", "idTag": "{plug.card}"}),
        Rule("POST", "/harbour/stop", "/v1/sessions/stop", body={"sessionId": "{session}"}),
        Rule("POST", "/harbour/points/{id}/reset", "/v1/chargers/{id}/reset", body={"type": "{type}"}),
        Rule("POST", "/harbour/points/{id}/unlock", "/v1/chargers/{id}/unlock", body={"connectorId": "{plug}"}),
        Rule(
            "POST",
            "/harbour/points/{id}/availability",
            "/v1/chargers/{id}/availability",
            body={"connectorId": "{plug}", "operative": "{available}"},
        ),
        Rule("GET", "/harbour/locations/{id}/prices", "/v1/locations/{id}/pricing"),
        Rule("PUT", "/harbour/locations/{id}/prices", "/v1/locations/{id}/pricing", body=PRICES),
    ),
    manner=Manner("offset", frozenset({"total_header"}), first=1, names={"offset": "start", "limit": "count"}, most=40),
    names={"charger": {"labels": "flags"}, "connector": {"errorCode": "fault"}},
    words={"operative": {True: "yes", False: "no"}},
    params={"changed": "updatedSince", "from": "from", "to": "to", "status": "status", "connectorId": "connectorId"}
    | {"location": "locationId"},
    times="rfc1123",
    wrap=lambda page: {"outcome": "OK", "rows": page.rows},
    one=lambda thing: {"outcome": "OK", "result": thing},
    refuse=lambda status, facts: (
        200 if status in (400, 404, 409) else status,
        {"outcome": "ERROR", "reason": {"code": facts.get("code"), "text": facts["message"]}},
    ),
)
