"""What happens in an invented fleet by itself: drivers come and leave, faults come and go, links drop and return.

An event-driven simulation, deterministic by its seed. It begins in steady state, with faults older than its start and
five weeks of past sessions made when first asked for. It takes no commands, and is a model with the recorded networks'
rates, not a prediction of any real one.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.fleet import rates
from sandbox.fleet.past import past_sessions
from sandbox.fleet.plan import PlannedCharger, plan_fleet
from sandbox.world.state import Fields, World
from sandbox.world.times import DAY, HOUR, MINUTE, SECOND, from_ms, iso, to_ms

METER_INTERVAL = 2 * MINUTE
NEVER = 1 << 60


@dataclass
class Charger:
    """A charger in the simulation; while `offline_until` lies ahead nothing of it reaches the platform."""

    id: str
    planned: PlannedCharger
    beat: tuple[int, int]
    connectors: "list[Connector]"
    offline_until: int = 0
    link_turn: int = 0


@dataclass
class Connector:
    """A connector in the simulation. `turn` grows when its plans change, so that older plans are dropped."""

    id: str
    charger: Charger
    max_power_kw: float
    zone: ZoneInfo
    price: float
    turn: int = 0
    fault_turn: int = 0
    session_id: str = ""
    charge: rates.Charge | None = None
    began_ms: int = 0
    remote: bool = False
    operative: bool = True


Happening = Callable[["FleetStory", Any, int], None]


class FleetStory:
    """`chargers` chargers from `start` on; the same seed and the same commands give the same story at any step."""

    def __init__(self, chargers: int, seed: int, start: datetime) -> None:
        self.world = World()
        self.seed = seed
        self._start = start
        self._random = Random(f"chargehand-fleet-{seed}")
        self._plans: list[tuple[int, int, Happening, Any, int]] = []
        self._planned = 0
        self._sessions_made = 0
        self.chargers: dict[str, Charger] = {}
        self.connectors: dict[str, Connector] = {}
        start_ms = to_ms(start)
        locations = plan_fleet(chargers, self._random)
        for location in locations:
            self.world.add_location(location.id, start_ms - 90 * DAY, **location.details)
            self.world.set_price(location.id, start_ms - 90 * DAY, default=location.price)
        for location in locations:
            for planned in location.chargers:
                self._place_charger(planned, start_ms)
        for connector in self.connectors.values():
            self._begin_story(connector, start_ms)
        for charger in self.chargers.values():
            self._begin_link(charger, start_ms)
        self.world.set_past(start_ms, lambda: past_sessions(locations, self.world, seed, start_ms))

    @property
    def start(self) -> datetime:
        return self._start

    @property
    def end(self) -> None:
        return None

    def advance_to(self, now: datetime) -> None:
        """Let everything planned up to and including `now` happen, in order; costs by what happens."""
        plans = self._plans
        if not plans:
            return
        now_ms = to_ms(now)
        while plans and plans[0][0] <= now_ms:
            at_ms, _, happening, thing, turn = heapq.heappop(plans)
            if isinstance(thing, Connector):
                if thing.id not in self.world.connectors:
                    continue
                if turn != (thing.fault_turn if happening in _OF_FAULTS else thing.turn):
                    continue
                if thing.charger.offline_until > at_ms:
                    # the platform hears of it only when the charger is back
                    back = min(thing.charger.offline_until, at_ms + HOUR) + SECOND
                    self._plan(back, happening, thing, turn)
                    continue
            elif turn != thing.link_turn or thing.id not in self.world.chargers:
                continue
            happening(self, thing, at_ms)

    def _plan(self, at_ms: int, happening: Happening, thing: Any, turn: int) -> None:
        at_ms = -(-at_ms // SECOND) * SECOND  # things happen at whole seconds
        self._planned += 1  # plans of one moment keep the order in which they were made
        heapq.heappush(self._plans, (at_ms, self._planned, happening, thing, turn))

    def _place_charger(self, planned: PlannedCharger, start_ms: int) -> None:
        interval = planned.details["heartbeatIntervalSeconds"] * SECOND
        charger = Charger(planned.id, planned, (self._random.randrange(interval // SECOND) * SECOND, interval), [])
        self.chargers[charger.id] = charger
        self.world.heartbeats[charger.id] = charger.beat
        self.world.add_charger(charger.id, planned.location_id, start_ms, **planned.details)
        for connector_id, kind, power in planned.connectors:
            connector = Connector(connector_id, charger, power, planned.zone, planned.price)
            charger.connectors.append(connector)
            self.connectors[connector_id] = connector
            since = iso(start_ms - self._random.randint(60, 6 * 3600) * SECOND)
            details = {"type": kind, "maxPowerKw": power, "status": "Available", "statusChangedAt": since}
            self.world.add_connector(connector_id, charger.id, start_ms, powerKw=0.0, **details)

    def _begin_story(self, connector: Connector, start_ms: int) -> None:
        """Met at a random moment: in the midst of an outage as often as outages take time, else free."""
        random = self._random
        if random.random() >= rates.OUTAGES.share:
            self._await_fault(connector, start_ms)
            # ahead of the start, so that some connectors are already charging after the first minutes
            self._await_driver(connector, start_ms)
            return
        whole = rates.OUTAGES.draw_going_on(random)
        gone = round(whole * random.random()) // SECOND * SECOND
        fields = self.world.connectors[connector.id][1]
        fields |= {"status": "Faulted", "errorCode": rates.draw_error_code(random)}
        fields["statusChangedAt"] = iso(start_ms - gone)
        self._plan(start_ms + max(SECOND, whole - gone), FleetStory._mend, connector, connector.fault_turn)

    def _begin_link(self, charger: Charger, start_ms: int) -> None:
        random = self._random
        if random.random() >= rates.OFFLINE.share:
            self._plan(start_ms + rates.OFFLINE.draw_between(random), FleetStory._drop_link, charger, charger.link_turn)
            return
        whole = rates.OFFLINE.draw_going_on(random)
        gone = round(whole * random.random())
        self._lose_link(charger, start_ms, start_ms + max(SECOND, whole - gone))
        beats_until = start_ms - gone
        self.world.set_charger(charger.id, start_ms, lastHeartbeat=iso(beats_until // SECOND * SECOND))

    def _await_driver(self, connector: Connector, now_ms: int) -> None:
        offset = connector.zone.utcoffset(from_ms(now_ms).astimezone(connector.zone))
        offset_ms = round(offset.total_seconds() * 1000) if offset else 0
        at_ms = rates.draw_idle(self._random, now_ms, offset_ms)
        self._plan(at_ms, FleetStory._arrive, connector, connector.turn)

    def _await_fault(self, connector: Connector, now_ms: int) -> None:
        at_ms = now_ms + rates.OUTAGES.draw_between(self._random)
        self._plan(at_ms, FleetStory._fault, connector, connector.fault_turn)

    def _arrive(self, connector: Connector, now_ms: int) -> None:
        connector.remote = False
        self._prepare(connector, now_ms, f"TAG{self._random.randrange(4000):05d}")

    def _prepare(self, connector: Connector, now_ms: int, id_tag: str) -> None:
        connector.turn += 1
        self._sessions_made += 1
        connector.session_id = f"S{self.seed}-{self._sessions_made}"
        connector.charge = rates.draw_charge(self._random, connector.max_power_kw)
        self.world.set_connector(connector.id, now_ms, status="Preparing", errorCode=None)
        self.world.add_session(
            connector.session_id, connector.id, now_ms, status="Pending", idTag=id_tag, energyKwh=0.0, cost=0.0
        )
        after_ms = self._random.randint(3, 8) if connector.remote else self._random.randint(8, 60)
        self._plan(now_ms + after_ms * SECOND, FleetStory._charge, connector, connector.turn)

    def _charge(self, connector: Connector, now_ms: int) -> None:
        if not connector.remote and self._random.random() < rates.FAILED_START_SHARE:
            self._end_session(connector, now_ms, None, failed="ConnectorLockFailure")
            return
        charge = connector.charge
        if charge is None:
            return
        connector.began_ms = now_ms
        self.world.set_connector(connector.id, now_ms, status="Charging", powerKw=charge.power_kw)
        self.world.set_session(connector.session_id, now_ms, status="Active", startedAt=iso(now_ms))
        self._plan(now_ms + METER_INTERVAL, FleetStory._meter, connector, connector.turn)
        self._plan(now_ms + charge.charging_ms, FleetStory._be_full, connector, connector.turn)

    def _meter(self, connector: Connector, now_ms: int) -> None:
        self.world.set_session(connector.session_id, now_ms, **_meter_facts(connector, now_ms))
        if connector.charge is not None and now_ms < connector.began_ms + connector.charge.charging_ms:
            self._plan(now_ms + METER_INTERVAL, FleetStory._meter, connector, connector.turn)

    def _be_full(self, connector: Connector, now_ms: int) -> None:
        charge = connector.charge
        if charge is None or not charge.parked_ms:
            self._leave(connector, now_ms)
            return
        self.world.set_connector(connector.id, now_ms, status="SuspendedEV", powerKw=0.0)
        self._plan(now_ms + charge.parked_ms, FleetStory._leave, connector, connector.turn)

    def _leave(self, connector: Connector, now_ms: int) -> None:
        self._end_session(connector, now_ms, "EVDisconnected" if self._random.random() < 0.7 else "Local")

    def _end_session(
        self, connector: Connector, now_ms: int, reason: str | None, *, failed: str | None = None, free: bool = True
    ) -> None:
        """The session that goes on is over; the connector finishes and, with `free`, is free some seconds later."""
        session = self.world.sessions.rows[connector.session_id]
        began = session.fields["status"] == "Active"
        facts = _meter_facts(connector, now_ms) if began else {}
        facts |= {"status": "Failed" if failed else "Completed", "failReason": failed, "stopReason": reason}
        self.world.set_session(connector.session_id, now_ms, endedAt=iso(now_ms), **facts)
        connector.turn += 1
        connector.session_id, connector.charge = "", None
        if free:
            self.world.set_connector(connector.id, now_ms, status="Finishing", powerKw=0.0)
            after_ms = self._random.randint(5, 45) * SECOND
            self._plan(now_ms + after_ms, FleetStory._free, connector, connector.turn)

    def _free(self, connector: Connector, now_ms: int) -> None:
        connector.turn += 1
        status = "Available" if connector.operative else "Unavailable"
        self.world.set_connector(connector.id, now_ms, status=status, powerKw=0.0, errorCode=None)
        if connector.operative:
            self._await_driver(connector, now_ms)

    def _fault(self, connector: Connector, now_ms: int) -> None:
        if connector.session_id:
            self._end_session(connector, now_ms, "Other", free=False)
        connector.turn += 1
        code = rates.draw_error_code(self._random)
        self.world.set_connector(connector.id, now_ms, status="Faulted", errorCode=code, powerKw=0.0)
        after_ms = rates.OUTAGES.draw(self._random)
        self._plan(now_ms + after_ms, FleetStory._mend, connector, connector.fault_turn)

    def _mend(self, connector: Connector, now_ms: int) -> None:
        self._free(connector, now_ms)
        self._await_fault(connector, now_ms)

    def _drop_link(self, charger: Charger, now_ms: int) -> None:
        self._lose_link(charger, now_ms, now_ms + rates.OFFLINE.draw(self._random))

    def _lose_link(self, charger: Charger, now_ms: int, until_ms: int) -> None:
        beat = self.world.heartbeat_at(charger.id, now_ms)
        self.world.heartbeats.pop(charger.id, None)
        charger.offline_until = until_ms
        charger.link_turn += 1
        changes: Fields = {"online": False} | ({"lastHeartbeat": beat} if beat else {})
        self.world.set_charger(charger.id, now_ms, **changes)
        if until_ms < NEVER:
            self._plan(until_ms, FleetStory._regain_link, charger, charger.link_turn)

    def _regain_link(self, charger: Charger, now_ms: int) -> None:
        charger.offline_until = 0
        charger.link_turn += 1
        self.world.heartbeats[charger.id] = charger.beat
        self.world.set_charger(charger.id, now_ms, online=True, lastHeartbeat=None)
        next_ms = now_ms + rates.OFFLINE.draw_between(self._random)
        self._plan(next_ms, FleetStory._drop_link, charger, charger.link_turn)


def _meter_facts(connector: Connector, now_ms: int) -> Fields:
    """Energy and cost of the session that goes on, as of now."""
    charge = connector.charge
    if charge is None:
        return {}
    share = min(1.0, (now_ms - connector.began_ms) / charge.charging_ms)
    energy = round(charge.energy_kwh * share, 3)
    return {"energyKwh": energy, "cost": round(energy * connector.price, 2)}


_OF_FAULTS: frozenset[Happening] = frozenset({FleetStory._fault, FleetStory._mend})
"""Faults come and go beside what drivers do, so their plans have a turn of their own."""
