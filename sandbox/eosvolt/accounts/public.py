"""Accounts in public shapes: OCPI 2.2.1, a Laravel resource collection, flat vendor JSON; and the table of them all.

They are what examples/contracts is written for: names and words alone, each beside the others.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.eosvolt.accounts.hal import HAL
from sandbox.eosvolt.accounts.own import HARBOUR, NORDIC
from sandbox.eosvolt.accounts.rules import PRICES, figures, plain_rules
from sandbox.eosvolt.accounts.tongue import Rule, Told, Tongue
from sandbox.eosvolt.pages import Cut, Manner

_STATUSES = ("Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Reserved")


# --- OCPI 2.2.1: chargers are EVSEs inside locations, connectors are numbered within them, Link and X-Total-Count ---

_OCPI = "/ocpi/cpo/2.2.1"


def _ocpi_refuse(status: int, facts: Mapping[str, Any]) -> Told:
    codes = {400: 2001, 404: 2003, 409: 2010, 403: 2004, 401: 2002}
    word = facts.get("code", "")
    if status in (401, 403, 429) or status >= 500:
        return status, {"status_code": 3000 if status >= 500 else 2000, "status_message": facts["message"]}
    code = 2011 if word == "charger_offline" else codes.get(status, 2000)
    return 200, {"status_code": code, "status_message": f"{word}: {facts['message']}"}


OCPI = Tongue(
    rules=(
        Rule("GET", f"{_OCPI}/locations", "/v1/chargers"),
        Rule("GET", f"{_OCPI}/sites", "/v1/locations"),
        Rule("GET", f"{_OCPI}/locations/{{id}}", "/v1/locations/{id}"),
        Rule("GET", f"{_OCPI}/locations/{{location_id}}/{{id}}", "/v1/chargers/{id}"),
        Rule("GET", f"{_OCPI}/sessions", "/v1/sessions"),
        Rule("GET", f"{_OCPI}/sessions/{{id}}", "/v1/sessions/{id}"),
        Rule(
            "POST",
            f"{_OCPI}/commands/START_SESSION",
            "/v1/sessions/start",
            body={"connectorId": "{evse_uid}.{connector_id}", "idTag": "{token.uid}"},
        ),
        Rule("POST", f"{_OCPI}/commands/STOP_SESSION", "/v1/sessions/stop", body={"sessionId": "{session_id}"}),
        Rule("POST", f"{_OCPI}/commands/RESET", "/v1/chargers/{evse_uid}/reset", body={"type": "{mode}"}),
        Rule(
            "POST",
            f"{_OCPI}/commands/UNLOCK_CONNECTOR",
            "/v1/chargers/{evse_uid}/unlock",
            body={"connectorId": "{evse_uid}.{connector_id}"},
        ),
        Rule(
            "POST",
            f"{_OCPI}/commands/CHANGE_AVAILABILITY",
            "/v1/chargers/{evse_uid}/availability",
            body={"connectorId": "{evse_uid}.{connector_id}", "operative": "{state}"},
        ),
        Rule("GET", f"{_OCPI}/tariffs/{{id}}", "/v1/locations/{id}/pricing"),
        Rule(
            "PUT",
            f"{_OCPI}/tariffs/{{id}}",
            "/v1/locations/{id}/pricing",
            body={**PRICES, "default": "{energy_price}", "blocks": "{elements}"},
        ),
        *figures(_OCPI),
    ),
    manner=Manner("link", frozenset({"total_header", "limit_header"})),
    names={
        "location": {"timezone": "time_zone", "supportContact": "support.phone", "updatedAt": "last_updated"}
        | {"latitude": "coordinates.latitude", "longitude": "coordinates.longitude"},
        "charger": {
            "id": "uid",
            "locationId": "",
            "name": "physical_reference",
            "vendor": "hardware.manufacturer",
            "model": "hardware.model",
            "firmware": "hardware.firmware",
            "lastHeartbeat": "last_seen",
            "heartbeatIntervalSeconds": "heartbeat_interval",
            "labels": "capabilities",
            "updatedAt": "last_updated",
        },
        "connector": {
            "statusChangedAt": "status_since",
            "powerKw": "electric_power",
            "maxPowerKw": "max_electric_power",
            "type": "standard",
            "errorCode": "error",
            "vendorErrorCode": "vendor_error",
        },
        "session": {
            "connectorId": "connector_id",
            "chargerId": "evse_uid",
            "locationId": "location_id",
            "startedAt": "start_date_time",
            "endedAt": "end_date_time",
            "energyKwh": "kwh",
            "cost": "total_cost.incl_vat",
            "idTag": "cdr_token.uid",
            "failReason": "fail_reason",
            "stopReason": "stop_reason",
            "updatedAt": "last_updated",
        },
        "pricing": {
            "locationId": "location_id",
            "default": "energy_price",
            "blocks": "elements",
            "updatedAt": "last_updated",
        },
        "price_block": {"from": "start_time", "to": "end_time"},
        "report": {"from": "", "to": "", "locationId": ""},
        "command": {"status": "data.result", "success": ""},
    },
    words={
        "session.status": {"Active": "ACTIVE", "Completed": "COMPLETED", "Failed": "INVALID", "Pending": "PENDING"},
        "type": {"Soft": "SOFT", "Hard": "HARD"},
        "operative": {True: "Operative", False: "Inoperative"},
    },
    factors={"powerKw": 1000, "maxPowerKw": 1000},
    params={
        "date_from": "updatedSince",
        "started_from": "from",
        "started_to": "to",
        "from": "from",
        "to": "to",
        "status": "status",
        "connector": "connectorId",
        "location": "locationId",
    },
    wrap=lambda page: {"data": page.rows, "status_code": 1000, "timestamp": "2025-10-01T12:00:00Z"},
    one=lambda thing: {
        "data": thing.get("data", thing) if isinstance(thing.get("data"), dict) else thing,
        "status_code": 1000,
        "timestamp": "2025-10-01T12:00:00Z",
    },
    refuse=_ocpi_refuse,
    local=True,
    nested="evses",
)

# --- Laravel resource collection: data, links, meta; snake_case; 25 a page whatever is asked for ---


def _laravel(page: Cut) -> Any:
    meta = page.beside.get("meta", {})
    links = {"first": "https://api.example.com?page=1", "last": None, "prev": None, "next": meta.pop("next", None)}
    return {"data": page.rows, "links": links, "meta": {**meta, "path": "https://api.example.com"}}


_SNAKE = {
    "location": {
        "supportContact": "support_contact",
        "blockingFeeIntervalMinutes": "blocking_fee_interval_minutes",
        "updatedAt": "updated_at",
    },
    "charger": {
        "locationId": "site.id",
        "lastHeartbeat": "last_seen_at",
        "heartbeatIntervalSeconds": "heartbeat_interval_minutes",
        "online": "is_online",
        "labels": "tags",
        "connectors": "outlets",
        "updatedAt": "updated_at",
    },
    "connector": {
        "statusChangedAt": "status_changed_at",
        "errorCode": "error_code",
        "vendorErrorCode": "vendor_error_code",
        "powerKw": "power_w",
        "maxPowerKw": "max_power_w",
    },
    "session": {
        "id": "uuid",
        "connectorId": "outlet_id",
        "chargerId": "charger_id",
        "locationId": "site_id",
        "failReason": "fail_reason",
        "startedAt": "started_at",
        "endedAt": "ended_at",
        "energyKwh": "energy_wh",
        "cost": "amount_cents",
        "idTag": "id_tag",
        "stopReason": "stop_reason",
        "updatedAt": "updated_at",
    },
    "pricing": {
        "locationId": "site_id",
        "default": "default_cents",
        "blockingFee": "blocking_fee_cents",
        "blockingFeeIntervalMinutes": "blocking_fee_interval_minutes",
        "updatedAt": "updated_at",
    },
    "price_block": {"price": "cents"},
    "report": {"sessionCount": "session_count", "consumptionKwh": "consumption_kwh"}
    | {"revenueByCurrency": "revenue_by_currency", "from": "", "to": "", "locationId": ""},
}

LARAVEL = Tongue(
    rules=(
        *plain_rules("/api", "chargers", "sessions", "sites"),
        Rule(
            "POST",
            "/api/outlets/{outlet}/sessions",
            "/v1/sessions/start",
            body={"connectorId": "{outlet}", "idTag": "{id_tag}"},
        ),
        Rule("DELETE", "/api/sessions/{id}", "/v1/sessions/stop", "POST", {"sessionId": "{id}"}),
        Rule("POST", "/api/chargers/{id}/reboot", "/v1/chargers/{id}/reset", body={"type": "{how}"}),
        Rule("POST", "/api/outlets/{outlet}/unlock", "/v1/chargers/{charger}/unlock", body={"connectorId": "{outlet}"}),
        Rule(
            "PATCH",
            "/api/chargers/{id}",
            "/v1/chargers/{id}/availability",
            "POST",
            {"connectorId": "{outlet}", "operative": "{in_service}"},
        ),
        Rule("GET", "/api/sites/{id}/tariff", "/v1/locations/{id}/pricing"),
        Rule(
            "PATCH",
            "/api/sites/{id}/tariff",
            "/v1/locations/{id}/pricing",
            "PUT",
            {
                "unit": "{unit}",
                "default": "{default_cents}",
                "blocks": "{blocks}",
                "blockingFee": "{blocking_fee_cents}",
                "blockingFeeIntervalMinutes": "{blocking_fee_interval_minutes}",
            },
        ),
    ),
    manner=Manner(
        "page",
        frozenset({"total", "last_page", "limit", "next_address"}),
        under="meta",
        names={"limit": "per_page", "next_address": "next"},
        most=25,
    ),
    names=_SNAKE,
    words={"operative": {True: 1, False: 0}, "online": {True: 1, False: 0}},
    factors={
        "powerKw": 1000,
        "maxPowerKw": 1000,
        "energyKwh": 1000,
        "cost": 100,
        "default": 100,
        "price": 100,
        "blockingFee": 100,
        "heartbeatIntervalSeconds": 1 / 60,
    },
    params={
        "filter[updated_after]": "updatedSince",
        "filter[from]": "from",
        "filter[to]": "to",
        "from": "from",
        "to": "to",
        "filter[status]": "status",
        "filter[outlet]": "connectorId",
        "site": "locationId",
    },
    times="utc",
    wrap=_laravel,
    one=lambda thing: {"data": thing},
    refuse=lambda status, facts: (
        422 if status == 400 else status,
        {"message": facts["message"], "errors": {"code": [facts.get("code")]}},
    ),
)

# --- flat JSON as several vendors write it: bare arrays, PascalCase, numbers for statuses, codes for errors ---

_PASCAL = {
    "location": {"id": "Id", "name": "Name", "type": "Kind", "address": "Address", "timezone": "TimeZone"}
    | {"currency": "CurrencyCode", "supportContact": "Phone", "updatedAt": "Modified"}
    | {"blockingFeeIntervalMinutes": "BlockingFeeIntervalMinutes", "latitude": "GpsLat", "longitude": "GpsLong"},
    "charger": {"id": "ChargerId", "locationId": "SiteId", "name": "DeviceName", "vendor": "Make", "model": "Model"}
    | {"firmware": "FirmwareVersion", "serial": "SerialNo", "online": "IsOnline", "lastHeartbeat": "LastSeen"}
    | {"heartbeatIntervalSeconds": "HeartbeatSeconds", "labels": "Labels", "connectors": "Plugs"}
    | {"updatedAt": "Modified"},
    "connector": {"id": "PlugId", "status": "OperatingMode", "statusChangedAt": "ModeSince", "errorCode": "Error"}
    | {"vendorErrorCode": "VendorError", "powerKw": "TotalPowerW", "maxPowerKw": "RatedPowerW", "type": "PlugType"},
    "session": {"id": "SessionId", "connectorId": "PlugId", "chargerId": "ChargerId", "locationId": "SiteId"}
    | {"status": "State", "type": "Kind", "failReason": "FailReason", "startedAt": "StartTime"}
    | {"endedAt": "EndTime", "energyKwh": "Energy", "cost": "Price", "currency": "CurrencyCode"}
    | {"idTag": "Rfid", "stopReason": "StopReason", "updatedAt": "Modified"},
    "pricing": {"locationId": "SiteId", "unit": "Unit", "default": "Rate", "blocks": "Blocks", "currency": "Currency"}
    | {"blockingFee": "IdleFee", "blockingFeeIntervalMinutes": "IdleMinutes", "updatedAt": "Modified"},
    "price_block": {"from": "From", "to": "To", "price": "Rate"},
    "report": {"sessionCount": "Sessions", "consumptionKwh": "Kwh", "revenue": "Revenue", "currency": "Currency"}
    | {"revenueByCurrency": "RevenueBy", "utilisation": "Utilisation", "uptime": "Uptime"}
    | {"from": "", "to": "", "locationId": ""},
    "export": {"id": "Id", "status": "Status", "sessions": "Rows", "from": "", "to": "", "locationId": ""},
    "command": {"status": "Result", "success": ""},
}
_MODES = {status: number for number, status in enumerate((*_STATUSES, "Unavailable", "Faulted"), 1)}

FLAT = Tongue(
    rules=(
        *plain_rules("/v3", "devices", "transactions", "places"),
        Rule("POST", "/v3/plugs/{id}/start", "/v1/sessions/start", body={"connectorId": "{id}", "idTag": "{Rfid}"}),
        Rule("POST", "/v3/transactions/{id}/stop", "/v1/sessions/stop", body={"sessionId": "{id}"}),
        Rule("POST", "/v3/devices/{id}/restart/{type}", "/v1/chargers/{id}/reset", body={"type": "{type}"}),
        Rule(
            "POST", "/v3/devices/{id}/plugs/{plug}/unlock", "/v1/chargers/{id}/unlock", body={"connectorId": "{plug}"}
        ),
        Rule(
            "POST",
            "/v3/devices/{id}/mode/{mode}",
            "/v1/chargers/{id}/availability",
            body={"operative": "{mode}", "connectorId": "{PlugId}"},
        ),
        Rule("GET", "/v3/places/{id}/rate", "/v1/locations/{id}/pricing"),
        Rule(
            "PUT",
            "/v3/places/{id}/rate",
            "/v1/locations/{id}/pricing",
            body={"default": "{Rate}", "blocks": "{Blocks}", "blockingFee": "{IdleFee}", "unit": "{Unit}"}
            | {"blockingFeeIntervalMinutes": "{IdleMinutes}"},
        ),
    ),
    manner=Manner("page", frozenset(), first=0, names={"page": "pageIndex", "limit": "pageSize"}, beyond="not_found"),
    names=_PASCAL,
    words={
        "connector.status": _MODES,
        "online": {True: "true", False: "false"},
        "type": {"Soft": "soft", "Hard": "hard"},
        "operative": {True: "on", False: "off"},
    },
    factors={"powerKw": 1000, "maxPowerKw": 1000},
    params={"since": "updatedSince", "from": "from", "to": "to", "state": "status", "plug": "connectorId"}
    | {"place": "locationId"},
    times="epoch_ms",
    wrap=lambda page: page.rows,
    refuse=lambda status, facts: (
        status,
        {"ErrorCode": 528 if facts.get("code") == "charger_offline" else status, "ErrorText": facts["message"]},
    ),
)

TONGUES = {"ocpi": OCPI, "laravel": LARAVEL, "flat": FLAT, "nordic": NORDIC, "harbour": HARBOUR, "hal": HAL}
"""By the name of the file in examples/contracts that is written for it."""
