"""Mistakes in the YAML that everybody makes: each names its line, has a caret below it and says the mend."""

from pathlib import Path

import pytest

from rules.documents.files import load_rules
from rules.language.errors import RuleErrors

MERGED = (
    'site.yaml: rule "b", line 2, column 3: there are no merge keys ("<<") in YAML 1.2: write the keys out in each rule'
)
NULL = 'expected "is unknown" or "is not unknown" after the field'
TAG = 'site.yaml: rule "a", line 3, column 9: "!charger.online" is a tag in YAML, because of its "!"'
UNITLESS = 'site.yaml: rule "a", line 4, column 53: 3 needs a unit, because connector.power is a power'
FOLDED = "- name: a\n  for_each: connector\n  when: >-\n    {}\n    and {}\n"
CASES = [
    (
        "- name: a\n  for_each: connector\n  notify: [#ev]\n  when: charger.online\n",
        [
            'site.yaml: line 3, column 12: "#" begins a comment here; a channel stands in quotes, as in ["#ev-alerts"]',
            "      notify: [#ev]",
            "               ^",
        ],
    ),
    (
        '- name: a\n  for_each: connector\n  when: "connector.status == "Faulted""\n',
        [
            "site.yaml: line 3, column 30: a text in double quotes ends at the next one; put single quotes around it",
            '      when: "connector.status == "Faulted""',
            "                                 ^",
        ],
    ),
    (
        '- name: a\n  for_each: connector\n  when: connector.status: "Faulted"\n',
        [
            'site.yaml: line 3, column 25: a ":" with a space after it begins a new key; put the whole value in quotes',
            '      when: connector.status: "Faulted"',
            "                            ^",
        ],
    ),
    (
        "- name: b\n  <<: {for_each: connector, when: charger.online}\n",
        [
            MERGED,
            "      <<: {for_each: connector, when: charger.online}",
            "      ^",
        ],
    ),
    (
        "- &base {name: b, for_each: connector, when: charger.online}\n- <<: *base\n  name: b2\n",
        [MERGED.replace('"b"', '"b2"'), "    - <<: *base", "      ^"],
    ),
    (
        "- name: a\n  for_each: connector\n  when: connector.error_code == null\n",
        [
            f'site.yaml: rule "a", column 25: unknown field "null"; {NULL}',
            "    when: connector.error_code == null",
            "                                  ^",
        ],
    ),
    (
        "- name: a\n  for_each: charger\n when: charger.online\n",
        [
            "site.yaml: line 3, column 2: this line begins in another column than the keys above it; put it below them",
            "     when: charger.online",
            "     ^",
        ],
    ),
    (
        "- name: a\n  for_each: charger\n  when: !charger.online\n",
        [
            f'{TAG}: write "not", or put it all in quotes',
            "      when: !charger.online",
            "            ^",
            'site.yaml: rule "a", line 3: "when" is empty',
        ],
    ),
    (
        FOLDED.format('connector.status == "Faulted"', "connector.powr > 3 kW"),
        [
            'site.yaml: rule "a", line 5, column 35: unknown field "connector.powr"; did you mean "connector.power"?',
            '    when: connector.status == "Faulted" and connector.powr > 3 kW',
            "                                            ^",
        ],
    ),
    (
        '- name: a\n  for_each: connector\n  when: connector.status == "Faulted"\n    and connector.power > 3\n',
        [
            f"{UNITLESS}; expected W or kW, as in 7 kW",
            '    when: connector.status == "Faulted" and connector.power > 3',
            "                                                              ^",
        ],
    ),
]


def told(text: str, tmp_path: Path) -> list[str]:
    (tmp_path / "site.yaml").write_text(text)
    with pytest.raises(RuleErrors) as raised:
        load_rules([tmp_path / "site.yaml"])
    return str(raised.value).replace(f"{tmp_path}/", "").splitlines()


@pytest.mark.parametrize(("text", "lines"), CASES)
def test_a_mistake_that_everybody_makes_has_a_caret_and_its_mend(text: str, lines: list[str], tmp_path: Path) -> None:
    assert told(text, tmp_path) == lines


@pytest.mark.parametrize(
    ("head", "condition", "error"),
    [
        ("for_each: conector", "connector.powr > 3 kW", 'did you mean "connector.power"?'),
        ("for_each: conector", "session.energy < 3", "3 needs a unit, because session.energy is an energy"),
        ("on: session.end", "session.enrgy < 3 kWh", 'did you mean "session.energy"?'),
    ],
)
def test_with_a_wrong_thing_or_event_the_condition_is_still_checked(
    head: str, condition: str, error: str, tmp_path: Path
) -> None:
    lines = "\n".join(told(f"- name: a\n  {head}\n  when: {condition}\n", tmp_path))
    assert f'"{head.split(":", maxsplit=1)[0]}" is' in lines
    assert error in lines


def test_a_wrong_thing_alone_is_told_alone(tmp_path: Path) -> None:
    lines = told("- name: a\n  for_each: conector\n  when: connector.power > 3 kW\n", tmp_path)
    assert [line for line in lines if "column" in line] == []
