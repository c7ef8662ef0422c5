"""Where and when what rules say may be heard: each rule's channels, the routes, and the quiet hours of the night.

It answers from what it holds and writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rules.documents.document import Rule
from rules.documents.speech_plan import PLAIN, SpeechPlan


@dataclass(frozen=True, slots=True)
class Manner:
    """The plan in force, the rules by name, and the zone of what has none. By itself it changes nothing."""

    plan: SpeechPlan = PLAIN
    rules: Mapping[str, Rule] = field(default_factory=dict)
    default_zone: str = "UTC"

    @property
    def routes_something(self) -> bool:
        """Whether a rule may be sent elsewhere than its usual channels."""
        return bool(self.plan.routes)

    def channels(
        self, rule_id: str, usual: Sequence[str], severity: str, location_id: str | None, labels: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """The channels of an alert or event: its rule's own, else those of its routes, else the usual ones."""
        rule = self.rules.get(rule_id)
        if rule is not None and rule.notify:
            return tuple(usual)
        return self.plan.channels(severity, location_id, labels) or tuple(usual)

    def quiet_until(self, rule_id: str, severity: str, zone: str | None, now: datetime) -> datetime | None:
        """Until when (UTC) quiet hours hold this back, or None; a rule of safety is never held.

        What the rule says now of its severity counts before `severity`: made critical in the night, it speaks.
        """
        rule = self.rules.get(rule_id)
        if self.plan.quiet_hours is None or (rule is not None and rule.safety):
            return None
        severity = rule.severity if rule is not None else severity
        return self.plan.quiet_hours.until(severity, zone, self.default_zone, now)


AS_THEY_SAY = Manner()
"""Every rule speaks in its own channels, at any hour."""
