"""docs/rules-reference.md from the catalogue: what a rule and a condition can say, in the words of the code itself.

It renders Markdown and decides nothing: a field, unit, function or key that is not in the catalogue is not here.
"""

from collections.abc import Iterable, Sequence

from rules.actions.automations import SAFETY_CODES
from rules.actions.steps import COOL_DOWN, LIMIT, LIMIT_TOTAL, MOST_MONEY, MOST_STEPS, WITHIN
from rules.documents.reader import (
    ACK_FOR,
    DIGESTS,
    EVENTS,
    KEYS_OF,
    KEYS_OF_ALL,
    LONGEST_DURATION,
    MAX_AGE,
    ON_GAP,
    SETTLE,
)
from rules.documents.windows import WINDOWS
from rules.language.conditions import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES
from rules.language.expressions import duration_text
from rules.language.fields import REACHABLE, SUBJECTS, THINGS, UNITS, FieldSpec, Type, fields_for
from rules.language.function_words import FUNCTIONS
from rules.language.functions import LONGEST_WINDOW, MAX_AGGREGATES
from rules.matching.learning import BACKFILL
from rules.rising import SEVERITIES

_SETTLE, _MAX_AGE, _ACK_FOR = (length.total_seconds() for length in (SETTLE, MAX_AGE, ACK_FOR))

KEY_ENGLISH: dict[str, tuple[str, str]] = {
    "name": ("`a-z`, `0-9` and `-`, 1 to 80", "What the rule is called; no two rules share a name. Needed."),
    "description": ("a text", "One line for people; cards show it."),
    "notify": (
        '`["#ev-alerts"]`',
        "The channels where it speaks, by name or id, and people by member id; else `CHARGEHAND_ALERT_CHANNEL`.",
    ),
    "labels": ("`{team: north}`", "Words of your own that each alert carries."),
    "for_each": (
        "; ".join(f"`{subject}`" for subject in SUBJECTS),
        "What is looked at, one alert each; `network` is the whole fleet, one alert. Needed.",
    ),
    "when": (
        "a condition",
        "When it is true, the alert begins. An alert needs it; an event without it is always announced.",
    ),
    "while": (
        "a condition",
        "Where it is not true, or unknown, the alert is held as it is: it neither fires nor resolves.",
    ),
    "for": (
        "a duration",
        (
            "How long `when` must be true without a break before the alert fires; else it fires at once. With hours, "
            'as in `30m of business_hours("08:00-18:00")`, only the time in them counts, by the location\'s clock.'
        ),
    ),
    "keep_firing_for": (
        "a duration",
        "How long `when` must be false before the alert resolves, the longest gap since then aside; else at once.",
    ),
    "on_gap": (
        ", ".join(f"`{word}`" for word in ON_GAP),
        "What a gap in polling (over 3 intervals) does to `for`: nothing (`keep`, the usual), `pause` it, `reset` it.",
    ),
    "severity": (
        ", ".join(f"`{word}`" for word in SEVERITIES),
        "How bad it is; `warning` by default. An alert's may rise: `[warning, {after: 4h, severity: critical}]`.",
    ),
    "title": (
        '`"{connector} out of order for {duration}"`',
        "What a message says first, in words; places for what it is about and what is above that, and `{duration}`.",
    ),
    "group_by": (
        "`[location]`",
        "Cards of its own: one each `location`, `charger`, `connector`, `session` or label; `[]`: one. See problems.",
    ),
    "repeat": (
        "a duration",
        "How often a card that nobody acknowledges is said again in its thread and to the channel; else never.",
    ),
    "ack_for": (
        "a duration",
        f"How long an acknowledgement lasts; `{duration_text(_ACK_FOR)}` by default. What fires then speaks again.",
    ),
    "escalate": (
        '`[{after: 30m, notify: ["@oncall"]}]`',
        "Whom to mention in the thread when nobody has acknowledged for so long; each step once.",
    ),
    "inhibits": (
        "`[connector-faulted]`",
        "Rules that stay quiet, while this alert fires, about what its subject has below it; their alerts go on.",
    ),
    "on": (", ".join(f"`{event}`" for event in EVENTS), "What is waited for, one message each. Needed."),
    "settle": (
        "a duration",
        f"How long what the event and `when` read must be unchanged first; `{duration_text(_SETTLE)}` by default.",
    ),
    "max_age": (
        "a duration",
        f"What is older by then is not announced; `{duration_text(_MAX_AGE)}` by default.",
    ),
    "safety": ("`true` or `false`", "Whether nothing may inhibit it; `false` by default."),
    "actions": (
        "`[{reset: soft, limit: 2 per 24h, within: 5m}]`",
        "What is tried when the alert fires, step by step until one helps; see below.",
    ),
    "alert": (
        "`after_actions` or `at_once`",
        "Whether its messages wait until the actions have helped or failed (the default), or do not.",
    ),
    "dry_run": ("`true` or `false`", "Whether its actions are only told, never done; `false` by default."),
    "schedule": (
        '`"0 8 * * *"`',
        "When it is sent: as in cron, or `every weekday at 08:00`, `first Monday of the month at 9:00`. Needed.",
    ),
    "timezone": (
        "`location` or `Europe/Copenhagen`",
        "Whose clock the schedule follows; `location`, the default, sends one message a time zone.",
    ),
    "digest": (", ".join(f"`{word}`" for word in DIGESTS), "What the message tells. Needed."),
    "window": (", ".join(f"`{word}`" for word in WINDOWS), "The time it tells about; `yesterday` by default."),
    "each": ("`location`", "One message a location, for at most 30; more have one a time zone, which says so."),
    "location": ("a location's id", "The one location that it tells about; all of them by default."),
    "label": ("a charger's label", "It tells about the chargers with this label; all of them by default."),
}
"""Each key of a rule: how its value looks, and what it means."""

OPERATORS = (
    ("`==` `!=`", "equal, not equal", '`connector.status == "Faulted"`'),
    ("`<` `<=` `>` `>=`", "less, more; between quantities of one kind", "`session.energy < 0.1 kWh`"),
    (
        "`<` `<=` `>` `>=`",
        "of a firmware: an earlier or later version; unknown where it has anything but numbers and a `v`",
        '`charger.firmware < "1.10.2"`',
    ),
    ("`in [..]` `not in [..]`", "is one of these, or none", '`connector.status in ["Faulted", "Unavailable"]`'),
    ("`contains`", "a text has this part; a list has this member", '`charger.labels contains "test"`'),
    ("`starts_with`", "a text begins so", '`charger.firmware starts_with "1.4."`'),
    ("`is unknown` `is not unknown`", "nothing is known about it", "`session.energy is unknown`"),
    (
        "`and` `&&`, `or` `||`, `not` `!`",
        "all, any, the opposite; `not` binds first, then `and`",
        "`not charger.online`",
    ),
    (
        "`where`",
        "narrows down what a function goes over",
        "`count(location.chargers where not charger.online) >= 2`",
    ),
    (
        "`+` `-` `*`",
        "sums and differences of one kind; products whose units go together",
        "`charger.heartbeat_age > 2 * charger.heartbeat_interval`",
    ),
    ("`/`", "quotients whose units go together", "`session.cost / session.energy > 0.90 EUR/kWh`"),
)
"""Each operator: how it is written, what it means, an example."""


_INTRODUCTION = """\
A rule file holds one rule or a list of rules, in YAML 1.2. An *alert* rule looks at each connector, charger, location
or session; an *event* rule tells of something that happened, once; a *digest* rule speaks at set times.
`chargehand rules check FILE` shows every mistake of a file at once."""

_EVENTS = """\
An event is judged and announced once, and has no resolve. What was there when polling began, or before the rule was
made, is none. `session.*` reads the fields of a session, `status.changed` and `error_code.changed` those of a
connector, `charger.*` those of a charger, `price.changed` those of a location, each with the things above it. A session
has ended when EOSVOLT says since when, failed ones too. A status or link that did not last `settle` is not announced,
and an unknown one is no change; an error code that is not told is `NoError`. Prices are asked for about once an hour: a
change is dated at the moment when it was seen."""

_ACTIONS = f"""\
A *step* of `actions` does one thing. The first one is due when the alert fires, the next one when the one before did
not help; what a step did not do or did not mend is told on the alert's card, with the moment and the reason. At most
{MOST_STEPS} steps. `chargehand` acts only where automations are on: `/charge automations`, or `CHARGEHAND_AUTOMATIONS`.

Nothing is ever done about an alert whose charger says, or has said since the fault began, one of
{", ".join(f"`{code}`" for code in SAFETY_CODES)}: these need a person. No reset and no unlock interrupts an open
session. One charger is acted on by one rule at a time, and waits for what people asked of it. A step that waits is
cancelled when the alert resolves, when its rule is changed or removed, and when automations are switched off.
What was sent without a known outcome ends the steps: it is never repeated. Several things that were already so when
their rule was switched on are told, and left to people.

A `price` step ends no alert: when EOSVOLT's prices read as asked for, the alert speaks and says what the price was
changed to, and no further step is tried. No safety code and no busy charger is in its way; it waits for another change
of the location's prices that is under way. Only one step of a rule changes the price, and `verify` and `within` do not
go with it. Where the price is so already, or is per minute, nothing is sent and the card says so. Where
`CHARGEHAND_PRICE_APPROVAL_CHANNEL` is set, a step without `approval` of its own asks there.

With `alert: after_actions` the messages of an alert are held while its steps work, at most an hour: if one helps, one
card says so when it is over. The alert itself is the same alert in either way."""

_COOL_DOWN, _WITHIN = duration_text(COOL_DOWN.total_seconds()), duration_text(WITHIN.total_seconds())

_STEP_KEYS = (
    ("`reset`", "`soft`, `hard`", "Reset the whole charger."),
    ("`unlock`", "`connector`", "Release the cable."),
    ("`enable` `disable`", "`connector`, `charger`", "Put it in or out of service."),
    ("`start` `stop`", "`session`", "Start a session on the connector; stop the one that the alert is about."),
    (
        "`price`",
        "`0.45`",
        f"Set the location's default price per kWh: VAT included, in its currency, at most {MOST_MONEY:,.0f}.",
    ),
    (
        "`limit`",
        f"`{LIMIT}` (the default)",
        "How often at most for one charger (price: location), counting all commands of the kind, those of people too.",
    ),
    ("`limit_total`", f"`{LIMIT_TOTAL}` (the default)", "How often at most for all chargers (or locations) together."),
    (
        "`cool_down`",
        "a duration",
        f"How long ago the last such command to it must be, not of this alert; `{_COOL_DOWN}` by default.",
    ),
    ("`after`", "a duration", "How long to wait first, from the firing or the step before; not at all by default."),
    ("`approval`", '`"#ev-ops"`', "The channel that is asked first, with buttons; nothing happens without a yes."),
    (
        "`verify`",
        "a condition",
        "When it is true, the step helped; without it, when `when` is false. Only polls after the answer count.",
    ),
    (
        "`within`",
        "a duration",
        f"How long that may take; `{_WITHIN}` by default, longer while nothing can be seen.",
    ),
)

_DURATIONS = f"""\
Durations are written `90s`, `30m`, `1h30m`, `2d`; the longest is {LONGEST_DURATION.days} days."""

_PROBLEMS = """
A channel gets one card for what stands on one charger, whichever rules found it: alerts about a charger, its connectors
and their sessions share it. Alerts about a location share that of the location, and so does a session whose charger is
not known. The gravest alert that may speak gives the card its title and colour. What joins is also said in the thread,
except another rule's alert about the same thing that is no graver than what fires there, on a card that has spoken
within a day and is not acknowledged. Alerts, silences and `/charge why` stay one a rule and thing.

A `severity` that rises counts from when an alert fired, also while it is held. What becomes graver and is neither
acknowledged nor kept quiet says so in its thread, ends quiet hours that spare its new severity, and gets a card in the
channels that this one routes to, too; it keeps those that it has.

A rule with a `group_by` of its own keeps cards of its own, and its alerts join no other. A rule of `safety` always
speaks.
"""

_FILES = """\
A rules file can also be a mapping with `rules:`, `routes:` and `quiet_hours:`. All files together have at most one
`routes` and one `quiet_hours`; they count for every alert and event rule, those of other files and of Slack too.

```yaml
routes:
  - {severity: critical, notify: ["#ev-critical"], continue: true}
  - {location: "L12", notify: ["#ev-harbour"]}
  - {labels: {team: north}, severity: [warning, critical], notify: ["#ev-north"]}
quiet_hours: {from: "22:00", to: "07:00", timezone: location, days: [mon-fri], severities: [info, warning]}
rules:
  - {name: connector-faulted, for_each: connector, when: connector.status == "Faulted"}
```

**Routes** say where alerts speak whose rule has no `notify` of its own. `severity` and `location` (an id) take one text
or a list, `labels` are compared with those of the rule and with `location`, `charger`, `connector` and `session`;
`from`, `to` (`"22:00"`), `days` and `timezone` (else `CHARGEHAND_TIMEZONE`) are the hours in which it takes any. All
that is said must agree as the alert fires. The first route that takes it wins, and those after it are asked only if it
says `continue: true`. Where none takes it, `CHARGEHAND_ALERT_CHANNEL` does. What it was sent to, it keeps.

**Quiet hours** hold alerts and events of the `severities` (`info` and `warning` by default) back until they are over;
what is critical, and what a rule of `safety` says, always speaks. `timezone` is `location` (the default: each
location's own night) or an IANA name, `days` are those on which a night begins. An alert that fires in them gets its
card in the morning, which says from when it was held; of a card that stands already only the edits go on, and news,
repeats, escalations and the resolve are said in the morning. What came and went unheard gets one line in a summary, so
that a charger that fails every night is noticed, and nobody is woken for it. Alerts themselves move as ever: quiet
hours change no transition. Digests come when their schedule says.
"""

_CONDITIONS = """\
A condition is true, false or *unknown*: a missing value makes what it touches unknown, unless the rest decides alone
(`false and unknown` is false, `true or unknown` is true). Texts stand in double or single quotes, and upper and lower
case differ in them; words of the language are in lower case."""

_FUNCTIONS = f"""\
Functions go over *related things*, or over *history*. `location.chargers`, `location.connectors`, `charger.connectors`
and `connector.sessions`, `charger.sessions`, `location.sessions` are what belongs to a thing: what is gone is not among
them. `network.locations`, `.chargers`, `.connectors` and `.sessions`, for `for_each: network`, are all of them.
`driver.sessions`, of a session, are those of the same id tag; unknown where none is kept (CHARGEHAND_ID_TAG_KEY). A
field is named after them: `sum(connector.sessions.energy, 24h)`. Inside `where`, the inner thing has its own name.

Sessions with a window are those that *ended* in it, `last` and `streak` go over ended ones too, newest first; without
a window they are the open ones. Of members about which it is unknown, none counts, and none is in the denominator. A
window is at most {LONGEST_WINDOW / 86_400:.0f} days long. A condition has at most {MAX_AGGREGATES} such functions.
Inside a `where` stand only those over history:
`count(location.connectors where changes(connector.status, 1h) >= 4)`."""

_LEARNING = f"""\
A window that history does not cover yet is *learning*: unknown, not 0, unless what was seen already decides. Four
changes in the first half hour make `changes(connector.status, 1h) >= 4` true at once; `== 0` is unknown until an hour
is known. The history of a status or a link begins when the thing was first seen (or, if EOSVOLT said since when it has
its status, then). Sessions are read {BACKFILL.days} days back at the first start, so those of what was there then are
known from that day on; what appears later is known from its first sight. `last(20, ..)` is learning until there are 20,
`streak(..)` until some session has ended it. What was not polled in between, a gap, is left out of `uptime` and
`downtime` and makes no window unknown; so is time in which the connector itself could not be read. `chargehand rules
explain` says how much of a window is known.

A charger, connector or open session that cannot be read now (its row was set aside, or a doubted sweep did not show it)
is still a member of `count`, `share`, `sum`, `avg`, `min` and `max`, but how it stands is not known. Where the outcome
is the same whatever it is, that is the outcome: of four chargers with two offline and one that cannot be read,
`share(location.chargers where not charger.online) >= 50 %` is true. Else it is unknown and the alert is held. What a
thing is (its id, name, vendor, labels, its location) stays known, and a session that has ended stays as it was read."""

_CLOCK = """\
What depends on the clock is looked at when its moment comes, where that can be told: a comparison of `since(..)` or
`session.duration` with a constant, a window's oldest member leaving it. Everything else that reads the clock
(`increase`, `uptime`, `downtime`, local time, sums with `since`) is looked at every 5 minutes; the uptime or downtime
of a day or more every hour, and at once where the status or the connection changes."""

_UNITS = """\
A quantity is compared with a quantity of its own kind, and literals carry their unit. Plain numbers, `true` and `false`
have none. Words do too: `5 minutes`, `2 hours`, `50 percent`, and `2 per day` for a limit.

Quantities multiply and divide where something comes of it: power times duration is energy (`3 kW * session.duration`),
energy by duration power, money by energy a price, money by duration a rate, and what is of one kind divided by its own
a percentage or a plain number. What has different units on its two sides is an error of `rules check`. Division by
zero is unknown.

Amounts are written with the currency's code: `5 EUR`, `0.90 EUR/kWh`, `6 EUR/h`. Nothing is converted: two amounts of
different currencies, or of one that is not known, make what compares or adds them unknown, a sum over sessions too. A
plain number beside an amount of money is in whatever currency that is; prices always need theirs."""


def render_rules_reference() -> str:
    """The whole of docs/rules-reference.md."""
    sections = [
        "# What rules can say",
        "<!-- Written by `python -m bot.cli.docs` from the code. Do not edit. -->",
        _INTRODUCTION,
        "## Keys of every rule",
        _key_table(KEYS_OF_ALL),
        "## Keys of an alert",
        _key_table(KEYS_OF["alert"]),
        "## Actions",
        _ACTIONS,
        _table(("key of a step", "value", "meaning"), _STEP_KEYS),
        "## Keys of an event",
        _key_table(KEYS_OF["event"]),
        _EVENTS,
        "## Keys of a digest",
        _key_table(KEYS_OF["digest"]),
        _DURATIONS,
        "## Problems: one card",
        _PROBLEMS.strip(),
        "## Routes and quiet hours",
        _FILES.strip(),
        "## Conditions",
        _CONDITIONS,
        _table(("written", "means", "example"), OPERATORS),
        "## Functions",
        _FUNCTIONS,
        _table(
            ("function", "example", "gives"),
            ((f"`{name}(..)`", f"`{example}`", text) for name, (example, text) in FUNCTIONS.items()),
        ),
        _LEARNING,
        _CLOCK,
        f"A condition has at most {MAX_CHARACTERS:,} characters, {MAX_NODES} parts and {MAX_DEPTH} levels.",
        "## Units",
        _UNITS,
        _table(("unit", "is", "kind", "example"), _unit_rows()),
        "## Fields",
        "\n".join(f"- `for_each: {thing}` reads the fields of {', '.join(REACHABLE[thing])}." for thing in THINGS),
    ]
    for thing in THINGS:
        sections.append(f"### {thing.capitalize()}")
        own = [spec for spec in fields_for(thing) if spec.thing == thing]
        sections.append(_table(("field", "is", "meaning"), map(_field_row, own)))
    return "\n\n".join(sections) + "\n"


def _key_table(keys: Iterable[str]) -> str:
    return _table(("key", "value", "meaning"), ((f"`{key}`", *KEY_ENGLISH[key]) for key in keys))


def _unit_rows() -> Iterable[tuple[str, ...]]:
    for name, unit in UNITS.items():
        yield f"`{name}`", unit.english, unit.type.value, f"`5{name}`" if unit.type is Type.DURATION else f"`5 {name}`"


def _field_row(spec: FieldSpec) -> tuple[str, ...]:
    values = f" One of {', '.join(f'`{value}`' for value in spec.values)}." if spec.type is Type.ENUM else ""
    clock = " It reads the clock." if spec.reads_clock else ""
    return f"`{spec.key}`", spec.type.value, f"{spec.english}{values}{clock}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    # a bar inside a cell would begin a new one
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
