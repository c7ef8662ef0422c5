"""Runs rule tests: the polls that a case draws, recorded and evaluated as the service does it, and what differs.

It holds no opinion about a rule: what a condition means is the compiled query's answer alone. Words of messages come
from the speaker it is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from rules.alerts.events import Event
from rules.documents.document import Rule
from rules.documents.files import load_rules
from rules.language.errors import RuleError
from rules.lifecycle import Transition
from rules.registry.runnable import find_unrunnable
from rules.registry.store import RulesInForce
from rules.trials.cases import Case, CaseError, CaseErrors, load_cases
from rules.trials.differences import ReadableSpeaker, differences
from rules.trials.scenario import World
from rules.trials.scratch import Scratch


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended: `failures` is empty where it passed. `seconds` is left to the caller."""

    source: str
    name: str
    line: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(slots=True)
class Tested:
    """The rules that cases test: those that run, and of those that no database takes, why.

    `ready` are those that run, by the zone that counts where none is named: the first case makes them ready for all.
    """

    rules: tuple[Rule, ...]
    broken: Mapping[str, RuleError]
    ready: dict[str | None, RulesInForce] = field(default_factory=dict)


def load_all(paths: Sequence[Path]) -> list[tuple[Case, Tested]]:
    """The cases of these files with the rules they test. Raises CaseErrors with what is wrong with all the files.

    Raises RuleErrors where a rule file is wrong.
    """
    cases: list[Case] = []
    errors: list[CaseError] = []
    for path in paths:
        try:
            cases += load_cases(path)
        except CaseErrors as wrong:
            errors += wrong.errors
    loaded: list[tuple[Case, Tested]] = []
    read: dict[tuple[Path, ...], Tested] = {}
    named: dict[tuple[Path, ...], list[Rule]] = {}
    for case in cases:
        if case.rules not in read:
            rules = load_rules(case.rules)
            broken = find_unrunnable(rules)
            read[case.rules] = Tested(tuple(rule for rule in rules if rule.name not in broken), broken)
            named[case.rules] = rules
        errors += _unknown_names(case, named[case.rules])
        loaded.append((case, read[case.rules]))
    if errors:
        raise CaseErrors(errors)
    return loaded


def run_case(case: Case, tested: Tested, make_speaker: Callable[[Sequence[Rule]], ReadableSpeaker]) -> CaseResult:
    """Run one case from its start to its last check; a rule that cannot run fails it where the case looks at it."""
    rules = tested.rules
    speaker = make_speaker(rules)
    world = World(case)
    failures = [f'rule "{name}": {error.message}' for name, error in tested.broken.items() if case.looks_at(name)]
    history: list[Transition | Event] = []
    waiting = list(case.checks)
    now, step = case.start, 0
    zone = speaker.default_zone
    with Scratch(rules, case.start, speaker, tested.ready.get(zone)) as scratch:
        tested.ready[zone] = scratch.rules
        while waiting:
            history += scratch.tick(now, world.answers(step, now))
            while waiting and waiting[0].at == now:
                failures += differences(case, waiting.pop(0), scratch, speaker, history)
            step += 1
            now = case.start + step * case.interval
    return CaseResult(case.source, case.name, case.line, tuple(failures))


def junit(results: Sequence[CaseResult]) -> str:
    """The results as JUnit XML: a test suite a file."""
    root = ElementTree.Element("testsuites", tests=str(len(results)), failures=str(_failed(results)))
    for source in dict.fromkeys(result.source for result in results):
        of_file = [result for result in results if result.source == source]
        suite = ElementTree.SubElement(
            root, "testsuite", name=source, tests=str(len(of_file)), failures=str(_failed(of_file)), errors="0"
        )
        for result in of_file:
            told = ElementTree.SubElement(
                suite, "testcase", classname=source, name=result.name, file=source, line=str(result.line)
            )
            if not result.passed:
                failure = ElementTree.SubElement(told, "failure", message=result.failures[0].splitlines()[0])
                failure.text = "\n".join(result.failures)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _failed(results: Sequence[CaseResult]) -> int:
    return sum(not result.passed for result in results)


def _unknown_names(case: Case, rules: Sequence[Rule]) -> list[CaseError]:
    """What is wrong with the rules that a case names: there is none of that name, or it is of another kind."""
    kinds = {rule.name: rule.kind for rule in rules}
    named = sorted({one for check in case.checks for one in check.named()})
    wrong = [f'"only": no tested rule is called "{name}"' for name in sorted(case.only - kinds.keys())]
    for name, kind in named:
        if name not in kinds:
            wrong.append(f'no tested rule is called "{name}"; there is {", ".join(sorted(kinds)) or "none"}')
        elif kinds[name] != kind:
            key = {"alert": "expect_alerts", "event": "expect_events", "digest": "expect_digests"}[kinds[name]]
            wrong.append(f'the rule "{name}" is one of {_PLURAL[kinds[name]]}: what it says stands under "{key}"')
    return [CaseError(case.source, case.name, case.line, message) for message in wrong]


_PLURAL = {"alert": "alerts", "event": "events", "digest": "digests"}
