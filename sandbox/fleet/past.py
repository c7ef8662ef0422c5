"""The sessions of the five weeks before an invented fleet's start, so that reports and digests have data.

Made connector by connector and put in the order of their ends; the present world is only read.
"""

from collections.abc import Iterator
from random import Random

from sandbox.fleet import rates
from sandbox.fleet.plan import PlannedCharger, PlannedLocation
from sandbox.world.state import Fields, World
from sandbox.world.times import DAY, SECOND, from_ms, iso

PAST_DAYS = 35


def past_sessions(
    locations: list[PlannedLocation], world: World, seed: int, start_ms: int
) -> Iterator[tuple[str, Fields, int]]:
    """(id, fields, ended at in ms) of the sessions that ended before `start_ms`, oldest end first."""
    random = Random(f"chargehand-fleet-{seed}-past")
    found: list[tuple[int, Fields]] = []
    for location in locations:
        for charger in location.chargers:
            for connector_id, _, power in charger.connectors:
                found.extend(_of_connector(random, charger, connector_id, power, start_ms))
    found.sort(key=lambda session: session[0])
    for number, (ended_ms, fields) in enumerate(found, start=1):
        session_id = f"P{seed}-{number}"
        if session_id not in world.sessions:
            yield session_id, {"id": session_id} | fields, ended_ms


def _of_connector(
    random: Random, charger: PlannedCharger, connector_id: str, power: float, start_ms: int
) -> Iterator[tuple[int, Fields]]:
    at_ms = start_ms - PAST_DAYS * DAY
    offset = charger.zone.utcoffset(from_ms(at_ms).astimezone(charger.zone))
    offset_ms = round(offset.total_seconds() * 1000) if offset else 0
    while True:
        began_ms = rates.draw_idle(random, at_ms, offset_ms) // SECOND * SECOND
        charge = rates.draw_charge(random, power)
        at_ms = ended_ms = (began_ms + charge.charging_ms + charge.parked_ms) // SECOND * SECOND + SECOND
        if ended_ms >= start_ms:
            return
        yield (
            ended_ms,
            {
                "connectorId": connector_id,
                "chargerId": charger.id,
                "locationId": charger.location_id,
                "status": "Completed",
                "type": "OnDemand",
                "failReason": None,
                "startedAt": iso(began_ms),
                "endedAt": iso(ended_ms),
                "energyKwh": charge.energy_kwh,
                "cost": round(charge.energy_kwh * charger.price, 2),
                "currency": charger.currency,
                "idTag": f"TAG{random.randrange(4000):05d}",
                "stopReason": "EVDisconnected" if random.random() < 0.7 else "Local",
            },
        )
