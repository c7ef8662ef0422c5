"""What may be wrong with the service: one function a kind, each a plain reading of one sight of everything.

It reads no clock and no database, and tells nobody.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.service.jobs import Broken, Unended
from bot.service.rule_files import Held
from bot.service.ticker import JobState, Step
from bot.slack.charge.alerting.rule_files import GONE
from notify.text.words import duration
from notify.troubles import Finding
from rules.language.fields import RESOURCE_OF
from storage.ahead import done
from storage.health import WHOLE_API, Pace
from storage.polls import PollState
from storage.recording.doubts import Doubt
from storage.recording.sight import UnreadField

SHORTEST_STALE = timedelta(minutes=4)
STALE_INTERVALS = 4
TOKEN_AFTER = timedelta(minutes=2)
LIMITED_AFTER = timedelta(minutes=15)
SLACK_AFTER = timedelta(minutes=1)
LATE_INTERVALS = 4
SHORTEST_LATE = timedelta(minutes=4)
BACKLOG_AFTER = timedelta(minutes=5)
UNSENT_AFTER = timedelta(minutes=1)
"""From when on a message that Slack did not take is no longer well, though nobody is told of it yet."""
LEAST_FREE = 200_000_000
MANY_ASIDE, SOME_ASIDE, ASIDE_SHARE, HALF = 50, 3, 0.1, 0.5
"""So many things set aside are a lot; so few are none; between them it is their share of what is known."""
MANY_ROWS = 10
"""Where a field fails in all of so many rows that came together, it has turned for the whole fleet."""
SHOWN_RULES = 5
UNHEARD_AFTER = timedelta(minutes=1)
"""How long after it fired an alert that has no channel is told of."""
AT_ONCE = timedelta()
STILL_AFTER_S = 10.0
"""For how long a clock that shows the same stands still."""
MOST_SKEW = timedelta(minutes=2)
"""How far our clock and EOSVOLT's may be apart before one of them is said to be wrong."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything that one look sees. `began_at` is the service's start: what happened before it is not its delay.

    `broken` are rules of which something fails, by what and by name; `unended` lists of everything without an end.
    `set_aside` is by kind of thing how many cannot be read now, and how many are known; `unread` are fields of which
    that is so, `doubts` the sweeps that are not believed.
    `unsent` is how many messages have waited for BACKLOG_AFTER, or for UNSENT_AFTER where Slack did not take them,
    since when, and the last error of the oldest; `refused` the channels that take nothing, since when, why, and how
    much waits for each; `unwritten` how many messages wait whose rows or words are damaged; `mute` the rules that can
    be heard nowhere, `unheard` how many alerts fire that nobody was told of. `free_bytes` None: not known. `clock_put`
    is how the wall clock was put lately, where it was by much.
    """

    now: datetime
    began_at: datetime
    polls: Mapping[str, PollState]
    intervals: Mapping[str, timedelta]
    absent: frozenset[str]
    unauthorized: frozenset[str]
    paces: Mapping[str, Pace]  # in force, by resource; that of the whole account at WHOLE_API
    slack_alive: bool
    jobs: Mapping[str, JobState]
    unsent: tuple[int, datetime, str | None] | None = None
    slack_error: str | None = None
    refused: Mapping[str, tuple[datetime, str, int]] = field(default_factory=dict)
    unwritten: int = 0
    mute: Sequence[str] = ()
    unheard: int = 0
    free_bytes: int | None = None
    clock_put: Step | None = None
    clock_still_s: float = 0.0
    nobody_may_act: bool = False
    rule_files: Held | None = None
    set_aside: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    unread: tuple[UnreadField, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    broken: Mapping[str, Mapping[str, Broken]] = field(default_factory=dict)
    unended: Mapping[str, Unended] = field(default_factory=dict)

    def slowness(self, resource: str) -> int:
        """In how many intervals a resource is polled once."""
        return self.paces.get(resource, Pace()).slowness


def _polls(sight: Sight) -> Iterator[Finding]:
    for name, state in sight.polls.items():
        polling = sight.jobs.get(f"poll {name}")
        if polling is not None and polling.error is not None:
            continue  # what EOSVOLT said could not be written down: told as a job, not blamed on EOSVOLT
        if name in sight.unauthorized or (name in sight.absent and state.good_at is None):
            continue  # told as `token`, or no part of the account
        slowness = 1 if state.failures else sight.slowness(name)  # a slow pace that works is told by itself, later
        limit = max(SHORTEST_STALE, STALE_INTERVALS * sight.intervals[name] * slowness)
        good_at = done(state.good_at, sight.now)
        if sight.now - max(good_at or sight.began_at, sight.began_at) > limit:
            yield Finding(f"polls:{name}", AT_ONCE, good_at, facts={"error": state.error})


def _shortfalls(sight: Sight) -> Iterator[Finding]:
    for name, state in sight.polls.items():
        if state.error and not state.failures:  # a good poll of a list that never reached its total
            yield Finding(f"shortfall:{name}", AT_ONCE, facts={"error": state.error})


def _unended(sight: Sight) -> Iterator[Finding]:
    for name, one in sight.unended.items():
        state = sight.polls.get(name)
        if state is not None and state.good_at is not None:  # else it is told that nothing was read yet
            yield Finding(f"unended:{name}", AT_ONCE, one.since, facts={"error": one.told})


def _token(sight: Sight) -> Iterator[Finding]:
    if sight.unauthorized:
        yield Finding("token", TOKEN_AFTER, facts={"resources": sorted(sight.unauthorized)})


def _rate_limit(sight: Sight) -> Iterator[Finding]:
    whole = sight.paces.get(WHOLE_API, Pace())
    if whole.slowness > 1:
        yield Finding("rate_limit", LIMITED_AFTER, whole.slowed_at, facts={"slowness": whole.slowness})
        return
    for name, pace in sight.paces.items():
        if pace.slowness > 1:
            yield Finding(f"rate_limit:{name}", LIMITED_AFTER, pace.slowed_at, facts={"slowness": pace.slowness})


def _broken_rules(sight: Sight) -> Iterator[Finding]:
    for what, rules in sight.broken.items():
        for name, broken in rules.items():
            yield Finding(f"{what}:{name}", AT_ONCE, broken.since, facts={"error": broken.error})


def _slack(sight: Sight) -> Iterator[Finding]:
    if not sight.slack_alive or sight.slack_error is not None:
        yield Finding("slack", SLACK_AFTER, facts={"error": sight.slack_error})


def _late_jobs(sight: Sight) -> Iterator[Finding]:
    for name, state in sight.jobs.items():
        if state.every is None:
            continue
        well_at = max(state.good_at or sight.began_at, sight.began_at)
        if sight.now - well_at > max(SHORTEST_LATE, LATE_INTERVALS * state.every):
            yield Finding(f"job:{name}", AT_ONCE, well_at, facts={"error": state.error})


def _backlog(sight: Sight) -> Iterator[Finding]:
    if sight.now - sight.began_at < BACKLOG_AFTER:
        return  # what the last service left has only begun to be sent
    if sight.unsent is not None and sight.slack_alive and sight.slack_error is None:
        count, since, error = sight.unsent
        yield Finding("backlog", BACKLOG_AFTER, since, facts={"count": count, "error": error})


def _refused(sight: Sight) -> Iterator[Finding]:
    for channel, (since, error, waits) in sight.refused.items():
        yield Finding(f"refused:{channel}", AT_ONCE, since, not_to=channel, facts={"error": error, "waits": waits})


def _unwritten(sight: Sight) -> Iterator[Finding]:
    if sight.unwritten:
        yield Finding("unwritten", AT_ONCE, facts={"count": sight.unwritten})


def _mute(sight: Sight) -> Iterator[Finding]:
    if sight.mute or sight.unheard:
        facts = {"count": sight.unheard, "rules": list(sight.mute[:SHOWN_RULES]), "in_all": len(sight.mute)}
        yield Finding("mute", AT_ONCE, for_people=True, follows=True, facts=facts)


def _disk(sight: Sight) -> Iterator[Finding]:
    if sight.free_bytes is not None and sight.free_bytes < LEAST_FREE:
        yield Finding("disk", AT_ONCE, facts={"free_mb": sight.free_bytes // 1_000_000})


def _set_aside(sight: Sight) -> Iterator[Finding]:
    doubted = {doubt.resource for doubt in sight.doubts}
    for kind, (aside, known) in sight.set_aside.items():
        if RESOURCE_OF.get(kind) in doubted:
            continue  # what a doubted sweep did not show is told as that
        share = aside / known if known else 1.0
        if aside >= MANY_ASIDE or (aside >= SOME_ASIDE and share >= ASIDE_SHARE) or share > HALF:
            yield Finding(f"set_aside:{kind}", AT_ONCE, facts={"count": aside, "known": known})


def _unread(sight: Sight) -> Iterator[Finding]:
    for one in sight.unread:
        turned = one.was_read and one.failed == one.came and (one.came >= MANY_ROWS or one.came >= HALF * one.of)
        if one.rows and (turned or one.rows >= HALF * one.of):
            facts = {"count": one.rows, "known": one.of, "error": one.example, "newly": one.was_read}
            yield Finding(f"unread:{one.resource} {one.field}", AT_ONCE, facts=facts)


def _doubts(sight: Sight) -> Iterator[Finding]:
    for doubt in sight.doubts:
        facts = {"missing": doubt.missing, "known": doubt.known, "confirmed": doubt.confirmed_by is not None}
        yield Finding(f"doubted:{doubt.resource}", AT_ONCE, doubt.since, facts=facts)


def _rule_files(sight: Sight) -> Iterator[Finding]:
    held = sight.rule_files
    if held is not None and held.broken:
        facts = {"error": held.broken[:1_000]}
        yield Finding("rules_broken", AT_ONCE, held.since, for_people=True, follows=True, facts=facts)
    elif held is not None:
        yield Finding(GONE, AT_ONCE, held.since, for_people=True, facts={"count": held.gone})


def _nobody(sight: Sight) -> Iterator[Finding]:
    if sight.nobody_may_act:
        yield Finding("nobody", AT_ONCE)


def clock_still(sight: Sight) -> Iterator[Finding]:
    """A clock that does not move, by which nothing that waits for a moment ever comes."""
    if sight.clock_still_s >= STILL_AFTER_S:
        yield Finding("clock_still", AT_ONCE)


def _clock(sight: Sight) -> Iterator[Finding]:
    if sight.clock_put is not None and sight.clock_still_s < STILL_AFTER_S:
        by = sight.clock_put.by
        put = "forward" if by > timedelta() else "back"
        yield Finding("clock", AT_ONCE, sight.clock_put.at, facts={"put": put, "by": _about(by)})
    skew = sight.paces.get(WHOLE_API, Pace()).clock_skew
    if skew is not None and abs(skew) > MOST_SKEW:
        side = "ahead of" if skew < timedelta() else "behind"
        yield Finding("clock_skew", AT_ONCE, facts={"side": side, "by": _about(skew)})


def _about(apart: timedelta) -> str:
    """How far clocks are apart, to the nearest minute: a step of 3 min is measured a little short as often as not."""
    return duration(timedelta(minutes=round(abs(apart) / timedelta(minutes=1))))


WATCHES: tuple[Callable[[Sight], Iterator[Finding]], ...] = (
    _polls,
    _shortfalls,
    _unended,
    _token,
    _rate_limit,
    _broken_rules,
    _slack,
    _late_jobs,
    _backlog,
    _refused,
    _unwritten,
    _mute,
    _disk,
    _clock,
    clock_still,
    _nobody,
    _rule_files,
    _set_aside,
    _unread,
    _doubts,
)
"""Every watch: what it finds wrong in a sight, since when, and after how long it is told."""


def find_troubles(sight: Sight) -> list[Finding]:
    """Everything that is wrong in a sight."""
    return [finding for watch in WATCHES for finding in watch(sight)]
