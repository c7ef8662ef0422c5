"""What people see as one character: a letter with its marks, a joined emoji, a flag. Text is cut between these alone.

The rules are those of Unicode's UAX 29 that matter for names; Hangul and Indic syllables may still be cut. What is
invisible and joins nothing is no part of a text.
"""

import unicodedata
from collections.abc import Iterator

ZERO_WIDTH_NON_JOINER, ZERO_WIDTH_JOINER = "\u200c", "\u200d"
BLACK_FLAG = "\U0001f3f4"
LONGEST_CLUSTER = 32
"""Characters of one cluster: the longest emoji have eleven, and marks heaped on a letter are no name."""


def clusters(text: str) -> Iterator[str]:
    """The text in pieces that belong together, without control characters, lone joiners and direction marks."""
    cluster = ""
    for place, character in enumerate(text):
        if not _is_shown(text, place):
            continue
        if cluster and len(cluster) < LONGEST_CLUSTER and _belongs(cluster, character):
            cluster += character
            continue
        if cluster:
            yield cluster
        cluster = character
    if cluster:
        yield cluster


def is_joiner(character: str) -> bool:
    """Whether a character is invisible and may hold others together."""
    return character in {ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER} or _is_tag(character)


def _is_shown(text: str, place: int) -> bool:
    character = text[place]
    if unicodedata.category(character) not in {"Cc", "Cf", "Cs"}:
        return True
    if character in {ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER}:  # of emoji, and of Persian and Indic words
        return 0 < place < len(text) - 1 and _is_seen(text[place - 1]) and _is_seen(text[place + 1])
    return _is_tag(character) and _is_in_flag(text, place)


def _belongs(cluster: str, character: str) -> bool:
    if unicodedata.category(character) in {"Mn", "Me", "Mc"} or _is_skin_tone(character):
        return True
    if character == ZERO_WIDTH_JOINER or _is_tag(character):
        return True
    if cluster[-1] == ZERO_WIDTH_JOINER:
        return unicodedata.category(character) == "So"
    return len(cluster) == 1 and _is_regional(cluster) and _is_regional(character)


def _is_seen(character: str) -> bool:
    return not character.isspace() and unicodedata.category(character) not in {"Cc", "Cf", "Cs"}


def _is_in_flag(text: str, place: int) -> bool:
    while place and _is_tag(text[place]):
        place -= 1
    return text[place] == BLACK_FLAG


def _is_tag(character: str) -> bool:
    return "\U000e0020" <= character <= "\U000e007f"


def _is_skin_tone(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff"


def _is_regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
