"""Which rules keep which others quiet: the relation that `inhibits` declares, checked, stored and put in order.

It mutes nothing itself: `rules.alerts.silences` asks the stored relation which alerts are quiet at a moment.
"""

import graphlib
from collections.abc import Collection, Iterable, Mapping, Sequence

from rules.documents.document import Rule
from rules.language.errors import RuleError
from rules.language.fields import nearest


def relation_errors(rules: Sequence[Rule]) -> list[RuleError]:
    """What is wrong with what these rules inhibit: names of no alert rule among them, and circles."""
    alerts = {rule.name for rule in rules if rule.kind == "alert"}
    errors = []
    for rule in rules:
        for name in (name for name in rule.inhibits if name not in alerts):
            near = nearest(name, sorted(alerts - {rule.name}))
            hint = f'; did you mean "{near}"?' if near else ""
            errors.append(RuleError(rule.source, rule.name, f'"inhibits": no alert rule is called "{name}"{hint}'))
    if errors:
        return errors
    try:
        tuple(graphlib.TopologicalSorter(_sources(rules)).static_order())
    except graphlib.CycleError as cycle:
        circle: list[str] = cycle.args[1][::-1]
        source = next(rule for rule in rules if rule.name == circle[0])
        message = f'"inhibits" goes in a circle: {" > ".join(circle)}'
        return [RuleError(source.source, source.name, message)]
    return []


def evaluation_order(documents: Mapping[str, Rule], names: Collection[str]) -> list[str]:
    """These rules in an order in which each comes after those that inhibit it, else by name."""
    sorter = graphlib.TopologicalSorter(_sources(documents.values()))
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += (name for name in ready if name in names)
        sorter.done(*ready)
    return order


def _sources(rules: Iterable[Rule]) -> dict[str, set[str]]:
    """The rules that inhibit each rule."""
    sources: dict[str, set[str]] = {}
    for rule in rules:
        sources.setdefault(rule.name, set())
        for name in rule.inhibits:
            sources.setdefault(name, set()).add(rule.name)
    return sources
