"""Rows that tests of messages begin with: places, alerts, incidents and sessions, with only what a test cares about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlmodel import SQLModel

from rules.lifecycle import State, Transition
from storage import tables
from storage.engine import Database

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = (
    "<!channel>",
    "`code` ``` and ` more",
    "x" * 300,
    "&" * 300,
    "\u202e\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "&<>\"'&lt;&#34;",
    "one\ntwo\r\n\nthree\t\x00",
    "*_~ :tada: <@U0AAAA> <https://evil.example|click>",
    "{{ card }} {% raw %}",
    "``````",
    "   ",
)


def table(model: type[SQLModel]) -> sa.Table:
    """The table of a model."""
    return SQLModel.metadata.tables[str(model.__tablename__)]


def insert(connection: Connection, model: type[SQLModel], **values: Any) -> None:
    """Insert one row."""
    connection.execute(sa.insert(table(model)).values(**values))


def insert_location(connection: Connection, location_id: str = "l1", **values: Any) -> None:
    """A location, in Copenhagen unless said otherwise."""
    base = {"name": f"Location {location_id}", "timezone": "Europe/Copenhagen", "address": "Kajen 1, 2100 Nordhavn"}
    seen = {"extra": {}, "first_seen_at": T0, "changed_at": T0, "changed_seq": 1, "missed_sweeps": 0}
    insert(connection, tables.Location, id=location_id, price_changed_at=T0, **{**base, **seen, **values})


def insert_connector(connection: Connection, connector_id: str = "c1", **values: Any) -> None:
    """A Faulted connector on a charger of its own, `ch-ID`, at l1."""
    seen = {"extra": {}, "first_seen_at": T0, "changed_at": T0, "changed_seq": 1, "missed_sweeps": 0}
    name, online = values.pop("charger_name", f"Charger of {connector_id}"), values.pop("online", True)
    place = {"location_id": values.pop("location_id", "l1")}
    charger = {"id": f"ch-{connector_id}", "name": name, "online": online, "labels": [], **place}
    dated = {"online_changed_at": T0 + 5 * MINUTE, "heartbeat_changed_at": T0}
    insert(connection, tables.Charger, **dated, **charger, **seen)
    base = {"charger_id": f"ch-{connector_id}", "status": "Faulted", "status_raw": "Faulted", **place}
    times = dict.fromkeys(("status_changed_at", "error_code_changed_at", "power_changed_at"), T0)
    insert(connection, tables.Connector, id=connector_id, **{**base, **times, **seen, **values})


def insert_rule(connection: Connection, rule_id: str = "faulted", **values: Any) -> None:
    """A rule in force, with a document that says its name and description."""
    document = {"name": values.pop("name", rule_id), "description": values.pop("description", "Out of order for long")}
    base = {"version": 1, "source": "", "enabled": True, "created_at": T0, "updated_at": T0, "evaluated_seq": 0}
    insert(connection, tables.Rule, id=rule_id, document=document, **{**base, "evaluated_gap": 0, **values})


def insert_incident(connection: Connection, incident_id: int = 1, **values: Any) -> None:
    """An open incident of rule "faulted" at l1."""
    base = {"rule_id": "faulted", "group_key": f'{{"location": "{incident_id}"}}', "severity": "critical"}
    insert(connection, tables.Incident, id=incident_id, **{**base, "location_id": "l1", "opened_at": T0, **values})


def insert_alert(connection: Connection, alert_id: int = 1, **values: Any) -> None:
    """An alert that fires on connector c{id} in incident 1, active since T0, fired 30 minutes later."""
    connector = f"c{alert_id}"
    base = {
        "rule_id": "faulted",
        "rule_version": 1,
        "subject": connector,
        "state": "firing",
        "active_at": T0,
        "fired_at": T0 + 30 * MINUTE,
        "location_id": "l1",
        "connector_id": connector,
        "labels": {},
        "evidence": {"error_code": "GroundFailure", "vendor_error_code": "E12", "status": "Faulted"},
        "incident_id": 1,
    }
    insert(connection, tables.Alert, id=alert_id, **{**base, **values})


def insert_session(connection: Connection, session_id: str, ended_at: datetime, **values: Any) -> None:
    """A completed session of 10 kWh and 30 DKK on c1 at l1."""
    base = {
        "connector_id": "c1",
        "location_id": "l1",
        "status": "Completed",
        "ended_at": ended_at,
        # no two at the very same moment: on one connector they would be one session under two ids
        "started_at": ended_at - timedelta(hours=1, milliseconds=crc32(session_id.encode()) % 1000),
        "energy_kwh": 10.0,
        "cost": 30.0,
        "currency": "DKK",
        "extra": {},
        "changed_seq": 1,
    }
    times = dict.fromkeys(("status_changed_at", "energy_changed_at", "first_seen_at", "changed_at"), ended_at)
    insert(connection, tables.ChargingSession, id=session_id, **{**base, **times, **values})


def insert_poll(connection: Connection, good_at: datetime, resource: str = "sessions") -> None:
    """The last good poll of a resource, in place of an earlier one."""
    connection.execute(sa.delete(table(tables.Poll)).where(table(tables.Poll).c.resource == resource))
    insert(connection, tables.Poll, resource=resource, attempted_at=good_at, good_at=good_at, failures=0)


def one_alert(connection: Connection) -> None:
    """A rule, a place and one firing alert in incident 1."""
    insert_location(connection)
    insert_connector(connection)
    insert_rule(connection)
    insert_incident(connection)
    insert_alert(connection)


def fired(alert_id: int = 1, at: datetime = T0, incident_id: int = 1) -> Transition:
    """The transition of an alert that fired."""
    return _moved(alert_id, at, incident_id, State.PENDING, State.FIRING)


def resolved(alert_id: int = 1, at: datetime = T0, incident_id: int = 1) -> Transition:
    """The transition of an alert that recovered."""
    return _moved(alert_id, at, incident_id, State.FIRING, State.RESOLVED)


def resolve_incident(connection: Connection, at: datetime, because: str = "recovered", incident_id: int = 1) -> None:
    """End an incident and every alert of it, as the evaluation writes it down."""
    alert, incident = table(tables.Alert), table(tables.Incident)
    ended = {"state": "resolved", "resolved_at": at, "ended_because": because}
    connection.execute(sa.update(alert).where(alert.c.incident_id == incident_id).values(**ended))
    connection.execute(sa.update(incident).where(incident.c.id == incident_id).values(resolved_at=at))


def _moved(alert_id: int, at: datetime, incident_id: int, from_state: State, to_state: State) -> Transition:
    return Transition(
        at=at,
        rule_id="faulted",
        subject=f"c{alert_id}",
        from_state=from_state,
        to_state=to_state,
        active_at=T0,
        reason="recovered" if to_state == State.RESOLVED else "condition true",
        alert_id=alert_id,
        incident_id=incident_id,
    )


def without_nul(name: str, database: Database) -> str:
    """The name as this database can store it: PostgreSQL keeps no NUL in a text, and readings bring none."""
    return name.replace("\x00", "") if database.engine.dialect.name == "postgresql" else name
