"""What a rule's edits are to its open alerts: whether the versions that judged them last asked the same condition.

It reads the kept versions of a rule. What an edit does to an alert is for `lifecycle` to say.
"""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from rules.alerts.query import CompiledRule
from rules.documents.document import rule_from_document
from rules.language.errors import RuleErrors
from rules.language.expressions import to_text
from rules.lifecycle import Edit
from storage.schema import RULE_VERSION


def edits_since(connection: Connection, compiled: CompiledRule, versions: Collection[int]) -> dict[int, Edit]:
    """By the version that judged an alert last, what the rule is to it now."""
    earlier = [version for version in versions if version < compiled.version]
    edits = {version: Edit(compiled.timing) for version in versions}
    if earlier:
        kept = sa.select(RULE_VERSION.c.version, RULE_VERSION.c.document).where(
            RULE_VERSION.c.rule_id == compiled.id, RULE_VERSION.c.version.in_(earlier)
        )
        documents = {row.version: row.document for row in connection.execute(kept)}
        for version in earlier:
            same = _condition_of(documents.get(version)) == compiled.condition
            edits[version] = Edit(compiled.timing, edited=True, same_condition=same)
    return edits


def _condition_of(document: dict[str, Any] | None) -> str | None:
    """The condition of a version, however it was spelled; None where it is not kept, or not read any more."""
    try:
        rule = rule_from_document(document, "") if document is not None else None
    except RuleErrors:
        return None
    return to_text(rule.when) if rule is not None and rule.when is not None else None
