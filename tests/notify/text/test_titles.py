"""Titles without things: what a rule finds in general, as figures of many of its alerts name it."""

import pytest

from notify.text.titles import kind_of


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"title": "{connector} out of order for {duration}"}, "Connectors out of order"),
        ({"title": "Safety first: dangerous error on {connector}"}, "Safety first: dangerous error on connectors"),
        ({"title": "{location}: half of {charger} offline for {duration}"}, "Locations: half of chargers offline"),
        ({"title": "{nonsense"}, "Silent plug"),
        ({"name": "silent-plug"}, "Silent plug"),
        ({}, "Silent plug"),
    ],
)
def test_a_rule_is_told_of_in_words_without_a_thing(document: dict[str, str], words: str) -> None:
    assert kind_of(document, "silent-plug") == words
