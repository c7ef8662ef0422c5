"""What is wrong with a condition or a rule file, in words an operator can act on: where, what, expected, nearest.

Errors are collected, not thrown one by one, so that one look at a file shows all of them. Nothing here finds errors.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConditionError:
    """One thing wrong with a condition. `column` is 1-based in the condition's text, lines counted through."""

    column: int
    message: str
    expected: str | None = None
    suggestion: str | None = None

    def sentence(self) -> str:
        """The message with what was expected and the nearest right word."""
        expected = f"; expected {self.expected}" if self.expected else ""
        return f"{self.message}{expected}" + (f'; did you mean "{self.suggestion}"?' if self.suggestion else "")


class ConditionErrors(Exception):  # noqa: N818 (it carries several)
    """Everything that is wrong with the condition `text`, in the order of the text; at least one error."""

    def __init__(self, text: str, errors: Iterable[ConditionError]) -> None:
        self.text = text
        self.errors = tuple(sorted(errors, key=lambda error: error.column))
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(
            f"column {error.column}: {error.sentence()}\n{pointed(self.text, error.column)}" for error in self.errors
        )


@dataclass(frozen=True, slots=True)
class RuleError:
    """One thing wrong with a rule or its file. `line` and `column` are 1-based and say where in the file.

    For an error inside a condition `condition` is its text, `key` the key that holds it, and `column` counts in it;
    `many_lines`: it stands on several lines of the file, so that `line` is worth saying. Of a mistake in the YAML
    itself `condition` is the line.
    """

    source: str
    rule: str | None
    message: str
    line: int | None = None
    column: int | None = None
    key: str | None = None
    condition: str | None = None
    many_lines: bool = False

    def __str__(self) -> str:
        where = [f'rule "{self.rule}"'] if self.rule else []
        if self.line is not None and (self.condition is None or self.rule is None or self.many_lines):
            where.append(f"line {self.line}")
        if self.column is not None:
            where.append(f"column {self.column}")
        head = f"{self.source}: {', '.join(where)}: {self.message}" if where else f"{self.source}: {self.message}"
        if self.condition is None or self.column is None:
            return head
        return f"{head}\n{pointed(self.condition, self.column, label=f'{self.key}: ' if self.key else '')}"


class RuleErrors(Exception):  # noqa: N818 (it carries several)
    """Everything that is wrong with the rules that were read; at least one error."""

    def __init__(self, errors: Iterable[RuleError]) -> None:
        self.errors = tuple(errors)
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


_LONGEST_SHOWN = 100


def pointed(text: str, column: int, label: str = "") -> str:
    """The line of `text` that holds its 1-based `column`, indented, and a caret below that column.

    `label` stands before the line. Of a long line only the part around the column is shown.
    """
    place = min(max(column - 1, 0), len(text))
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    line = text[start : end if end >= 0 else len(text)]
    offset = place - start
    cut = max(0, offset - _LONGEST_SHOWN // 2) if len(line) > _LONGEST_SHOWN else 0
    shown = ("…" if cut else "") + line[cut : cut + _LONGEST_SHOWN]
    shown += "…" if cut + _LONGEST_SHOWN < len(line) else ""
    # a tab or an unprintable character takes one place, so that the caret stays below its column
    clean = "".join(character if character.isprintable() else " " for character in shown)
    caret = " " * (len(label) + offset - cut + (1 if cut else 0)) + "^"
    return f"    {label}{clean.rstrip()}\n    {caret}"
