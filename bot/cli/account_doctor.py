"""What `chargehand doctor` tells of an account: how it differs, what mends it, counts, and how it is understood.

It writes a file only where it is told to, and never what it has not tried.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.cli.id_doctor import told_of_ids
from bot.settings import Settings
from eosvolt.client import EosvoltClient
from eosvolt.contract import Contract, load_contract
from eosvolt.errors import MalformedAnswer
from eosvolt.mapping import RowUnreadable
from eosvolt.models import ChargerReading, SessionReading
from eosvolt.readings import Reader
from eosvolt.survey.comparison import Comparison, Difference, compare
from eosvolt.survey.envelopes import rows_in
from eosvolt.survey.lines import merged, tried, written
from eosvolt.survey.surveying import Survey, counted, survey
from eosvolt.terms.identities import Identities

SHOWN = 3
_MOST_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Account:
    """What is to be told of an account, and whether anything differs."""

    text: str
    differs: bool
    lines: Mapping[str, Any]


async def examine_account(settings: Settings, now: datetime, write: Path | None = None) -> Account:
    """Survey the account that the settings name; raises what settings, contract and token raise."""
    override = _override_of(settings)
    token, address = settings.token_source(), settings.eosvolt_base_url or ""
    found = await survey(lambda contract: EosvoltClient(address, token, contract, attempts=1), override, now)
    told = [f"{name}: {words}" for name, words in counted(found).items()]
    told += [f"{name}: not there ({why})" for name, why in found.lacking.items()]
    told += _understood([row for name in ("chargers", "sessions") for row in _first(found, name)])
    told += _differences(found.differences, found.lines)
    told += _acting(override, found.lines)
    told += _ids(settings, override, found)
    told += [f"Not mended: {trouble}" for trouble in found.troubles]
    told += _written(write, override, found.lines)
    return Account("\n".join(told), bool(found.differences or found.troubles), found.lines)


def examine_answer(
    document: Any, settings_contract: Contract, override: str, name: str, write: Path | None = None
) -> Account:
    """Compare one recorded answer, line by line until none is new, and tell it as an account is told."""
    lines: dict[str, Any] = {}
    differences: list[Difference] = []
    contract = settings_contract
    seen = compare(document, contract)
    for _ in range(_MOST_ROUNDS):
        known = {(one.field, one.told) for one in differences}
        new = [one for one in seen.differences if (one.field, one.told) not in known]
        differences += new
        for key, value in ((key, value) for one in new for key, value in one.lines.items()):
            if lines.get(key) != value and tried(override, {**lines, key: value}) is not None:
                lines[key] = value
        if not new:
            break
        contract = tried(override, lines) or contract
        seen = compare(document, contract, seen.resource)
    told = [*_summary(name, seen), *_understood(_read(document, contract, seen))]
    told += _differences(differences, lines) or ["Nothing differs from the contract."]
    told += _written(write, override, lines)
    return Account("\n".join(told), bool(differences) or seen.resource is None, lines)


def examine_sample(path: Path, settings: Settings, write: Path | None = None) -> Account:
    """What a recording of a real answer (JSON in a file) holds, seen through the contract.

    Raises OSError where the file cannot be read, and MalformedAnswer where it is not JSON.
    """
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MalformedAnswer(f"{path} is not JSON: {error}") from None
    return examine_answer(document, settings.contract(), _override_of(settings), path.name, write)


def _override_of(settings: Settings) -> str:
    path = settings.chargehand_contract
    if path is None:
        return ""
    load_contract(path)
    return path.read_text(encoding="utf-8")


def _ids(settings: Settings, override: str, found: Survey) -> list[str]:
    """What becomes of stored things whose ids the contract, with the lines found, makes otherwise."""
    contract = tried(override, found.lines)
    if contract is None:
        return []
    readings = {name: fetched.rows for name, fetched in found.lists.items()}
    return told_of_ids(settings.database_url, Identities(contract).forms, readings)


def _acting(override: str, lines: Mapping[str, Any]) -> list[str]:
    """The calls that were never tried, where an account was found to differ: nobody but its reference tells of them."""
    contract = tried(override, lines)
    if contract is None or not any(key.startswith("routes.") and key.endswith(".call") for key in lines):
        return []
    told = ["", "Calls that act are not tried. Before the first command, compare each with the account's reference:"]
    return told + [
        f"  routes.{name}.call = {json.dumps(f'{route.method} {route.path}')}"
        for name, route in contract.routes.items()
        if route.acts and route.method and name not in contract.commands
    ]


def _first(found: Survey, name: str) -> Sequence[Any]:
    fetched = found.lists.get(name)
    return fetched.rows[:SHOWN] if fetched is not None else ()


def _understood(rows: Sequence[Any]) -> list[str]:
    """The first rows in our words: a person sees at once what is wrong."""
    told = ["", "As Chargehand understands them:"] if rows else []
    for row in rows:
        if isinstance(row, ChargerReading):
            online = {True: "online", False: "offline", None: "online?"}[row.online]
            plugs = "; ".join(
                f"{plug.id} {plug.status or f'unknown ({plug.status_raw})'}"
                f", {_number(plug.power_kw)} of {_number(plug.max_power_kw)} kW"
                for plug in row.connectors
            )
            told.append(f"  charger {row.id} {row.name!r} at {row.location_id}, {online}: {plugs or 'no connectors'}")
        elif isinstance(row, SessionReading):
            ended = f"{row.ended_at:%H:%M}" if row.ended_at else "now"
            money = f"{_number(row.cost)} {row.currency or '?'}"
            since = f"{row.started_at:%Y-%m-%d %H:%M}" if row.started_at else "from an unknown time"
            told.append(
                f"  session {row.id} on {row.connector_id}: {row.status}, {since} to {ended} UTC"
                f", {_number(row.energy_kwh)} kWh, {money}"
            )
    return told


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"


def _differences(differences: Sequence[Difference], lines: Mapping[str, Any]) -> list[str]:
    if not differences:
        return []
    told = ["", f"{len(differences)} {'difference' if len(differences) == 1 else 'differences'} from the contract:"]
    told += [f"  {one.field}: {one.told}" if one.field else f"  {one.told}" for one in differences]
    if lines:
        told += ["", "At the top of the override file (CHARGEHAND_CONTRACT), each looked at by you first:"]
        told += [f"  {line}" for line in written(lines)]
    return told


def _written(write: Path | None, override: str, lines: Mapping[str, Any]) -> list[str]:
    if write is None:
        return []
    text = merged(write.read_text(encoding="utf-8") if write.exists() else override, lines)
    write.write_text(text, encoding="utf-8")
    load_contract(write)
    return ["", f"Written to {write}. Name it in CHARGEHAND_CONTRACT, and run `chargehand doctor` again."]


def _summary(name: str, seen: Comparison) -> list[str]:
    kind = seen.resource or "neither charger, session or location"
    fields = f"{len(seen.read)} of {len(seen.read) + len(seen.absent)} fields"
    rows = f"{seen.rows} {'row' if seen.rows == 1 else 'rows'}"
    told = [f"{name}: {kind}; {rows}, {fields}, {seen.unreadable} unreadable"]
    width = max(map(len, (*seen.read, *seen.absent, *seen.unknown)), default=0)
    told += [f"  {ours:<{width}}  read from {theirs}" for ours, theirs in seen.read.items()]
    told += [f"  {ours:<{width}}  not there" for ours in seen.absent]
    return told + [f"  {theirs:<{width}}  unknown: {value}" for theirs, value in seen.unknown.items()]


def _read(document: Any, contract: Contract, seen: Comparison) -> list[Any]:
    if seen.resource not in {"charger", "session"}:
        return []
    reader = Reader(contract, lambda text: text)
    read = reader.charger if seen.resource == "charger" else reader.session
    rows = rows_in(document, contract, lambda thing: reader.recognises(seen.resource or "", thing))[0]
    readings: list[Any] = []
    for row in rows[:SHOWN]:
        try:
            readings.append(read(row, []))
        except RowUnreadable:
            continue
    return readings
