"""Whether any rule in force looks at a power over a time: only then it is kept. It keeps none itself."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from rules.documents.document import Rule
from rules.language.expressions import Windowed, walk
from rules.language.quantities import OVER_POWER
from storage.recording.powers import keep_power


def keep_power_if_read(connection: Connection, rules: Iterable[Rule], now: datetime) -> None:
    """Begin to keep powers with the first rule that reads one over a time, and end it with the last."""
    keep_power(connection, now, wanted=any(map(reads_power, rules)))


def reads_power(rule: Rule) -> bool:
    """Whether a rule looks at a power over a time, in its conditions or to see whether a step helped."""
    verified = (step.verify for step in rule.actions)
    conditions = (part for part in (rule.when, rule.while_, *verified) if part is not None)
    nodes = (node for condition in conditions for node in walk(condition))
    return any(isinstance(node, Windowed) and node.name in OVER_POWER for node in nodes)
