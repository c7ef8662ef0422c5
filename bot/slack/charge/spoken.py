"""What somebody typed, as words: Slack's encodings, its three escapes and what keyboards make of quotes undone.

It looks at spelling alone; what a word means is for the words of /charge to know.
"""

import re

from notify.text.words import slack_escape, slack_unescape

ENCODED = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")
"""A mention, a link or a date as Slack writes it; what people type themselves has its brackets escaped."""
PERSON = re.compile(r"<@([UW][A-Z0-9]{2,})>|([UW][A-Z0-9]{7,})")
GROUP = re.compile(r"<!subteam\^(S[A-Z0-9]{2,})>|(S[A-Z0-9]{7,})")
CHANNEL = re.compile(r"<#([CG][A-Z0-9]{2,})(?:\|([^<>]*))?>")
CHANNEL_ID = re.compile(r"[CG][A-Z0-9]{7,}")
QUOTES = str.maketrans(
    {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": "'", "\u2019": "'", "\u00ab": '"', "\u00bb": '"'}
)
WORD = re.compile(r'(?:"[^"]*"|\S)+')
LAST_MARKS = ".,!?\N{HORIZONTAL ELLIPSIS}"


def plain(text: str) -> str:
    """The text as a person reads it: links by what they show, channels and groups by name, people as `<@U...>`.

    A pair of backticks around all of it is punctuation.
    """
    said = slack_unescape(ENCODED.sub(_read, text)).translate(QUOTES).strip()
    if len(said) > 1 and said.strip("`") and said[0] == said[-1] == "`":
        said = said.strip("`").strip()
    return said


def split(text: str) -> tuple[str, ...]:
    """The words of a text as Slack sends it; what stands in double quotes is one word.

    A full stop at its end is punctuation.
    """
    said = plain(text)
    words = WORD.findall(said) if said.count('"') % 2 == 0 else said.split()
    if words and words[-1].strip(LAST_MARKS):
        words[-1] = words[-1].rstrip(LAST_MARKS)
    found = (word.replace('"', "") for word in words)
    return tuple(word for word in found if word)


def typed(words: tuple[str, ...]) -> str:
    """The words as Slack would send them, so that `split` reads the same again."""
    return slack_escape(" ".join(_quoted(word) for word in words))


def person_of(word: str) -> str | None:
    """The id of the person whom a word names, as a mention or by the id itself."""
    found = PERSON.fullmatch(word)
    return found[1] or found[2] if found else None


def group_of(word: str) -> str | None:
    """The id of the user group that a word names, as a mention or by the id itself."""
    found = GROUP.fullmatch(word)
    return found[1] or found[2] if found else None


def channel_of(text: str) -> tuple[str, str]:
    """The id and the name of the channel that a text as Slack sends it names; what it does not tell is empty."""
    found = CHANNEL.search(text)
    if found is not None:
        return found[1], slack_unescape(found[2] or "")
    for word in split(text):
        if CHANNEL_ID.fullmatch(word):
            return word, ""
        if word.startswith("#") and not word[1:].isdecimal() and len(word) > 1:
            return "", word[1:]
    return "", ""


def _quoted(word: str) -> str:
    if not any(character.isspace() for character in word):
        return word
    key, sign, value = word.partition("=")
    return f'{key}="{value}"' if sign and not any(map(str.isspace, key)) else f'"{word}"'


def _read(found: re.Match[str]) -> str:
    """What one encoded thing is called; people keep their id, since names change."""
    inside, shown = found[1], found[2] or ""
    if inside.startswith("@"):
        return f"<{inside}>"
    if inside.startswith("#"):
        return f"#{shown}" if shown else inside[1:]
    if inside.startswith("!subteam^"):
        return shown or f"<{inside}>"
    if inside.startswith("!"):
        return shown or f"@{inside[1:].partition('^')[0]}"
    return shown or inside.removeprefix("mailto:").removeprefix("tel:")
