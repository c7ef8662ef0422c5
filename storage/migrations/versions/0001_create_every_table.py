"""Create every table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlmodel import AutoString, UTCDateTime

JSON_COLUMN = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("active_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("false_since", UTCDateTime(), nullable=True),
        sa.Column("held_since", UTCDateTime(), nullable=True),
        sa.Column("fired_at", UTCDateTime(), nullable=True),
        sa.Column("resolved_at", UTCDateTime(), nullable=True),
        sa.Column("ended_because", AutoString(), nullable=True),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("charger_id", AutoString(), nullable=True),
        sa.Column("connector_id", AutoString(), nullable=True),
        sa.Column("session_id", AutoString(), nullable=True),
        sa.Column("labels", JSON_COLUMN, nullable=False),
        sa.Column("evidence", JSON_COLUMN, nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.Column("acknowledged_at", UTCDateTime(), nullable=True),
        sa.Column("acknowledged_by", AutoString(), nullable=True),
        sa.Column("ack_ended_at", UTCDateTime(), nullable=True),
        sa.Column("snoozed_until", UTCDateTime(), nullable=True),
        sa.Column("snoozed_by", AutoString(), nullable=True),
        sa.Column("quiet_since", UTCDateTime(), nullable=True),
        sa.Column("quiet_ended_at", UTCDateTime(), nullable=True),
        sa.Column("switched_on", UTCDateTime(), nullable=True),
        sa.Column("silence_id", sa.Integer(), nullable=True),
        sa.Column("inhibited_by", sa.Integer(), nullable=True),
        sa.Column("acting_until", UTCDateTime(), nullable=True),
        sa.Column("heard_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.create_index(
            "alert_acting",
            ["acting_until"],
            unique=False,
            sqlite_where=sa.text("acting_until IS NOT NULL"),
            postgresql_where=sa.text("acting_until IS NOT NULL"),
        )
        batch_op.create_index(
            "alert_due",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(
            "alert_open",
            ["rule_id", "subject"],
            unique=True,
            sqlite_where=sa.text("state IN ('pending', 'firing')"),
            postgresql_where=sa.text("state IN ('pending', 'firing')"),
        )
        batch_op.create_index(
            "alert_quiet",
            ["quiet_since"],
            unique=False,
            sqlite_where=sa.text("quiet_since IS NOT NULL AND quiet_ended_at IS NULL"),
            postgresql_where=sa.text("quiet_since IS NOT NULL AND quiet_ended_at IS NULL"),
        )
        batch_op.create_index(
            "alert_snoozed",
            ["snoozed_until"],
            unique=False,
            sqlite_where=sa.text("snoozed_until IS NOT NULL"),
            postgresql_where=sa.text("snoozed_until IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_alert_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "api_state",
        sa.Column("api", AutoString(), nullable=False),
        sa.Column("slowness", sa.Integer(), nullable=False),
        sa.Column("slowed_at", UTCDateTime(), nullable=True),
        sa.Column("not_before", UTCDateTime(), nullable=True),
        sa.Column("clock_skew_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("api"),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("user", AutoString(), nullable=False),
        sa.Column("action", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("facts", JSON_COLUMN, nullable=False),
        sa.Column("outcome", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entry_at"), ["at"], unique=False)

    op.create_table(
        "automation_switch",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("mode", AutoString(), nullable=False),
        sa.Column("set_by", AutoString(), nullable=False),
        sa.Column("set_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "automation_try",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("rule_version", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("price", sa.Float(), nullable=True),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("charger_id", AutoString(), nullable=True),
        sa.Column("connector_id", AutoString(), nullable=True),
        sa.Column("session_id", AutoString(), nullable=True),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("planned_at", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("command_id", AutoString(), nullable=True),
        sa.Column("acted_at", UTCDateTime(), nullable=True),
        sa.Column("verify_until", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("reason", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_id", "step"),
    )
    with op.batch_alter_table("automation_try", schema=None) as batch_op:
        batch_op.create_index("automation_try_of_kind", ["kind", "state", "ended_at"], unique=False)
        batch_op.create_index(
            "automation_try_open",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("ix_automation_try_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "charger",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("previous_location_id", AutoString(), nullable=True),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("vendor", AutoString(), nullable=True),
        sa.Column("model", AutoString(), nullable=True),
        sa.Column("firmware", AutoString(), nullable=True),
        sa.Column("serial", AutoString(), nullable=True),
        sa.Column("online", sa.Boolean(), nullable=True),
        sa.Column("online_changed_at", UTCDateTime(), nullable=False),
        sa.Column("last_heartbeat", UTCDateTime(), nullable=True),
        sa.Column("heartbeat_interval_s", sa.Float(), nullable=True),
        sa.Column("heartbeat_age_s", sa.Float(), nullable=True),
        sa.Column("labels", JSON_COLUMN, nullable=False),
        sa.Column("extra", JSON_COLUMN, nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_seq", sa.Integer(), nullable=False),
        sa.Column("missed_sweeps", sa.Integer(), nullable=False),
        sa.Column("gone_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("charger", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_charger_changed_seq"), ["changed_seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_charger_location_id"), ["location_id"], unique=False)

    op.create_table(
        "charging_session",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("connector_id", AutoString(), nullable=True),
        sa.Column("charger_id", AutoString(), nullable=True),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("status", AutoString(), nullable=True),
        sa.Column("status_changed_at", UTCDateTime(), nullable=False),
        sa.Column("type", AutoString(), nullable=True),
        sa.Column("fail_reason", AutoString(), nullable=True),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("energy_kwh", sa.Float(), nullable=True),
        sa.Column("energy_changed_at", UTCDateTime(), nullable=False),
        sa.Column("cost", sa.Float(), nullable=True),
        sa.Column("currency", AutoString(), nullable=True),
        sa.Column("id_tag", AutoString(), nullable=True),
        sa.Column("stop_reason", AutoString(), nullable=True),
        sa.Column("sampled_at", UTCDateTime(), nullable=True),
        sa.Column("extra", JSON_COLUMN, nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("charging_session", schema=None) as batch_op:
        batch_op.create_index("charging_session_ended", ["ended_at", "location_id"], unique=False)
        batch_op.create_index("charging_session_of_connector", ["connector_id", "ended_at"], unique=False)
        batch_op.create_index("charging_session_of_charger", ["charger_id", "ended_at"], unique=False)
        batch_op.create_index("charging_session_of_location", ["location_id", "ended_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_charging_session_changed_seq"), ["changed_seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_charging_session_connector_id"), ["connector_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_charging_session_started_at"), ["started_at"], unique=False)

    op.create_table(
        "command",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("nonce", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("charger_id", AutoString(), nullable=True),
        sa.Column("connector_id", AutoString(), nullable=True),
        sa.Column("session_id", AutoString(), nullable=True),
        sa.Column("requested_by", AutoString(), nullable=False),
        sa.Column("requested_at", UTCDateTime(), nullable=False),
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("state", AutoString(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("sending_at", UTCDateTime(), nullable=True),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("verify_until", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", AutoString(), nullable=True),
        sa.Column("error_code", AutoString(), nullable=True),
        sa.Column("rule_id", AutoString(), nullable=True),
        sa.Column("decided_by", AutoString(), nullable=True),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("details", JSON_COLUMN, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("nonce"),
    )
    with op.batch_alter_table("command", schema=None) as batch_op:
        batch_op.create_index(
            "command_waiting",
            ["state", "due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "connector",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("charger_id", AutoString(), nullable=False),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("status", AutoString(), nullable=True),
        sa.Column("status_raw", AutoString(), nullable=True),
        sa.Column("status_changed_at", UTCDateTime(), nullable=False),
        sa.Column("error_code", AutoString(), nullable=True),
        sa.Column("error_code_changed_at", UTCDateTime(), nullable=False),
        sa.Column("vendor_error_code", AutoString(), nullable=True),
        sa.Column("power_kw", sa.Float(), nullable=True),
        sa.Column("power_changed_at", UTCDateTime(), nullable=False),
        sa.Column("max_power_kw", sa.Float(), nullable=True),
        sa.Column("type", AutoString(), nullable=True),
        sa.Column("extra", JSON_COLUMN, nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_seq", sa.Integer(), nullable=False),
        sa.Column("missed_sweeps", sa.Integer(), nullable=False),
        sa.Column("gone_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("connector", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_connector_changed_seq"), ["changed_seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_connector_charger_id"), ["charger_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_connector_location_id"), ["location_id"], unique=False)

    op.create_table(
        "counter",
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "digest_slot",
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("zone", AutoString(), nullable=False),
        sa.Column("slot", AutoString(), nullable=False),
        sa.Column("slot_at", UTCDateTime(), nullable=False),
        sa.Column("window_from", UTCDateTime(), nullable=False),
        sa.Column("window_to", UTCDateTime(), nullable=False),
        sa.Column("enqueued_at", UTCDateTime(), nullable=True),
        sa.Column("facts", JSON_COLUMN, nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "zone", "slot"),
    )
    with op.batch_alter_table("digest_slot", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_digest_slot_slot_at"), ["slot_at"], unique=False)

    op.create_table(
        "incident",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("group_key", AutoString(), nullable=False),
        sa.Column("severity", AutoString(), nullable=False),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("resolved_at", UTCDateTime(), nullable=True),
        sa.Column("spoke_at", UTCDateTime(), nullable=True),
        sa.Column("escalated", sa.Integer(), nullable=True),
        sa.Column("channels", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(
            "incident_open",
            ["rule_id", "group_key"],
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        )

    op.create_table(
        "inhibition",
        sa.Column("source_rule", AutoString(), nullable=False),
        sa.Column("target_rule", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("source_rule", "target_rule"),
    )
    op.create_table(
        "interval",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("thing", AutoString(), nullable=False),
        sa.Column("thing_id", AutoString(), nullable=False),
        sa.Column("field", AutoString(), nullable=False),
        sa.Column("value", AutoString(), nullable=True),
        sa.Column("valid_from", UTCDateTime(), nullable=False),
        sa.Column("valid_to", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("interval", schema=None) as batch_op:
        batch_op.create_index("interval_of_thing", ["thing", "thing_id", "field", "valid_from"], unique=False)
        batch_op.create_index(
            "interval_open",
            ["thing", "field", "thing_id"],
            unique=True,
            sqlite_where=sa.text("valid_to IS NULL"),
            postgresql_where=sa.text("valid_to IS NULL"),
        )

    op.create_table(
        "location",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("name", AutoString(), nullable=False),
        sa.Column("type", AutoString(), nullable=True),
        sa.Column("address", AutoString(), nullable=True),
        sa.Column("timezone", AutoString(), nullable=True),
        sa.Column("currency", AutoString(), nullable=True),
        sa.Column("support_contact", AutoString(), nullable=True),
        sa.Column("blocking_fee_interval_minutes", sa.Float(), nullable=True),
        sa.Column("price", AutoString(), nullable=True),
        sa.Column("price_changed_at", UTCDateTime(), nullable=False),
        sa.Column("extra", JSON_COLUMN, nullable=False),
        sa.Column("first_seen_at", UTCDateTime(), nullable=False),
        sa.Column("changed_at", UTCDateTime(), nullable=False),
        sa.Column("changed_seq", sa.Integer(), nullable=False),
        sa.Column("missed_sweeps", sa.Integer(), nullable=False),
        sa.Column("gone_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("location", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_location_changed_seq"), ["changed_seq"], unique=False)

    op.create_table(
        "outbox",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("natural_key", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("channel", AutoString(), nullable=False),
        sa.Column("thread_of", AutoString(), nullable=True),
        sa.Column("rolled_into", AutoString(), nullable=True),
        sa.Column("broadcast", sa.Boolean(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=True),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.Column("facts", JSON_COLUMN, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shown_version", sa.Integer(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("shown_at", UTCDateTime(), nullable=True),
        sa.Column("message_channel", AutoString(), nullable=True),
        sa.Column("message_ts", AutoString(), nullable=True),
        sa.Column("claimed_by", AutoString(), nullable=True),
        sa.Column("claimed_until", UTCDateTime(), nullable=True),
        sa.Column("uncertain", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", AutoString(), nullable=True),
        sa.Column("abandoned_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("natural_key"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_rolled_into"), ["rolled_into"], unique=False)
        batch_op.create_index(
            "outbox_unsent",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("shown_version < version"),
            postgresql_where=sa.text("shown_version < version"),
        )

    op.create_table(
        "poll",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("attempted_at", UTCDateTime(), nullable=False),
        sa.Column("good_at", UTCDateTime(), nullable=True),
        sa.Column("previous_good_at", UTCDateTime(), nullable=True),
        sa.Column("first_good_at", UTCDateTime(), nullable=True),
        sa.Column("swept_at", UTCDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", AutoString(), nullable=True),
        sa.Column("unread_since", UTCDateTime(), nullable=True),
        sa.Column("unread_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("resource"),
    )
    op.create_table(
        "poll_count",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "kind", "reason"),
    )
    op.create_table(
        "poll_gap",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("valid_from", UTCDateTime(), nullable=False),
        sa.Column("valid_to", UTCDateTime(), nullable=False),
        sa.Column("changed_seq", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("poll_gap", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_poll_gap_changed_seq"), ["changed_seq"], unique=False)

    op.create_table(
        "rule",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", JSON_COLUMN, nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("removed_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("evaluated_seq", sa.Integer(), nullable=False),
        sa.Column("evaluated_gap", sa.Integer(), nullable=False),
        sa.Column("full_match_at", UTCDateTime(), nullable=True),
        sa.Column("events_since", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "rule_draft",
        sa.Column("id", AutoString(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("act", AutoString(), nullable=False),
        sa.Column("document", JSON_COLUMN, nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("rule_draft", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rule_draft_created_at"), ["created_at"], unique=False)

    op.create_table(
        "rule_event",
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("natural_key", AutoString(), nullable=False),
        sa.Column("event", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("interval_id", sa.Integer(), nullable=True),
        sa.Column("event_at", UTCDateTime(), nullable=False),
        sa.Column("fields_json", AutoString(), nullable=False),
        sa.Column("unchanged_since", UTCDateTime(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("judged_at", UTCDateTime(), nullable=True),
        sa.Column("verdict", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("rule_id", "natural_key"),
    )
    with op.batch_alter_table("rule_event", schema=None) as batch_op:
        batch_op.create_index(
            "rule_event_waiting",
            ["rule_id", "due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "rule_wake",
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("wake_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "subject"),
    )
    with op.batch_alter_table("rule_wake", schema=None) as batch_op:
        batch_op.create_index("rule_wake_due", ["wake_at", "rule_id"], unique=False)

    op.create_table(
        "rule_version",
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", JSON_COLUMN, nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("act", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", "version"),
    )
    op.create_table(
        "session_sample",
        sa.Column("session_id", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("energy_kwh", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("session_id", "at"),
    )
    op.create_table(
        "set_aside_row",
        sa.Column("resource", AutoString(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("row_json", AutoString(), nullable=False),
        sa.Column("first_at", UTCDateTime(), nullable=False),
        sa.Column("last_at", UTCDateTime(), nullable=False),
        sa.Column("field", AutoString(), nullable=False),
        sa.PrimaryKeyConstraint("resource", "key", "reason"),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=True),
        sa.Column("labels", JSON_COLUMN, nullable=False),
        sa.Column("location_id", AutoString(), nullable=True),
        sa.Column("charger_id", AutoString(), nullable=True),
        sa.Column("connector_id", AutoString(), nullable=True),
        sa.Column("session_id", AutoString(), nullable=True),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("until_recovery", sa.Boolean(), nullable=False),
        sa.Column("until_sessions", JSON_COLUMN, nullable=False),
        sa.Column("weekly", JSON_COLUMN, nullable=False),
        sa.Column("author", AutoString(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("ended_by", AutoString(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "speech_plan",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document", JSON_COLUMN, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "trouble",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("raised_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("facts", JSON_COLUMN, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("trouble", schema=None) as batch_op:
        batch_op.create_index(
            "trouble_open",
            ["key"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )

    op.create_table(
        "transition",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("rule_id", AutoString(), nullable=False),
        sa.Column("subject", AutoString(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=True),
        sa.Column("from_state", AutoString(), nullable=False),
        sa.Column("to_state", AutoString(), nullable=False),
        sa.Column("active_at", UTCDateTime(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("trace", JSON_COLUMN, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("transition", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transition_alert_id"), ["alert_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transition_at"), ["at"], unique=False)
