"""Which of an account's values can be which of our fields: by name, and only where every value fits by its type.

Pure guessing for a person to look at, in which a type that does not fit rules a name out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from eosvolt.contract import Contract
from eosvolt.converters import time_of
from eosvolt.models import CONNECTOR_STATUSES, SESSION_STATUSES
from eosvolt.spellings.words import folded
from eosvolt.terms.shapes import TIME_UNITS, spelled

NEAR = 0.74
_LONGEST_NUMBER = 2  # digits of a connector's number within its charger
TIMES = frozenset({"updated_at", "status_changed_at", "last_heartbeat", "started_at", "ended_at"})
NUMBERS = frozenset({
    "power_kw", "max_power_kw", "energy_kwh", "cost", "heartbeat_interval_seconds", "blocking_fee_interval_minutes",
    "default", "price", "blocking_fee", "revenue", "utilisation", "uptime", "latitude", "longitude",
})  # fmt: skip
LISTS = frozenset({"connectors", "blocks"})
_SYNONYMS: dict[str, str] = {
    "id": "uid uuid code key identifier number chargerId chargerCode stationId stationCode siteId siteCode sessionCode"
    " sessionId transactionId locationId connectorId plugId outletId connectorCode outletCode"
    " tx txId placeId portId port boxId",
    "name": "siteName stationName title displayName label deviceName physicalReference caption",
    "location_id": "locationIdentifier siteId site.id siteCode location location.id locationCode placeId place",
    "charger_id": "station stationId stationCode chargePointId deviceId evseId evseUid chargerCode",
    "connector_id": "plug plugId outlet outletId outletCode connectorCode socketId portId connector.id",
    "online": "isOnline connected isConnected link reachable connectivity connState connectionState",
    "last_heartbeat": "lastSeen lastSeenAt seen seenAt lastContact lastHeartbeatAt lastCommunication heartbeatAt",
    "heartbeat_interval_seconds": "heartbeatInterval heartbeatMs beatEvery heartbeatSeconds heartbeatIntervalMinutes"
    " beatEverySeconds",
    "updated_at": "modified modifiedAt lastUpdated lastModified changedAt updated lastChange touched touchedAt",
    "connectors": "outlets plugs evses sockets ports connectorList",
    "status": "state operatingMode mode connectorStatus statusName phase operationalStatus",
    "status_changed_at": "stateSince since statusSince sinceTs modeSince stateAt stateChangedAt lastStatusChange",
    "power_kw": "power powerW watts currentPower powerValue activePower totalPower totalPowerW electricPower",
    "max_power_kw": "maxPower maxPowerW ratedPower ratedWatts ratedPowerW maxElectricPower maximumPower",
    "type": "kind standard plugType category connectorType locationType socket socketType",
    "error_code": "error fault faultCode errorType",
    "vendor_error_code": "vendorError vendorFault vendorCode manufacturerError",
    "serial": "serialNo serialNumber chargeBoxSerial",
    "firmware": "firmwareVersion fw fwVersion",
    "vendor": "make manufacturer brand",
    "labels": "tags flags capabilities groups",
    "timezone": "zone tz timeZoneName timeZone",
    "currency": "currencyCode ccy",
    "latitude": "lat coordinates.latitude coordinates.lat geo.lat position.lat gpsLatitude",
    "longitude": "lng lon long coordinates.longitude coordinates.lng geo.lng geo.lon position.lng gpsLongitude",
    "address": "street fullAddress addressLine",
    "support_contact": "phone support contact helpdesk",
    "started_at": "start startTime begin begun startDateTime startedOn beginTime fromTs startTs",
    "ended_at": "end endTime stop stopTime finished endDateTime finishedAt stoppedAt toTs endTs",
    "energy_kwh": "energy kwh consumption wattHours energyWh delivered meterKwh consumedKwh",
    "cost": "price amount total totalCost totalCostInclVat totalPrice amountMinor amountCents costCents",
    "id_tag": "idToken idToken.value token rfid card tag rfidTag cardId authId",
    "fail_reason": "failure failureReason failedBy",
    "stop_reason": "reason endReason stoppedBy",
    "location.type": "kind",
    "default": "tariff rate basePrice energyPrice defaultPrice defaultCents",
    "blocks": "elements periods slots timeBlocks",
    "begins": "start begin startTime fromTime", "ends": "finish end endTime toTime until",
    "price": "rate amount cents value",
    "blocking_fee": "idleFee parkingFee", "unit": "per basis",
}  # fmt: skip
_STATUS_WORDS = {
    "Available": "free idle ready vacant operational",
    "Preparing": "connected plugged waiting",
    "Charging": "inuse occupied busy active delivering",
    "SuspendedEV": "pausedbyev suspended",
    "SuspendedEVSE": "paused throttled",
    "Finishing": "completed ending",
    "Reserved": "booked",
    "Unavailable": "inoperative disabled blocked offline outofservice maintenance removed planned",
    "Faulted": "broken error outoforder fault defect failed",
}
_SESSION_WORDS = {
    "Pending": "scheduled starting reserved waiting preparing",
    "Active": "running inprogress charging ongoing started open",
    "Completed": "done finished ended closed stopped complete",
    "Failed": "invalid error aborted cancelled rejected",
}
_YES = frozenset({"up", "online", "connected", "yes", "true", "1", "on", "y"})
_NO = frozenset({"down", "offline", "disconnected", "no", "false", "0", "off", "n"})
_UNIT_ENDS = {
    "power": (("kw", "kW"), ("mw", "MW"), ("watts", "W"), ("watt", "W"), ("w", "W")),
    "energy": (("kwh", "kWh"), ("mwh", "MWh"), ("watthours", "Wh"), ("wh", "Wh")),
    "money": (("cents", "minor"), ("minor", "minor"), ("ore", "minor"), ("pence", "minor")),
    "time": (("milliseconds", "ms"), ("ms", "ms"), ("minutes", "min"), ("min", "min"), ("seconds", "s")),
}
_FAMILY = (
    {"power_kw": "power", "max_power_kw": "power", "energy_kwh": "energy"}
    | dict.fromkeys(("cost", "default", "price", "blocking_fee", "revenue"), "money")
    | dict.fromkeys(("heartbeat_interval_seconds", "blocking_fee_interval_minutes"), "time")
)


@dataclass(frozen=True, slots=True)
class Fit:
    """One of our fields read from a path: in a unit, with words translated."""

    path: str
    unit: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)

    def line(self, packaged_unit: str | None, names: Sequence[str] = ()) -> Any:
        """Return what stands on the right of the field's line."""
        told: dict[str, Any] = {"names": [self.path, *(name for name in names if name != self.path)]}
        if self.unit is not None and self.unit != packaged_unit:
            told["unit"] = self.unit
        if self.values:
            told["values"] = dict(self.values)
        return self.path if len(told) == 1 and len(told["names"]) == 1 else told


def paths_in(rows: Sequence[Mapping[str, Any]], deepest: int = 3) -> dict[str, list[Any]]:
    """Return every path in rows with the values that stand there and are not null."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for path, value in _walk(row, "", deepest):
            found.setdefault(path, [])
            if value is not None and value != "":
                found[path].append(value)
    return found


def _walk(value: Mapping[str, Any], before: str, deepest: int) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if not isinstance(key, str) or not key or any(char in key for char in ".[]{}"):
            continue
        path = f"{before}{key}"
        yield path, inner
        if isinstance(inner, dict) and deepest > 1:
            yield from _walk(inner, f"{path}.", deepest - 1)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict) and deepest > 1:
            for name, deeper in inner[0].items():
                if isinstance(deeper, list) and deeper and all(isinstance(one, dict) for one in deeper):
                    yield f"{path}[].{name}[]", deeper


def likeness(path: str, name: str, aliases: Sequence[str]) -> float:
    """Return how much a path's name is like one of our fields', from 0 to 1."""
    wanted = {folded(one) for one in (name, *aliases, *_SYNONYMS.get(name, "").split())}
    shown = {folded(path), folded(path.replace("[]", "").rpartition(".")[2])}
    return max(
        (1.0 if one == other else 0.99 * SequenceMatcher(None, one, other).ratio()) - (0.02 if "." in path else 0)
        for one in shown
        for other in wanted
    )


def fit_of(contract: Contract, resource: str, name: str, path: str, values: Sequence[Any]) -> Fit | None:
    """Return how the values at a path can be one of our fields, or None where their type rules it out."""
    if not values:
        return None
    if resource == "connector" and name == "id" and all(_is_small(value) for value in values):
        return Fit(path)  # only numbered within its charger, which another look shows
    if name in LISTS or name == "labels" or any(isinstance(value, list | dict) for value in values):
        return _compound_fit(name, path, values)
    if name in TIMES or name in NUMBERS:
        return _measured_fit(contract, resource, name, path, values)
    if name == "online" or (name == "status" and resource in {"connector", "session"}):
        return _yes_fit(path, values) if name == "online" else _word_fit(contract, resource, path, values)
    return Fit(path) if _is_textual(contract, name, path, values) else None


def _measured_fit(contract: Contract, resource: str, name: str, path: str, values: Sequence[Any]) -> Fit | None:
    return _time_fit(contract, path, values) if name in TIMES else _number_fit(contract, resource, name, path, values)


def _is_small(value: Any) -> bool:
    return not isinstance(value, bool) and str(value).isdecimal() and len(str(value)) <= _LONGEST_NUMBER


def _compound_fit(name: str, path: str, values: Sequence[Any]) -> Fit | None:
    """Lists of things, lists of texts, and addresses that come in parts."""
    if name in LISTS:
        whole = [one for value in values if isinstance(value, list) for one in value]
        fits = all(isinstance(value, list) for value in values) and all(isinstance(one, dict) for one in whole)
        return Fit(path) if fits and whole else None
    if name == "labels":
        texts = all(isinstance(value, list) and all(isinstance(one, str) for one in value) for value in values)
        return Fit(path) if texts else None
    textual = name in {"address", "support_contact"} and "." not in path
    return Fit(path) if textual and all(isinstance(value, dict | str) for value in values) else None


def _is_textual(contract: Contract, name: str, path: str, values: Sequence[Any]) -> bool:
    if any(isinstance(value, bool) for value in values):
        return False
    if name == "id" and len({str(value) for value in values}) < len(values):
        return False
    if name == "id" or name.endswith("_id"):
        return all(isinstance(value, str | int) for value in values)
    if name in {"begins", "ends"}:
        return all(isinstance(value, str) and ":" in value for value in values)
    return all(isinstance(value, str) for value in values) and _time_fit(contract, path, values) is None


def _time_fit(contract: Contract, path: str, values: Sequence[Any]) -> Fit | None:
    for unit in TIME_UNITS:
        convert = time_of(unit, contract.times.naive_timezone)
        if unit != "iso8601" and any(isinstance(value, bool) for value in values):
            continue
        try:
            if all(convert(value) is not None for value in values):
                return Fit(path, unit)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _number_fit(contract: Contract, resource: str, name: str, path: str, values: Sequence[Any]) -> Fit | None:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values):
        try:
            numbers = [float(value) for value in values if not isinstance(value, bool)]
        except (ValueError, TypeError):
            return None
    if len(numbers) < len(values):
        return None
    return Fit(path, unit_of(name, path, numbers, contract.fields[resource][name].unit))


def unit_of(name: str, path: str, numbers: Sequence[float], unit: str | None) -> str | None:
    """Return the unit of a number by its name and size; the contract's where neither says otherwise."""
    word = folded(path.rpartition(".")[2])
    if name == "heartbeat_interval_seconds" and unit == "s" and max(numbers, default=0) > 20_000:
        return "ms"  # nobody beats every six hours, whatever the name says
    for ending, said in _UNIT_ENDS.get(_FAMILY.get(name, ""), ()):
        if word.endswith(ending) and (len(ending) > 1 or path.rpartition(".")[2].endswith(("W", "_w"))):
            if not (said in {"kW", "kWh"} and max(numbers) > (1_000 if said == "kW" else 3_000)):
                return said
            break
    most = max(numbers, default=0)
    if name in {"power_kw", "max_power_kw"} and unit == "kW" and most > 1_000:
        return "W"
    if name == "energy_kwh" and unit == "kWh" and most > 3_000:
        return "Wh"
    return unit


def _yes_fit(path: str, values: Sequence[Any]) -> Fit | None:
    if all(isinstance(value, bool) for value in values):
        return Fit(path)
    words = sorted({spelled(value) for value in values if isinstance(value, str | int)})
    if len(words) > 2 or len(words) < len({str(value) for value in values}):
        return None
    known = {word: word.lower() in _YES for word in words if word.lower() in _YES | _NO}
    if len(known) < len(words):
        return None
    if known.keys() <= {"0", "1"}:
        known = {"1": True, "0": False}
    return Fit(path, values=_with_opposite(known))


def _with_opposite(known: dict[str, bool]) -> dict[str, bool]:
    """Both words of a pair, though only one of them came."""
    pairs = (("up", "down"), ("online", "offline"), ("connected", "disconnected"), ("yes", "no"), ("true", "false"))
    for yes, no in (*pairs, ("on", "off"), ("y", "n")):
        for word in list(known):
            other = {yes: no, no: yes}.get(word.lower())
            if other is not None:
                styled = other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
                known.setdefault(styled, styled.lower() == yes)
    return known


def _word_fit(contract: Contract, resource: str, path: str, values: Sequence[Any]) -> Fit | None:
    ours = CONNECTOR_STATUSES if resource == "connector" else SESSION_STATUSES
    if not all(isinstance(value, str) for value in values):
        return None
    guessed, unknown = guessed_words(resource, set(values), contract.fields[resource]["status"].values)
    recognised = sum(folded(value) in {folded(one) for one in ours} or value in guessed for value in values)
    return Fit(path, values=guessed) if recognised and recognised >= len(values) / 2 and len(unknown) <= 3 else None


def guessed_words(resource: str, words: set[str], known: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return words of an account with ours, as far as they can be guessed, and those that cannot."""
    ours = CONNECTOR_STATUSES if resource == "connector" else SESSION_STATUSES
    table = _STATUS_WORDS if resource == "connector" else _SESSION_WORDS
    meant = {alias: status for status, aliases in table.items() for alias in aliases.split()}
    plain = {folded(status) for status in ours}
    odd = sorted(word for word in words if folded(word) not in plain and word not in known)
    guessed = {word: meant[folded(word)] for word in odd if folded(word) in meant}
    return guessed, [word for word in odd if word not in guessed]
