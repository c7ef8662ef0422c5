"""The row of an alert as the evaluation holds it, read from the table or about to be written there.

Nothing here decides whether an alert moves, and nothing here writes.
"""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from rules.lifecycle import AlertState, State
from storage.dialects import AnyRow

STATE_FIELDS = tuple(item.name for item in fields(AlertState) if item.name != "reason")
SUBJECT_FIELDS = ("location_id", "charger_id", "connector_id", "session_id")
THINGS = frozenset(name.removesuffix("_id") for name in SUBJECT_FIELDS)
MUTABLE_FIELDS = (*STATE_FIELDS, *SUBJECT_FIELDS, "rule_version", "evidence", "incident_id", "ended_because")


@dataclass(slots=True)
class AlertRecord:
    """One alert as it stands in the table, or will stand there once its ledger is written."""

    subject: str
    state: AlertState
    rule_version: int
    subject_ids: dict[str, str | None] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    trace: dict[str, Any] = field(default_factory=dict)  # of the transition that is being written
    incident_id: int | None = None
    ended_because: str | None = None
    switched_on: datetime | None = None  # written when the alert is opened, and never again
    id: int | None = None


def record_of(row: AnyRow, prefix: str = "") -> AlertRecord:
    """The alert in a row that selects the table's columns under their names, with a prefix where they are joined."""
    values = {name: getattr(row, prefix + name) for name in STATE_FIELDS}
    return AlertRecord(
        subject=row.subject,
        state=AlertState(**{**values, "state": State(values["state"])}),
        rule_version=getattr(row, prefix + "rule_version"),
        subject_ids={name: getattr(row, prefix + name) for name in SUBJECT_FIELDS},
        labels=getattr(row, prefix + "labels"),
        evidence=getattr(row, prefix + "evidence"),
        incident_id=getattr(row, prefix + "incident_id"),
        id=getattr(row, prefix + "id"),
    )
