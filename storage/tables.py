"""Every table of Chargehand, as SQLModel classes.

State rows hold what is true now, one row a thing, each with the `changed_seq` at which it last changed; history is kept
as intervals. Nothing here decides anything: the statements live in `record`, `queries` and the packages above.
Times are aware UTC datetimes (SQLModel's default column type), energies kWh, powers kW.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

Json = dict[str, Any]
JSON_COLUMN = JSON().with_variant(JSONB(), "postgresql")  # JSON alone has no equality on PostgreSQL


class Counter(SQLModel, table=True):
    """A growing number; the row `changed` gives every write of state its `changed_seq`."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True)
    value: int = 0


class Location(SQLModel, table=True):
    """A place with chargers, as the API last told it."""

    __tablename__ = "location"
    id: str = Field(primary_key=True)
    name: str = ""
    type: str | None = None
    address: str | None = None
    timezone: str | None = None
    currency: str | None = None
    support_contact: str | None = None
    blocking_fee_interval_minutes: float | None = None
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    missed_sweeps: int = 0
    gone_at: datetime | None = None


class Charger(SQLModel, table=True):
    """A charge point (OCPP) of a location, as the API last told it."""

    __tablename__ = "charger"
    id: str = Field(primary_key=True)
    location_id: str | None = Field(default=None, index=True)
    name: str = ""
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None
    online: bool | None = None
    online_changed_at: datetime
    last_heartbeat: datetime | None = None
    heartbeat_interval_s: float | None = None
    heartbeat_age_s: float | None = None  # observed at minus last heartbeat, of one reading: never of the clock
    labels: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    missed_sweeps: int = 0
    gone_at: datetime | None = None


class Connector(SQLModel, table=True):
    """A connector (a "plug" in operator screens), as the API last told it."""

    __tablename__ = "connector"
    id: str = Field(primary_key=True)
    charger_id: str = Field(index=True)
    location_id: str | None = Field(default=None, index=True)
    status: str | None = None  # one of OCPP 1.6's nine, else unknown
    status_raw: str | None = None
    status_changed_at: datetime
    error_code: str | None = None
    error_code_changed_at: datetime
    vendor_error_code: str | None = None
    power_kw: float | None = None
    power_changed_at: datetime
    max_power_kw: float | None = None
    type: str | None = None
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)
    missed_sweeps: int = 0
    gone_at: datetime | None = None


class ChargingSession(SQLModel, table=True):
    """One charging event on one connector. `id_tag` is a keyed hash unless the operator turned the plain text on."""

    __tablename__ = "charging_session"
    __table_args__ = (
        Index("charging_session_ended", "ended_at", "location_id"),  # digests and reports
        # a rule's windows over the sessions of a thing, and the sessions that a change of it reaches
        Index("charging_session_of_connector", "connector_id", "ended_at"),
        Index("charging_session_of_charger", "charger_id", "ended_at"),
        Index("charging_session_of_location", "location_id", "ended_at"),
    )
    id: str = Field(primary_key=True)
    connector_id: str | None = Field(default=None, index=True)
    charger_id: str | None = None
    location_id: str | None = None
    status: str | None = None
    status_changed_at: datetime
    type: str | None = None
    fail_reason: str | None = None
    started_at: datetime | None = Field(default=None, index=True)  # the newest sessions first
    ended_at: datetime | None = None
    energy_kwh: float | None = None
    energy_changed_at: datetime
    cost: float | None = None
    currency: str | None = None
    id_tag: str | None = None
    stop_reason: str | None = None
    sampled_at: datetime | None = None
    extra: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    first_seen_at: datetime
    changed_at: datetime
    changed_seq: int = Field(index=True)


class SessionSample(SQLModel, table=True):
    """The energy of an open session, at most every 5 minutes."""

    __tablename__ = "session_sample"
    session_id: str = Field(primary_key=True)
    at: datetime = Field(primary_key=True)
    energy_kwh: float | None = None


class Interval(SQLModel, table=True):
    """A field of a thing had a value from `valid_from` (inclusive) to `valid_to` (exclusive; null: still has it)."""

    __tablename__ = "interval"
    __table_args__ = (
        Index("interval_of_thing", "thing", "thing_id", "field", "valid_from"),
        # at most one open interval a field: record closes the old one before it opens the new one
        Index(
            "interval_open",
            "thing",
            "field",
            "thing_id",
            unique=True,
            sqlite_where=text("valid_to IS NULL"),
            postgresql_where=text("valid_to IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    thing: str
    thing_id: str
    field: str
    value: str | None = None
    valid_from: datetime
    valid_to: datetime | None = None


class Poll(SQLModel, table=True):
    """How the polling of one resource stands. `good_at` is the `now` of the last complete poll."""

    __tablename__ = "poll"
    resource: str = Field(primary_key=True)
    attempted_at: datetime
    good_at: datetime | None = None
    previous_good_at: datetime | None = None
    first_good_at: datetime | None = None  # the first sync: what was there then did not happen before our eyes
    swept_at: datetime | None = None  # the last complete full sweep
    failures: int = 0  # since the last good poll
    error: str | None = None
    unread_since: datetime | None = None  # rows that changed since then were set aside: to be asked for again
    unread_at: datetime | None = None  # when the first of them was


class PollCount(SQLModel, table=True):
    """How often something came of polling a resource: good, failed (by the kind of fault), retried (likewise), paused.

    Rows set aside are not counted here: each is kept in SetAsideRow.
    """

    __tablename__ = "poll_count"
    resource: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    count: int = 0
    last_at: datetime


class ApiState(SQLModel, table=True):
    """What is known of the API as a whole, in one row: how fast it lets itself be polled, and how its clock stands."""

    __tablename__ = "api_state"
    api: str = Field(primary_key=True)
    slowness: int = 1  # how many intervals lie between two polls
    slowed_at: datetime | None = None
    not_before: datetime | None = None  # the API, or our own slowness, asks for no poll until then
    clock_skew_s: float | None = None  # EOSVOLT's clock minus ours


class PollGap(SQLModel, table=True):
    """Two good polls of a resource lay more than three intervals apart: what happened between them was not seen."""

    __tablename__ = "poll_gap"
    id: int | None = Field(default=None, primary_key=True)
    resource: str
    valid_from: datetime
    valid_to: datetime
    changed_seq: int = Field(index=True)


class SetAsideRow(SQLModel, table=True):
    """A row of an answer that could not be read, once a resource, key and reason."""

    __tablename__ = "set_aside_row"
    resource: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    reason: str = Field(primary_key=True)
    row_json: str
    first_at: datetime
    last_at: datetime
    field: str = ""  # the API's name of what could not be read


class Rule(SQLModel, table=True):
    """A rule as it is in force: its document, and how far its evaluation has come."""

    __tablename__ = "rule"
    id: str = Field(primary_key=True)  # the rule's name
    version: int = 1
    document: Json = Field(sa_type=JSON_COLUMN)
    source: str = ""  # the file's name, or "slack"
    enabled: bool = True
    removed_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    evaluated_seq: int = 0  # 0: match everything
    evaluated_gap: int = 0  # the id of the last PollGap applied
    full_match_at: datetime | None = None  # the last match over every subject, for conditions that read the clock
    events_since: datetime | None = None  # of an event rule: only what happens after this is announced


class RuleWake(SQLModel, table=True):
    """When time alone may next change what a rule's condition says of a subject."""

    __tablename__ = "rule_wake"
    __table_args__ = (Index("rule_wake_due", "wake_at", "rule_id"),)
    rule_id: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    wake_at: datetime


class RuleVersion(SQLModel, table=True):
    """What a rule said, from `at` on, and who said it."""

    __tablename__ = "rule_version"
    rule_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: Json = Field(sa_type=JSON_COLUMN)
    author: str = ""
    at: datetime


class Alert(SQLModel, table=True):
    """One occurrence of one rule on one subject: pending, firing, then resolved (or inactive, if it never fired)."""

    __tablename__ = "alert"
    __table_args__ = (
        # at most one open alert a rule and subject, whatever happens
        Index(
            "alert_open",
            "rule_id",
            "subject",
            unique=True,
            sqlite_where=text("state IN ('pending', 'firing')"),
            postgresql_where=text("state IN ('pending', 'firing')"),
        ),
        # what may move by time alone, read after matching
        Index(
            "alert_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    rule_id: str
    rule_version: int
    subject: str
    state: str
    active_at: datetime
    due_at: datetime | None = None  # when a pending one may fire, or a kept one may resolve, if nothing changes
    false_since: datetime | None = None  # the first good false answer, while keep_firing_for runs
    held_since: datetime | None = None  # unknown, or `while` not true
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    ended_because: str | None = None  # recovered | removed | rule changed | rule removed
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None
    labels: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)  # frozen at firing
    evidence: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)  # values at firing: first error code, status
    incident_id: int | None = Field(default=None, index=True)
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    silence_id: int | None = None  # the silence that keeps it quiet while it fires
    inhibited_by: int | None = None  # the id of the alert that keeps it quiet while both fire
    heard_at: datetime | None = None  # when it ceased to be kept quiet, if it was: escalation counts from there


class RuleEvent(SQLModel, table=True):
    """An event that an event rule has seen, once a rule and event: waiting to be judged, or judged for good."""

    __tablename__ = "rule_event"
    __table_args__ = (
        # what waits to be judged, by rule
        Index(
            "rule_event_waiting",
            "rule_id",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
    rule_id: str = Field(primary_key=True)
    natural_key: str = Field(primary_key=True)
    event: str  # session.ended | status.changed | ...
    subject: str
    interval_id: int | None = None  # the interval that the event began, where it is one of status or link
    event_at: datetime
    fields_json: str = ""  # the values that must be unchanged for `settle`
    unchanged_since: datetime
    due_at: datetime | None = None  # when it can be judged if nothing changes; null once it is
    judged_at: datetime | None = None
    verdict: str | None = None  # announced | not matched | did not last | too old


class TransitionRow(SQLModel, table=True):
    """An alert changed state, with the trace that says why."""

    __tablename__ = "transition"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(index=True)
    rule_id: str
    subject: str
    alert_id: int | None = Field(default=None, index=True)
    from_state: str
    to_state: str
    active_at: datetime
    reason: str = ""
    trace: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)


class Incident(SQLModel, table=True):
    """One rule and one group, from the first firing until all members are resolved: what one card shows."""

    __tablename__ = "incident"
    __table_args__ = (
        Index(
            "incident_open",
            "rule_id",
            "group_key",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    rule_id: str
    group_key: str  # JSON of the group's labels, sorted by name
    severity: str
    location_id: str | None = None
    opened_at: datetime
    resolved_at: datetime | None = None
    spoke_at: datetime | None = None  # when it was last said, or will be: repeats count from there
    escalated: int | None = None  # how many steps of the escalation were said


class Silence(SQLModel, table=True):
    """Somebody asked for quiet about some alerts: those that agree with every matcher that is set.

    It lasts until `until`, or until none of its alerts is open any more, whichever is first; `ended_at` says when.
    """

    __tablename__ = "silence"
    id: int | None = Field(default=None, primary_key=True)
    rule_id: str | None = None
    labels: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None
    until: datetime | None = None
    until_recovery: bool = False
    author: str
    reason: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None  # who ended it before its time


class Inhibition(SQLModel, table=True):
    """While an alert of the source fires, those of the target on descendants of its subject stay quiet."""

    __tablename__ = "inhibition"
    source_rule: str = Field(primary_key=True)
    target_rule: str = Field(primary_key=True)


class OutboxItem(SQLModel, table=True):
    """A message that should stand in a channel. It is unsent, or out of date, while `shown_version` < `version`."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("natural_key"),
        # what is to be delivered, by the moment it is due
        Index(
            "outbox_unsent",
            "due_at",
            sqlite_where=text("shown_version < version"),
            postgresql_where=text("shown_version < version"),
        ),
    )
    id: str = Field(primary_key=True)  # a random id, carried in the message's metadata
    natural_key: str  # what makes it the same message: a second enqueue finds the first
    kind: str  # alert_card | alert_reply | digest | command_card | notice
    channel: str
    thread_of: str | None = None  # the id of the item in whose thread it stands
    rolled_into: str | None = Field(default=None, index=True)  # the roll-up that says it: it is not sent itself
    broadcast: bool = False
    rule_id: str | None = None
    incident_id: int | None = Field(default=None, index=True)
    facts: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    version: int = 1
    shown_version: int = 0
    due_at: datetime
    created_at: datetime
    sent_at: datetime | None = None
    shown_at: datetime | None = None
    message_channel: str | None = None  # where it really stands: Slack's channel id and ts
    message_ts: str | None = None
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    uncertain: bool = False  # a call for it ended without an answer: look it up before a resend
    attempts: int = 0
    error: str | None = None
    abandoned_at: datetime | None = None


class DigestSlot(SQLModel, table=True):
    """A scheduled digest, once a rule, zone and local slot."""

    __tablename__ = "digest_slot"
    rule_id: str = Field(primary_key=True)
    zone: str = Field(primary_key=True)
    slot: str = Field(primary_key=True)  # the local time with its offset, ISO 8601
    slot_at: datetime = Field(index=True)
    window_from: datetime
    window_to: datetime
    enqueued_at: datetime | None = None
    facts: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)


class Command(SQLModel, table=True):
    """Something to be done by EOSVOLT because a person (or a rule) asked for it; never sent twice.

    `state`: requested > sending > succeeded, failed or unknown > verified or not_verified; or expired, cancelled.
    """

    __tablename__ = "command"
    __table_args__ = (
        UniqueConstraint("nonce"),
        # what is to be sent, or looked at again
        Index(
            "command_waiting",
            "state",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )
    id: str = Field(primary_key=True)  # a random id
    nonce: str  # of the button that asked: it acts once
    kind: str  # start_session | stop_session
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None  # to stop, or the one that a start made
    requested_by: str  # a Slack user id
    requested_at: datetime
    channel: str  # where it was asked, and its card stands
    state: str = "requested"
    due_at: datetime | None = None  # when to send it, or to look again; null once it has ended
    expires_at: datetime  # a request that was not sent by then is not sent any more
    sending_at: datetime | None = None  # written before the call: what is found so after a restart may have run
    answered_at: datetime | None = None
    verify_until: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None  # in words, with what to do
    error_code: str | None = None


class AuditEntry(SQLModel, table=True):
    """Who did what, when, and what came of it."""

    __tablename__ = "audit_entry"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(index=True)
    user: str
    action: str
    subject: str = ""
    facts: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    outcome: str = ""
