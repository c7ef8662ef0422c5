"""Rules from YAML and from stored mappings: what they mean, and every mistake of a file told at once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.documents.document import Rule, rule_from_document
from rules.documents.escalation import Step
from rules.documents.files import load_rules
from rules.documents.inhibition import evaluation_order
from rules.language.errors import RuleErrors
from rules.language.expressions import Compare, FieldRef, Literal
from rules.language.fields import Type
from tests.conftest import ROOT

LIBRARY = ROOT / "rules" / "library"
ALERT = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
EVENT = {"name": "ended", "on": "session.ended"}
DIGEST = {"name": "daily", "schedule": "0 8 * * *", "digest": "sessions"}


def write(folder: Path, text: str, name: str = "site.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(folder: Path, text: str) -> list[str]:
    """What is wrong with a file of this text, the folder's name left out."""
    with pytest.raises(RuleErrors) as raised:
        load_rules([write(folder, text)])
    return [str(error).removeprefix(f"{folder}/") for error in raised.value.errors]


def error_of(changes: dict[str, Any], base: dict[str, Any] = ALERT) -> str:
    """The one thing wrong with `base` changed; a change to None takes the key away."""
    document = {key: value for key, value in {**base, **changes}.items() if value is not ...}
    with pytest.raises(RuleErrors) as raised:
        rule_from_document(document, "slack")
    (error,) = raised.value.errors
    return str(error)


def test_a_rule_file_reads_as_the_rule_that_it_says(tmp_path: Path) -> None:
    text = """\
name: connector-faulted
description: A connector has been out of order for half an hour
for_each: connector
when: connector.status == "Faulted"
while: charger.online
for: 30m
keep_firing_for: 5m
severity: critical
"""
    path = write(tmp_path, text)
    (rule,) = load_rules([path])
    assert rule == Rule(
        name="connector-faulted",
        description="A connector has been out of order for half an hour",
        kind="alert",
        for_each="connector",
        when=Compare("==", FieldRef("connector.status"), Literal("Faulted", Type.TEXT)),
        when_text='connector.status == "Faulted"',
        while_=FieldRef("charger.online"),
        while_text="charger.online",
        for_=timedelta(minutes=30),
        keep_firing_for=timedelta(minutes=5),
        on_gap="keep",
        severity="critical",
        group_by=("location",),
        notify=(),
        labels={},
        schedule=None,
        timezone=None,
        digest=None,
        window=None,
        document=rule.document,
        source=str(path),
    )


def test_the_library_s_digest_comes_at_eight_in_each_time_zone() -> None:
    (rule,) = load_rules([LIBRARY / "daily-sessions.yaml"])
    assert (rule.name, rule.kind, rule.schedule) == ("daily-sessions", "digest", "0 8 * * *")
    assert (rule.timezone, rule.digest, rule.window) == ("location", "sessions", "yesterday")
    assert (rule.for_each, rule.when, rule.notify) == (None, None, ())


def test_every_rule_of_the_library_has_a_description_and_no_channel() -> None:
    rules = load_rules([LIBRARY])
    assert {"connector-faulted", "daily-sessions", "zero-energy"} <= {rule.name for rule in rules}
    for rule in rules:
        assert rule.description
        assert rule.notify == ()


FULL = """\
- name: faulted
  description: Out of order
  for_each: session
  when: >
    session.energy < 0.1 kWh
    and session.duration >= 2m
  while: charger.online
  for: 1h30m
  keep_firing_for: 90s
  on_gap: pause
  severity: info
  group_by: [charger, connector]
  notify: ["#ev-alerts", C0123ABCD]
  labels: {team: north, on: "yes"}
"""


def test_every_key_of_an_alert_is_read(tmp_path: Path) -> None:
    (rule,) = load_rules([write(tmp_path, FULL)])
    assert rule.when_text == "session.energy < 0.1 kWh and session.duration >= 2m"
    assert (rule.for_, rule.keep_firing_for) == (timedelta(hours=1, minutes=30), timedelta(seconds=90))
    assert (rule.on_gap, rule.severity, rule.group_by) == ("pause", "info", ("charger", "connector"))
    assert rule.notify == ("#ev-alerts", "C0123ABCD")
    assert rule.labels == {"team": "north", "on": "yes"}
    assert rule.document == {
        "name": "faulted",
        "description": "Out of order",
        "for_each": "session",
        "when": "session.energy < 0.1 kWh and session.duration >= 2m",
        "while": "charger.online",
        "for": "1h30m",
        "keep_firing_for": "1m30s",
        "on_gap": "pause",
        "severity": "info",
        "group_by": ["charger", "connector"],
        "notify": ["#ev-alerts", "C0123ABCD"],
        "labels": {"team": "north", "on": "yes"},
    }


def test_what_a_rule_does_not_say_has_its_default() -> None:
    rule = rule_from_document(ALERT, "slack")
    assert (rule.for_, rule.keep_firing_for) == (timedelta(), timedelta())
    assert (rule.on_gap, rule.severity, rule.group_by) == ("keep", "warning", ("location",))
    assert (rule.notify, rule.labels, rule.description, rule.while_) == ((), {}, "", None)
    assert rule.document == ALERT


def test_a_rule_that_says_its_defaults_is_stored_like_one_that_does_not() -> None:
    spelled = {**ALERT, "for": "0m", "severity": "warning", "on_gap": "keep", "group_by": ["location"], "notify": []}
    assert rule_from_document(spelled, "slack").document == ALERT
    spelled_digest = {**DIGEST, "timezone": "location", "window": "yesterday"}
    assert rule_from_document(spelled_digest, "slack").document == DIGEST


@pytest.mark.parametrize("written", ["30m", "0.5h", "1800s", " 30 m "])
def test_one_duration_has_one_stored_form(written: str) -> None:
    rule = rule_from_document({**ALERT, "for": written}, "slack")
    assert rule.for_ == timedelta(minutes=30)
    assert rule.document["for"] == "30m"


def test_one_channel_needs_no_list_and_no_group_is_one_group() -> None:
    rule = rule_from_document({**ALERT, "notify": "#ev-alerts", "group_by": []}, "slack")
    assert rule.notify == ("#ev-alerts",)
    assert rule.group_by == ()
    assert rule.document["group_by"] == []


def test_a_file_may_hold_one_rule_or_none(tmp_path: Path) -> None:
    one = write(tmp_path, 'name: daily\nschedule: "0 8 * * 1-5"\ndigest: sessions\ntimezone: Europe/Copenhagen\n')
    none = write(tmp_path, "# nothing yet\n", "none.yaml")
    empty = write(tmp_path, "[]\n", "empty.yml")
    (rule,) = load_rules([one, none, empty])
    assert (rule.name, rule.timezone, rule.schedule) == ("daily", "Europe/Copenhagen", "0 8 * * 1-5")


def test_a_folder_is_read_in_order_without_its_tests(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    line = "{{name: {}, for_each: charger, when: charger.online}}\n"
    for name in ("b.yaml", "a.yml", "more/c.yaml", "a.test.yaml", "d.test.yml", "notes.txt"):
        write(tmp_path, line.format(name.split(".", maxsplit=1)[0].replace("/", "-")), name)
    assert [rule.name for rule in load_rules([tmp_path])] == ["a", "b", "more-c"]
    assert [rule.name for rule in load_rules([tmp_path / "b.yaml", tmp_path])] == ["b", "a", "more-c"]


NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
TIMES = st.integers(0, 400 * 86400).map(lambda seconds: f"{seconds}s")
TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20).filter(str.strip)


@given(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "for_each": st.sampled_from(["connector", "session"]),
            "when": st.sampled_from(["charger.online", " connector.power > 5 kW", "charger.heartbeat_age > 1h30m"]),
        },
        optional={
            "description": TEXTS,
            "while": st.just("not charger.online"),
            "for": TIMES,
            "keep_firing_for": TIMES,
            "on_gap": st.sampled_from(["keep", "pause", "reset"]),
            "severity": st.sampled_from(["info", "warning", "critical"]),
            "group_by": st.lists(st.sampled_from(["location", "charger", "connector"]), unique=True),
            "notify": st.lists(st.sampled_from(["#a", "#b-c", "C0123ABCD"])),
            "labels": st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), TEXTS, max_size=2),
        },
    )
)
def test_the_stored_document_is_the_rule(document: dict[str, Any]) -> None:
    rule = rule_from_document(document, "slack")
    assert rule_from_document(rule.document, "slack") == rule


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
            'site.yaml: rule "Bad Name", line 6: "for_each" is "conector", but must be connector, charger, location or '
            'session; did you mean "connector"?'
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
        'site.yaml: rule "digest", line 15: "digest" is "session", but must be sessions; did you mean "sessions"?',
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
        ("name: a: b\n", "site.yaml: line 1, column 8: mapping values are not allowed here"),
        ("name: a\n---\nname: b\n", 'site.yaml: line 2, column 1: a file holds one document; remove the line "---"'),
        ("schedule: *x\n", "site.yaml: line 1, column 11: found undefined alias 'x'"),
        ("just words\n", "site.yaml: line 1: a rule is a mapping of keys, but this is a text"),
        ("- []\n", "site.yaml: line 1: a rule is a mapping of keys, but this is a list"),
        ("[" * 3000, "site.yaml: the file is not YAML, or is nested too deeply"),
    ],
)
def test_a_mistake_in_the_yaml_says_its_line(tmp_path: Path, text: str, error: str) -> None:
    assert errors_of(tmp_path, text) == [error]


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


def test_the_word_on_stays_a_word(tmp_path: Path) -> None:
    (rule,) = load_rules([write(tmp_path, "name: ended\non: session.ended\nwhen: session.energy < 1 kWh\n")])
    assert (rule.kind, rule.on, rule.for_each) == ("event", "session.ended", None)


def test_an_event_rule_is_judged_after_two_minutes_and_for_an_hour_unless_it_says_otherwise() -> None:
    rule = rule_from_document(EVENT, "slack")
    assert (rule.settle, rule.max_age, rule.severity) == (timedelta(minutes=2), timedelta(hours=1), "warning")
    assert (rule.when, rule.document) == (None, EVENT)
    spelled = {**EVENT, "settle": "120s", "max_age": "1h", "severity": "warning"}
    assert rule_from_document(spelled, "slack").document == EVENT


def test_every_key_of_an_event_rule_is_read_and_stored() -> None:
    document = {
        "name": "ended",
        "on": "session.ended",
        "when": "session.energy < 0.1 kWh and charger.online",
        "settle": "0s",
        "max_age": "1h30m",
        "severity": "info",
        "notify": ["#ev"],
        "labels": {"team": "north"},
    }
    rule = rule_from_document(document, "slack")
    assert (rule.settle, rule.max_age, rule.severity) == (timedelta(), timedelta(minutes=90), "info")
    assert rule.document == document
    assert rule_from_document(rule.document, "slack") == rule


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"on": "session.end"},
            (
                '"on" is "session.end", but must be session.started, session.ended, session.failed, status.changed, '
                'charger.online, charger.offline or price.changed; did you mean "session.ended"?'
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


def test_the_library_s_zero_energy_rule_is_the_design_s() -> None:
    (rule,) = load_rules([LIBRARY / "zero-energy.yaml"])
    assert (rule.name, rule.kind, rule.on) == ("zero-energy", "event", "session.ended")
    assert rule.when_text == "session.energy < 0.1 kWh and session.duration >= 2m"


def test_how_an_alert_speaks_is_read_and_stored_as_it_was_said() -> None:
    steps = [{"after": "30m", "notify": ["@oncall"]}, {"after": "1h", "notify": ["@boss", "@oncall"]}]
    said = {**ALERT, "repeat": "4h", "escalate": steps, "inhibits": ["other"], "safety": True}
    rule = rule_from_document(said, "slack")
    assert (rule.repeat, rule.inhibits, rule.safety) == (timedelta(hours=4), ("other",), True)
    assert rule.escalate == (
        Step(timedelta(minutes=30), ("@oncall",)),
        Step(timedelta(hours=1), ("@boss", "@oncall")),
    )
    assert rule.document == said
    assert rule_from_document(rule.document, "slack") == rule


def test_without_a_word_an_alert_neither_repeats_nor_escalates_nor_inhibits() -> None:
    rule = rule_from_document(ALERT, "slack")
    assert (rule.repeat, rule.escalate, rule.inhibits, rule.safety) == (None, (), (), False)
    assert rule.document == ALERT


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


def test_a_rule_that_inhibits_a_rule_that_is_not_there_is_told_the_nearest_name(tmp_path: Path) -> None:
    text = RELATED.format(first="[bb-slow]", second="[]")
    assert errors_of(tmp_path, text) == [
        'site.yaml: rule "aa-fast": "inhibits": no alert rule is called "bb-slow"; did you mean "bb-slew"?'
    ]


def test_rules_that_inhibit_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    (error,) = errors_of(tmp_path, RELATED.format(first="[bb-slew]", second="[aa-fast]"))
    assert error in {
        'site.yaml: rule "aa-fast": "inhibits" goes in a circle: aa-fast > bb-slew > aa-fast',
        'site.yaml: rule "bb-slew": "inhibits" goes in a circle: bb-slew > aa-fast > bb-slew',
    }


def test_a_rule_advances_after_those_that_inhibit_it(tmp_path: Path) -> None:
    rules = load_rules([write(tmp_path, RELATED.format(first="[]", second="[aa-fast]"))])
    documents = {rule.name: rule for rule in rules}
    assert evaluation_order(documents, documents) == ["bb-slew", "aa-fast"]


RELATED = """
- {{name: aa-fast, for_each: charger, when: not charger.online, inhibits: {first}}}
- {{name: bb-slew, for_each: charger, when: not charger.online, inhibits: {second}}}
"""


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": 5}, 'slack: "name" must be a text, but this is a number'),
        ({"name": None}, 'slack: "name" is empty'),
        ({"name": ...}, 'slack: the key "name" is missing'),
        ({"description": ["x"]}, 'slack: rule "faulted": "description" must be a text, but this is a list'),
        ({"description": "x" * 1001}, 'slack: rule "faulted": "description" has more than 1,000 characters'),
        ({"for_each": "network"}, "but must be connector, charger, location or session"),
        ({"while": True}, 'slack: rule "faulted": "while" must be a text, but this is true or false'),
        ({"for": -5}, 'slack: rule "faulted": "for" is -5, which has no unit'),
        ({"for": "5 mins"}, 'slack: rule "faulted": "for": unknown unit "mins"; did you mean "m"?'),
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
        ("8:00", 'the schedule "8:00" has 1 fields, not 5: minute, hour, day, month, weekday'),
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
