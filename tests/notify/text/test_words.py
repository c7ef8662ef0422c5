"""Names are shortened between what people see as characters, and nothing invisible gets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.text.clusters import clusters
from notify.text.words import LONGEST_LINE, code_line, one_line, short, slack_escape

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
MECHANIC = "\U0001f469\U0001f3fd\u200d\U0001f527"
DANISH = "\U0001f1e9\U0001f1f0"
SCOTTISH = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
HEART_ON_FIRE = "\u2764\ufe0f\u200d\U0001f525"
JOINED = {
    "a family": FAMILY,
    "a mechanic with a skin tone": MECHANIC,
    "a flag of two letters": DANISH,
    "a flag of tags": SCOTTISH,
    "a heart on fire": HEART_ON_FIRE,
    "a keycap": "1\ufe0f\u20e3",
    "a letter with its mark": "e\u0301",
}


@pytest.mark.parametrize("joined", JOINED.values(), ids=JOINED)
@pytest.mark.parametrize("limit", range(2, 40))
def test_what_is_seen_as_one_character_is_kept_or_left_out_as_a_whole(joined: str, limit: int) -> None:
    said = short(f"Bay {joined}{joined} north", limit)
    assert not set(said.replace(joined, "")) & set(joined)
    assert len(said) <= limit


@pytest.mark.parametrize("joined", JOINED.values(), ids=JOINED)
def test_what_fits_stays_as_it_is(joined: str) -> None:
    assert one_line(f"Bay {joined} north") == f"Bay {joined} north"
    assert list(clusters(f"a{joined}b")) == ["a", joined, "b"]


def test_two_flags_are_two_and_an_odd_letter_joins_neither() -> None:
    assert list(clusters(f"{DANISH}{DANISH}\U0001f1ea")) == [DANISH, DANISH, "\U0001f1ea"]


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\ufeff", "\x00", "\ud800", "\U000e0041"])
def test_what_is_invisible_and_joins_nothing_is_left_out(hidden: str) -> None:
    assert one_line(f"Bay{hidden} north") == "Bay north"
    assert one_line(f"Bay \u200d{hidden}\u200d north\u200d") == "Bay  north"


def test_persian_words_keep_their_joiners() -> None:
    assert (
        one_line("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645")
        == "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    )


def test_marks_without_end_fill_no_message() -> None:
    assert len(short("e" + "\u0301" * 5_000, 40)) <= 40


@given(st.text(max_size=120), st.integers(2, 60))
def test_whatever_the_text_it_fits_once_escaped(text: str, limit: int) -> None:
    assert len(slack_escape(short(text, limit))) <= limit


def test_a_long_line_of_code_is_cut_between_emoji_too() -> None:
    said = code_line(FAMILY * 100)
    assert len(said) <= LONGEST_LINE
    assert said.rstrip("\N{HORIZONTAL ELLIPSIS}").replace(FAMILY, "") == ""
