BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE alert (
	id INTEGER NOT NULL, 
	rule_id VARCHAR NOT NULL, 
	rule_version INTEGER NOT NULL, 
	subject VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	active_at DATETIME NOT NULL, 
	due_at DATETIME, 
	false_since DATETIME, 
	held_since DATETIME, 
	fired_at DATETIME, 
	resolved_at DATETIME, 
	ended_because VARCHAR, 
	location_id VARCHAR, 
	charger_id VARCHAR, 
	connector_id VARCHAR, 
	session_id VARCHAR, 
	labels JSON NOT NULL, 
	evidence JSON NOT NULL, 
	incident_id INTEGER, 
	acknowledged_at DATETIME, 
	acknowledged_by VARCHAR, 
	ack_ended_at DATETIME, 
	snoozed_until DATETIME, 
	snoozed_by VARCHAR, 
	quiet_since DATETIME, 
	quiet_ended_at DATETIME, 
	switched_on DATETIME, 
	silence_id INTEGER, 
	inhibited_by INTEGER, 
	acting_until DATETIME, 
	heard_at DATETIME, gap_s FLOAT DEFAULT 0 NOT NULL, snoozed_at DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "alert" VALUES(1,'connector-faulted',1,'c3','resolved','2026-03-02 10:00:00.000000',NULL,'2026-03-02 10:07:00.000000',NULL,'2026-03-02 10:05:00.000000','2026-03-02 10:07:00.000000','recovered','l1','ch1','c3',NULL,'{"location": "l1", "charger": "ch1", "connector": "c3"}','{"status": "Faulted", "error_code": null, "vendor_error_code": null, "location_name": "Location l1", "charger_name": "Charger ch1"}',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL);
INSERT INTO "alert" VALUES(2,'connector-faulted',1,'c1','firing','2026-03-02 10:01:00.000000',NULL,NULL,NULL,'2026-03-02 10:06:00.000000',NULL,NULL,'l1','ch1','c1',NULL,'{"location": "l1", "charger": "ch1", "connector": "c1"}','{"status": "Faulted", "error_code": null, "vendor_error_code": null, "location_name": "Location l1", "charger_name": "Charger ch1"}',2,'2026-03-02 10:08:00.000000','U0BEN',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL);
INSERT INTO "alert" VALUES(3,'connector-faulted',1,'c2','firing','2026-03-02 10:02:00.000000',NULL,NULL,NULL,'2026-03-02 10:07:00.000000',NULL,NULL,'l1','ch1','c2',NULL,'{"location": "l1", "charger": "ch1", "connector": "c2"}','{"status": "Faulted", "error_code": null, "vendor_error_code": null, "location_name": "Location l1", "charger_name": "Charger ch1"}',3,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.0,NULL);
CREATE TABLE api_state (
	api VARCHAR NOT NULL, 
	slowness INTEGER NOT NULL, 
	slowed_at DATETIME, 
	not_before DATETIME, 
	clock_skew_s FLOAT, 
	PRIMARY KEY (api)
);
CREATE TABLE audit_entry (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	user VARCHAR NOT NULL, 
	action VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	facts JSON NOT NULL, 
	outcome VARCHAR NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit_entry" VALUES(1,'2026-03-02 10:08:00.000000','U0ANNA','silence','c2','{}','done');
CREATE TABLE automation_switch (
	name VARCHAR NOT NULL, 
	mode VARCHAR NOT NULL, 
	set_by VARCHAR NOT NULL, 
	set_at DATETIME, 
	PRIMARY KEY (name)
);
CREATE TABLE automation_try (
	id INTEGER NOT NULL, 
	alert_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	rule_id VARCHAR NOT NULL, 
	rule_version INTEGER NOT NULL, 
	incident_id INTEGER, 
	kind VARCHAR NOT NULL, 
	price FLOAT, 
	location_id VARCHAR, 
	charger_id VARCHAR, 
	connector_id VARCHAR, 
	session_id VARCHAR, 
	state VARCHAR NOT NULL, 
	planned_at DATETIME NOT NULL, 
	due_at DATETIME, 
	command_id VARCHAR, 
	acted_at DATETIME, 
	verify_until DATETIME, 
	ended_at DATETIME, 
	reason VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (alert_id, step)
);
CREATE TABLE charger (
	id VARCHAR NOT NULL, 
	location_id VARCHAR, 
	previous_location_id VARCHAR, 
	name VARCHAR NOT NULL, 
	vendor VARCHAR, 
	model VARCHAR, 
	firmware VARCHAR, 
	serial VARCHAR, 
	online BOOLEAN, 
	online_changed_at DATETIME NOT NULL, 
	last_heartbeat DATETIME, 
	heartbeat_interval_s FLOAT, 
	heartbeat_age_s FLOAT, 
	labels JSON NOT NULL, 
	extra JSON NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	changed_seq INTEGER NOT NULL, 
	missed_sweeps INTEGER NOT NULL, 
	gone_at DATETIME, stale_since DATETIME, unread VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "charger" VALUES('ch1','l1',NULL,'Charger ch1',NULL,NULL,NULL,NULL,1,'2026-03-02 10:00:00.000000',NULL,NULL,NULL,'[]','{}','2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',3,0,NULL,NULL,NULL);
CREATE TABLE charging_session (
	id VARCHAR NOT NULL, 
	connector_id VARCHAR, 
	charger_id VARCHAR, 
	location_id VARCHAR, 
	status VARCHAR, 
	status_changed_at DATETIME NOT NULL, 
	type VARCHAR, 
	fail_reason VARCHAR, 
	started_at DATETIME, 
	ended_at DATETIME, 
	energy_kwh FLOAT, 
	energy_changed_at DATETIME NOT NULL, 
	cost FLOAT, 
	currency VARCHAR, 
	id_tag VARCHAR, 
	stop_reason VARCHAR, 
	sampled_at DATETIME, 
	extra JSON NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	changed_seq INTEGER NOT NULL, stale_since DATETIME, unread VARCHAR, previous_energy_kwh FLOAT, previous_energy_at DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "charging_session" VALUES('s1','c1','ch1','l1','Active','2026-03-02 09:50:00.000000','OnDemand',NULL,'2026-03-02 09:50:00.000000',NULL,3.5,'2026-03-02 10:00:00.000000',NULL,NULL,NULL,NULL,'2026-03-02 10:00:00.000000','{}','2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',2,NULL,NULL,NULL,NULL);
INSERT INTO "charging_session" VALUES('s0','c1','ch1','l1','Completed','2026-03-02 09:00:00.000000','OnDemand',NULL,'2026-03-02 08:00:00.000000','2026-03-02 09:00:00.000000',12.25,'2026-03-02 10:00:00.000000',NULL,NULL,NULL,NULL,NULL,'{}','2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',2,NULL,NULL,NULL,NULL);
CREATE TABLE command (
	id VARCHAR NOT NULL, 
	nonce VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	location_id VARCHAR, 
	charger_id VARCHAR, 
	connector_id VARCHAR, 
	session_id VARCHAR, 
	requested_by VARCHAR NOT NULL, 
	requested_at DATETIME NOT NULL, 
	channel VARCHAR NOT NULL, 
	state VARCHAR NOT NULL, 
	due_at DATETIME, 
	expires_at DATETIME NOT NULL, 
	sending_at DATETIME, 
	answered_at DATETIME, 
	verify_until DATETIME, 
	ended_at DATETIME, 
	outcome VARCHAR, 
	error_code VARCHAR, 
	rule_id VARCHAR, 
	decided_by VARCHAR, 
	decided_at DATETIME, 
	details JSON NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (nonce)
);
INSERT INTO "command" VALUES('cmd1','n1','reset_soft',NULL,'ch1',NULL,NULL,'U0ANNA','2026-03-02 10:08:00.000000','#ev-ops','verified',NULL,'2026-03-02 10:12:00.000000',NULL,NULL,NULL,'2026-03-02 10:09:00.000000','The connector is free.',NULL,NULL,NULL,NULL,'{}');
CREATE TABLE connector (
	id VARCHAR NOT NULL, 
	charger_id VARCHAR NOT NULL, 
	location_id VARCHAR, 
	status VARCHAR, 
	status_raw VARCHAR, 
	status_changed_at DATETIME NOT NULL, 
	error_code VARCHAR, 
	error_code_changed_at DATETIME NOT NULL, 
	vendor_error_code VARCHAR, 
	power_kw FLOAT, 
	power_changed_at DATETIME NOT NULL, 
	max_power_kw FLOAT, 
	type VARCHAR, 
	extra JSON NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	changed_seq INTEGER NOT NULL, 
	missed_sweeps INTEGER NOT NULL, 
	gone_at DATETIME, stale_since DATETIME, unread VARCHAR, code_missing_since DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "connector" VALUES('c1','ch1','l1','Faulted','Faulted','2026-03-02 10:01:00.000000',NULL,'2026-03-02 10:00:00.000000',NULL,NULL,'2026-03-02 10:00:00.000000',NULL,NULL,'{}','2026-03-02 10:00:00.000000','2026-03-02 10:01:00.000000',4,0,NULL,NULL,NULL,NULL);
INSERT INTO "connector" VALUES('c2','ch1','l1','Faulted','Faulted','2026-03-02 10:02:00.000000',NULL,'2026-03-02 10:00:00.000000',NULL,NULL,'2026-03-02 10:00:00.000000',NULL,NULL,'{}','2026-03-02 10:00:00.000000','2026-03-02 10:02:00.000000',5,0,NULL,NULL,NULL,NULL);
INSERT INTO "connector" VALUES('c3','ch1','l1','Available','Available','2026-03-02 10:07:00.000000',NULL,'2026-03-02 10:00:00.000000',NULL,NULL,'2026-03-02 10:00:00.000000',NULL,NULL,'{}','2026-03-02 10:00:00.000000','2026-03-02 10:07:00.000000',6,0,NULL,NULL,NULL,NULL);
CREATE TABLE counter (
	name VARCHAR NOT NULL, 
	value INTEGER NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "counter" VALUES('changed',6);
CREATE TABLE digest_slot (
	rule_id VARCHAR NOT NULL, 
	zone VARCHAR NOT NULL, 
	slot VARCHAR NOT NULL, 
	slot_at DATETIME NOT NULL, 
	window_from DATETIME NOT NULL, 
	window_to DATETIME NOT NULL, 
	enqueued_at DATETIME, 
	facts JSON NOT NULL, 
	PRIMARY KEY (rule_id, zone, slot)
);
CREATE TABLE heard_request (
	name VARCHAR NOT NULL, 
	heard_at DATETIME NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE incident (
	id INTEGER NOT NULL, 
	rule_id VARCHAR NOT NULL, 
	group_key VARCHAR NOT NULL, 
	severity VARCHAR NOT NULL, 
	location_id VARCHAR, 
	opened_at DATETIME NOT NULL, 
	resolved_at DATETIME, 
	spoke_at DATETIME, 
	escalated INTEGER, 
	channels VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "incident" VALUES(1,'connector-faulted','{"connector": "c3"}','critical','l1','2026-03-02 10:05:00.000000','2026-03-02 10:07:00.000000','2026-03-02 10:05:30.000000',NULL,'["#ev-alerts"]');
INSERT INTO "incident" VALUES(2,'connector-faulted','{"connector": "c1"}','critical','l1','2026-03-02 10:06:00.000000',NULL,'2026-03-02 10:06:30.000000',NULL,'["#ev-alerts"]');
INSERT INTO "incident" VALUES(3,'connector-faulted','{"connector": "c2"}','critical','l1','2026-03-02 10:07:00.000000',NULL,'2026-03-02 10:07:30.000000',NULL,'["#ev-alerts"]');
CREATE TABLE inhibition (
	source_rule VARCHAR NOT NULL, 
	target_rule VARCHAR NOT NULL, 
	PRIMARY KEY (source_rule, target_rule)
);
CREATE TABLE interval (
	id INTEGER NOT NULL, 
	thing VARCHAR NOT NULL, 
	thing_id VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	value VARCHAR, 
	valid_from DATETIME NOT NULL, 
	valid_to DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "interval" VALUES(1,'location','l1','price',NULL,'2026-03-02 10:00:00.000000',NULL);
INSERT INTO "interval" VALUES(2,'charger','ch1','online','true','2026-03-02 10:00:00.000000',NULL);
INSERT INTO "interval" VALUES(3,'connector','c1','status','Available','2026-03-02 10:00:00.000000','2026-03-02 10:01:00.000000');
INSERT INTO "interval" VALUES(4,'connector','c2','status','Available','2026-03-02 10:00:00.000000','2026-03-02 10:02:00.000000');
INSERT INTO "interval" VALUES(5,'connector','c3','status','Faulted','2026-03-02 10:00:00.000000','2026-03-02 10:07:00.000000');
INSERT INTO "interval" VALUES(6,'connector','c1','error_code',NULL,'2026-03-02 10:00:00.000000',NULL);
INSERT INTO "interval" VALUES(7,'connector','c2','error_code',NULL,'2026-03-02 10:00:00.000000',NULL);
INSERT INTO "interval" VALUES(8,'connector','c3','error_code',NULL,'2026-03-02 10:00:00.000000',NULL);
INSERT INTO "interval" VALUES(9,'connector','c1','status','Faulted','2026-03-02 10:01:00.000000',NULL);
INSERT INTO "interval" VALUES(10,'connector','c2','status','Faulted','2026-03-02 10:02:00.000000',NULL);
INSERT INTO "interval" VALUES(11,'connector','c3','status','Available','2026-03-02 10:07:00.000000',NULL);
CREATE TABLE location (
	id VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	type VARCHAR, 
	address VARCHAR, 
	timezone VARCHAR, 
	currency VARCHAR, 
	support_contact VARCHAR, 
	blocking_fee_interval_minutes FLOAT, 
	price VARCHAR, 
	price_changed_at DATETIME NOT NULL, 
	extra JSON NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	changed_at DATETIME NOT NULL, 
	changed_seq INTEGER NOT NULL, 
	missed_sweeps INTEGER NOT NULL, 
	gone_at DATETIME, stale_since DATETIME, unread VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "location" VALUES('l1','Location l1',NULL,NULL,'UTC',NULL,NULL,NULL,NULL,'2026-03-02 10:00:00.000000','{}','2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',1,0,NULL,NULL,NULL);
CREATE TABLE outbox (
	id VARCHAR NOT NULL, 
	natural_key VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	channel VARCHAR NOT NULL, 
	thread_of VARCHAR, 
	rolled_into VARCHAR, 
	broadcast BOOLEAN NOT NULL, 
	rule_id VARCHAR, 
	incident_id INTEGER, 
	facts JSON NOT NULL, 
	version INTEGER NOT NULL, 
	shown_version INTEGER NOT NULL, 
	due_at DATETIME NOT NULL, 
	created_at DATETIME NOT NULL, 
	sent_at DATETIME, 
	shown_at DATETIME, 
	message_channel VARCHAR, 
	message_ts VARCHAR, 
	claimed_by VARCHAR, 
	claimed_until DATETIME, 
	uncertain BOOLEAN NOT NULL, 
	attempts INTEGER NOT NULL, 
	error VARCHAR, 
	abandoned_at DATETIME, rank INTEGER, clicked_at DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (natural_key)
);
INSERT INTO "outbox" VALUES('032dbbfce6934adc927bc8a264e4dba1','incident:1:#ev-alerts','alert_card','#ev-alerts',NULL,NULL,0,'connector-faulted',1,'{}',2,2,'2026-03-02 10:05:30.000000','2026-03-02 10:05:00.000000','2026-03-02 10:08:00.000000','2026-03-02 10:08:00.000000','C0ALERTS','1772445600.000100',NULL,NULL,0,0,NULL,NULL,1,NULL);
INSERT INTO "outbox" VALUES('4b09f5a29d464b7bbfa1940ea8788fbe','incident:2:#ev-alerts','alert_card','#ev-alerts',NULL,NULL,0,'connector-faulted',2,'{}',1,1,'2026-03-02 10:06:30.000000','2026-03-02 10:06:00.000000','2026-03-02 10:08:00.000000','2026-03-02 10:08:00.000000','C0ALERTS','1772445600.000100',NULL,NULL,0,0,NULL,NULL,1,NULL);
INSERT INTO "outbox" VALUES('d464b1071a46415c8ec63019924d4c4a','incident:3:#ev-alerts','alert_card','#ev-alerts',NULL,NULL,0,'connector-faulted',3,'{}',1,1,'2026-03-02 10:07:30.000000','2026-03-02 10:07:00.000000','2026-03-02 10:08:00.000000','2026-03-02 10:08:00.000000','C0ALERTS','1772445600.000100',NULL,NULL,0,0,NULL,NULL,1,NULL);
CREATE TABLE poll (
	resource VARCHAR NOT NULL, 
	attempted_at DATETIME NOT NULL, 
	good_at DATETIME, 
	previous_good_at DATETIME, 
	first_good_at DATETIME, 
	swept_at DATETIME, 
	failures INTEGER NOT NULL, 
	error VARCHAR, 
	unread_since DATETIME, 
	unread_at DATETIME, sweep_due_at DATETIME, 
	PRIMARY KEY (resource)
);
INSERT INTO "poll" VALUES('locations','2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',NULL,'2026-03-02 10:00:00.000000',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "poll" VALUES('sessions','2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',NULL,'2026-03-02 10:00:00.000000',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "poll" VALUES('chargers','2026-03-02 10:07:00.000000','2026-03-02 10:07:00.000000','2026-03-02 10:06:00.000000','2026-03-02 10:00:00.000000',NULL,0,NULL,NULL,NULL,NULL);
CREATE TABLE poll_count (
	resource VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	count INTEGER NOT NULL, 
	last_at DATETIME NOT NULL, 
	PRIMARY KEY (resource, kind, reason)
);
CREATE TABLE poll_doubt (
	resource VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	swept_at DATETIME NOT NULL, 
	missing INTEGER NOT NULL, 
	known INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	confirmed_at DATETIME, 
	confirmed_by VARCHAR, 
	PRIMARY KEY (resource)
);
CREATE TABLE poll_gap (
	id INTEGER NOT NULL, 
	resource VARCHAR NOT NULL, 
	valid_from DATETIME NOT NULL, 
	valid_to DATETIME NOT NULL, 
	changed_seq INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE refused_channel (
	channel VARCHAR NOT NULL, 
	error VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	probe_at DATETIME NOT NULL, 
	probes INTEGER NOT NULL, 
	PRIMARY KEY (channel)
);
CREATE TABLE rule (
	id VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	document JSON NOT NULL, 
	source VARCHAR NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	removed_at DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	evaluated_seq INTEGER NOT NULL, 
	evaluated_gap INTEGER NOT NULL, 
	full_match_at DATETIME, 
	events_since DATETIME, 
	PRIMARY KEY (id)
);
INSERT INTO "rule" VALUES('connector-faulted',1,'{"name": "connector-faulted", "description": "A connector is out of order", "for_each": "connector", "when": "connector.status == \"Faulted\"", "for": "5m", "severity": "critical", "group_by": ["connector"], "repeat": "4h", "notify": ["#ev-alerts"]}','site.yaml',1,NULL,'2026-03-02 10:00:00.000000','2026-03-02 10:00:00.000000',6,0,NULL,NULL);
CREATE TABLE rule_draft (
	id VARCHAR NOT NULL, 
	rule_id VARCHAR NOT NULL, 
	act VARCHAR NOT NULL, 
	document JSON NOT NULL, 
	base_version INTEGER NOT NULL, 
	author VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	used_at DATETIME, 
	PRIMARY KEY (id)
);
CREATE TABLE rule_event (
	rule_id VARCHAR NOT NULL, 
	natural_key VARCHAR NOT NULL, 
	event VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	interval_id INTEGER, 
	event_at DATETIME NOT NULL, 
	fields_json VARCHAR NOT NULL, 
	unchanged_since DATETIME NOT NULL, 
	due_at DATETIME, 
	judged_at DATETIME, 
	verdict VARCHAR, 
	PRIMARY KEY (rule_id, natural_key)
);
CREATE TABLE rule_version (
	rule_id VARCHAR NOT NULL, 
	version INTEGER NOT NULL, 
	document JSON NOT NULL, 
	author VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	act VARCHAR NOT NULL, 
	PRIMARY KEY (rule_id, version)
);
INSERT INTO "rule_version" VALUES('connector-faulted',1,'{"name": "connector-faulted", "description": "A connector is out of order", "for_each": "connector", "when": "connector.status == \"Faulted\"", "for": "5m", "severity": "critical", "group_by": ["connector"], "repeat": "4h", "notify": ["#ev-alerts"]}','site.yaml','2026-03-02 10:00:00.000000','created');
CREATE TABLE rule_wake (
	rule_id VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	wake_at DATETIME NOT NULL, 
	PRIMARY KEY (rule_id, subject)
);
CREATE TABLE session_sample (
	session_id VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	energy_kwh FLOAT, 
	PRIMARY KEY (session_id, at)
);
INSERT INTO "session_sample" VALUES('s1','2026-03-02 10:00:00.000000',3.5);
CREATE TABLE set_aside_row (
	resource VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	row_json VARCHAR NOT NULL, 
	first_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	field VARCHAR NOT NULL, 
	PRIMARY KEY (resource, "key", reason)
);
CREATE TABLE silence (
	id INTEGER NOT NULL, 
	rule_id VARCHAR, 
	labels JSON NOT NULL, 
	location_id VARCHAR, 
	charger_id VARCHAR, 
	connector_id VARCHAR, 
	session_id VARCHAR, 
	until DATETIME, 
	until_recovery BOOLEAN NOT NULL, 
	until_sessions JSON NOT NULL, 
	weekly JSON NOT NULL, 
	author VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	ended_by VARCHAR, 
	PRIMARY KEY (id)
);
INSERT INTO "silence" VALUES(1,'connector-faulted','{}',NULL,NULL,'c2',NULL,'2026-03-02 12:00:00.000000',0,'[]','{}','U0ANNA','Works on the grid','2026-03-02 10:08:00.000000',NULL,NULL);
CREATE TABLE speech_plan (
	id INTEGER NOT NULL, 
	document JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "speech_plan" VALUES(1,'{"routes": [], "quiet_hours": null}');
CREATE TABLE transition (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	rule_id VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	alert_id INTEGER, 
	from_state VARCHAR NOT NULL, 
	to_state VARCHAR NOT NULL, 
	active_at DATETIME NOT NULL, 
	reason VARCHAR NOT NULL, 
	trace JSON NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "transition" VALUES(1,'2026-03-02 10:00:00.000000','connector-faulted','c3',1,'inactive','pending','2026-03-02 10:00:00.000000','condition true','{"values": {"connector.status": "Faulted"}}');
INSERT INTO "transition" VALUES(2,'2026-03-02 10:01:00.000000','connector-faulted','c1',2,'inactive','pending','2026-03-02 10:01:00.000000','condition true','{"values": {"connector.status": "Faulted"}}');
INSERT INTO "transition" VALUES(3,'2026-03-02 10:02:00.000000','connector-faulted','c2',3,'inactive','pending','2026-03-02 10:02:00.000000','condition true','{"values": {"connector.status": "Faulted"}}');
INSERT INTO "transition" VALUES(4,'2026-03-02 10:05:00.000000','connector-faulted','c3',1,'pending','firing','2026-03-02 10:00:00.000000','condition true','{}');
INSERT INTO "transition" VALUES(5,'2026-03-02 10:06:00.000000','connector-faulted','c1',2,'pending','firing','2026-03-02 10:01:00.000000','condition true','{}');
INSERT INTO "transition" VALUES(6,'2026-03-02 10:07:00.000000','connector-faulted','c2',3,'pending','firing','2026-03-02 10:02:00.000000','condition true','{}');
INSERT INTO "transition" VALUES(7,'2026-03-02 10:07:00.000000','connector-faulted','c3',1,'firing','resolved','2026-03-02 10:00:00.000000','recovered','{"values": {"connector.status": "Available"}}');
CREATE TABLE trouble (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	raised_at DATETIME, 
	ended_at DATETIME, 
	facts JSON NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE unread_field (
	resource VARCHAR NOT NULL, 
	field VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	first_at DATETIME NOT NULL, 
	last_at DATETIME NOT NULL, 
	PRIMARY KEY (resource, field)
);
CREATE INDEX alert_acting ON alert (acting_until) WHERE acting_until IS NOT NULL;
CREATE INDEX alert_due ON alert (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX alert_open ON alert (rule_id, subject) WHERE state IN ('pending', 'firing');
CREATE INDEX alert_quiet ON alert (quiet_since) WHERE quiet_since IS NOT NULL AND quiet_ended_at IS NULL;
CREATE INDEX alert_snoozed ON alert (snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX ix_alert_incident_id ON alert (incident_id);
CREATE INDEX ix_audit_entry_at ON audit_entry (at);
CREATE INDEX automation_try_of_kind ON automation_try (kind, state, ended_at);
CREATE INDEX automation_try_open ON automation_try (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_automation_try_incident_id ON automation_try (incident_id);
CREATE INDEX ix_charger_changed_seq ON charger (changed_seq);
CREATE INDEX ix_charger_location_id ON charger (location_id);
CREATE INDEX charging_session_ended ON charging_session (ended_at, location_id);
CREATE INDEX charging_session_of_connector ON charging_session (connector_id, ended_at);
CREATE INDEX charging_session_of_charger ON charging_session (charger_id, ended_at);
CREATE INDEX charging_session_of_location ON charging_session (location_id, ended_at);
CREATE INDEX ix_charging_session_changed_seq ON charging_session (changed_seq);
CREATE INDEX ix_charging_session_connector_id ON charging_session (connector_id);
CREATE INDEX ix_charging_session_started_at ON charging_session (started_at);
CREATE INDEX command_waiting ON command (state, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_connector_changed_seq ON connector (changed_seq);
CREATE INDEX ix_connector_charger_id ON connector (charger_id);
CREATE INDEX ix_connector_location_id ON connector (location_id);
CREATE INDEX ix_digest_slot_slot_at ON digest_slot (slot_at);
CREATE UNIQUE INDEX incident_open ON incident (rule_id, group_key) WHERE resolved_at IS NULL;
CREATE INDEX interval_of_thing ON interval (thing, thing_id, field, valid_from);
CREATE UNIQUE INDEX interval_open ON interval (thing, field, thing_id) WHERE valid_to IS NULL;
CREATE INDEX ix_location_changed_seq ON location (changed_seq);
CREATE INDEX ix_outbox_incident_id ON outbox (incident_id);
CREATE INDEX ix_outbox_rolled_into ON outbox (rolled_into);
CREATE INDEX outbox_unsent ON outbox (due_at) WHERE shown_version < version;
CREATE INDEX ix_poll_gap_changed_seq ON poll_gap (changed_seq);
CREATE INDEX ix_rule_draft_created_at ON rule_draft (created_at);
CREATE INDEX rule_event_waiting ON rule_event (rule_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX rule_wake_due ON rule_wake (wake_at, rule_id);
CREATE UNIQUE INDEX trouble_open ON trouble ("key") WHERE ended_at IS NULL;
CREATE INDEX ix_transition_alert_id ON transition (alert_id);
CREATE INDEX ix_transition_at ON transition (at);
CREATE INDEX ix_heard_request_heard_at ON heard_request (heard_at);
CREATE INDEX outbox_thread ON outbox (thread_of) WHERE thread_of IS NOT NULL;
CREATE INDEX outbox_ended ON outbox (channel, due_at) WHERE rank = 5;
COMMIT;
