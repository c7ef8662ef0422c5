"""Words that look: status, places, chargers, sessions, reports, exports, health.

They change nothing of the fleet or its alerts; an export is noted in the audit log.
"""
