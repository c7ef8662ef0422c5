"""The functions of a condition in words, for errors, menus and documentation. It checks and compiles none of them."""

FUNCTIONS: dict[str, tuple[str, str]] = {
    "count": (
        "count(location.chargers where not charger.online)",
        "How many there are; 0 where there are none. Without `where`, all of them.",
    ),
    "share": (
        "share(location.connectors where connector.status == 'Faulted')",
        "Of those about which it is known, the share for which it is true; unknown where there are none.",
    ),
    "sum": ("sum(connector.sessions.energy, 24h)", "The sum of a field; 0 where there are none."),
    "avg": (
        "avg(location.connectors.power where charger.online)",
        (
            "The mean of a field; unknown where none is known. With a window, that of a power over a time: "
            "`avg(connector.power, 1h) > 40 kW`, and `max` and `min` of it. `location.power` is that of all connectors "
            "there together. It is kept only while a rule asks for it, so it is learning when the first one comes; a "
            "window of it is at most 7 days long. Gaps, and time in which it was not told, are left out."
        ),
    ),
    "min": (
        "min(connector.power, connector.max_power)",
        "The least of two or more quantities, or of a field, as in `min(location.connectors.power)`.",
    ),
    "max": (
        "max(charger.heartbeat_interval, 5m)",
        (
            "The greatest of two or more quantities, or of a field, as in `max(connector.sessions.energy, 7d)`, or "
            "of a power over a time, as in `max(location.power, 15m)`: see `avg`."
        ),
    ),
    "last": (
        "share(last(20, connector.sessions) where session.status == 'Completed')",
        "The latest sessions that have ended. `share` and `avg` of them are unknown until there are so many.",
    ),
    "streak": (
        "streak(connector.sessions where session.energy < 0.1 kWh)",
        "For how many of the latest ended sessions it is true in a row; those where it is unknown are passed over.",
    ),
    "changes": (
        "changes(connector.status == 'Faulted', 1h)",
        "How often a field, or the truth of a condition on one field, changed; what is unknown is passed over.",
    ),
    "increase": (
        "increase(session.energy, 20m)",
        "How much energy an open session was given, to the nearest sample (5 minutes); unknown in a younger session.",
    ),
    "uptime": (
        "uptime(connector, 365d)",
        (
            "The share of the observed time in which it was online, not Faulted or Unavailable. With a `where` on one "
            "field with a history, time of which it is false is left out: "
            "`uptime(connector where connector.status != 'Unavailable', 30d)`. `uptime(charger, 30d)` and "
            "`uptime(location, 30d)` are those of all the connectors there together."
        ),
    ),
    "downtime": (
        "downtime(connector where connector.status != 'Unavailable', 365d)",
        "For how long it was observed to be offline, Faulted or Unavailable; with a `where` as `uptime` has it.",
    ),
    "since": (
        "since(connector.status)",
        "How long a field has had its value. `since(connector.id)` is how long the connector has been known.",
    ),
    "hours": (
        'hours("22:00-06:00")',
        (
            "Whether it is between two times of day at the location, or was when an event happened. A location that "
            "names no zone is in `CHARGEHAND_TIMEZONE`."
        ),
    ),
    "business_hours": (
        'business_hours("08:00-18:00")',
        "The same, on Monday to Friday. `weekday` is the day itself: `weekday in ['Saturday', 'Sunday']`.",
    ),
}
"""Every function: an example of its use, and what it gives."""
