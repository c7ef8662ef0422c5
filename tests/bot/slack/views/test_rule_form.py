"""Everything that the language can read or work out is in the menus of the rule form, or is said there to be text."""

from typing import Any

import pytest

from bot.slack.views.inputs import ONLY, FieldErrors, Typed
from bot.slack.views.rule_forms import OF_NETWORK, OPERATORS, WORKED_OUT, rule_opened, rule_sent
from rules.documents.typed_text import read_typed
from rules.language.expressions import Comparator
from rules.language.fields import FIELDS, NETWORK, SUBJECTS, Type
from rules.language.function_words import FUNCTIONS

VALUES = {
    Type.TEXT: "a",
    Type.TEXTS: "a",
    Type.NUMBER: "3",
    Type.BOOLEAN: "true",
    Type.DURATION: "10m",
    Type.ENERGY: "1 kWh",
    Type.POWER: "1 kW",
    Type.MONEY: "5 EUR",
    Type.PRICE: "0.5 EUR/kWh",
    Type.RATIO: "50 %",
}
NOTHING: Any = None


def menu(name: str) -> list[str]:
    (block,) = (one for one in rule_opened(NOTHING, NOTHING, {}) if one["block_id"] == name)
    element = block["element"]
    groups = [group["options"] for group in element.get("option_groups", [])] or [element["options"]]
    return [option["value"] for options in groups for option in options]


def condition(subject: str, field: str, operator: str, value: str) -> str:
    typed = {"name": "x", "subject": subject, "field": field, "operator": operator, "value": value, "severity": "info"}
    said = rule_sent(NOTHING, NOTHING, Typed({name: {ONLY: {"value": told}} for name, told in typed.items()}, {}))
    text = said.words.partition("\n")[2]
    return str(read_typed(text, "x").document["when"])


def test_every_subject_field_function_and_comparison_is_in_a_menu() -> None:
    assert menu("subject") == list(SUBJECTS)
    fields = menu("field")
    assert set(FIELDS) <= set(fields)
    assert set(dict(FUNCTIONS.values())) <= set(fields)
    assert set(Comparator.__args__) | {"in", "not in"} == set(OPERATORS) == set(menu("operator"))  # type: ignore[attr-defined]
    (text,) = (one for one in rule_opened(NOTHING, NOTHING, {}) if one["block_id"] == "text")
    assert "Events, sums and all the rest are said so" in text["hint"]["text"]


@pytest.mark.parametrize("key", FIELDS)
def test_every_field_makes_a_rule(key: str) -> None:
    spec = FIELDS[key]
    value = spec.values[0] if spec.values else VALUES[spec.type]
    operator = "contains" if spec.type is Type.TEXTS else "=="
    assert condition(spec.thing, key, operator, value).startswith(f"{key} {operator} ")
    assert condition(spec.thing, key, "==", "unknown") == f"{key} is unknown"
    assert condition(spec.thing, key, "!=", "unknown") == f"{key} is not unknown"


@pytest.mark.parametrize("example", [*WORKED_OUT, *OF_NETWORK])
def test_every_function_makes_a_rule(example: str) -> None:
    """With one of the values: of which kind it is, the condition's own checks say."""
    subject = NETWORK if example in OF_NETWORK else "session"
    made = []
    for value in [*VALUES.values(), "Monday"]:
        try:
            made.append(condition(subject, example, "==", value))
        except FieldErrors as wrong:
            assert set(wrong.errors) == {"value"}  # noqa: PT017 - the others say that it is of another kind
    assert made


def test_several_values_are_a_list_and_texts_get_their_quotes() -> None:
    assert condition("connector", "connector.status", "in", "Faulted, Unavailable") == (
        'connector.status in ["Faulted", "Unavailable"]'
    )
    assert condition("connector", "connector.status", "not in", '["Faulted","Reserved"]') == (
        'connector.status not in ["Faulted", "Reserved"]'
    )
    assert condition("charger", "charger.firmware", "starts_with", "1.4.") == 'charger.firmware starts_with "1.4."'
    assert condition("session", "weekday", "in", "Saturday, Sunday") == 'weekday in ["Saturday", "Sunday"]'


def test_what_a_subject_cannot_read_is_told_at_the_field() -> None:
    with pytest.raises(FieldErrors) as told:
        condition("network", "connector.status", "==", "Faulted")
    assert told.value.errors == {"field": "A rule for each network cannot read connector.status."}


def test_curled_quotes_are_straight_in_a_rule_s_text_and_value() -> None:
    assert condition("connector", "connector.status", "==", "\u201cFaulted\u201d") == 'connector.status == "Faulted"'
    text = "name: hot\nfor_each: connector\nwhen: connector.status == \u201cFaulted\u201d"
    said = rule_sent(NOTHING, NOTHING, Typed({"text": {ONLY: {"value": text}}}, {}))
    assert '"Faulted"' in said.words
