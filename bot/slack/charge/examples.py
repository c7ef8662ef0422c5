"""Examples of commands that name what is there: chargers, connectors, places, rules and alerts of this fleet.

Words of /charge write their examples with invented names, which stay where nothing of the kind is known. It only reads.
"""

import re
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from bot.slack.charge.spoken import typed
from notify.text.words import slack_unescape
from rules.registry.listing import list_rules
from storage.queries.alerts import AlertFilter, list_alerts
from storage.queries.state import first_id
from storage.schema import LOCATION

INVENTED = re.compile(
    r"(?<![\w.])(?P<connector>242\.2\.1)(?![\w.])|(?<![\w.])(?P<charger>242)(?![\w.])"
    r"|(?<!library/)\b(?P<rule>connector-faulted)\b|(?<=rules edit )(?P<made_rule>hot)\b|(?P<alert>#12)\b"
    r"|(?P<place>location=ID)\b"
)
"""What examples name where no fleet is known."""
LONGEST_NAME = 40


def of_the_fleet(connection: Connection, examples: Sequence[str]) -> list[str]:
    """The same examples about things that are there."""
    if not any(INVENTED.search(example) for example in examples):
        return list(examples)
    known: dict[str, str | None] = {}

    def named(found: re.Match[str]) -> str:
        kind = str(found.lastgroup)
        if kind not in known:
            known[kind] = FINDS[kind](connection)
        return known[kind] or found[0]

    return [INVENTED.sub(named, example) for example in examples]


def _quoted(word: str | None) -> str | None:
    return slack_unescape(typed((word,))) if word is not None else None


def _rule(connection: Connection) -> str | None:
    """A rule over alerts, of those that fire now the first."""
    lines = sorted((line for line in list_rules(connection) if line.kind == "alert"), key=lambda line: not line.firing)
    return _quoted(next((line.name for line in lines), None))


def _made_rule(connection: Connection) -> str | None:
    return _quoted(next((line.name for line in list_rules(connection) if line.file is None), None))


def _alert(connection: Connection) -> str | None:
    """The number of the card of an alert that is open."""
    rows = list_alerts(connection, AlertFilter(state="firing"), 0, 1).rows
    return f"#{rows[0].incident_id}" if rows and rows[0].incident_id else None


def _place(connection: Connection) -> str | None:
    """A location by its name where only one is called so, else by its id."""
    known = first_id(connection, "location")
    if known is None:
        return None
    name: str = connection.execute(sa.select(LOCATION.c.name).where(LOCATION.c.id == known)).scalar() or ""
    alike = sa.select(sa.func.count()).select_from(LOCATION).where(LOCATION.c.name == name)
    plain = len(name) <= LONGEST_NAME and re.fullmatch(r"[\w' -]+", name) is not None
    if not plain or connection.execute(alike).scalar_one() > 1:
        return f"location={_quoted(known)}"
    return f'location="{name}"' if " " in name else f"location={name}"


FINDS: dict[str, Callable[[Connection], str | None]] = {
    "connector": lambda connection: _quoted(first_id(connection, "connector")),
    "charger": lambda connection: _quoted(first_id(connection, "charger")),
    "rule": _rule,
    "made_rule": _made_rule,
    "alert": _alert,
    "place": _place,
}
