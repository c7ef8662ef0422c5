"""Looks at everything the service needs and says of each thing that fails how to mend it; changes nothing.

EOSVOLT is asked read-only, every route of the contract once. Slack's side is in `bot.cli.slack_doctor`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from bot.cli.contract_doctor import RouteCheck, check_contract
from bot.setting_doubts import misspelt, wide_files
from bot.settings import Settings, SettingsError, missing_setting
from eosvolt.client import EosvoltClient
from eosvolt.contract import ContractError
from eosvolt.errors import EosvoltError, Unauthorized
from rules.documents.files import load_rules
from rules.language.errors import RuleErrors
from rules.registry.runnable import check_runnable
from storage.engine import Database
from storage.migrate import current_revision, latest_revision

SKEW_TOLERATED = timedelta(seconds=30)
ESSENTIAL = frozenset({"locations", "chargers"})
"""The routes without which there is nothing to watch; any other that an account lacks is done without."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it failed (or was left out), what was seen, and how to mend it."""

    name: str
    failed: bool
    told: str
    mend: str = ""
    skipped: bool = False


async def examine(settings: Settings) -> list[Finding]:
    """Look at settings, rules, database and the EOSVOLT API, in that order; every check runs."""
    checks = (_examine_settings, _examine_rules, _examine_database)
    findings = [await asyncio.to_thread(check, settings) for check in checks]
    return findings + await examine_eosvolt(settings)


def report(findings: Sequence[Finding]) -> str:
    """The findings as lines for a terminal."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        mark = "FAILED" if finding.failed else "-" if finding.skipped else "ok"
        lines.append(f"{mark:<7}{finding.name:<{width}}  {finding.told}")
        if finding.failed and finding.mend:
            first, *rest = finding.mend.splitlines()
            lines += [f"{'':<7}{'':<{width}}  {line}" for line in (f"Mend: {first}", *rest)]
    failed = sum(finding.failed for finding in findings)
    lines.append(f"{failed} of {len(findings)} checks failed." if failed else f"All {len(findings)} checks are well.")
    return "\n".join(lines)


def _examine_settings(_settings: Settings) -> Finding:
    wide = wide_files()
    doubts = misspelt()
    if doubts:
        return Finding("settings", True, "; ".join([*doubts, *wide]), "Correct the names: nothing reads them so.")
    return Finding("settings", False, f"warning: {'; '.join(wide)}" if wide else "every name is known")


def _examine_rules(settings: Settings) -> Finding:
    if not settings.chargehand_rules:
        return Finding("rules", True, "no rules are named", missing_setting("CHARGEHAND_RULES"))
    try:
        rules = load_rules([Path(name) for name in settings.chargehand_rules])
        check_runnable(rules)
    except RuleErrors as error:
        return Finding("rules", True, str(error), "Correct the file; `chargehand rules check FILE` shows it again.")
    return Finding("rules", False, f"{len(rules)} from {', '.join(settings.chargehand_rules)}")


def _examine_database(settings: Settings) -> Finding:
    try:
        database = Database(settings.database_url)
    except (SQLAlchemyError, ImportError) as error:
        return Finding("database", True, _first_line(error), missing_setting("DATABASE_URL"))
    shown = database.engine.url.render_as_string(hide_password=True)
    try:
        current, latest = current_revision(database), latest_revision()
        with database.write():
            pass  # a lock for writing can be had
    except SQLAlchemyError as error:
        return Finding("database", True, f"{shown}: {_first_line(error)}", "Check DATABASE_URL, and that it may write.")
    finally:
        database.close()
    if current != latest:
        told = f"{shown} is at {current or 'no revision'}, this version needs {latest}"
        return Finding("database", True, told, "Run `chargehand db upgrade`.")
    return Finding("database", False, f"{shown} at {current}")


async def examine_eosvolt(settings: Settings) -> list[Finding]:
    """Look at the EOSVOLT API alone: its settings, its token, every route that only reads."""
    try:
        settings.require("EOSVOLT_BASE_URL")
        token, contract = settings.token_source(), settings.contract()
    except (SettingsError, ContractError, EosvoltError) as error:
        return [Finding("EOSVOLT", True, "its settings are not complete", str(error))]
    assert settings.eosvolt_base_url is not None  # noqa: S101 - required above
    findings: list[Finding] = []
    try:
        client = EosvoltClient(settings.eosvolt_base_url, token, contract, attempts=1)
    except ValueError as error:
        return [Finding("EOSVOLT", True, str(error), missing_setting("EOSVOLT_BASE_URL"))]
    async with client:
        fetched = await client.fetch_locations()
        if isinstance(fetched.error, Unauthorized):  # said once: every other call would only say it again
            get = missing_setting("EOSVOLT_TOKEN").partition(" is missing: ")[2]
            return [Finding("EOSVOLT token", True, "EOSVOLT refuses it: it is wrong, or was revoked (401)", get)]
        findings += [_route_finding(check) for check in await check_contract(client, contract, datetime.now(UTC))]
    if fetched.clock_skew is not None:
        findings.append(_clock_finding(fetched.clock_skew))
    return findings


def _route_finding(check: RouteCheck) -> Finding:
    """A route that differs fails. One that the account lacks is switched off, and fails only where it is essential."""
    mend = "Compare with the account's own reference, then put into the override file (CHARGEHAND_CONTRACT):\n"
    told_lines = "\n".join(f"  {line}" for line in check.lines)
    mends = mend + told_lines if check.lines else "Correct the contract in an override file (CHARGEHAND_CONTRACT)."
    if check.verdict == "forbidden":
        mends = "Ask EOSVOLT for this scope, or give the key the right to it in the admin portal."
    if check.lacking and check.name not in ESSENTIAL:
        where = f"; if it is elsewhere, put into CHARGEHAND_CONTRACT: {check.lines[0]}" if check.lines else ""
        return Finding(check.call, False, f"switched off: {check.told.rstrip('.')}{where}", skipped=True)
    if check.verdict == "no answer":
        mends = "Try again; if it lasts, ask EOSVOLT support."
    failed = check.verdict in {"forbidden", "differs", "no answer"}
    return Finding(check.call, failed, f"{check.verdict}: {check.told}", mends, check.verdict == "not tried")


def _clock_finding(skew: timedelta) -> Finding:
    seconds = skew.total_seconds()
    told = f"EOSVOLT's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    return Finding("clock", abs(skew) > SKEW_TOLERATED, told, "Synchronise this machine's clock (NTP).")


def _first_line(error: BaseException) -> str:
    return (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0]
