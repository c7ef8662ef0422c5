"""The filters that templates write values with: shortened, escaped, and in the manners people expect of Slack.

Every filter takes a value that came from outside as it is. What it gives back is safe inside mrkdwn, or, for
`short`, plain text that the template's autoescape makes safe.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta

from markupsafe import Markup

from notify.text.clusters import clusters, is_joiner

ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
MINOR_DIGITS = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
SIGNS = {"critical": "\N{LARGE RED CIRCLE}", "warning": "\N{LARGE ORANGE CIRCLE}", "info": "\N{LARGE BLUE CIRCLE}"}
LONGEST_LINE = 500  # of a code block: five times as long once escaped
CALM_SIGNS = {
    "acknowledged": "\N{EYES}",
    "snoozed": "\N{SLEEPING SYMBOL}",
    "silenced": "\N{BELL WITH CANCELLATION STROKE}",
    "held": "\N{CRESCENT MOON}",
    "quiet": "\N{BELL WITH CANCELLATION STROKE}",
}
"""Signs without the colour of a severity, for what fires and asks nobody to look now."""
RESOLVED_SIGN = "\N{WHITE HEAVY CHECK MARK}"
ENDED_SIGN = "\N{MEDIUM WHITE CIRCLE}"


def slack_escape(text: str) -> str:
    """Exactly Slack's three escapes."""
    return "".join(ESCAPES.get(character, character) for character in text)


def slack_unescape(text: str) -> str:
    """The text as a plain_text object wants it: nothing there is parsed, so nothing is escaped."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def one_line(text: object) -> str:
    """The text on one line, without control characters (among them those that turn the writing direction)."""
    return "".join(clusters(" ".join(str(text).split())))


def short(text: object, limit: int = 40) -> str:
    """The text on one line in at most `limit` characters, counted as escaped: what is cut ends in an ellipsis.

    What people see as one character, such as a joined emoji, is kept or left out as a whole.
    """
    pieces = list(clusters(" ".join(str(text).split())))
    costs = [len(slack_escape(piece)) for piece in pieces]
    if sum(costs) <= limit:
        return "".join(pieces)
    kept, left = 0, limit - 1
    while costs[kept] <= left:
        left -= costs[kept]
        kept += 1
    return "".join(pieces[:kept]).rstrip() + "\N{HORIZONTAL ELLIPSIS}"


def code(text: object, limit: int = 40) -> Markup:
    """The text as a code span that nothing inside can end: the one place for untrusted values in mrkdwn."""
    inside = short(str(text).replace("`", "'"), limit) or "?"
    return Markup(f"`{slack_escape(inside)}`")  # noqa: S704 - escaped above


def code_line(text: str) -> str:
    """One line of a code block: escaped, its backticks turned so that the block goes on, its columns kept."""
    expanded = text.expandtabs(4).replace("`", "'")
    pieces = list(clusters("".join(" " if _breaks_columns(c) else c for c in expanded)))
    if sum(map(len, pieces)) <= LONGEST_LINE:
        return slack_escape("".join(pieces))
    kept, room = 0, LONGEST_LINE - 1
    while len(pieces[kept]) <= room:
        room -= len(pieces[kept])
        kept += 1
    return slack_escape("".join(pieces[:kept]) + "\N{HORIZONTAL ELLIPSIS}")


def _breaks_columns(character: str) -> bool:
    invisible = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return invisible and not is_joiner(character)


def named(text: object, limit: int = 40) -> Markup:
    """A name as plain text inside mrkdwn; one that Slack could read as markup, a link or a mention is code."""
    shown = " ".join(str(text).split())
    if not shown or len(shown) > limit or any(_is_markup(shown, at) for at in range(len(shown))):
        return code(text, limit)
    return Markup(slack_escape(shown))  # noqa: S704 - escaped above


def _is_markup(text: str, at: int) -> bool:
    """Whether the character could be more than itself: anything but letters, figures, spaces and plain signs."""
    character, after = text[at], text[at + 1 : at + 2]
    if character == ".":  # a domain would become a link
        return after not in {"", " "} and not after.isdecimal()
    if character == "&":
        return after != " "
    if character in " -,'()/+\N{DEGREE SIGN}%;\N{MIDDLE DOT}" or (character == ":" and after in {"", " "}):
        return False
    return not character.isalnum() or unicodedata.bidirectional(character) in {"R", "AL"}


def when(at: datetime) -> Markup:
    """A moment in the reader's own zone; UTC where the client cannot show it."""
    utc = at.astimezone(UTC)
    return Markup(  # noqa: S704 - digits only
        f"<!date^{int(utc.timestamp())}^{{date_short_pretty}} {{time}}|{utc:%Y-%m-%d %H:%M} UTC>"
    )


def day(value: date) -> str:
    """A calendar day with its weekday, such as "Sat 1 Nov 2025"."""
    return f"{value:%a} {value.day} {value:%b %Y}"


def duration(value: timedelta) -> str:
    """A length of time in its two largest units, such as "2 h 14 min"; under a minute in seconds."""
    seconds = max(0, int(value.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    units = [(days, "d"), (hours, "h"), (minutes, "min")]
    first = next(i for i, (amount, _) in enumerate(units) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in units[first : first + 2] if amount)


def energy(kwh: float) -> str:
    """An energy in kWh with one digit, two below ten."""
    return f"{kwh:,.{1 if abs(kwh) >= 10 else 2}f} kWh"


def km(distance: float) -> str:
    """A distance in km, below one with the next hundred metres."""
    return f"{distance:.0f} km" if distance >= 10 else f"{max(0.1, distance):.1f} km"


def percent(ratio: float) -> str:
    """A ratio as per cent with one digit; not quite all does not read as all, nor next to nothing as nothing."""
    shown = f"{100 * ratio:.1f}"
    if shown == "100.0" and ratio < 1:
        return "over 99.9 %"
    if shown == "0.0" and ratio > 0:
        return "under 0.1 %"
    return f"{shown} %"


def money(amount: float, currency: str) -> Markup:
    """An amount with its ISO 4217 currency, in that currency's digits; any other text stands as code."""
    iso = re.fullmatch(r"[A-Z]{3}", currency) is not None
    unit = currency if iso else (code(currency, 12) if currency else "(no currency)")
    return Markup(f"{amount:,.{MINOR_DIGITS.get(currency, 2)}f} {unit}")  # noqa: S704 - digits and an escaped unit


def change(value: float, before: float) -> str:
    """How a figure stands against an earlier one, such as "+12 %"."""
    if value == before:
        return "same"
    if before == 0:
        return "from none"
    percent = round(100 * (value - before) / abs(before))
    return f"{percent:+d} %"


def user(slack_user: str) -> Markup:
    """A Slack user as a mention; any other name as code."""
    if re.fullmatch(r"[UW][A-Z0-9]{2,}", slack_user):
        return Markup(f"<@{slack_user}>")  # noqa: S704 - capital letters and digits only
    return code(slack_user)


def group_mention(group_id: str) -> Markup:
    """A Slack user group as a mention; any other name as code."""
    if re.fullmatch(r"S[A-Z0-9]{2,}", group_id):
        return Markup(f"<!subteam^{group_id}>")  # noqa: S704 - capital letters and digits only
    return code(group_id)


def channel(slack_channel: str) -> Markup:
    """A Slack channel as a link, a person as a mention; any other name as code."""
    if re.fullmatch(r"[UW][A-Z0-9]{2,}", slack_channel):
        return Markup(f"<@{slack_channel}>")  # noqa: S704 - capital letters and digits only
    if re.fullmatch(r"[CGD][A-Z0-9]{2,}", slack_channel):
        return Markup(f"<#{slack_channel}>")  # noqa: S704 - capital letters and digits only
    return code(slack_channel)


def sign(severity: str, ended_as: str | None = None, state: str = "firing") -> str:
    """One sign for how things stand: by severity while somebody should look, another one where nobody needs to.

    A check mark once recovered, a white circle if it ended otherwise.
    """
    if ended_as is not None:
        return RESOLVED_SIGN if ended_as == "recovered" else ENDED_SIGN
    if state in CALM_SIGNS:
        return CALM_SIGNS[state]
    return SIGNS.get(severity, SIGNS["warning"])


FILTERS = {
    "short": short,
    "code": code,
    "named": named,
    "group_mention": group_mention,
    "when": when,
    "day": day,
    "duration": duration,
    "seconds": lambda value: duration(timedelta(seconds=value)),
    "energy": energy,
    "km": km,
    "percent": percent,
    "money": money,
    "change": change,
    "user": user,
    "channel": channel,
    "sign": sign,
}
