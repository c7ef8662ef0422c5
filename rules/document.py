"""A rule as a document: YAML or a stored mapping in, a frozen `Rule` or every error at once out.

It checks words, types and conditions, and refuses what this version cannot do instead of ignoring it. It reads files
and nothing else: no database, no clock, no network.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from rules.expressions import Expression


@dataclass(frozen=True, slots=True)
class Rule:
    """One checked rule. An alert has `for_each` and `when`; a digest has `schedule`, `timezone`, `digest`, `window`.

    `document` is the normalised, JSON-able form that is stored: `rule_from_document(rule.document, rule.source)`
    gives an equal rule. `timezone` is an IANA name, or "location" for one message a zone.
    """

    name: str
    description: str
    kind: Literal["alert", "digest"]
    for_each: str | None
    when: Expression | None
    when_text: str | None
    while_: Expression | None
    while_text: str | None
    for_: timedelta
    keep_firing_for: timedelta
    on_gap: Literal["keep", "pause", "reset"]
    severity: Literal["info", "warning", "critical"]
    group_by: tuple[str, ...]
    notify: tuple[str, ...]
    labels: dict[str, str]
    schedule: str | None
    timezone: str | None
    digest: str | None
    window: str | None
    document: dict[str, Any]
    source: str
