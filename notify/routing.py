"""Where and when what rules say in one run of a job may be heard: channels, routes, quiet hours, and how many at once.

It answers from what it holds and writes nothing. A job builds it once, and everything that the job says is told it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from rules.documents.document import Rule
from rules.documents.routes import When
from rules.documents.speech_plan import PLAIN, SpeechPlan
from rules.rising import graver

GROUP_WAIT = timedelta(seconds=30)
GROUP_INTERVAL = timedelta(minutes=5)
BUDGET = 3
"""How many new cards a channel takes from one evaluation; more are a roll-up."""


@dataclass(frozen=True, slots=True)
class Routing:
    """The moment of a job's run (an evaluation's is its poll's), and how what it says is heard.

    `usual` are each rule's own channels, or the one where a rule without any speaks, by its name; `rules` are those in
    force by name, `plan` their routes and quiet hours; `default_zone` holds where a location names no zone.
    `outsiders_hear`: guests and people of other workspaces may look, so what they subscribed to is told them.
    """

    now: datetime
    usual: Mapping[str, Sequence[str]] = field(default_factory=dict)
    plan: SpeechPlan = PLAIN
    rules: Mapping[str, Rule] = field(default_factory=dict)
    default_zone: str = "UTC"
    budget: int = BUDGET
    group_wait: timedelta = GROUP_WAIT
    group_interval: timedelta = GROUP_INTERVAL
    outsiders_hear: bool = False

    @property
    def due_at(self) -> datetime:
        """When a new card is due: others may join it until then."""
        return self.now + self.group_wait

    @property
    def routes_something(self) -> bool:
        """Whether a rule may be sent elsewhere than its usual channels."""
        return bool(self.plan.routes)

    def usual_channels(self, rule_id: str) -> tuple[str, ...]:
        """The channels of a rule where no route is asked, each once."""
        return tuple(dict.fromkeys(self.usual.get(rule_id, ())))

    def channels(
        self, rule_id: str, severity: str, location_id: str | None, labels: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """The channels of an alert or event: its rule's own, else those of its routes, else the usual ones."""
        rule = self.rules.get(rule_id)
        usual = tuple(self.usual.get(rule_id, ()))
        if rule is not None and rule.notify:
            return usual
        when = When(self.now, self.default_zone)
        return self.plan.channels(severity, location_id, labels, when) or usual

    def quiet_until(self, rule_id: str, severity: str, zone: str | None, risen: str | None = None) -> datetime | None:
        """Until when (UTC) quiet hours hold this back, or None; a rule of safety is never held.

        What the rule says now of its severity counts before `severity`: made critical in the night, it speaks. `risen`
        is what an alert of a rule whose severity rises has become since it fired.
        """
        rule = self.rules.get(rule_id)
        if self.plan.quiet_hours is None or (rule is not None and rule.safety):
            return None
        severity = rule.severity if rule is not None else severity
        if rule is not None and rule.rises:
            severity = graver(severity, risen)
        return self.plan.quiet_hours.until(severity, zone, self.default_zone, self.now)
