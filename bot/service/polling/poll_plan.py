"""How often what is polled, and what is asked for: everything in a sweep, else what changed since the last good poll.

Pure: a plan, how polling stands and a moment in. It asks nothing and writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.settings import Settings
from eosvolt.errors import EosvoltError, Forbidden, NotFound
from storage.ahead import is_ahead
from storage.health import Pace
from storage.polls import PollState, known_at

RESOURCES = ("locations", "chargers", "sessions")
PRICES = "prices"
"""Asked for location by location, by `bot.service.polling.price_polls`."""

ONE_DAY = timedelta(days=1)
MOST_SKEW = ONE_DAY
"""A clock that is said to be further off is not believed when asking for changes."""


@dataclass(frozen=True, slots=True)
class PollPlan:
    """How often what is polled. `overlap` is how far an incremental poll reaches back behind the last good one."""

    interval: timedelta = timedelta(seconds=60)
    polls_per_sweep: int = 60
    polls_per_location_poll: int = 360
    polls_per_try: int = 60  # how often a resource that the account lacks is tried again
    overlap: timedelta = timedelta(seconds=30)
    tag_key: bytes | None = None
    plain_tags: bool = False

    def interval_of(self, resource: str) -> timedelta:
        """The time between two polls of a resource, by which gaps in it are told."""
        if resource == PRICES:
            return self.sweep_interval
        return self.interval * (self.polls_per_location_poll if resource == "locations" else 1)

    @property
    def sweep_interval(self) -> timedelta:
        """The time between two full sweeps."""
        return self.interval * self.polls_per_sweep

    def asks_again(self, state: PollState, now: datetime) -> bool:
        """Whether to ask anew for what could not be read: soon, ever more slowly, at each sweep's time for a day, and
        then once a day.
        """
        state = known_at(state, now)
        if state.unread_at is None:
            return False
        before = max(state.swept_at or state.unread_at, state.unread_at)
        if now - before < min(self.sweep_interval, max(self.interval, before - state.unread_at)):
            return False
        age = now - state.unread_at
        return age < ONE_DAY or age // ONE_DAY != (before - state.unread_at) // ONE_DAY

    def wants_sweep(self, state: PollState, now: datetime) -> bool:
        """Whether something is to be looked at again before the next sweep is due by plan."""
        return (state.sweep_due_at is not None and now >= state.sweep_due_at) or self.asks_again(state, now)


def is_due(
    plan: PollPlan, absent: Mapping[str, datetime], resource: str, state: PollState | None, now: datetime
) -> bool:
    """Whether a resource is to be asked for at `now`; `absent` are those that the account lacks, since when."""
    state = None if state is None else known_at(state, now)
    if resource in absent:
        return is_ahead(absent[resource], now) or now - absent[resource] >= plan.interval * plan.polls_per_try
    if resource != "locations" or state is None or state.good_at is None or state.good_at != state.attempted_at:
        return True
    return now - state.good_at >= plan.interval_of(resource) or plan.wants_sweep(state, now)


FRESH_FOR = 3
"""How many intervals of its pace in force a good poll may be old for a rule to go by it."""

SHORTEST_FRESH = timedelta(seconds=15)  # where polls follow each other within seconds

TRIES = 3
"""After so many refusals in a row, without a word of EOSVOLT's own, a resource that was never there is left alone."""


def is_lacking(error: EosvoltError | None, state: PollState | None) -> bool:
    """Whether a failed poll shows that the account has no such resource.

    One that was there is asked for again soon: a proxy can answer 403 and 404 too. So can it at the first start, where
    only EOSVOLT's own code, or several such answers in a row, are believed.
    """
    was_there = state is not None and (state.good_at or state.first_good_at) is not None
    if was_there or not isinstance(error, Forbidden | NotFound):
        return False
    return error.code is not None or (state is not None and state.failures + 1 >= TRIES)


def fresh_resources(
    plan: PollPlan, states: Mapping[str, PollState], slowness: Mapping[str, int], now: datetime
) -> frozenset[str]:
    """What rules may go by at `now`: the latest poll was good, and is not older than a few intervals.

    `slowness` is that of the pace in force, by resource.
    """
    return frozenset(
        name
        for name, state in ((name, known_at(state, now)) for name, state in states.items())
        if state.good_at is not None
        and state.good_at == state.attempted_at
        and now - state.good_at <= max(SHORTEST_FRESH, FRESH_FOR * plan.interval_of(name) * slowness.get(name, 1))
    )


def is_sweep(plan: PollPlan, resource: str, state: PollState | None, now: datetime) -> bool:
    """Whether a resource is to be asked for in full."""
    state = None if state is None else known_at(state, now)
    if resource == "locations" or state is None or state.good_at is None:
        return True
    if state.swept_at is None or now - state.swept_at >= plan.sweep_interval:
        return True
    return plan.wants_sweep(state, now)


def since_of(
    plan: PollPlan, pace: Pace, resource: str, state: PollState | None, now: datetime, *, sweep: bool
) -> datetime | None:
    """From when on to ask for changes; None asks for everything.

    EOSVOLT's clock counts: where it is behind ours, its stamps are earlier. A sweep of sessions reads what changed
    since the sweep before the last one, because a row can come late though its stamp is early; and those set aside.
    """
    state = None if state is None else known_at(state, now)
    if resource == "locations" or state is None or state.good_at is None or (sweep and resource != "sessions"):
        return None
    behind = min(pace.clock_skew, timedelta(0)) if pace.clock_skew is not None else -timedelta(minutes=2)
    since = state.good_at - plan.overlap + max(-MOST_SKEW, behind)
    if sweep and state.swept_at is not None:
        since = min(since, state.swept_at - plan.sweep_interval)
        if state.unread_since is not None and plan.asks_again(state, now):
            since = min(since, state.unread_since)
    return since


def plan_from(settings: Settings) -> PollPlan:
    """The plan that the settings name."""
    key = settings.chargehand_id_tag_key
    return PollPlan(
        interval=settings.poll_interval,
        tag_key=key.get_secret_value().encode() if key is not None else None,
        plain_tags=settings.chargehand_plain_id_tags,
    )
