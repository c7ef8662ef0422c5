"""Stretches of the Irish recording, once as a recording for our replay and once as series and rules for promtool.

A stretch has no gap, its changes fall on whole minutes, and everything in it is known from its first minute on: there
Prometheus and we answer the same question.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.recordings import open_recording
from sandbox.recordings.recording import Event, Recording
from sandbox.world.times import from_ms
from tests.conftest import shared_folder

MINUTE = timedelta(minutes=1)
CODES = {"Available": 1, "Charging": 2, "Faulted": 3, "true": 1, "false": 0}

Key = tuple[str, str, str]  # field, charger, connector ("" for the charger's own field)
State = tuple[str, str, str]  # rule, subject, pending or firing


@dataclass(frozen=True, slots=True)
class PairedRule:
    """One rule in both languages; `for_` and `keep` in the words of both (`30m`)."""

    name: str
    for_each: str
    when: str
    expr: str
    for_: str = "0s"
    keep: str = "0s"

    def document(self) -> dict[str, Any]:
        """The rule as ours."""
        times = {key: value for key, value in (("for", self.for_), ("keep_firing_for", self.keep)) if value != "0s"}
        return {"name": self.name, "for_each": self.for_each, "when": self.when, **times}

    def alerting_rule(self) -> dict[str, Any]:
        """The rule as Prometheus'."""
        return {"alert": self.name, "expr": self.expr, "for": self.for_, "keep_firing_for": self.keep}


@dataclass(frozen=True, slots=True)
class Stretch:
    """The values of some chargers, minute by minute from `start` on: by key the (minute, value) changes."""

    start: datetime
    minutes: int
    values: Mapping[Key, Sequence[tuple[int, str]]]

    def rows(self) -> list[dict[str, str]]:
        """The stretch as rows of a neutral recording, in time order."""
        told = [
            (minute, {"field": field, "charger_id": charger, "connector_id": connector, "value": value})
            for (field, charger, connector), changes in self.values.items()
            for minute, value in changes
        ]
        ordered = sorted(told, key=lambda entry: entry[0])
        rows = [{"at": self._iso(minute), **row} for minute, row in ordered]
        # a value said again, so that the recording goes on to the stretch's end
        last = {**rows[0], "at": self._iso(self.minutes - 1)}
        key = (last["field"], last["charger_id"], last["connector_id"])
        return [*rows, {**last, "value": self.values[key][-1][1]}]

    def series(self) -> list[dict[str, str]]:
        """The stretch as promtool's input series, a sample a minute."""
        told = []
        for (field, charger, connector), changes in self.values.items():
            labels = {"charger": charger, **({"connector": connector} if connector else {})}
            ends = [minute for minute, _ in changes[1:]] + [self.minutes]
            runs = [f"{CODES[value]}+0x{end - minute - 1}" for (minute, value), end in zip(changes, ends, strict=True)]
            told.append({"series": _series(field, labels), "values": " ".join(runs)})
        return told

    def _iso(self, minute: int) -> str:
        return (self.start + minute * MINUTE).isoformat().replace("+00:00", "Z")


def irish_stretch(start: datetime, minutes: int, chargers: int) -> Stretch:
    """The first `chargers` (by id) that were out of order or offline in a stretch of the Irish recording."""
    recording = open_recording(shared_folder("data/irish_status"))
    end = start + minutes * MINUTE
    _assert_comparable(recording, start, end)
    before: dict[Key, str] = {}
    changes: dict[Key, list[tuple[int, str]]] = defaultdict(list)
    for event in recording.events:
        at = from_ms(event.at_ms)
        if at >= end:
            break
        if event.field not in {"status", "online"}:
            continue
        key, value = (event.field, event.charger_id, event.connector_id), _value(event)
        if at <= start:
            before[key] = value
        elif (changes[key][-1][1] if changes[key] else before.get(key)) != value:
            changes[key].append(((at - start) // MINUTE, value))
    connectors = _known_connectors(recording, before)
    troubled = sorted(
        {key[1] for key, told in changes.items() if any(value in {"Faulted", "false"} for _, value in told)}
    )
    chosen = [name for name in troubled if connectors.get(name)][:chargers]
    keys = [("status", name, connector) for name in chosen for connector in sorted(connectors[name])]
    values = {key: [(0, before[key]), *changes[key]] for key in keys}
    for name in chosen:
        online = ("online", name, "")
        values[online] = [(0, before.get(online, "true")), *changes[online]]
    return Stretch(start, minutes, values)


def states_by_minute(lines: Iterable[Mapping[str, str]], stretch: Stretch) -> list[set[State]]:
    """From the lines of a replay: which alerts stood, pending or firing, after the poll of each minute."""
    open_: dict[tuple[str, str], str] = {}
    states: list[set[State]] = []
    for line in lines:
        minute = (datetime.fromisoformat(line["at"]) - stretch.start) // MINUTE
        while len(states) < min(minute, stretch.minutes):
            states.append({(*key, state) for key, state in open_.items()})
        open_[line["rule"], line["subject"]] = line["to"]
        if line["to"] not in {"pending", "firing"}:
            del open_[line["rule"], line["subject"]]
    while len(states) < stretch.minutes:
        states.append({(*key, state) for key, state in open_.items()})
    return states


def promtool_test(rules_file: str, stretch: Stretch, states: Sequence[set[State]]) -> str:
    """A file for `promtool test rules`: at every minute ALERTS holds these alerts and no others. JSON is YAML."""
    charger_of = {connector: charger for _, charger, connector in stretch.values if connector}
    checks = [
        {
            "expr": "ALERTS",
            "eval_time": f"{minute}m",
            "exp_samples": [_sample(one, charger_of) for one in sorted(alerts)],
        }
        for minute, alerts in enumerate(states)
    ]
    test = {"interval": "1m", "input_series": stretch.series(), "promql_expr_test": checks}
    return json.dumps({"rule_files": [rules_file], "evaluation_interval": "1m", "tests": [test]})


def promtool_rules(rules: Iterable[PairedRule]) -> str:
    """A rule file of Prometheus."""
    group = {"name": "chargehand", "interval": "1m", "rules": [rule.alerting_rule() for rule in rules]}
    return json.dumps({"groups": [group]})


def _assert_comparable(recording: Recording, start: datetime, end: datetime) -> None:
    for begin_ms, end_ms in recording.gaps:
        assert end_ms is not None
        assert end <= from_ms(begin_ms) or start >= from_ms(end_ms), "the stretch holds a gap"
    inside = [event.at_ms for event in recording.events if start <= from_ms(event.at_ms) < end]
    assert inside
    assert all(at_ms % 60_000 == 0 for at_ms in inside), "a change does not fall on a whole minute"


def _known_connectors(recording: Recording, before: Mapping[Key, str]) -> dict[str, list[str]]:
    """By charger its connectors; only chargers of which every connector's status is known at the start."""
    every: dict[str, set[str]] = defaultdict(set)
    for event in recording.events:
        if event.connector_id:
            every[event.charger_id].add(event.connector_id)
    return {
        charger: sorted(connectors)
        for charger, connectors in every.items()
        if all(("status", charger, connector) in before for connector in connectors)
    }


def _value(event: Event) -> str:
    return str(event.value).lower() if isinstance(event.value, bool) else str(event.value)


def _sample(state: State, charger_of: Mapping[str, str]) -> dict[str, Any]:
    rule, subject, alertstate = state
    things = {"charger": charger_of[subject], "connector": subject} if subject in charger_of else {"charger": subject}
    return {"labels": _series("ALERTS", {"alertname": rule, "alertstate": alertstate, **things}), "value": 1}


def _series(name: str, labels: Mapping[str, str]) -> str:
    return f"{name}{{{', '.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"
