"""The relation of which rules keep which others quiet, stored, so that muting is one query.

It mutes nothing itself: `rules.alerts.silences` asks the stored relation which alerts are quiet at a moment.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.documents.document import Rule
from storage.schema import INHIBITION


def store_inhibitions(connection: Connection, rules: Iterable[Rule]) -> None:
    """Make the stored relation that of these rules; a rule of safety is never a target."""
    rules = list(rules)
    deaf = {rule.name for rule in rules if rule.safety}
    pairs = [(rule.name, name) for rule in rules for name in rule.inhibits if name not in deaf]
    connection.execute(sa.delete(INHIBITION))
    if pairs:
        rows = [{"source_rule": source, "target_rule": target} for source, target in pairs]
        connection.execute(sa.insert(INHIBITION), rows)
