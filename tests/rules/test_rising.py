"""The severity of an alert rule that rises: how it is written, and what is wrong with one."""

from datetime import timedelta
from typing import Any

import pytest

from rules.documents.document import rule_from_document
from rules.language.errors import RuleErrors
from rules.rising import Rise, severity_after

PLAIN = {"name": "faulted", "for_each": "connector", "when": 'connector.status == "Faulted"'}
HOUR = timedelta(hours=1)


def read(severity: Any) -> Any:
    return rule_from_document({**PLAIN, "severity": severity}, "x.yaml")


def test_a_severity_rises_step_by_step_and_is_stored_as_it_was_said() -> None:
    rule = read(["info", {"after": "90m", "severity": "warning"}, {"after": "4 hours", "severity": "critical"}])
    assert (rule.severity, rule.rises) == ("info", (Rise(1.5 * HOUR, "warning"), Rise(4 * HOUR, "critical")))
    assert rule_from_document(rule.document, "x.yaml") == rule
    due = [severity_after(rule.rises, hours * HOUR) for hours in (0, 1.4, 1.5, 4, 100)]
    assert due == [None, None, "warning", "critical", "critical"]
    assert read("critical").document["severity"] == "critical"


@pytest.mark.parametrize(
    ("severity", "error"),
    [
        ([], "is a list of one word and steps"),
        (["warning"], "is a list of one word and steps"),
        (["warning", "critical"], "is a list of one word and steps"),
        ([{"after": "4h", "severity": "critical"}], "is a list of one word and steps"),
        (["warning", {"after": "4h", "severity": "info"}], 'step 1: "info" is no graver than "warning"'),
        (["warning", {"after": "4", "severity": "critical"}], '"after": "4" has no unit'),
        (["warning", {"after": "0h", "severity": "critical"}], "longer than nothing"),
        (["warning", {"after": "4h", "severity": "critcal"}], 'did you mean "critical"?'),
        (["warning", {"after": "4h", "severity": "critical", "x": 1}], 'unknown key "x"'),
        (
            ["info", {"after": "4h", "severity": "warning"}, {"after": "4h", "severity": "critical"}],
            "does not come after",
        ),
    ],
)
def test_a_wrong_rise_says_what_is_right(severity: Any, error: str) -> None:
    with pytest.raises(RuleErrors) as raised:
        read(severity)
    assert error in str(raised.value)
