"""The row of an alert as the evaluation holds it, read from the table or about to be written there.

Nothing here decides whether an alert moves, and nothing here writes.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from rules.lifecycle import AlertState, State
from storage.dialects import AnyRow

STATE_FIELDS = tuple(item.name for item in fields(AlertState) if item.name != "reason")
SUBJECT_FIELDS = ("location_id", "charger_id", "connector_id", "session_id")
THINGS = frozenset(name.removesuffix("_id") for name in SUBJECT_FIELDS)
RECORD_FIELDS = ("id", *STATE_FIELDS, *SUBJECT_FIELDS, "rule_version", "labels", "evidence", "incident_id")
"""The columns that a record is read from, beside the subject."""

MUTABLE_FIELDS = (*STATE_FIELDS, *SUBJECT_FIELDS, "rule_version", "evidence", "incident_id", "ended_because")


@dataclass(slots=True)
class AlertRecord:
    """One alert as it stands in the table, or will stand there once its ledger is written.

    Others may hold the same ids, labels, evidence and trace: none of these is changed in its place.
    """

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
    """The alert in a row that selects RECORD_FIELDS under their names, with a prefix where they are joined."""
    state, ids, rest = _readers(prefix)
    version, labels, evidence, incident_id, alert_id = rest(row)
    return AlertRecord(
        row.subject,
        _state_of(*state(row)),
        version,
        ids_by_name(ids(row)),
        labels,
        evidence,
        incident_id=incident_id,
        id=alert_id,
    )


@lru_cache(maxsize=4096)  # many rules find something on one thing
def ids_by_name(ids: tuple[str | None, ...]) -> dict[str, str | None]:
    """The ids of what an alert is about, under the names of SUBJECT_FIELDS; alerts share it, and nobody changes it."""
    return dict(zip(SUBJECT_FIELDS, ids, strict=True))


@lru_cache(maxsize=4096)  # in a storm most are alike
def _state_of(state: str, *rest: Any) -> AlertState:
    return AlertState(State(state), *rest)


@cache
def _readers(prefix: str) -> tuple[Callable[[Any], Any], ...]:
    parts = (STATE_FIELDS, SUBJECT_FIELDS, ("rule_version", "labels", "evidence", "incident_id", "id"))
    return tuple(attrgetter(*(prefix + name for name in names)) for names in parts)
