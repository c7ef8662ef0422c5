"""Words that look: status, places, chargers, sessions, reports, exports, health.

They only read.
"""
