"""Rules files that are mappings: routes and quiet hours as they are meant, and every mistake with its line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rules.documents.files import FILE_KEYS, RuleFiles, load_rule_files, load_rules
from rules.documents.maintenance import WeeklyWindow
from rules.documents.quiet_hours import QuietHours
from rules.documents.routes import Route, When, route_from
from rules.documents.speech_plan import PLAIN
from rules.language.errors import RuleErrors
from rules.registry.reference import render_rules_reference
from rules.registry.speech_plan import load_plan, store_plan
from storage.engine import Database

RULE = '{name: a, for_each: charger, when: "not charger.online"}'
WHOLE = f"""\
quiet_hours: {{from: "22:00", to: "07:00", timezone: Europe/Copenhagen, days: [mon-thu, sun], severities: [info]}}
routes:
  - severity: critical
    notify: ["#critical"]
    continue: true
  - location: [L12, L13]
    labels: {{team: north}}
    notify: "#north"
rules:
  - {RULE}
"""


NOON = When(datetime(2026, 3, 2, 12, tzinfo=UTC), "UTC")


def write(folder: Path, text: str, name: str = "site.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(RuleErrors) as raised:
        load_rule_files([write(folder, text)])
    return [str(error).removeprefix(f"{folder}/") for error in raised.value.errors]


def test_a_file_may_hold_rules_routes_and_quiet_hours(tmp_path: Path) -> None:
    files = load_rule_files([write(tmp_path, WHOLE)])
    assert [rule.name for rule in files.rules] == ["a"]
    assert files.plan.routes == (
        Route(("#critical",), severities=("critical",), goes_on=True),
        Route(("#north",), locations=("L12", "L13"), labels=(("team", "north"),)),
    )
    window = WeeklyWindow((0, 1, 2, 3, 6), "22:00", "07:00", "Europe/Copenhagen")
    assert files.plan.quiet_hours == QuietHours(window, ("info",))


def test_a_list_of_rules_and_one_rule_are_files_as_before(tmp_path: Path) -> None:
    one, more = write(tmp_path, RULE, "1.yaml"), write(tmp_path, f"- {RULE.replace('a,', 'b,')}", "2.yaml")
    files = load_rule_files([one, more])
    assert [rule.name for rule in files.rules] == ["a", "b"]
    assert files.plan == PLAIN
    assert load_rule_files([write(tmp_path, "routes:\n  - {notify: '#x'}\n", "3.yaml")]).rules == ()
    assert load_rules([write(tmp_path, "rules:\n", "4.yaml")]) == []
    assert RuleFiles(()).plan == PLAIN


def test_routes_and_quiet_hours_stand_once_over_all_files(tmp_path: Path) -> None:
    first = write(tmp_path, WHOLE, "1.yaml")
    write(tmp_path, '\nroutes: []\nquiet_hours: {from: "23:00", to: "06:00"}\n', "2.yaml")
    with pytest.raises(RuleErrors) as raised:
        load_rule_files([tmp_path])
    assert str(raised.value) == (
        f'{tmp_path}/2.yaml: line 2: "routes" stands in {first}, line 2 already; all files together have one\n'
        f'{tmp_path}/2.yaml: line 3: "quiet_hours" stands in {first}, line 1 already; all files together have one'
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("rules: []\nrout: []\n", 'line 2: a rules file has no key "rout", but rules, routes and quiet_hours; did you'),
        ("routes: []\nroutes: []\n", 'line 2: the key "routes" stands twice'),
        ("rules: 5\n", 'line 1: "rules" must be a list of rules'),
        ("routes: {notify: x}\n", 'line 1: "routes" must be a list, as in - {severity: critical, notify: ['),
        ("routes:\n- 5\n", "line 2: a route is a mapping of keys, but this is a number"),
        ("routes:\n- severity: info\n", 'line 2: the key "notify" of a route is missing'),
        ("routes:\n- notify: []\n", 'line 2: "notify" of a route names no channel'),
        (
            "routes:\n- notify: '#x'\n  sevrity: info\n",
            'line 3: a route has no key "sevrity"; did you mean "severity"?',
        ),
        (
            "routes:\n- notify: north\n",
            'line 2: "north" is no Slack channel, such as "#ev-alerts", and no channel id; did',
        ),
        (
            "routes:\n- notify: '#x'\n  severity: criticl\n",
            'line 3: "severity" is "criticl", but must be info, warning or critical; did you mean "critical"?',
        ),
        (
            "routes:\n- notify: '#x'\n  location: 12\n",
            'line 3: "location" must be a text or a list of texts, as in "L12"',
        ),
        (
            "routes:\n- notify: '#x'\n  labels: north\n",
            'line 3: "labels" must be a mapping, as in {team: north}, but this',
        ),
        (
            "routes:\n- notify: '#x'\n  labels: {a: 1}\n",
            'line 3: the label "a" must be a text in quotes, but this is a n',
        ),
        ("routes:\n- notify: '#x'\n  continue: no\n", 'line 3: "continue" must be true or false, but this is a text'),
        (
            "routes:\n- notify: '#x'\n- notify: '#y'\n",
            "line 3: no alert comes here: the route before takes every one, and does not continue",
        ),
        ("quiet_hours: 22\n", 'line 1: "quiet_hours" must be a mapping, as in {from: "22:00", to: "07:00"}'),
        ("quiet_hours: [a]\n", 'line 1: "quiet_hours" must be a mapping'),
        ('quiet_hours: {from: "22:00"}\n', 'line 1: the key "to" of "quiet_hours" is missing'),
        (
            'quiet_hours:\n  from: "22:00"\n  to: "7:00"\n',
            'line 3: "to" is "7:00", which is no time of day, such as "22:00"; did you mean "07:00"?',
        ),
        ('quiet_hours:\n  from: "24:00"\n  to: "07:00"\n', 'line 2: "from" is "24:00", which is no time of day'),
        (
            'quiet_hours:\n  from: "\u0662\u0662:00"\n  to: "07:00"\n',
            'line 2: "from" is "\u0662\u0662:00", which is no time of day',
        ),
        (
            'quiet_hours:\n  from: "07:00"\n  to: "07:00"\n',
            'line 3: "from" and "to" are both 07:00: the quiet hours ha',
        ),
        (
            'quiet_hours: {from: "22:00", to: "07:00", timezone: Europe/Copenhagn}\n',
            'line 1: unknown time zone "Europe/Copenhagn"; expected "location" or a name such as Europe/Copenhagen',
        ),
        (
            'quiet_hours:\n  {from: "22:00", to: "07:00", severities: [info, critical]}\n',
            'line 2: "severities" cannot hold "critical": what is critical always speaks',
        ),
        (
            'quiet_hours: {from: "22:00", to: "07:00", severities: [wrning]}\n',
            'line 1: "severities" has "wrning", not info or warning; did you mean "warning"?',
        ),
        (
            'quiet_hours: {from: "22:00", to: "07:00", days: [mon, tus]}\n',
            'line 1: "days" has "tus", not mon, tue, wed, thu, fri, sat or sun; did you mean "tue"?',
        ),
        (
            'quiet_hours: {from: "22:00", to: "07:00", dayz: [mon]}\n',
            'line 1: "quiet_hours" has no key "dayz"; did you',
        ),
    ],
)
def test_a_mistake_says_its_line_and_the_nearest_right_word(tmp_path: Path, text: str, error: str) -> None:
    (told,) = errors_of(tmp_path, text)
    assert told.removeprefix("site.yaml: ").startswith(error)


def test_a_folder_that_kubernetes_mounts_is_read_once(tmp_path: Path) -> None:
    hidden = tmp_path / "..2026_11_28"
    hidden.mkdir()
    (hidden / "hot.yaml").write_text("{name: hot, for_each: connector, when: 'connector.status == \"Faulted\"'}")
    (tmp_path / "..data").symlink_to(hidden.name)
    (tmp_path / "hot.yaml").symlink_to("..data/hot.yaml")
    assert [rule.name for rule in load_rule_files([tmp_path]).rules] == ["hot"]


def test_a_link_to_a_rule_file_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "hot.yaml").symlink_to("gone.yaml")
    with pytest.raises(RuleErrors, match=r"hot\.yaml: the file cannot be read: No such file"):
        load_rule_files([tmp_path])


def test_all_errors_of_a_file_come_together(tmp_path: Path) -> None:
    text = "rules:\n- {name: a}\nroutes:\n- {notify: '#x', severity: bad}\nquiet_hours: {from: '22:00'}\n"
    told = errors_of(tmp_path, text)
    assert [error.split(":")[1].strip() for error in told] == ['rule "a", line 2'] * 2 + ["line 4", "line 5"]


def test_a_rule_with_a_key_that_files_have_is_still_a_rule(tmp_path: Path) -> None:
    assert errors_of(tmp_path, f"{RULE[:-1]}, routes: []}}") == ['site.yaml: rule "a", line 1: unknown key "routes"']
    assert FILE_KEYS == ("rules", "routes", "quiet_hours")


def test_the_first_route_wins_unless_it_continues(tmp_path: Path) -> None:
    plan = load_rule_files([write(tmp_path, WHOLE)]).plan
    north = {"team": "north"}
    assert plan.channels("critical", "L12", north, NOON) == ("#critical", "#north")
    assert plan.channels("critical", "L1", north, NOON) == ("#critical",)
    assert plan.channels("info", "L13", north, NOON) == ("#north",)
    assert plan.channels("info", "L13", {"team": "south"}, NOON) == ()
    assert plan.channels("warning", None, north, NOON) == ()


def test_what_is_stored_is_what_was_read(tmp_path: Path, database: Database) -> None:
    plan = load_rule_files([write(tmp_path, WHOLE)]).plan
    with database.write() as connection:
        assert load_plan(connection) == PLAIN
        store_plan(connection, plan)
        store_plan(connection, plan)
    with database.read() as connection:
        assert load_plan(connection) == plan


@pytest.mark.parametrize(
    ("now", "severity", "zone", "until"),
    [
        ("2026-03-02T21:00:00+00:00", "info", "UTC", "2026-03-03T06:00:00+00:00"),  # Monday 22:00 in Copenhagen
        ("2026-03-02T20:59:59+00:00", "info", "UTC", None),
        ("2026-03-03T05:59:59+00:00", "info", "UTC", "2026-03-03T06:00:00+00:00"),
        ("2026-03-03T06:00:00+00:00", "info", "UTC", None),
        ("2026-03-06T23:00:00+00:00", "info", "UTC", None),  # Friday's night is not among the days
        ("2026-03-02T21:00:00+00:00", "warning", "UTC", None),
        ("2026-03-29T00:30:00+00:00", "info", "UTC", None),  # nor Saturday's, in which the clock goes forward
        ("2026-03-29T20:30:00+00:00", "info", "UTC", "2026-03-30T05:00:00+00:00"),
        ("2026-10-25T21:30:00+00:00", "info", "UTC", "2026-10-26T06:00:00+00:00"),
    ],
)
def test_quiet_hours_follow_the_clock_of_their_zone(
    tmp_path: Path, now: str, severity: str, zone: str, until: str | None
) -> None:
    quiet = load_rule_files([write(tmp_path, WHOLE)]).plan.quiet_hours
    assert quiet is not None
    end = quiet.until(severity, zone, "UTC", datetime.fromisoformat(now))
    assert end == (datetime.fromisoformat(until) if until else None)


@pytest.mark.parametrize(
    ("now", "zone", "until"),
    [
        # forward: 22:00 CET to 07:00 CEST is an hour shorter
        ("2026-03-28T21:00:00+00:00", "Europe/Copenhagen", "2026-03-29T05:00:00+00:00"),
        ("2026-03-29T04:59:59+00:00", "Europe/Copenhagen", "2026-03-29T05:00:00+00:00"),
        ("2026-03-29T05:00:00+00:00", "Europe/Copenhagen", None),
        # back: an hour longer
        ("2026-10-24T20:00:00+00:00", "Europe/Copenhagen", "2026-10-25T06:00:00+00:00"),
        ("2026-10-25T05:30:00+00:00", "Europe/Copenhagen", "2026-10-25T06:00:00+00:00"),
        # another place, and a name that is no zone: the service's own
        ("2026-03-28T21:00:00+00:00", "America/New_York", None),
        ("2026-03-28T22:30:00+00:00", "no zone", "2026-03-29T05:00:00+00:00"),
    ],
)
def test_quiet_hours_by_location_are_right_at_both_changes_of_the_clocks(
    tmp_path: Path, now: str, zone: str, until: str | None
) -> None:
    text = 'quiet_hours: {from: "22:00", to: "07:00"}'
    quiet = load_rule_files([write(tmp_path, text)]).plan.quiet_hours
    assert quiet is not None
    end = quiet.until("warning", zone, "Europe/Copenhagen", datetime.fromisoformat(now))
    assert end == (datetime.fromisoformat(until) if until else None)


def test_the_reference_s_example_is_right(tmp_path: Path) -> None:
    text = render_rules_reference().split("```yaml\n")[1].split("```")[0]
    files = load_rule_files([write(tmp_path, text)])
    assert (len(files.rules), len(files.plan.routes), files.plan.quiet_hours is not None) == (1, 3, True)


def test_a_route_may_hold_for_hours_and_days_by_the_clock_of_the_people_who_are_told(tmp_path: Path) -> None:
    night = '{from: "22:00", to: "06:00", days: [mon-fri], notify: "#night"}'
    tokyo = '{days: [sat], timezone: Asia/Tokyo, notify: "#weekend"}'
    plan = load_rule_files([write(tmp_path, f"routes:\n  - {night}\n  - {tokyo}\n")]).plan
    assert tuple(route_from(one.document()) for one in plan.routes) == plan.routes

    def told(moment: str, zone: str = "Europe/Copenhagen") -> tuple[str, ...]:
        return plan.channels("info", "l1", {}, When(datetime.fromisoformat(moment), zone))

    assert told("2026-03-02T20:59:00Z") == ()  # Monday, 21:59 there
    assert told("2026-03-02T21:00:00Z") == ("#night",)
    assert told("2026-03-07T04:59:00Z") == ("#night",)  # Saturday morning belongs to Friday's night
    assert told("2026-03-07T05:00:00Z") == ("#weekend",)
    assert told("2026-03-07T15:00:00Z") == ()  # Sunday in Tokyo
    assert told("2026-03-02T21:30:00Z", "UTC") == ()


@pytest.mark.parametrize(
    ("route", "error"),
    [
        ('from: "22:00"', '"from" of a route needs "to" too'),
        ('to: "06:00"', '"to" of a route needs "from" too'),
        ('from: "22:00", to: "22:00"', '"from" and "to" are both 22:00: the route never takes anything'),
        ('from: "25:00", to: "06:00"', '"from" is "25:00", which is no time of day'),
        ("days: [fun]", '"days" has "fun", not mon'),
        ("days: [mon], timezone: location", '"timezone" of a route is that of the people who are told'),
        ("days: [mon], timezone: Europe/Copenhagn", 'did you mean "Europe/Copenhagen"?'),
        ("form: x", 'a route has no key "form"; did you mean "from"?'),
    ],
)
def test_what_is_wrong_with_the_hours_of_a_route_is_said(tmp_path: Path, route: str, error: str) -> None:
    (told,) = errors_of(tmp_path, f'routes:\n  - {{notify: "#x", {route}}}\n')
    assert error in told
