"""Rules as they are in force, and what they found: alerts, transitions, events, incidents, silences."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import JSON_COLUMN, Json


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
    """What a rule said, from `at` on, and who said it: a file's name, or a Slack user id."""

    __tablename__ = "rule_version"
    rule_id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    document: Json = Field(sa_type=JSON_COLUMN)
    author: str = ""
    at: datetime
    act: str = "changed"  # created | changed | switched on | switched off | deleted


class RuleDraft(SQLModel, table=True):
    """A change of a rule that somebody was shown and may confirm, once; `used_at` says when they did."""

    __tablename__ = "rule_draft"
    id: str = Field(primary_key=True)  # a random id, carried in the button
    rule_id: str
    act: str
    document: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)  # empty where the rule's own is meant
    base_version: int  # the version that was shown: 0 for a rule that is to be made
    author: str
    created_at: datetime = Field(index=True)
    used_at: datetime | None = None


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
        # what inhibits what, of rules that name each other
        Index(
            "alert_firing",
            "rule_id",
            sqlite_where=text("state = 'firing'"),
            postgresql_where=text("state = 'firing'"),
        ),
        # what a rule always looks at, beside what changed
        Index(
            "alert_held",
            "rule_id",
            sqlite_where=text("state IN ('pending', 'firing') AND held_since IS NOT NULL"),
            postgresql_where=text("state IN ('pending', 'firing') AND held_since IS NOT NULL"),
        ),
        # what may move by time alone, read of each rule after matching
        Index(
            "alert_due",
            "rule_id",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        # what was already so when a rule was switched on, for its one summary
        Index(
            "alert_switched_on",
            "rule_id",
            "switched_on",
            sqlite_where=text("switched_on IS NOT NULL"),
            postgresql_where=text("switched_on IS NOT NULL"),
        ),
        # what may speak again by time alone
        Index(
            "alert_snoozed",
            "snoozed_until",
            sqlite_where=text("snoozed_until IS NOT NULL"),
            postgresql_where=text("snoozed_until IS NOT NULL"),
        ),
        Index(
            "alert_quiet",
            "quiet_since",
            sqlite_where=text("quiet_since IS NOT NULL AND quiet_ended_at IS NULL"),
            postgresql_where=text("quiet_since IS NOT NULL AND quiet_ended_at IS NULL"),
        ),
        # what its actions keep quiet
        Index(
            "alert_acting",
            "acting_until",
            sqlite_where=text("acting_until IS NOT NULL"),
            postgresql_where=text("acting_until IS NOT NULL"),
        ),
        # what is judged again when an evaluation is over
        Index(
            "alert_covered",
            "covered_at",
            sqlite_where=text("covered_at IS NOT NULL"),
            postgresql_where=text("covered_at IS NOT NULL"),
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
    # how many seconds of the time until `due_at` are there because nothing was seen since `active_at` or `false_since`
    gap_s: float = Field(default=0.0, sa_column_kwargs={"server_default": text("0")})
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
    ack_ended_at: datetime | None = None  # when the last acknowledgement ran out, if it did
    snoozed_until: datetime | None = None  # set only while the snooze lasts
    snoozed_by: str | None = None
    snoozed_at: datetime | None = None  # when it was chosen
    quiet_since: datetime | None = None  # quiet hours keep it back from here on
    quiet_ended_at: datetime | None = None  # and no longer
    switched_on: datetime | None = None  # the first match of its rule, if it was already so then, with others
    severity: str | None = None  # what it has become where its rule's severity rises; else the rule's
    silence_id: int | None = None  # the silence that keeps it quiet while it fires
    inhibited_by: int | None = None  # the id of the alert that keeps it quiet while both fire
    acting_until: datetime | None = None  # its rule's actions keep it quiet until they end, at the latest until then
    heard_at: datetime | None = None  # when it ceased to be kept quiet, if it was: escalation counts from there
    covered_at: datetime | None = None  # when it joined a card without a word, until that evaluation is over


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
    """One rule and one group, from the first firing until all members are resolved: a card, or a part of one."""

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
        # what else stands on a charger or place, and the newest of it
        Index(
            "incident_problem",
            "problem_key",
            "id",
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    rule_id: str
    group_key: str  # JSON of the group's labels, sorted by name
    problem_key: str | None = None  # whose card it shares; none for a rule that groups by itself
    severity: str
    location_id: str | None = None
    opened_at: datetime
    resolved_at: datetime | None = None
    spoke_at: datetime | None = None  # when it was last said, or will be: repeats count from there
    escalated: int | None = None  # how many steps of the escalation were said
    channels: str | None = None  # JSON: where its card was opened; it stays there
    assigned_to: str | None = None  # a Slack user id: who looks after it
    assigned_by: str | None = None
    assigned_at: datetime | None = None


class IncidentNote(SQLModel, table=True):
    """What somebody noted about an incident."""

    __tablename__ = "incident_note"
    id: int | None = Field(default=None, primary_key=True)
    incident_id: int = Field(index=True)
    at: datetime
    author: str  # a Slack user id
    text: str


class Silence(SQLModel, table=True):
    """Somebody asked for quiet about some alerts: those that agree with every matcher that is set.

    It lasts until `until`, until none of its alerts is open any more, until the sessions that were open are over, or
    (`weekly`) until somebody ends it, quiet only while its window is open; `ended_at` says when.
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
    until_sessions: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)  # ids: it ends with the last of them
    weekly: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)  # a maintenance window, empty where it has none
    author: str
    reason: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None  # who ended it before its time


class SpeechPlan(SQLModel, table=True):
    """How all rules speak, as the rule files say it: routes and quiet hours. One row."""

    __tablename__ = "speech_plan"
    id: int = Field(default=1, primary_key=True)
    document: Json = Field(sa_type=JSON_COLUMN)


class Inhibition(SQLModel, table=True):
    """While an alert of the source fires, those of the target on descendants of its subject stay quiet."""

    __tablename__ = "inhibition"
    source_rule: str = Field(primary_key=True)
    target_rule: str = Field(primary_key=True)
