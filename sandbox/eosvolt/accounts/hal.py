"""An account in HAL: rows under `_embedded`, the next page under `_links`, names as in XML, times in ms since 1970.

It is names and words alone; connectors are only numbered within their charger.
"""

from typing import Any

from sandbox.eosvolt.accounts.rules import figures
from sandbox.eosvolt.accounts.tongue import Rule, Tongue
from sandbox.eosvolt.pages import Cut, Manner

_POINT, _PLUG = "/hal/ChargePoints/{id}", "/hal/ChargePoints/{id}/Connectors/{no}"
_REL = {"locations": "Site", "chargers": "ChargePoint", "sessions": "Transaction"}
_CHANGED = {"updatedAt": "ChangedAt"}


def _embedded(page: Cut) -> Any:
    links = {"self": {"href": f"https://api.example.com/hal/{page.of}"}}
    if page.beside["next"]:
        links["next"] = {"href": page.beside["next"]}
    about = {"size": len(page.rows), "totalElements": page.beside["total"]}
    return {"_embedded": {_REL[page.of]: page.rows}, "_links": links, "page": about}


HAL = Tongue(
    rules=(
        Rule("GET", "/hal/Sites", "/v1/locations"),
        Rule("GET", "/hal/Sites/{id}", "/v1/locations/{id}"),
        Rule("GET", "/hal/ChargePoints", "/v1/chargers"),
        Rule("GET", _POINT, "/v1/chargers/{id}"),
        Rule("GET", "/hal/Transactions", "/v1/sessions"),
        Rule("GET", "/hal/Transactions/{id}", "/v1/sessions/{id}"),
        Rule(
            "POST",
            f"{_PLUG}/Transactions",
            "/v1/sessions/start",
            body={"connectorId": "{id}.{no}", "idTag": "{Token.Value}"},
        ),
        Rule("POST", "/hal/Transactions/{id}/Stop", "/v1/sessions/stop", body={"sessionId": "{id}"}),
        Rule("POST", f"{_POINT}/Reset", "/v1/chargers/{id}/reset", body={"type": "{ResetType}"}),
        Rule("POST", f"{_PLUG}/Unlock", "/v1/chargers/{id}/unlock", body={"connectorId": "{id}.{no}"}),
        Rule(
            "POST",
            f"{_POINT}/Availability",
            "/v1/chargers/{id}/availability",
            body={"connectorId": "{id}.{ConnectorNo}", "operative": "{InService}"},
        ),
        Rule("GET", "/hal/Sites/{id}/Tariff", "/v1/locations/{id}/pricing"),
        Rule(
            "PUT",
            "/hal/Sites/{id}/Tariff",
            "/v1/locations/{id}/pricing",
            body={"unit": "{Unit}", "default": "{Rate}", "blocks": "{Bands}", "blockingFee": "{IdleFee}"}
            | {"blockingFeeIntervalMinutes": "{IdleMinutes}"},
        ),
        *figures("/hal"),
    ),
    manner=Manner(
        "link", frozenset({"total", "next_address"}), names={"next_address": "next", "limit": "size"}, most=50
    ),
    names={
        "location": {"id": "@Id", "name": "SiteName", "type": "Kind", "address": "Street", "timezone": "TimeZone"}
        | {"currency": "Currency", "supportContact": "Telephone", "blockingFeeIntervalMinutes": "IdleMinutes"}
        | _CHANGED,
        "charger": {"id": "@Id", "locationId": "Site.@Id", "name": "CpName", "vendor": "Hardware.Maker"}
        | {"model": "Hardware.Model", "firmware": "Hardware.Firmware", "serial": "Hardware.@SerialNo"}
        | {"online": "Online", "lastHeartbeat": "SeenAt", "heartbeatIntervalSeconds": "BeatEverySeconds"}
        | {"labels": "Marks", "connectors": "Connectors.Connector"}
        | _CHANGED,
        "connector": {"id": "@Number", "status": "State", "statusChangedAt": "StateAt", "errorCode": "Fault.Code"}
        | {"vendorErrorCode": "Fault.VendorCode", "powerKw": "PowerW", "maxPowerKw": "RatedW", "type": "Socket"},
        "session": {"id": "@Id", "connectorId": "ConnectorNo", "chargerId": "ChargePoint.@Id"}
        | {"locationId": "Site.@Id", "status": "State", "type": "Kind", "failReason": "FailedBy"}
        | {"startedAt": "BeginAt", "endedAt": "EndAt", "energyKwh": "MeterWh", "cost": "Price.Amount"}
        | {"currency": "Price.@Currency", "idTag": "IdToken.@Value", "stopReason": "StoppedBy"}
        | _CHANGED,
        "pricing": {"locationId": "Site.@Id", "unit": "Unit", "default": "Rate", "blocks": "Bands"}
        | {"currency": "Currency", "blockingFee": "IdleFee", "blockingFeeIntervalMinutes": "IdleMinutes"}
        | _CHANGED,
        "price_block": {"from": "Begin", "to": "End", "price": "Rate"},
        "command": {"status": "Result.State", "success": ""},
    },
    words={
        "online": {True: "Y", False: "N"},
        "operative": {True: "Y", False: "N"},
        "type": {"Soft": "SOFT", "Hard": "HARD"},
        "connector.status": {"Available": "FREE", "Charging": "INUSE", "Faulted": "OUTOFORDER"},
        "session.status": {"Active": "RUNNING", "Completed": "DONE"},
    },
    factors={"powerKw": 1000, "maxPowerKw": 1000, "energyKwh": 1000},
    params={"changedSince": "updatedSince", "since": "from", "until": "to", "from": "from", "to": "to"}
    | {"state": "status", "location": "locationId"},
    times="epoch_ms",
    wrap=_embedded,
    refuse=lambda status, facts: (status, {"logref": facts.get("code"), "message": facts["message"], "_links": {}}),
    local=True,
)
