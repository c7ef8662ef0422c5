"""Functions of a condition, drawn as people write them: over every path, window and comparison that there is.

Nothing here knows their truth.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

WINDOWS = st.sampled_from(["1m", "5m", "10m", "30m", "1h", "90m", "3h", "840h"])  # 840h: the 35 days read back
POWER_WINDOWS = st.sampled_from(["1m", "10m", "30m", "90m", "3h"])
OF_SESSION = st.sampled_from(
    [
        "session.energy < 0.5 kWh",
        'session.status == "Completed"',
        "session.duration >= 5m",
        "session.energy is unknown",
        'session.status == "Failed" or connector.status == "Faulted"',
        "not (session.energy < 0.5 kWh)",
        "charger.online",
        "increase(session.energy, 30m) < 0.5 kWh",
        "uptime(connector, 1h) < 50 %",
    ]
)
OF_CONNECTOR = st.sampled_from(
    [
        'connector.status == "Faulted"',
        "connector.power > 1 kW",
        "connector.status is unknown",
        "since(connector.status) >= 5m",
        'connector.status == "Available" and charger.online',
        'location.name == "Location l1"',
        'changes(connector.status == "Faulted", 1h) >= 1',
        "uptime(connector where charger.online, 30m) < 100 %",
        "downtime(charger, 1h) > 5m",
        "avg(connector.power, 30m) < 3.5 kW",
    ]
)
OF_CHARGER = st.sampled_from(
    [
        "charger.online",
        "not charger.online",
        "charger.online is unknown",
        "changes(charger.online, 1h) >= 1",
        "uptime(charger, 1h) < 50 %",
    ]
)
OF_LOCATION = st.sampled_from(['location.name == "Location l1"', "uptime(location, 1h) >= 50 %", "false"])
COMPARED = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])

INSIDE = {
    "driver": ["session"],
    "connector": ["session"],
    "charger": ["session", "connector"],
    "location": ["session", "connector", "charger"],
    "network": ["session", "connector", "charger", "location"],
}
ABOVE = {"network": ["network"], "location": ["location"], "charger": ["charger", "location"]}
EVERY = ["connector", "charger", "location"]
PLANNED = [
    "",
    "",
    ' where connector.status != "Unavailable"',
    " where charger.online",
    " where not charger.online",
]
OF_CLOCK = [
    'weekday in ["Monday", "Sunday"]',
    'hours("11:00-13:30")',
    'hours("21:00-06:30")',
    'business_hours("06:00-09:00")',
]


@dataclass(frozen=True)
class Compared:
    """How functions are compared: with which sign, over which window, and with what."""

    op: str
    window: str
    number: str
    ratio: str


@st.composite
def comparisons(draw: st.DrawFn) -> Compared:
    number, ratio = draw(st.sampled_from(["0", "1", "2", "3"])), draw(st.sampled_from(["0 %", "25 %", "50 %", "100 %"]))
    return Compared(draw(COMPARED), draw(WINDOWS), number, ratio)


@st.composite
def functions(draw: st.DrawFn, for_each: str) -> str:
    """One comparison of a function, as written."""
    by = draw(comparisons())
    made = [
        *draw(of_members(for_each, by)),
        *draw(over_time(for_each, by)),
        *([] if for_each == "network" else OF_CLOCK),
    ]
    return draw(st.sampled_from(made))


@st.composite
def of_members(draw: st.DrawFn, for_each: str, by: Compared) -> list[str]:
    """Of the things inside the subject, or beside it inside a thing above it."""
    every = [*EVERY, "driver"] if for_each == "session" else EVERY
    start = draw(st.sampled_from(ABOVE.get(for_each, every)))
    inner = draw(st.sampled_from(INSIDE[start]))
    where = draw(
        {"session": OF_SESSION, "connector": OF_CONNECTOR, "charger": OF_CHARGER, "location": OF_LOCATION}[inner]
    )
    path, tail = f"{start}.{inner}s", draw(st.sampled_from(["", f" where {where}"]))
    made = [f"count({path}{tail}) {by.op} {by.number}", f"share({path} where {where}) {by.op} {by.ratio}"]
    if inner == "session":
        made += draw(of_sessions(path, where, tail, by))
    if inner == "connector":
        made += [f"{draw(st.sampled_from(['sum', 'avg', 'min', 'max']))}({path}.power{tail}) {by.op} 3.5 kW"]
    return made


@st.composite
def of_sessions(draw: st.DrawFn, path: str, where: str, tail: str, by: Compared) -> list[str]:
    op, window, number, ratio = by.op, by.window, by.number, by.ratio
    aggregate = draw(st.sampled_from(["sum", "avg", "min", "max"]))
    among = draw(st.sampled_from(["", f" where {draw(OF_SESSION)}"]))
    last = f"last({draw(st.sampled_from([1, 2, 3]))}, "
    return [
        f"count({path}{tail}, {window}) {op} {number}",
        f"share({path} where {where}, {window}) {op} {ratio}",
        f"{aggregate}({path}.energy{tail}, {window}) {op} 0.25 kWh",
        f"streak({path} where {where}) {op} {number}",
        f"{aggregate}({path}.duration{tail}) {op} 5m",
        f"{aggregate}({path}.duration{tail}, {window}) {op} 5m",
        f"share({last}{path}{among}) where {where}) {op} {ratio}",
        f"count({last}{path}{among}){tail}) {op} {number}",
        f"avg({last}{path}.energy{among}){tail}) {op} 0.25 kWh",
    ]


@st.composite
def over_time(draw: st.DrawFn, for_each: str, by: Compared) -> list[str]:
    """Of the subject's own fields over a time."""
    op, window, number, ratio = by.op, by.window, by.number, by.ratio
    made = []
    if for_each != "network":
        made += [
            f"uptime(location, {window}) {op} {ratio}",
            f"downtime(location where charger.online, {window}) {op} 5m",
        ]
    if for_each not in {"location", "network"}:
        made += [f"uptime(charger, {window}) {op} {ratio}", f"downtime(charger, {window}) {op} 30m"]
        made += [f"changes(charger.online, {window}) {op} {number}", f"since(charger.online) {op} {window}"]
        made += [f"changes(not charger.online, {window}) {op} {number}"]
    if for_each != "network":
        made += [f"{name}(location.power, {draw(POWER_WINDOWS)}) {op} 7.25 kW" for name in ("avg", "min", "max")]
    if for_each in {"connector", "session"}:
        powers = [f"{name}(connector.power, {draw(POWER_WINDOWS)}) {op} 3.5 kW" for name in ("avg", "min", "max")]
        made += powers * 2
        made += [f"changes(connector.status, {window}) {op} {number}", f"since(connector.status) {op} {window}"]
        made += [f'changes(connector.status == "Faulted", {window}) {op} {number}']
        made += [f"{window} {op} since(connector.id)"]
        counted = draw(st.sampled_from(PLANNED))
        made += [f"uptime(connector{counted}, {window}) {op} {ratio}"] * 3
        made += [f"downtime(connector{counted}, {window}) {op} {draw(st.sampled_from(['0s', '5m', '30m']))}"] * 2
    if for_each == "session":
        made += [f"increase(session.energy, {window}) {op} 0.25 kWh"] * 3 + [f"session.duration {op} {window}"]
    return made


@st.composite
def written(draw: st.DrawFn, for_each: str) -> str:
    """One or two functions in one condition."""
    one = draw(functions(for_each))
    form = draw(st.sampled_from(["{0}", "{0}", "not ({0})", "({0}) is unknown", "{0} and {1}", "{0} or {1}"]))
    return form.format(one, draw(functions(for_each)))
