"""The panel of the demo: levers that break and mend what the service watches, so that every feature is seen on demand.

Each changes the stand-in for EOSVOLT, or the demo's clock; the service hears of it as it would of a real one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rules.documents.schedules import SETTLE, next_moment
from sandbox.eosvolt.api import Api
from sandbox.fleet.fleet import FleetSource
from sandbox.slack import Lever
from sandbox.world.source import RefusedError

ALWAYS = 1_000_000
SESSIONS = 5
FEW_CALLS = (1, 60)


@dataclass
class DemoClock:
    """The time of the demo: that of its base, and what a visitor has jumped ahead."""

    base: Callable[[], datetime]
    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        """Now."""
        return self.base() + self.ahead


@dataclass(frozen=True, slots=True)
class World:
    """What the levers move: the fleet, its API and the clock; `digest` is the demo's digest's schedule and zone."""

    fleet: FleetSource
    api: Api
    clock: DemoClock
    digest: tuple[str, str]

    def levers(self) -> list[Lever]:
        """Every lever, in the order of the panel."""
        working, faulted = lambda: self._connectors(broken=False), lambda: self._connectors(broken=True)
        return [
            Lever("break", "Break this connector", lambda one: self._fault(one, "ReaderFailure"), working),
            Lever("safety", "Trip a ground fault on this one", lambda one: self._fault(one, "GroundFailure"), working),
            Lever("repair", "Repair this connector", self._repair, faulted),
            Lever("offline", "Take this site offline", lambda one: self._link(one, online=False), self._sites),
            Lever("online", "Bring this site back", lambda one: self._link(one, online=True), self._sites),
            Lever("sessions", f"Start {SESSIONS} sessions", lambda _: self._start_sessions()),
            Lever("cut", "Cut EOSVOLT off", lambda _: self._cut(ALWAYS)),
            Lever("mend", "Let EOSVOLT answer again", lambda _: self._cut(0)),
            Lever("limit", "Let EOSVOLT answer 429", lambda _: self._limit(*FEW_CALLS)),
            Lever("unlimit", "Take that limit away", lambda _: self._limit(0, 60)),
            Lever("digest", "Jump to the next digest", lambda _: self._jump()),
        ]

    def _connectors(self, *, broken: bool) -> Sequence[tuple[str, str]]:
        return [
            (plug["id"], f"{plug['id']} ({plug['status']})")
            for charger in self.fleet.world.chargers
            if charger.fields["online"]
            for plug in charger.fields["connectors"]
            if (plug["status"] == "Faulted") is broken
        ]

    def _sites(self) -> Sequence[tuple[str, str]]:
        return [(row.id, f"{row.fields['name']} ({row.id})") for row in self.fleet.world.locations]

    def _fault(self, connector_id: str, code: str) -> str:
        self.fleet.force_connector(connector_id, {"status": "Faulted", "errorCode": code}, self.clock())
        soon = "at the next poll" if code == "GroundFailure" else "in a minute or two"
        return f"{connector_id} is Faulted with {code}; #ev-alerts tells of it {soon}."

    def _repair(self, connector_id: str) -> str:
        self.fleet.force_connector(connector_id, {"status": "Available", "errorCode": None}, self.clock())
        return f"{connector_id} works again; its card resolves within a minute."

    def _link(self, location_id: str, *, online: bool) -> str:
        chargers = [row.id for row in self.fleet.world.chargers if row.fields["locationId"] == location_id]
        for charger_id in chargers:
            self.fleet.force_online(charger_id, online, self.clock())
        return f"{len(chargers)} chargers are {'online again' if online else 'offline'}."

    def _start_sessions(self) -> str:
        free = [value for value, words in self._connectors(broken=False) if words.endswith("(Available)")]
        started = 0
        for connector_id in free:
            if started == SESSIONS:
                break
            try:
                self.fleet.start_session(connector_id, None, self.clock())
            except RefusedError:
                continue
            started += 1
        return f"{started} sessions have begun; `/charge sessions active` shows them."

    def _cut(self, answers: int) -> str:
        self.api.faults.answers_503 = answers
        return "EOSVOLT answers nothing but 503 now." if answers else "EOSVOLT answers again."

    def _limit(self, calls: int, seconds: int) -> str:
        self.api.set_rate_limit(calls, seconds)
        return (
            f"EOSVOLT takes {calls} call in {seconds} s and answers 429 to the rest." if calls else "No limit any more."
        )

    def _jump(self) -> str:
        now = self.clock()
        coming = next_moment(*self.digest, now)
        if coming is None:
            return "No digest is to come."
        self.clock.ahead += coming + SETTLE - now + timedelta(seconds=1)  # what it tells of has settled by then
        return "The demo's clock has jumped; #ev-daily has its digest within a minute."
