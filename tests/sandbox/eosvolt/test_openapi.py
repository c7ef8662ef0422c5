"""Calls made from the stand-in's own OpenAPI document, several in a row on one fleet: never a 500, only what it says.

Every answer has a status that the document names for the operation, and every error has the document's error body.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.eosvolt.openapi import openapi_document
from sandbox.fleet.fleet import FleetSource
from tests.sandbox.neutral import NOON, Hand, asking

DOCUMENT = openapi_document()
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
ERROR = DOCUMENT["components"]["schemas"]["Error"]
FLEET = FleetSource(3, 1, NOON)
IDS = [row.id for table in (FLEET.world.locations, FLEET.world.chargers) for row in table] + [*FLEET.world.connectors]
WORDS = (
    *("Soft", "Hard", "kWh", "minute", "EUR", "id", "-updatedAt", "Active", "Completed,Failed", "", "\x00", "\ud83d"),
    *("2025-09-20T00:00:00Z", "2025-10-01T12:00:00Z", "2025-10-01T12:00:00", "0001-01-01T00:00:00+14:00", "24:00"),
    *("9999-12-31T23:59:59-12:00", "export-1", "../locations", "%2F", "٣", "1e9"),
)  # fmt: skip
TEXTS = st.sampled_from((*IDS, *WORDS)) | st.text(max_size=8)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
BLOCKS = st.lists(
    st.fixed_dictionaries(
        {"from": st.sampled_from(("00:00", "07:00")), "to": st.sampled_from(("06:00", "24:00")), "price": ANY_JSON}
    ),
    max_size=2,
)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "boolean": st.booleans(),
    "number": st.integers(0, 100) | st.floats(),
    "integer": st.sampled_from((5, 15, 30, 60)) | st.integers(),
    "array": BLOCKS,
}


def ids(*tables: Iterable[Any]) -> st.SearchStrategy[str]:
    return st.sampled_from([row.id for table in tables for row in table])


FLEET.world.load_past(None)
# without these most calls would end at "no such thing", and say nothing of what lies behind it
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "locations": ids(FLEET.world.locations),
    "chargers": ids(FLEET.world.chargers),
    "sessions": ids(FLEET.world.sessions),
    "exports": st.just("export-1"),
    "locationId": ids(FLEET.world.locations),
    "chargerId": ids(FLEET.world.chargers),
    "connectorId": st.sampled_from([*FLEET.world.connectors]),
    "sessionId": ids(FLEET.world.sessions) | st.sampled_from(("S1-1", "S1-2", "S1-3")),
    "from": st.sampled_from(("2025-09-20T00:00:00Z", "2025-09-30T12:00:00+02:00")),
    "to": st.sampled_from(("2025-10-01T12:00:00Z", "2025-10-02T00:00:00Z")),
    "updatedSince": st.just("2025-09-30T00:00:00Z"),
    "type": st.sampled_from(("Soft", "Hard")),
    "unit": st.sampled_from(("kWh", "minute")),
    "default": st.floats(0, 9),
    "blocks": st.just([{"from": "07:00", "to": "24:00", "price": 1.5}]),
    "blockingFee": st.floats(0, 9),
    "blockingFeeIntervalMinutes": st.sampled_from((5, 15, 30, 60)),
    "currency": st.just("EUR"),
    "operative": st.booleans(),
    "sort": st.sampled_from(("id", "-updatedAt")),
    "limit": st.integers(1, 40).map(str),
}


def mostly_right(name: str, otherwise: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what the name stands for, now and then anything."""
    right = RIGHT.get(name, otherwise)
    return st.integers(0, 4).flatmap(lambda turn: otherwise if turn == 0 else right)


def text_of(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """A parameter's text: mostly as the document says, now and then not."""
    numbers = st.integers(-2, 40).map(str) | st.integers().map(str)
    return numbers | TEXTS if schema["type"] == "integer" else TEXTS


@st.composite
def call(draw: st.DrawFn) -> tuple[str, str, dict[str, str], Any, dict[str, Any]]:
    """One call: method, path, question, body and the operation that it is one of."""
    path, method, operation = draw(st.sampled_from(OPERATIONS))
    query: dict[str, str] = {}
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            thing = draw(mostly_right(path.split("/")[2], TEXTS.filter(bool)))
            path = path.replace("{id}", quote(thing, safe="", errors="replace"))
        elif parameter.get("required") or draw(st.integers(0, 3)) == 0:
            query[parameter["name"]] = (
                draw(mostly_right(parameter["name"], text_of(parameter["schema"]))).encode("utf-8", "replace").decode()
            )
    body: Any = None
    if "requestBody" in operation:
        properties = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        told = {name: mostly_right(name, BY_TYPE[kind["type"]] | ANY_JSON) for name, kind in properties.items()}
        whole = st.fixed_dictionaries(told) | st.fixed_dictionaries({}, optional=told)
        body = draw(st.integers(0, 9).flatmap(lambda turn: ANY_JSON if turn == 0 else whole))
    return method, path, query, body, operation


def is_as_documented(answer: httpx.Response, operation: dict[str, Any]) -> bool:
    """Whether the document names this status, and the body of an error is the one it describes."""
    if str(answer.status_code) not in operation["responses"]:
        return False
    if answer.status_code < 400:
        return isinstance(answer.json(), dict)
    told = answer.json()
    return set(told) == set(ERROR["required"]) and told["success"] is False and isinstance(told["message"], str)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(call(), min_size=1, max_size=8), minutes=st.integers(0, 90))
async def test_every_answer_to_documented_calls_is_one_that_the_document_names(
    calls: list[tuple[str, str, dict[str, str], Any, dict[str, Any]]], minutes: int
) -> None:
    clock = Hand()
    async with asking(FleetSource(3, 1, NOON), clock) as client:
        for method, path, query, body, operation in calls:
            given_body = {"json": body} if body is not None and is_json(body) else {}
            answer = await client.request(method.upper(), path, params=query, **given_body)
            assert is_as_documented(answer, operation), (method, path, query, body, answer.status_code, answer.text)
            clock.now += timedelta(minutes=minutes)


def is_json(value: Any) -> bool:
    """Whether httpx can write it: no NaN, no lone surrogate."""
    try:
        httpx.Request("POST", "http://sandbox", json=value)
    except (ValueError, UnicodeError):
        return False
    return True
