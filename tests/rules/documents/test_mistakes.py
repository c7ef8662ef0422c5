"""Every mistake of a rule is told at once, with its place and what is right; nothing raises anything else."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.documents.document import Rule, rule_from_document
from rules.documents.files import load_rules
from rules.documents.plain_schedules import EXAMPLES
from rules.language.errors import RuleErrors
from tests.rules.documents.written import ALERT, DIGEST, EVENT, error_of, errors_of, write

BROKEN = """\
- name: faulted
  for_each: connector
  when: charger.online or connector.statu == "x"
  fro: 30m
- name: Bad Name
  for_each: conector
  when: ""
  for: 30
  on_gap: hold
- name: ghost
  when: charger.online
- name: digest
  schedule: "0 25 * * *"
  timezone: Europe/Kopenhagen
  digest: session
  for: 5m
- name: faulted
  for_each: location
  when: location.name == "x"
  when: location.name == "y"
- just a text
- for_each: session
  when: session.energy < 3
"""


def test_all_errors_of_a_file_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    assert errors_of(tmp_path, BROKEN) == [
        (
            'site.yaml: rule "faulted", column 19: unknown field "connector.statu"; did you mean "connector.status"?\n'
            '    when: charger.online or connector.statu == "x"\n'
            "                            ^"
        ),
        'site.yaml: rule "faulted", line 4: unknown key "fro"; did you mean "for"?',
        (
            'site.yaml: rule "Bad Name", line 5: the name "Bad Name" is not 1 to 80 of a-z, 0-9 and "-" between them; '
            'did you mean "bad-name"?'
        ),
        (
            'site.yaml: rule "Bad Name", line 6: "for_each" is "conector", but must be connector, charger, location, '
            'session or network; did you mean "connector"?'
        ),
        'site.yaml: rule "Bad Name", line 7: "when" is empty',
        'site.yaml: rule "Bad Name", line 8: "for" is 30, which has no unit; did you mean "30m"?',
        'site.yaml: rule "Bad Name", line 9: "on_gap" is "hold", but must be keep, pause or reset',
        'site.yaml: rule "ghost", line 10: the key "for_each" is missing',
        'site.yaml: rule "digest", line 13: the schedule "0 25 * * *" is no cron expression: bad hour',
        (
            'site.yaml: rule "digest", line 14: unknown time zone "Europe/Kopenhagen"; expected "location" or a name '
            'such as Europe/Copenhagen; did you mean "Europe/Copenhagen"?'
        ),
        (
            'site.yaml: rule "digest", line 15: "digest" is "session", but must be sessions, uptime, alerts, revenue '
            'or maintenance; did you mean "sessions"?'
        ),
        'site.yaml: rule "digest", line 16: "for" does not belong in a rule that has a schedule',
        f'site.yaml: rule "faulted", line 17: the name is taken by {tmp_path}/site.yaml, line 1',
        'site.yaml: rule "faulted", line 20: the key "when" stands twice',
        "site.yaml: line 21: a rule is a mapping of keys, but this is a text",
        'site.yaml: line 22: the key "name" is missing',
        (
            "site.yaml: line 23, column 18: 3 needs a unit, because session.energy is an energy; expected Wh, kWh or "
            "MWh, as in 0.1 kWh\n"
            "    when: session.energy < 3\n"
            "                           ^"
        ),
    ]


def test_errors_of_all_files_come_together_and_names_are_unique_among_them(tmp_path: Path) -> None:
    first = write(tmp_path, "{name: a, for_each: charger, when: charger.online}", "1.yaml")
    write(tmp_path, "\n- {name: a, for_each: charger, when: charger.online}", "2.yaml")
    write(tmp_path, "- {name: b, for_each: charger}", "3.yaml")
    with pytest.raises(RuleErrors) as raised:
        load_rules([tmp_path, tmp_path / "absent"])
    assert str(raised.value) == (
        f"{tmp_path}/absent: there is no such file or folder\n"
        f'{tmp_path}/2.yaml: rule "a", line 2: the name is taken by {first}, line 1\n'
        f'{tmp_path}/3.yaml: rule "b", line 1: the key "when" is missing'
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("- name: a\n\twhen: b\n", "site.yaml: line 2, column 1: a tab cannot indent YAML; use spaces"),
        (
            "- name: a\n  notify: @team\n",
            (
                "site.yaml: line 2, column 11: while scanning for the next token found character '@' that cannot start "
                "any token; a text that begins with a sign such as @, * or % needs quotes"
            ),
        ),
        (
            "name: a: b\n",
            'site.yaml: line 1, column 8: a ":" with a space after it begins a new key; put the whole value in quotes',
        ),
        ("name: a\n---\nname: b\n", 'site.yaml: line 2, column 1: a file holds one document; remove the line "---"'),
        ("schedule: *x\n", "site.yaml: line 1, column 11: found undefined alias 'x'"),
        ("just words\n", "site.yaml: line 1: a rule is a mapping of keys, but this is a text"),
        ("- []\n", "site.yaml: line 1: a rule is a mapping of keys, but this is a list"),
        ("[" * 700, "site.yaml: the file is not YAML, or is nested too deeply"),
    ],
)
def test_a_mistake_in_the_yaml_says_its_line(tmp_path: Path, text: str, error: str) -> None:
    (told,) = errors_of(tmp_path, text)
    assert told.splitlines()[0] == error
    assert ("^" in told) is ("column" in error)  # below the place, on the line itself


def test_a_flood_of_aliases_is_refused(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "site.yaml: line 1: too many or too deeply nested values" in errors_of(tmp_path, "\n".join(levels))


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: Ærø".encode("latin-1"))
    (tmp_path / "control.yaml").write_bytes(b"name: a\x00b")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    with pytest.raises(RuleErrors) as raised:
        load_rules([tmp_path / name for name in ("latin.yaml", "large.yaml", "control.yaml")])
    latin, large, control = (str(error).removeprefix(f"{tmp_path}/") for error in raised.value.errors)
    assert latin == "latin.yaml: the file is not UTF-8 text (byte 7)"
    assert large == "large.yaml: the file has more than 1,000,000 bytes"
    assert control.startswith("control.yaml: ")
    assert "special characters are not allowed" in control
    with pytest.raises(RuleErrors, match=r"loop\.yaml: there is no such file or folder"):
        load_rules([tmp_path / "loop.yaml"])


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"on": "session.end"},
            (
                '"on" is "session.end", but must be session.started, session.ended, session.failed, status.changed, '
                'error_code.changed, charger.online, charger.offline or price.changed; did you mean "session.ended"?'
            ),
        ),
        ({"for_each": "session"}, '"for_each" does not belong in a rule that has "on"'),
        ({"for": "5m"}, '"for" does not belong in a rule that has "on"'),
        ({"schedule": "0 8 * * *"}, '"schedule" does not belong in a rule that has "on"'),
        ({"settle": "2"}, '"settle": '),
        ({"settle": "1h"}, '"max_age" is not longer than "settle": no event would ever be announced'),
        ({"when": "session.enrgy < 1 kWh"}, 'unknown field "session.enrgy"; did you mean "session.energy"?'),
        ({"on": "charger.online", "when": "session.energy < 1 kWh"}, "session.energy"),
    ],
)
def test_a_wrong_event_rule_says_what_is_right(changes: dict[str, Any], error: str) -> None:
    assert error in error_of(changes, EVENT)


@pytest.mark.parametrize("key", ["settle", "max_age"])
def test_what_only_events_have_does_not_belong_in_an_alert(key: str) -> None:
    assert error_of({key: "5m"}) == f'slack: rule "faulted": "{key}" does not belong in a rule without "on"'


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("repeat", "1m", '"repeat" is shorter than 5m'),
        ("safety", "yes", '"safety" must be true or false, but this is a text'),
        ("inhibits", ["faulted"], '"inhibits" names the rule itself'),
        ("inhibits", [5], '"inhibits" must be a list of texts, as in [connector-faulted]'),
        ("escalate", "@oncall", '"escalate" must be a list of steps, as in [{after: 30m, notify: ["@oncall"]}]'),
        (
            "escalate",
            [{"after": "30m"}],
            '"escalate", step 1: "notify" must be a list of user groups, as in ["@oncall"]',
        ),
        (
            "escalate",
            {"after": "30m", "notify": ["#ops"]},
            '"escalate", step 1: "#ops" is no user group, such as "@oncall"',
        ),
        (
            "escalate",
            {"after": "0s", "notify": "@oncall"},
            '"escalate", step 1: "after" must be longer than nothing and at most 30 days',
        ),
        (
            "escalate",
            [{"after": "1h", "notify": "@a"}, {"after": "1h", "notify": "@b"}],
            '"escalate", step 2: it does not come after the step before it',
        ),
        ("escalate", {"after": "1h", "notify": "@a", "who": "x"}, '"escalate", step 1: unknown key "who"'),
        ("escalate", [{"after": "1h", "notify": "@a"}] * 11, '"escalate" has 11 steps, which is more than 10'),
    ],
)
def test_a_mistake_in_how_an_alert_speaks_is_told(key: str, value: Any, error: str) -> None:
    assert error_of({key: value}) == f'slack: rule "faulted": {error}'


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": 5}, 'slack: "name" must be a text, but this is a number'),
        ({"name": None}, 'slack: "name" is empty'),
        ({"name": ...}, 'slack: the key "name" is missing'),
        ({"description": ["x"]}, 'slack: rule "faulted": "description" must be a text, but this is a list'),
        ({"description": "x" * 1001}, 'slack: rule "faulted": "description" has more than 1,000 characters'),
        ({"for_each": "fleet"}, "but must be connector, charger, location, session or network"),
        ({"while": True}, 'slack: rule "faulted": "while" must be a text, but this is true or false'),
        ({"for": -5}, 'slack: rule "faulted": "for" is -5, which has no unit'),
        ({"for": "5 minuts"}, 'slack: rule "faulted": "for": unknown unit "minuts"; did you mean "minutes"?'),
        ({"for": "5 kWh"}, 'slack: rule "faulted": "for": "5 kWh" is an energy, not a duration in s, m, h, d, w'),
        ({"for": "soon"}, 'slack: rule "faulted": "for": "soon" is no duration; did you mean "30m"?'),
        ({"keep_firing_for": "401d"}, 'slack: rule "faulted": "keep_firing_for" is longer than 400 days'),
        ({"severity": "Critical"}, "but must be info, warning or critical; did you mean"),
        (
            {"for_each": "charger", "when": "charger.online", "group_by": ["connector"]},
            'slack: rule "faulted": cannot group by "connector", but by location or charger, or by [] for one group',
        ),
        ({"group_by": ["location", "location"]}, 'slack: rule "faulted": "group_by" names a thing twice'),
        ({"group_by": {"location": 1}}, 'slack: rule "faulted": "group_by" must be a list of texts, as in [location]'),
        (
            {"notify": None},
            '"notify" must be a list of texts, as in ["#ev-alerts"] (in quotes: # begins a comment)',
        ),
        (
            {"notify": ["EV-Alerts"]},
            (
                'slack: rule "faulted": "EV-Alerts" is no Slack channel, such as "#ev-alerts", and no channel id; '
                'did you mean "#ev-alerts"?'
            ),
        ),
        ({"labels": ["x"]}, '"labels" must be a mapping, as in {team: north}, but this is a list'),
        ({"labels": {"Team": "x"}}, 'slack: rule "faulted": the label "Team" is not a-z, 0-9 and "_"'),
        (
            {"labels": {"team": 5}},
            'slack: rule "faulted": the label "team" must be a text in quotes, but this is a number',
        ),
        ({"window": "yesterday", "for_each": ..., "when": ..., "schedule": "0 8 * * *"}, 'the key "digest" is missing'),
    ],
)
def test_a_wrong_value_says_what_is_right(changes: dict[str, Any], error: str) -> None:
    assert error in error_of(changes)


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ("8 0", 'the schedule "8 0" has 2 fields, not 5: minute, hour, day, month, weekday'),
        ("8:00", f'the schedule "8:00" says no time of day; expected {EXAMPLES}'),
        ("every blue moon at 9:00", f'the schedule "every blue moon at 9:00" is not understood; expected {EXAMPLES}'),
        ("every Monday at 9", 'the schedule "every Monday at 9": "9" is no time of day such as 08:00'),
        ("* * * * * *", 'the schedule "* * * * * *" has 6 fields, not 5: minute, hour, day, month, weekday'),
        ("60 8 * * *", 'the schedule "60 8 * * *" is no cron expression: bad minute'),
        ("0 8 30 2 *", 'the schedule "0 8 30 2 *" is no cron expression: bad day-of-month'),
        ("0 8 * * 8", 'the schedule "0 8 * * 8" is no cron expression: bad day-of-week'),
        (800, '"schedule" must be a text, but this is a number'),
    ],
)
def test_a_wrong_schedule_says_its_field(schedule: object, error: str) -> None:
    assert error_of({"schedule": schedule}, DIGEST) == f'slack: rule "daily": {error}'


@given(st.text(max_size=200) | st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "replace")))
def test_no_file_raises_anything_but_rule_errors(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        rules = load_rules([path])
    except RuleErrors as refused:
        told = str(refused)
    else:
        assert all(isinstance(rule, Rule) for rule in rules)
        return
    assert told.startswith(str(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=4,
)


KEYS = st.sampled_from(
    [
        *ALERT,
        *DIGEST,
        *EVENT,
        "settle",
        "max_age",
        "for",
        "keep_firing_for",
        "group_by",
        "notify",
        "labels",
        "timezone",
        "while",
    ]
)


@given(st.sampled_from([ALERT, DIGEST, EVENT]), st.dictionaries(KEYS, JSON, max_size=4))
def test_no_document_raises_anything_but_rule_errors(base: dict[str, Any], changes: dict[str, Any]) -> None:
    document = {**base, **changes}
    try:
        rule = rule_from_document(document, "slack")
    except RuleErrors as refused:
        told = str(refused)
    else:
        assert rule_from_document(rule.document, "slack") == rule
        return
    assert told.startswith("slack: ")
