"""A small grammar of JSON shapes that answers in Slack's words: `[ERROR] ... [json-pointer:/blocks/0/text]`.

It knows lengths, kinds and required keys, refuses unknown keys, and knows nothing of any block.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Check = Callable[[Any, str, "Report"], None]


@dataclass
class Report:
    """What was found wrong, in the order it was found; `file_exists` says whether an uploaded file may be shown."""

    messages: list[str] = field(default_factory=list)
    file_exists: Callable[[str], bool] = lambda _: False

    def error(self, words: str, pointer: str) -> None:
        self.messages.append(f"[ERROR] {words} [json-pointer:{pointer}]")


def string(maximum: int, minimum: int = 1, pattern: str | None = None) -> Check:
    """Text of `minimum` to `maximum` characters, all of which fit `pattern`."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, str):
            report.error("must provide a string", pointer)
        elif len(value) < minimum:
            report.error(f"must be more than {minimum - 1} characters", pointer)
        elif len(value) > maximum:
            report.error(f"must be less than {maximum + 1} characters", pointer)
        elif pattern is not None and not re.fullmatch(pattern, value):
            report.error("failed to match the required format", pointer)

    return check


def integer(minimum: int, maximum: int) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            report.error("must provide a number", pointer)
        elif not minimum <= value <= maximum:
            report.error(f"must be between {minimum} and {maximum}", pointer)

    return check


def boolean(value: Any, pointer: str, report: Report) -> None:
    if not isinstance(value, bool):
        report.error("must provide a boolean", pointer)


def anything(value: Any, pointer: str, report: Report) -> None:
    """Takes every value: what stands there is not looked into."""


def one_of(*choices: str) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if value not in choices:
            report.error(f"must be a valid enum value: {', '.join(choices)}", pointer)

    return check


def items(check_item: Check, minimum: int = 1, maximum: int = 100) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, list):
            report.error("must provide an array", pointer)
            return
        if len(value) < minimum:
            report.error(f"no fewer than {minimum} items allowed", pointer)
        if len(value) > maximum:
            report.error(f"no more than {maximum} items allowed", pointer)
        for index, item in enumerate(value):
            check_item(item, f"{pointer}/{index}", report)

    return check


def shape(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with exactly these keys; an unknown one is refused."""
    known = {**required, **(optional or {})}

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.error("must provide an object", pointer)
            return
        for key in required:
            if value.get(key) is None:
                report.error(f"missing required field: {key}", pointer)
        for key, inner in value.items():
            if key not in known:
                report.error(f"invalid additional property: {key}", pointer)
            elif inner is not None:
                known[key](inner, f"{pointer}/{key}", report)

    return check


def by_type(table: Mapping[str, Check]) -> Check:
    """An object whose `type` chooses its shape; a type not in the table is unsupported there."""

    def check(value: Any, pointer: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.error("must provide an object", pointer)
        elif not isinstance(value.get("type"), str):
            report.error("missing required field: type", pointer)
        elif value["type"] not in table:
            report.error(f"unsupported type: {value['type']}", f"{pointer}/type")
        else:
            table[value["type"]](value, pointer, report)

    return check


def also(check: Check, *others: Check) -> Check:
    """The first check, then the others where the value is an object at all."""

    def both(value: Any, pointer: str, report: Report) -> None:
        check(value, pointer, report)
        if isinstance(value, dict):
            for other in others:
                other(value, pointer, report)

    return both


def exactly_one(*keys: str) -> Check:
    def check(value: Any, pointer: str, report: Report) -> None:
        if sum(value.get(key) is not None for key in keys) != 1:
            report.error(f"must provide exactly one of: {', '.join(keys)}", pointer)

    return check
