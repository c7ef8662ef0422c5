CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.alert (
    id integer NOT NULL,
    rule_id character varying NOT NULL,
    rule_version integer NOT NULL,
    subject character varying NOT NULL,
    state character varying NOT NULL,
    active_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    false_since timestamp with time zone,
    held_since timestamp with time zone,
    fired_at timestamp with time zone,
    resolved_at timestamp with time zone,
    ended_because character varying,
    location_id character varying,
    charger_id character varying,
    connector_id character varying,
    session_id character varying,
    labels jsonb NOT NULL,
    evidence jsonb NOT NULL,
    incident_id integer,
    acknowledged_at timestamp with time zone,
    acknowledged_by character varying,
    ack_ended_at timestamp with time zone,
    snoozed_until timestamp with time zone,
    snoozed_by character varying,
    quiet_since timestamp with time zone,
    quiet_ended_at timestamp with time zone,
    switched_on timestamp with time zone,
    silence_id integer,
    inhibited_by integer,
    acting_until timestamp with time zone,
    heard_at timestamp with time zone,
    gap_s double precision DEFAULT 0 NOT NULL,
    snoozed_at timestamp with time zone
);
CREATE SEQUENCE public.alert_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.alert_id_seq OWNED BY public.alert.id;
CREATE TABLE public.api_state (
    api character varying NOT NULL,
    slowness integer NOT NULL,
    slowed_at timestamp with time zone,
    not_before timestamp with time zone,
    clock_skew_s double precision
);
CREATE TABLE public.audit_entry (
    id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    "user" character varying NOT NULL,
    action character varying NOT NULL,
    subject character varying NOT NULL,
    facts jsonb NOT NULL,
    outcome character varying NOT NULL
);
CREATE SEQUENCE public.audit_entry_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_entry_id_seq OWNED BY public.audit_entry.id;
CREATE TABLE public.automation_switch (
    name character varying NOT NULL,
    mode character varying NOT NULL,
    set_by character varying NOT NULL,
    set_at timestamp with time zone
);
CREATE TABLE public.automation_try (
    id integer NOT NULL,
    alert_id integer NOT NULL,
    step integer NOT NULL,
    rule_id character varying NOT NULL,
    rule_version integer NOT NULL,
    incident_id integer,
    kind character varying NOT NULL,
    price double precision,
    location_id character varying,
    charger_id character varying,
    connector_id character varying,
    session_id character varying,
    state character varying NOT NULL,
    planned_at timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    command_id character varying,
    acted_at timestamp with time zone,
    verify_until timestamp with time zone,
    ended_at timestamp with time zone,
    reason character varying NOT NULL
);
CREATE SEQUENCE public.automation_try_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.automation_try_id_seq OWNED BY public.automation_try.id;
CREATE TABLE public.charger (
    id character varying NOT NULL,
    location_id character varying,
    previous_location_id character varying,
    name character varying NOT NULL,
    vendor character varying,
    model character varying,
    firmware character varying,
    serial character varying,
    online boolean,
    online_changed_at timestamp with time zone NOT NULL,
    last_heartbeat timestamp with time zone,
    heartbeat_interval_s double precision,
    heartbeat_age_s double precision,
    labels jsonb NOT NULL,
    extra jsonb NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_seq integer NOT NULL,
    missed_sweeps integer NOT NULL,
    gone_at timestamp with time zone,
    stale_since timestamp with time zone,
    unread character varying
);
CREATE TABLE public.charging_session (
    id character varying NOT NULL,
    connector_id character varying,
    charger_id character varying,
    location_id character varying,
    status character varying,
    status_changed_at timestamp with time zone NOT NULL,
    type character varying,
    fail_reason character varying,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    energy_kwh double precision,
    energy_changed_at timestamp with time zone NOT NULL,
    cost double precision,
    currency character varying,
    id_tag character varying,
    stop_reason character varying,
    sampled_at timestamp with time zone,
    extra jsonb NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_seq integer NOT NULL,
    stale_since timestamp with time zone,
    unread character varying,
    previous_energy_kwh double precision,
    previous_energy_at timestamp with time zone
);
CREATE TABLE public.command (
    id character varying NOT NULL,
    nonce character varying NOT NULL,
    kind character varying NOT NULL,
    location_id character varying,
    charger_id character varying,
    connector_id character varying,
    session_id character varying,
    requested_by character varying NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    channel character varying NOT NULL,
    state character varying NOT NULL,
    due_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    sending_at timestamp with time zone,
    answered_at timestamp with time zone,
    verify_until timestamp with time zone,
    ended_at timestamp with time zone,
    outcome character varying,
    error_code character varying,
    rule_id character varying,
    decided_by character varying,
    decided_at timestamp with time zone,
    details jsonb NOT NULL
);
CREATE TABLE public.connector (
    id character varying NOT NULL,
    charger_id character varying NOT NULL,
    location_id character varying,
    status character varying,
    status_raw character varying,
    status_changed_at timestamp with time zone NOT NULL,
    error_code character varying,
    error_code_changed_at timestamp with time zone NOT NULL,
    vendor_error_code character varying,
    power_kw double precision,
    power_changed_at timestamp with time zone NOT NULL,
    max_power_kw double precision,
    type character varying,
    extra jsonb NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_seq integer NOT NULL,
    missed_sweeps integer NOT NULL,
    gone_at timestamp with time zone,
    stale_since timestamp with time zone,
    unread character varying,
    code_missing_since timestamp with time zone
);
CREATE TABLE public.counter (
    name character varying NOT NULL,
    value integer NOT NULL
);
CREATE TABLE public.digest_slot (
    rule_id character varying NOT NULL,
    zone character varying NOT NULL,
    slot character varying NOT NULL,
    slot_at timestamp with time zone NOT NULL,
    window_from timestamp with time zone NOT NULL,
    window_to timestamp with time zone NOT NULL,
    enqueued_at timestamp with time zone,
    facts jsonb NOT NULL
);
CREATE TABLE public.heard_request (
    name character varying NOT NULL,
    heard_at timestamp with time zone NOT NULL
);
CREATE TABLE public.incident (
    id integer NOT NULL,
    rule_id character varying NOT NULL,
    group_key character varying NOT NULL,
    severity character varying NOT NULL,
    location_id character varying,
    opened_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    spoke_at timestamp with time zone,
    escalated integer,
    channels character varying
);
CREATE SEQUENCE public.incident_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.incident_id_seq OWNED BY public.incident.id;
CREATE TABLE public.inhibition (
    source_rule character varying NOT NULL,
    target_rule character varying NOT NULL
);
CREATE TABLE public."interval" (
    id integer NOT NULL,
    thing character varying NOT NULL,
    thing_id character varying NOT NULL,
    field character varying NOT NULL,
    value character varying,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone
);
CREATE SEQUENCE public.interval_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.interval_id_seq OWNED BY public."interval".id;
CREATE TABLE public.location (
    id character varying NOT NULL,
    name character varying NOT NULL,
    type character varying,
    address character varying,
    timezone character varying,
    currency character varying,
    support_contact character varying,
    blocking_fee_interval_minutes double precision,
    price character varying,
    price_changed_at timestamp with time zone NOT NULL,
    extra jsonb NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_seq integer NOT NULL,
    missed_sweeps integer NOT NULL,
    gone_at timestamp with time zone,
    stale_since timestamp with time zone,
    unread character varying
);
CREATE TABLE public.outbox (
    id character varying NOT NULL,
    natural_key character varying NOT NULL,
    kind character varying NOT NULL,
    channel character varying NOT NULL,
    thread_of character varying,
    rolled_into character varying,
    broadcast boolean NOT NULL,
    rule_id character varying,
    incident_id integer,
    facts jsonb NOT NULL,
    version integer NOT NULL,
    shown_version integer NOT NULL,
    due_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    sent_at timestamp with time zone,
    shown_at timestamp with time zone,
    message_channel character varying,
    message_ts character varying,
    claimed_by character varying,
    claimed_until timestamp with time zone,
    uncertain boolean NOT NULL,
    attempts integer NOT NULL,
    error character varying,
    abandoned_at timestamp with time zone,
    rank integer,
    clicked_at timestamp with time zone
);
CREATE TABLE public.poll (
    resource character varying NOT NULL,
    attempted_at timestamp with time zone NOT NULL,
    good_at timestamp with time zone,
    previous_good_at timestamp with time zone,
    first_good_at timestamp with time zone,
    swept_at timestamp with time zone,
    failures integer NOT NULL,
    error character varying,
    unread_since timestamp with time zone,
    unread_at timestamp with time zone,
    sweep_due_at timestamp with time zone
);
CREATE TABLE public.poll_count (
    resource character varying NOT NULL,
    kind character varying NOT NULL,
    reason character varying NOT NULL,
    count integer NOT NULL,
    last_at timestamp with time zone NOT NULL
);
CREATE TABLE public.poll_doubt (
    resource character varying NOT NULL,
    since timestamp with time zone NOT NULL,
    swept_at timestamp with time zone NOT NULL,
    missing integer NOT NULL,
    known integer NOT NULL,
    fingerprint character varying NOT NULL,
    confirmed_at timestamp with time zone,
    confirmed_by character varying
);
CREATE TABLE public.poll_gap (
    id integer NOT NULL,
    resource character varying NOT NULL,
    valid_from timestamp with time zone NOT NULL,
    valid_to timestamp with time zone NOT NULL,
    changed_seq integer NOT NULL
);
CREATE SEQUENCE public.poll_gap_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.poll_gap_id_seq OWNED BY public.poll_gap.id;
CREATE TABLE public.refused_channel (
    channel character varying NOT NULL,
    error character varying NOT NULL,
    since timestamp with time zone NOT NULL,
    probe_at timestamp with time zone NOT NULL,
    probes integer NOT NULL
);
CREATE TABLE public.rule (
    id character varying NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    source character varying NOT NULL,
    enabled boolean NOT NULL,
    removed_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    evaluated_seq integer NOT NULL,
    evaluated_gap integer NOT NULL,
    full_match_at timestamp with time zone,
    events_since timestamp with time zone
);
CREATE TABLE public.rule_draft (
    id character varying NOT NULL,
    rule_id character varying NOT NULL,
    act character varying NOT NULL,
    document jsonb NOT NULL,
    base_version integer NOT NULL,
    author character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone
);
CREATE TABLE public.rule_event (
    rule_id character varying NOT NULL,
    natural_key character varying NOT NULL,
    event character varying NOT NULL,
    subject character varying NOT NULL,
    interval_id integer,
    event_at timestamp with time zone NOT NULL,
    fields_json character varying NOT NULL,
    unchanged_since timestamp with time zone NOT NULL,
    due_at timestamp with time zone,
    judged_at timestamp with time zone,
    verdict character varying
);
CREATE TABLE public.rule_version (
    rule_id character varying NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    author character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    act character varying NOT NULL
);
CREATE TABLE public.rule_wake (
    rule_id character varying NOT NULL,
    subject character varying NOT NULL,
    wake_at timestamp with time zone NOT NULL
);
CREATE TABLE public.session_sample (
    session_id character varying NOT NULL,
    at timestamp with time zone NOT NULL,
    energy_kwh double precision
);
CREATE TABLE public.set_aside_row (
    resource character varying NOT NULL,
    key character varying NOT NULL,
    reason character varying NOT NULL,
    row_json character varying NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    field character varying NOT NULL
);
CREATE TABLE public.silence (
    id integer NOT NULL,
    rule_id character varying,
    labels jsonb NOT NULL,
    location_id character varying,
    charger_id character varying,
    connector_id character varying,
    session_id character varying,
    until timestamp with time zone,
    until_recovery boolean NOT NULL,
    until_sessions jsonb NOT NULL,
    weekly jsonb NOT NULL,
    author character varying NOT NULL,
    reason character varying NOT NULL,
    created_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    ended_by character varying
);
CREATE SEQUENCE public.silence_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.silence_id_seq OWNED BY public.silence.id;
CREATE TABLE public.speech_plan (
    id integer NOT NULL,
    document jsonb NOT NULL
);
CREATE SEQUENCE public.speech_plan_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.speech_plan_id_seq OWNED BY public.speech_plan.id;
CREATE TABLE public.transition (
    id integer NOT NULL,
    at timestamp with time zone NOT NULL,
    rule_id character varying NOT NULL,
    subject character varying NOT NULL,
    alert_id integer,
    from_state character varying NOT NULL,
    to_state character varying NOT NULL,
    active_at timestamp with time zone NOT NULL,
    reason character varying NOT NULL,
    trace jsonb NOT NULL
);
CREATE SEQUENCE public.transition_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.transition_id_seq OWNED BY public.transition.id;
CREATE TABLE public.trouble (
    id integer NOT NULL,
    key character varying NOT NULL,
    since timestamp with time zone NOT NULL,
    raised_at timestamp with time zone,
    ended_at timestamp with time zone,
    facts jsonb NOT NULL
);
CREATE SEQUENCE public.trouble_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trouble_id_seq OWNED BY public.trouble.id;
CREATE TABLE public.unread_field (
    resource character varying NOT NULL,
    field character varying NOT NULL,
    reason character varying NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.alert ALTER COLUMN id SET DEFAULT nextval('public.alert_id_seq'::regclass);
ALTER TABLE ONLY public.audit_entry ALTER COLUMN id SET DEFAULT nextval('public.audit_entry_id_seq'::regclass);
ALTER TABLE ONLY public.automation_try ALTER COLUMN id SET DEFAULT nextval('public.automation_try_id_seq'::regclass);
ALTER TABLE ONLY public.incident ALTER COLUMN id SET DEFAULT nextval('public.incident_id_seq'::regclass);
ALTER TABLE ONLY public."interval" ALTER COLUMN id SET DEFAULT nextval('public.interval_id_seq'::regclass);
ALTER TABLE ONLY public.poll_gap ALTER COLUMN id SET DEFAULT nextval('public.poll_gap_id_seq'::regclass);
ALTER TABLE ONLY public.silence ALTER COLUMN id SET DEFAULT nextval('public.silence_id_seq'::regclass);
ALTER TABLE ONLY public.speech_plan ALTER COLUMN id SET DEFAULT nextval('public.speech_plan_id_seq'::regclass);
ALTER TABLE ONLY public.transition ALTER COLUMN id SET DEFAULT nextval('public.transition_id_seq'::regclass);
ALTER TABLE ONLY public.trouble ALTER COLUMN id SET DEFAULT nextval('public.trouble_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES
	('0007');
INSERT INTO public.alert VALUES
	(3, 'connector-faulted', 1, 'c2', 'firing', '2026-03-02 10:02:00+00', NULL, NULL, NULL, '2026-03-02 10:07:00+00', NULL, NULL, 'l1', 'ch1', 'c2', NULL, '{"charger": "ch1", "location": "l1", "connector": "c2"}', '{"status": "Faulted", "error_code": null, "charger_name": "Charger ch1", "location_name": "Location l1", "vendor_error_code": null}', 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL),
	(1, 'connector-faulted', 1, 'c3', 'resolved', '2026-03-02 10:00:00+00', NULL, '2026-03-02 10:07:00+00', NULL, '2026-03-02 10:05:00+00', '2026-03-02 10:07:00+00', 'recovered', 'l1', 'ch1', 'c3', NULL, '{"charger": "ch1", "location": "l1", "connector": "c3"}', '{"status": "Faulted", "error_code": null, "charger_name": "Charger ch1", "location_name": "Location l1", "vendor_error_code": null}', 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL),
	(2, 'connector-faulted', 1, 'c1', 'firing', '2026-03-02 10:01:00+00', NULL, NULL, NULL, '2026-03-02 10:06:00+00', NULL, NULL, 'l1', 'ch1', 'c1', NULL, '{"charger": "ch1", "location": "l1", "connector": "c1"}', '{"status": "Faulted", "error_code": null, "charger_name": "Charger ch1", "location_name": "Location l1", "vendor_error_code": null}', 2, '2026-03-02 10:08:00+00', 'U0BEN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL);
INSERT INTO public.audit_entry VALUES
	(1, '2026-03-02 10:08:00+00', 'U0ANNA', 'silence', 'c2', '{}', 'done');
INSERT INTO public.charger VALUES
	('ch1', 'l1', NULL, 'Charger ch1', NULL, NULL, NULL, NULL, true, '2026-03-02 10:00:00+00', NULL, NULL, NULL, '[]', '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', 3, 0, NULL, NULL, NULL);
INSERT INTO public.charging_session VALUES
	('s0', 'c1', 'ch1', 'l1', 'Completed', '2026-03-02 09:00:00+00', 'OnDemand', NULL, '2026-03-02 08:00:00+00', '2026-03-02 09:00:00+00', 12.25, '2026-03-02 10:00:00+00', NULL, NULL, NULL, NULL, NULL, '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', 2, NULL, NULL, NULL, NULL),
	('s1', 'c1', 'ch1', 'l1', 'Active', '2026-03-02 09:50:00+00', 'OnDemand', NULL, '2026-03-02 09:50:00+00', NULL, 3.5, '2026-03-02 10:00:00+00', NULL, NULL, NULL, NULL, '2026-03-02 10:00:00+00', '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', 2, NULL, NULL, NULL, NULL);
INSERT INTO public.command VALUES
	('cmd1', 'n1', 'reset_soft', NULL, 'ch1', NULL, NULL, 'U0ANNA', '2026-03-02 10:08:00+00', '#ev-ops', 'verified', NULL, '2026-03-02 10:12:00+00', NULL, NULL, NULL, '2026-03-02 10:09:00+00', 'The connector is free.', NULL, NULL, NULL, NULL, '{}');
INSERT INTO public.connector VALUES
	('c1', 'ch1', 'l1', 'Faulted', 'Faulted', '2026-03-02 10:01:00+00', NULL, '2026-03-02 10:00:00+00', NULL, NULL, '2026-03-02 10:00:00+00', NULL, NULL, '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:01:00+00', 4, 0, NULL, NULL, NULL, NULL),
	('c2', 'ch1', 'l1', 'Faulted', 'Faulted', '2026-03-02 10:02:00+00', NULL, '2026-03-02 10:00:00+00', NULL, NULL, '2026-03-02 10:00:00+00', NULL, NULL, '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:02:00+00', 5, 0, NULL, NULL, NULL, NULL),
	('c3', 'ch1', 'l1', 'Available', 'Available', '2026-03-02 10:07:00+00', NULL, '2026-03-02 10:00:00+00', NULL, NULL, '2026-03-02 10:00:00+00', NULL, NULL, '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:07:00+00', 6, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.counter VALUES
	('changed', 6);
INSERT INTO public.incident VALUES
	(2, 'connector-faulted', '{"connector": "c1"}', 'critical', 'l1', '2026-03-02 10:06:00+00', NULL, '2026-03-02 10:06:30+00', NULL, '["#ev-alerts"]'),
	(1, 'connector-faulted', '{"connector": "c3"}', 'critical', 'l1', '2026-03-02 10:05:00+00', '2026-03-02 10:07:00+00', '2026-03-02 10:05:30+00', NULL, '["#ev-alerts"]'),
	(3, 'connector-faulted', '{"connector": "c2"}', 'critical', 'l1', '2026-03-02 10:07:00+00', NULL, '2026-03-02 10:07:30+00', NULL, '["#ev-alerts"]');
INSERT INTO public."interval" VALUES
	(1, 'location', 'l1', 'price', NULL, '2026-03-02 10:00:00+00', NULL),
	(2, 'charger', 'ch1', 'online', 'true', '2026-03-02 10:00:00+00', NULL),
	(6, 'connector', 'c1', 'error_code', NULL, '2026-03-02 10:00:00+00', NULL),
	(7, 'connector', 'c2', 'error_code', NULL, '2026-03-02 10:00:00+00', NULL),
	(8, 'connector', 'c3', 'error_code', NULL, '2026-03-02 10:00:00+00', NULL),
	(3, 'connector', 'c1', 'status', 'Available', '2026-03-02 10:00:00+00', '2026-03-02 10:01:00+00'),
	(9, 'connector', 'c1', 'status', 'Faulted', '2026-03-02 10:01:00+00', NULL),
	(4, 'connector', 'c2', 'status', 'Available', '2026-03-02 10:00:00+00', '2026-03-02 10:02:00+00'),
	(10, 'connector', 'c2', 'status', 'Faulted', '2026-03-02 10:02:00+00', NULL),
	(5, 'connector', 'c3', 'status', 'Faulted', '2026-03-02 10:00:00+00', '2026-03-02 10:07:00+00'),
	(11, 'connector', 'c3', 'status', 'Available', '2026-03-02 10:07:00+00', NULL);
INSERT INTO public.location VALUES
	('l1', 'Location l1', NULL, NULL, 'UTC', NULL, NULL, NULL, NULL, '2026-03-02 10:00:00+00', '{}', '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', 1, 0, NULL, NULL, NULL);
INSERT INTO public.outbox VALUES
	('57411569fe1347c6aedec9b45c080aa6', 'incident:2:#ev-alerts', 'alert_card', '#ev-alerts', NULL, NULL, false, 'connector-faulted', 2, '{}', 1, 1, '2026-03-02 10:06:30+00', '2026-03-02 10:06:00+00', '2026-03-02 10:08:00+00', '2026-03-02 10:08:00+00', 'C0ALERTS', '1772445600.000100', NULL, NULL, false, 0, NULL, NULL, 1, NULL),
	('53425b2b9847405587c3e87b8d91b0f4', 'incident:1:#ev-alerts', 'alert_card', '#ev-alerts', NULL, NULL, false, 'connector-faulted', 1, '{}', 2, 2, '2026-03-02 10:05:30+00', '2026-03-02 10:05:00+00', '2026-03-02 10:08:00+00', '2026-03-02 10:08:00+00', 'C0ALERTS', '1772445600.000100', NULL, NULL, false, 0, NULL, NULL, 1, NULL),
	('c4be1b44d75245718e4c76b79348a506', 'incident:3:#ev-alerts', 'alert_card', '#ev-alerts', NULL, NULL, false, 'connector-faulted', 3, '{}', 1, 1, '2026-03-02 10:07:30+00', '2026-03-02 10:07:00+00', '2026-03-02 10:08:00+00', '2026-03-02 10:08:00+00', 'C0ALERTS', '1772445600.000100', NULL, NULL, false, 0, NULL, NULL, 1, NULL);
INSERT INTO public.poll VALUES
	('locations', '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', NULL, '2026-03-02 10:00:00+00', NULL, 0, NULL, NULL, NULL, NULL),
	('sessions', '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', NULL, '2026-03-02 10:00:00+00', NULL, 0, NULL, NULL, NULL, NULL),
	('chargers', '2026-03-02 10:07:00+00', '2026-03-02 10:07:00+00', '2026-03-02 10:06:00+00', '2026-03-02 10:00:00+00', NULL, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.rule VALUES
	('connector-faulted', 1, '{"for": "5m", "name": "connector-faulted", "when": "connector.status == \"Faulted\"", "notify": ["#ev-alerts"], "repeat": "4h", "for_each": "connector", "group_by": ["connector"], "severity": "critical", "description": "A connector is out of order"}', 'site.yaml', true, NULL, '2026-03-02 10:00:00+00', '2026-03-02 10:00:00+00', 6, 0, NULL, NULL);
INSERT INTO public.rule_version VALUES
	('connector-faulted', 1, '{"for": "5m", "name": "connector-faulted", "when": "connector.status == \"Faulted\"", "notify": ["#ev-alerts"], "repeat": "4h", "for_each": "connector", "group_by": ["connector"], "severity": "critical", "description": "A connector is out of order"}', 'site.yaml', '2026-03-02 10:00:00+00', 'created');
INSERT INTO public.session_sample VALUES
	('s1', '2026-03-02 10:00:00+00', 3.5);
INSERT INTO public.silence VALUES
	(1, 'connector-faulted', '{}', NULL, NULL, 'c2', NULL, '2026-03-02 12:00:00+00', false, '[]', '{}', 'U0ANNA', 'Works on the grid', '2026-03-02 10:08:00+00', NULL, NULL);
INSERT INTO public.speech_plan VALUES
	(1, '{"routes": [], "quiet_hours": null}');
INSERT INTO public.transition VALUES
	(1, '2026-03-02 10:00:00+00', 'connector-faulted', 'c3', 1, 'inactive', 'pending', '2026-03-02 10:00:00+00', 'condition true', '{"values": {"connector.status": "Faulted"}}'),
	(2, '2026-03-02 10:01:00+00', 'connector-faulted', 'c1', 2, 'inactive', 'pending', '2026-03-02 10:01:00+00', 'condition true', '{"values": {"connector.status": "Faulted"}}'),
	(3, '2026-03-02 10:02:00+00', 'connector-faulted', 'c2', 3, 'inactive', 'pending', '2026-03-02 10:02:00+00', 'condition true', '{"values": {"connector.status": "Faulted"}}'),
	(4, '2026-03-02 10:05:00+00', 'connector-faulted', 'c3', 1, 'pending', 'firing', '2026-03-02 10:00:00+00', 'condition true', '{}'),
	(5, '2026-03-02 10:06:00+00', 'connector-faulted', 'c1', 2, 'pending', 'firing', '2026-03-02 10:01:00+00', 'condition true', '{}'),
	(6, '2026-03-02 10:07:00+00', 'connector-faulted', 'c2', 3, 'pending', 'firing', '2026-03-02 10:02:00+00', 'condition true', '{}'),
	(7, '2026-03-02 10:07:00+00', 'connector-faulted', 'c3', 1, 'firing', 'resolved', '2026-03-02 10:00:00+00', 'recovered', '{"values": {"connector.status": "Available"}}');
SELECT pg_catalog.setval('public.alert_id_seq', 3, true);
SELECT pg_catalog.setval('public.audit_entry_id_seq', 1, true);
SELECT pg_catalog.setval('public.automation_try_id_seq', 1, false);
SELECT pg_catalog.setval('public.incident_id_seq', 3, true);
SELECT pg_catalog.setval('public.interval_id_seq', 11, true);
SELECT pg_catalog.setval('public.poll_gap_id_seq', 1, false);
SELECT pg_catalog.setval('public.silence_id_seq', 1, true);
SELECT pg_catalog.setval('public.speech_plan_id_seq', 1, false);
SELECT pg_catalog.setval('public.transition_id_seq', 7, true);
SELECT pg_catalog.setval('public.trouble_id_seq', 1, false);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.alert
    ADD CONSTRAINT alert_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_state
    ADD CONSTRAINT api_state_pkey PRIMARY KEY (api);
ALTER TABLE ONLY public.audit_entry
    ADD CONSTRAINT audit_entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.automation_switch
    ADD CONSTRAINT automation_switch_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.automation_try
    ADD CONSTRAINT automation_try_alert_id_step_key UNIQUE (alert_id, step);
ALTER TABLE ONLY public.automation_try
    ADD CONSTRAINT automation_try_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.charger
    ADD CONSTRAINT charger_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.charging_session
    ADD CONSTRAINT charging_session_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.command
    ADD CONSTRAINT command_nonce_key UNIQUE (nonce);
ALTER TABLE ONLY public.command
    ADD CONSTRAINT command_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.connector
    ADD CONSTRAINT connector_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.counter
    ADD CONSTRAINT counter_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.digest_slot
    ADD CONSTRAINT digest_slot_pkey PRIMARY KEY (rule_id, zone, slot);
ALTER TABLE ONLY public.heard_request
    ADD CONSTRAINT heard_request_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.incident
    ADD CONSTRAINT incident_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.inhibition
    ADD CONSTRAINT inhibition_pkey PRIMARY KEY (source_rule, target_rule);
ALTER TABLE ONLY public."interval"
    ADD CONSTRAINT interval_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.location
    ADD CONSTRAINT location_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_natural_key_key UNIQUE (natural_key);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.poll_count
    ADD CONSTRAINT poll_count_pkey PRIMARY KEY (resource, kind, reason);
ALTER TABLE ONLY public.poll_doubt
    ADD CONSTRAINT poll_doubt_pkey PRIMARY KEY (resource);
ALTER TABLE ONLY public.poll_gap
    ADD CONSTRAINT poll_gap_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.poll
    ADD CONSTRAINT poll_pkey PRIMARY KEY (resource);
ALTER TABLE ONLY public.refused_channel
    ADD CONSTRAINT refused_channel_pkey PRIMARY KEY (channel);
ALTER TABLE ONLY public.rule_draft
    ADD CONSTRAINT rule_draft_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rule_event
    ADD CONSTRAINT rule_event_pkey PRIMARY KEY (rule_id, natural_key);
ALTER TABLE ONLY public.rule
    ADD CONSTRAINT rule_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rule_version
    ADD CONSTRAINT rule_version_pkey PRIMARY KEY (rule_id, version);
ALTER TABLE ONLY public.rule_wake
    ADD CONSTRAINT rule_wake_pkey PRIMARY KEY (rule_id, subject);
ALTER TABLE ONLY public.session_sample
    ADD CONSTRAINT session_sample_pkey PRIMARY KEY (session_id, at);
ALTER TABLE ONLY public.set_aside_row
    ADD CONSTRAINT set_aside_row_pkey PRIMARY KEY (resource, key, reason);
ALTER TABLE ONLY public.silence
    ADD CONSTRAINT silence_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.speech_plan
    ADD CONSTRAINT speech_plan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.transition
    ADD CONSTRAINT transition_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.trouble
    ADD CONSTRAINT trouble_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.unread_field
    ADD CONSTRAINT unread_field_pkey PRIMARY KEY (resource, field);
CREATE INDEX alert_acting ON public.alert USING btree (acting_until) WHERE (acting_until IS NOT NULL);
CREATE INDEX alert_due ON public.alert USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE UNIQUE INDEX alert_open ON public.alert USING btree (rule_id, subject) WHERE ((state)::text = ANY ((ARRAY['pending'::character varying, 'firing'::character varying])::text[]));
CREATE INDEX alert_quiet ON public.alert USING btree (quiet_since) WHERE ((quiet_since IS NOT NULL) AND (quiet_ended_at IS NULL));
CREATE INDEX alert_snoozed ON public.alert USING btree (snoozed_until) WHERE (snoozed_until IS NOT NULL);
CREATE INDEX automation_try_of_kind ON public.automation_try USING btree (kind, state, ended_at);
CREATE INDEX automation_try_open ON public.automation_try USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX charging_session_ended ON public.charging_session USING btree (ended_at, location_id);
CREATE INDEX charging_session_of_charger ON public.charging_session USING btree (charger_id, ended_at);
CREATE INDEX charging_session_of_connector ON public.charging_session USING btree (connector_id, ended_at);
CREATE INDEX charging_session_of_location ON public.charging_session USING btree (location_id, ended_at);
CREATE INDEX command_waiting ON public.command USING btree (state, due_at) WHERE (due_at IS NOT NULL);
CREATE UNIQUE INDEX incident_open ON public.incident USING btree (rule_id, group_key) WHERE (resolved_at IS NULL);
CREATE INDEX interval_of_thing ON public."interval" USING btree (thing, thing_id, field, valid_from);
CREATE UNIQUE INDEX interval_open ON public."interval" USING btree (thing, field, thing_id) WHERE (valid_to IS NULL);
CREATE INDEX ix_alert_incident_id ON public.alert USING btree (incident_id);
CREATE INDEX ix_audit_entry_at ON public.audit_entry USING btree (at);
CREATE INDEX ix_automation_try_incident_id ON public.automation_try USING btree (incident_id);
CREATE INDEX ix_charger_changed_seq ON public.charger USING btree (changed_seq);
CREATE INDEX ix_charger_location_id ON public.charger USING btree (location_id);
CREATE INDEX ix_charging_session_changed_seq ON public.charging_session USING btree (changed_seq);
CREATE INDEX ix_charging_session_connector_id ON public.charging_session USING btree (connector_id);
CREATE INDEX ix_charging_session_started_at ON public.charging_session USING btree (started_at);
CREATE INDEX ix_connector_changed_seq ON public.connector USING btree (changed_seq);
CREATE INDEX ix_connector_charger_id ON public.connector USING btree (charger_id);
CREATE INDEX ix_connector_location_id ON public.connector USING btree (location_id);
CREATE INDEX ix_digest_slot_slot_at ON public.digest_slot USING btree (slot_at);
CREATE INDEX ix_heard_request_heard_at ON public.heard_request USING btree (heard_at);
CREATE INDEX ix_location_changed_seq ON public.location USING btree (changed_seq);
CREATE INDEX ix_outbox_incident_id ON public.outbox USING btree (incident_id);
CREATE INDEX ix_outbox_rolled_into ON public.outbox USING btree (rolled_into);
CREATE INDEX ix_poll_gap_changed_seq ON public.poll_gap USING btree (changed_seq);
CREATE INDEX ix_rule_draft_created_at ON public.rule_draft USING btree (created_at);
CREATE INDEX ix_transition_alert_id ON public.transition USING btree (alert_id);
CREATE INDEX ix_transition_at ON public.transition USING btree (at);
CREATE INDEX outbox_ended ON public.outbox USING btree (channel, due_at) WHERE (rank = 5);
CREATE INDEX outbox_thread ON public.outbox USING btree (thread_of) WHERE (thread_of IS NOT NULL);
CREATE INDEX outbox_unsent ON public.outbox USING btree (due_at) WHERE (shown_version < version);
CREATE INDEX rule_event_waiting ON public.rule_event USING btree (rule_id, due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX rule_wake_due ON public.rule_wake USING btree (wake_at, rule_id);
CREATE UNIQUE INDEX trouble_open ON public.trouble USING btree (key) WHERE (ended_at IS NULL);
