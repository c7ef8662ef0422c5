"""The straight line over a recording, with a simulated clock: poll, record, match, advance, enqueue; then tell.

It is the service without Slack and without waiting. It reads no clock: `now` steps from poll to poll, and every call
passes the client's real HTTP code.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TextIO

from bot.service import digesting, evaluating, jobs
from bot.service.polling.polls import poll
from bot.service.polling.price_polls import PricePolls
from notify.digests.digest import DigestEnqueued
from rules.alerts.events import Event
from rules.documents.document import Rule
from rules.lifecycle import Transition

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Story(Protocol):
    """What is replayed: a world that moves when it is told the time."""

    @property
    def start(self) -> datetime: ...

    @property
    def end(self) -> datetime | None: ...

    def advance_to(self, now: datetime) -> None: ...


@dataclass(slots=True)
class ReplayClock:
    """The replay's one clock; the stand-in API reads it too."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to."""

    polls: int
    transitions: int
    events: int
    digests: int
    simulated: timedelta


async def replay(
    story: Story, clock: ReplayClock, work: jobs.Jobs, rules: Sequence[Rule], out: TextIO, *, until: datetime | None
) -> Replayed:
    """Replay a story from its first to its last event (or `until`), and write each line as it happens."""
    interval = work.plan.interval
    now = floor_to(story.start, interval)
    end = until or story.end
    if end is None:
        raise ValueError("a story without an end is replayed until a given time")
    first, polls, told, announced, digests = now, 0, 0, 0, 0
    clock.now = now
    jobs.use_rules(work, rules, now)
    prices = PricePolls(work) if any(rule.on == "price.changed" for rule in rules) else None
    while now < end + interval:
        clock.now = now
        story.advance_to(now)
        fresh = await poll(work, now)
        moved = evaluating.evaluate(work, now, fresh)
        if prices is not None and fresh:
            await prices.poll(now)
        events = [item for item in moved if isinstance(item, Event)]
        transitions = [item for item in moved if isinstance(item, Transition)]
        enqueued = digesting.enqueue_digests(work, now)
        out.writelines(_lines(transitions, events, enqueued))
        polls, told, digests = polls + 1, told + len(transitions), digests + len(enqueued)
        announced += len(events)
        now += interval
    return Replayed(polls, told, announced, digests, now - interval - first)


def floor_to(moment: datetime, interval: timedelta) -> datetime:
    """The last whole interval since 1970 at or before `moment`: polls fall on whole minutes."""
    return moment - (moment - EPOCH) % interval


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC: 2018-11-01T15:17:00Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _lines(
    transitions: Sequence[Transition], events: Sequence[Event], digests: Sequence[DigestEnqueued]
) -> Iterator[str]:
    """One poll's lines, by rule and subject; what one subject went through keeps its order."""
    told: list[tuple[str, str, dict[str, Any]]] = [
        (item.rule_id, item.subject, _transition_line(item)) for item in transitions
    ]
    told += [(item.rule_id, item.subject, _event_line(item)) for item in events]
    told += [(item.rule, "", _digest_line(item)) for item in digests]
    for _, _, line in sorted(told, key=lambda entry: entry[:2]):
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _transition_line(item: Transition) -> dict[str, Any]:
    return {
        "at": iso(item.at),
        "rule": item.rule_id,
        "subject": item.subject,
        "from": item.from_state.value,
        "to": item.to_state.value,
        "active_at": iso(item.active_at),
    }


def _event_line(item: Event) -> dict[str, Any]:
    return {
        "at": iso(item.at),
        "rule": item.rule_id,
        "subject": item.subject,
        "event": item.event,
        "event_at": iso(item.event_at),
    }


def _digest_line(item: DigestEnqueued) -> dict[str, Any]:
    return {"at": iso(item.at), "rule": item.rule, "slot": item.slot, "window": item.window, "facts": item.facts}
