"""The rule files at work: read at the start, watched, read again when one changed, and taken up between evaluations.

Broken files, and files from which every rule has gone, change nothing: the rules before stay in force, and what is the
matter is kept here for the watchdog to tell. Nothing here reads a clock or says anything in Slack.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import structlog

from bot.service import jobs
from bot.service.jobs import Jobs
from bot.slack.charge.alerting.rule_files import ACCEPT
from rules.documents.document import Rule
from rules.documents.files import RuleFiles, list_rule_files, load_rule_files
from rules.language.errors import RuleErrors
from rules.registry.listing import count_file_rules, stored_versions
from rules.registry.runnable import check_runnable
from storage.audit import last_act

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Held:
    """Rule files that were not taken up: `since` when, and why: `broken` says what is wrong, `gone` counts rules."""

    since: datetime
    broken: str = ""
    gone: int = 0


@dataclass(slots=True)
class RuleKeeper:
    """The rules in force. `lock` is held while they change, and by whoever evaluates them."""

    jobs: Jobs
    paths: Sequence[Path]
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    held: Held | None = None
    _taken: str | None = None  # the fingerprint of the files that were read last
    _seen: str | None = None  # that of the last look
    _given: Sequence[Rule] | None = None  # rules that came from no file
    _known: Sequence[tuple[object, ...]] | None = None  # the versions that are stored, at the last look

    async def begin(self, rules: Sequence[Rule] | None, now: datetime) -> None:
        """Take up the rules at the start: those given, or those of the files; raises RuleErrors for broken files."""
        self._given = rules
        if rules is not None:
            await self._adopt(RuleFiles(tuple(rules)), now)
            return
        self._taken = await asyncio.to_thread(self._fingerprint)
        files = await asyncio.to_thread(load_rule_files, self.paths)
        gone = await asyncio.to_thread(self._gone, files)
        if gone:
            self._hold(Held(now, gone=gone))
            await self.adopt_stored()
        else:
            await self._adopt(files, now)

    async def follow(self, rules: Sequence[Rule] | None) -> None:
        """Take up what the leader has put in force; the files, or the rules given, wait until this process leads."""
        self._given = rules
        if rules is None:
            self._taken = ""
        await self.adopt_stored()

    async def take_over(self, now: datetime) -> None:
        """Put the rules in force as they are told here; broken files change nothing, and are told."""
        if self._given is not None:
            await self._adopt(RuleFiles(tuple(self._given)), now)
        else:
            await self.adopt_stored()
            await self.reload(now)

    async def look_at_stored(self, _now: datetime) -> None:
        """Take up what is stored where another process changed it."""
        stored = await asyncio.to_thread(self._stored)
        if stored != self._known:
            self._known = stored
            await self.adopt_stored()

    def _stored(self) -> Sequence[tuple[object, ...]]:
        with self.jobs.database.read() as connection:
            return stored_versions(connection)

    async def adopt_stored(self) -> None:
        """Take up what is stored, because somebody changed it in Slack."""
        async with self.lock:
            await asyncio.to_thread(jobs.take_up_rules, self.jobs)

    async def look(self, now: datetime) -> bool:
        """Read the files again where they changed and have stood still since the last look; whether they were read.

        Where the rules were given, and came from no file, there is nothing to look at.
        """
        if self._taken is None:
            return False
        before, self._seen = self._seen, await asyncio.to_thread(self._fingerprint)
        changed = self._seen != self._taken and self._seen == before
        if not changed and not await asyncio.to_thread(self._accepted):
            return False
        await self.reload(now)
        return True

    async def reload(self, now: datetime) -> None:
        """Read the files again; broken or emptied ones change nothing until they are mended, or that is accepted."""
        self._taken = await asyncio.to_thread(self._fingerprint)
        try:
            files = await asyncio.to_thread(load_rule_files, self.paths)
            await asyncio.to_thread(check_runnable, self._changed(files))
            gone = await asyncio.to_thread(self._gone, files)
            if gone and not await asyncio.to_thread(self._accepted):
                self._hold(Held(now, gone=gone))
                return
            await self._adopt(files, now)
        except (RuleErrors, OSError) as error:
            self._hold(Held(now, broken=str(error)))
            return
        self.held = None

    def _changed(self, files: RuleFiles) -> list[Rule]:
        """The rules of the files that are not in force as they are."""
        known = self.jobs.rules.documents
        return [rule for rule in files.rules if rule.name not in known or known[rule.name].document != rule.document]

    async def _adopt(self, files: RuleFiles, now: datetime) -> None:
        async with self.lock:
            await asyncio.to_thread(jobs.use_rules, self.jobs, files.rules, now, files.plan)
        log.info("rules in force", rules=len(files.rules))
        mute = jobs.mute_rules(self.jobs)
        if mute:
            mend = "set CHARGEHAND_ALERT_CHANNEL, or give each a `notify`"
            log.error("rules can be heard nowhere: no channel is named", rules=list(mute), mend=mend)

    def _hold(self, held: Held) -> None:
        before = self.held
        if before is not None and (before.broken, before.gone) == (held.broken, held.gone):
            return
        since = held.since if before is None else before.since
        self.held = Held(since, held.broken, held.gone)
        if held.broken:
            log.error("the rules are broken; those before stay in force", error=held.broken)
        else:
            log.error("every rule is gone from the rule files; those before stay in force", rules=held.gone)

    def _gone(self, files: RuleFiles) -> int:
        """How many rules of files are in force, where the files say none any more; else 0."""
        if files.rules:
            return 0
        with self.jobs.database.read() as connection:
            return count_file_rules(connection)

    def _accepted(self) -> bool:
        held = self.held
        if held is None or not held.gone:
            return False
        with self.jobs.database.read() as connection:
            at = last_act(connection, ACCEPT)
        return at is not None and at >= held.since

    def _fingerprint(self) -> str:
        """What the files hold, as one hash; a file that cannot be read counts with its name alone."""
        found = hashlib.sha256()
        for file in list_rule_files(self.paths):
            found.update(f"\0{file}\0".encode(errors="surrogateescape"))
            try:
                found.update(file.read_bytes())
            except OSError as error:
                found.update(type(error).__name__.encode())
        return found.hexdigest()
