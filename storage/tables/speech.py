"""What is still to be said or done: messages, digests and charger commands, with the log of who acted."""

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from storage.tables.columns import JSON_COLUMN, Json


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
        # the cards that a channel got now, which may become a roll-up
        Index(
            "outbox_fresh",
            "channel",
            "created_at",
            sqlite_where=text("rolled_into IS NULL"),
            postgresql_where=text("rolled_into IS NULL"),
        ),
        # what another message tells of
        Index(
            "outbox_rolled",
            "rolled_into",
            sqlite_where=text("rolled_into IS NOT NULL"),
            postgresql_where=text("rolled_into IS NOT NULL"),
        ),
        # of it the pages of a roll-up, without the cards: by the kind too, or SQLite may think either index as good
        Index(
            "outbox_pages",
            "kind",
            "rolled_into",
            sqlite_where=text("kind = 'roll_up'"),
            postgresql_where=text("kind = 'roll_up'"),
        ),
        # the replies of a card
        Index(
            "outbox_thread",
            "thread_of",
            sqlite_where=text("thread_of IS NOT NULL"),
            postgresql_where=text("thread_of IS NOT NULL"),
        ),
        # the last ends that a channel was told
        Index(
            "outbox_ended",
            "channel",
            "due_at",
            sqlite_where=text("rank = 5"),
            postgresql_where=text("rank = 5"),
        ),
    )
    id: str = Field(primary_key=True)  # a random id, carried in the message's metadata
    natural_key: str  # what makes it the same message: a second enqueue finds the first
    kind: str  # alert_card | alert_reply | digest | command_card | notice
    channel: str
    thread_of: str | None = None  # the id of the item in whose thread it stands
    rolled_into: str | None = None  # the roll-up that says it: it is not sent itself
    broadcast: bool = False
    rank: int | None = None  # how early it goes among what is due, 1 first; null: as all of its kind
    clicked_at: datetime | None = None  # somebody clicked, and waits to see it: it goes before everything
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
    message_ts: str | None = Field(default=None, index=True)  # the newest one is asked for at each first claim
    posted_after: str | None = None  # the newest ts of all when its post was first tried: it stands after that
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    uncertain: bool = False  # a call for it ended without an answer: look it up before a resend
    attempts: int = 0
    error: str | None = None
    abandoned_at: datetime | None = None


class RefusedChannel(SQLModel, table=True):
    """A channel that takes no messages, by the name it has in the outbox; the row goes when it takes one again."""

    __tablename__ = "refused_channel"
    channel: str = Field(primary_key=True)
    error: str  # Slack's name for it
    since: datetime
    probe_at: datetime  # when one message is tried again
    probes: int = 0  # how many were


class Subscription(SQLModel, table=True):
    """Somebody asked that a channel, or a person in their own messages, be told of alerts that agree with all it says.

    It counts for what fires from then on until `ended_at`.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        # what is asked for each time that something fires
        Index(
            "subscription_lasting",
            "channel",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    channel: str  # Slack's id of the channel, or of the person
    name: str = ""  # what the channel was called, as rules may write it without its #; empty for a person
    is_private: bool = False
    severities: list[str] = Field(default_factory=list, sa_type=JSON_COLUMN)  # empty: every one
    rule_id: str | None = None
    labels: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None
    author: str  # a Slack user id
    is_outside: bool = False  # the author was a guest, or of another workspace
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None


class DigestSlot(SQLModel, table=True):
    """A scheduled digest, once a rule, zone (with the location, where each has a message) and local slot."""

    __tablename__ = "digest_slot"
    rule_id: str = Field(primary_key=True)
    zone: str = Field(primary_key=True)
    slot: str = Field(primary_key=True)  # the local time with its offset, ISO 8601
    slot_at: datetime = Field(index=True)
    window_from: datetime
    window_to: datetime
    enqueued_at: datetime | None = None
    facts: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)


class DigestStart(SQLModel, table=True):
    """From when on the slots of a digest rule count: the rule's own moment (zone ""), and that of each of its zones."""

    __tablename__ = "digest_start"
    rule_id: str = Field(primary_key=True)
    zone: str = Field(primary_key=True)  # an IANA name, that and a location's id, or "" for the rule itself
    counts_from: datetime  # made, switched on, resumed, first seen, or at another schedule or zone


class Command(SQLModel, table=True):
    """Something to be done by EOSVOLT because a person (or a rule) asked for it; never sent twice.

    `state`: (awaiting_approval >) requested > sending > succeeded, failed or unknown > verified, not_verified or
    unverifiable; or expired, cancelled.
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
    kind: str  # start_session | stop_session | reset_soft | reset_hard | unlock | enable | disable
    location_id: str | None = None
    charger_id: str | None = None
    connector_id: str | None = None
    session_id: str | None = None  # to stop, or the one that a start made
    requested_by: str  # a Slack user id, or the name of the rule
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
    rule_id: str | None = None  # the rule that asked, if none of the people did
    decided_by: str | None = None  # who approved or refused it, where that was asked for
    decided_at: datetime | None = None
    details: Json = Field(default_factory=dict, sa_type=JSON_COLUMN)  # what it ends or changes, and what was answered


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
