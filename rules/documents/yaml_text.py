"""YAML 1.2 text to plain values that know their lines, so that errors can point at them.

Only what JSON can say comes out: texts, numbers, true, false, null, lists and mappings with text keys. Tags, dates and
floods of aliases are refused or stay text; nothing is constructed from a tag.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_BYTES = 1_000_000
_MAX_NODES = 50_000
_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """What is wrong with a text, its 1-based line and column where they are known, and what stands on that line."""

    message: str
    line: int | None = None
    column: int | None = None
    written: str | None = None


@dataclass(frozen=True, slots=True)
class YamlItem:
    """One item of a file's list: its plain value, its 1-based line, and the line of each key of a mapping.

    `spans` holds, of each text that stands on several lines, the first one's number and what stands on them.
    """

    value: Any
    line: int
    key_lines: dict[str, int]
    problems: tuple[YamlProblem, ...]
    spans: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)

    def line_in(self, key: str, text: str, column: int) -> int | None:
        """The line on which a 1-based column of the text at `key` stands; that of the key where it is on one line."""
        first, lines = self.spans.get(key, (0, ()))
        place = 0
        for number, line in enumerate(lines, first):
            found = text.find(line.strip(), place) if line.strip() else -1
            if found >= 0:
                place = found + len(line.strip())
                if column - 1 <= place:
                    return number
        return self.key_lines.get(key)


@dataclass(frozen=True, slots=True)
class YamlSection:
    """What stands at one key of a file that is a mapping of sections: its line, and its items or its one value."""

    line: int
    items: tuple[YamlItem, ...]
    is_list: bool


@dataclass(frozen=True, slots=True)
class YamlSections:
    """A file that is a mapping of sections, by their names, and what is wrong with it as a whole."""

    sections: dict[str, YamlSection]
    problems: tuple[YamlProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class YamlText:
    """A text that was parsed: its root where it has one, and what is wrong with it as a whole."""

    text: str
    root: Node | None
    problems: tuple[YamlProblem, ...] = ()

    def items(self) -> tuple[list[YamlItem], list[YamlProblem]]:
        """The items of a file that is one list or one mapping, and what is wrong with the text as a whole."""
        if self.root is None:
            return [], list(self.problems)
        return list(_section(self.root, _Budget(self.text)).items), list(self.problems)

    def sections(self, names: Collection[str], unless: str) -> YamlSections | None:
        """The sections of a mapping with one of these keys and without the key `unless`; None for anything else."""
        if not isinstance(self.root, MappingNode):
            return None
        keys = {str(key.value) for key, _ in self.root.value}
        if unless in keys or not keys & set(names):
            return None
        budget, sections, problems = _Budget(self.text), dict[str, YamlSection](), list(self.problems)
        for key, below in self.root.value:
            if str(key.value) in sections:
                problems.append(YamlProblem(f'the key "{key.value}" stands twice', key.start_mark.line + 1))
            else:
                sections[str(key.value)] = _section(below, budget, key.start_mark.line + 1)
        return YamlSections(sections, tuple(problems))


def read_items(text: str) -> tuple[list[YamlItem], list[YamlProblem]]:
    """The items of a text that is one list or one mapping, and what is wrong with the text as a whole."""
    return parse(text).items()


def parse(text: str) -> YamlText:
    """The text parsed, once for whatever is asked of it."""
    try:
        return YamlText(text, YAML(typ="safe", pure=True).compose(text))
    except MarkedYAMLError as wrong:
        problem = _syntax_problem(wrong, text)
    except YAMLError as wrong:
        problem = YamlProblem(_one_line(str(wrong)))
    except (RecursionError, ValueError):
        problem = YamlProblem("the file is not YAML, or is nested too deeply")
    return YamlText(text, None, (problem,))


def _section(node: Node, budget: "_Budget", line: int | None = None) -> YamlSection:
    is_list = isinstance(node, SequenceNode)
    nodes = list(node.value) if is_list else [node]
    return YamlSection(line or node.start_mark.line + 1, tuple(_item(below, budget) for below in nodes), is_list)


def to_yaml(document: Mapping[str, Any]) -> str:
    """A stored document as people write it; `read_items` reads it back as it was."""
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = StringIO()
    yaml.dump(dict(document), stream)
    return stream.getvalue()


class _Budget:
    """How many more values may be read: aliases can make a short text enormous. And the lines that they stand on."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.left = _MAX_NODES
        self.told = False


def _item(node: Node, budget: _Budget) -> YamlItem:
    problems: list[YamlProblem] = []
    value = _plain(node, budget, problems, 0)
    lines: dict[str, int] = {}
    if isinstance(node, MappingNode):
        for key, _ in node.value:
            lines.setdefault(str(key.value), key.start_mark.line + 1)
    return YamlItem(value, node.start_mark.line + 1, lines, tuple(problems), _spans(node, budget.lines))


def _spans(node: Node, lines: Sequence[str]) -> dict[str, tuple[int, tuple[str, ...]]]:
    found: dict[str, tuple[int, tuple[str, ...]]] = {}
    for key, below in node.value if isinstance(node, MappingNode) else ():
        if isinstance(below, ScalarNode) and below.end_mark.line > below.start_mark.line:
            first = below.start_mark.line + (1 if below.style in {"|", ">"} else 0)
            told = lines[first : below.end_mark.line + 1]
            # what of the first line stands before a text that has no sign of its own is its key
            if told and not below.style:
                told = [told[0][below.start_mark.column :], *told[1:]]
            found.setdefault(str(key.value), (first + 1, tuple(told)))
    return found


def _plain(node: Node, budget: _Budget, problems: list[YamlProblem], depth: int) -> Any:
    budget.left -= 1
    if budget.left < 0 or depth > _MAX_DEPTH:
        if not budget.told:
            problems.append(YamlProblem("too many or too deeply nested values", node.start_mark.line + 1))
        budget.told = True
        return None
    if isinstance(node, MappingNode):
        values: dict[str, Any] = {}
        own: set[str] = set()  # a key may say anew what was merged
        for key, below in node.value:
            if not isinstance(key, ScalarNode):
                problems.append(YamlProblem("a key must be a word", key.start_mark.line + 1))
            elif key.value == "<<":
                told = 'there are no merge keys ("<<") in YAML 1.2: write the keys out in each rule'
                mark = key.start_mark
                problems.append(YamlProblem(told, mark.line + 1, mark.column + 1, budget.lines[mark.line]))
                merged = _plain(below, budget, problems, depth + 1)
                values = {**merged, **values} if isinstance(merged, dict) else values
            elif key.value in own:
                problems.append(YamlProblem(f'the key "{key.value}" stands twice', key.start_mark.line + 1))
            else:
                own.add(key.value)
                values[key.value] = _plain(below, budget, problems, depth + 1)
        return values
    if isinstance(node, SequenceNode):
        return [_plain(below, budget, problems, depth + 1) for below in node.value]
    if str(node.tag).startswith("!"):
        told = f'"{str(node.tag)[:40]}" is a tag in YAML, because of its "!": write "not", or put it all in quotes'
        mark = node.start_mark
        problems.append(YamlProblem(told, mark.line + 1, mark.column + 1, budget.lines[mark.line]))
    return _scalar(str(node.value), str(node.tag).rsplit(":", maxsplit=1)[-1])


def _scalar(text: str, tag: str) -> Any:
    """The value of a plain scalar; what JSON has no form for (dates, infinity, other bases) stays text."""
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in {"true", "yes", "on"}
    if tag in {"int", "float"} and re.fullmatch(r"[-+]?[0-9]{1,15}(\.[0-9]{1,15})?", text):
        return float(text) if "." in text else int(text)
    return text


_COMMENT = re.compile(r"[\[,]\s*(#[A-Za-z0-9_.-]+)")
_QUOTE_IN_QUOTES = re.compile(r'^[^"]*:\s*"[^"]*("[^"]*)"')
_COLON = re.compile(r"^\s*(?:-\s+)?[A-Za-z_]+:\s+[^\s\"'>|\[{].*?(:\s)")


def _everyday(text: str, number: int) -> YamlProblem | None:
    """The mistakes that everybody makes, on the line where the reader stumbled or on one just before it."""
    lines = text.splitlines()
    for place in range(number, max(-1, number - 4), -1):
        line = lines[place] if place < len(lines) else ""
        for pattern, message in (
            (_COMMENT, '"#" begins a comment here; a channel stands in quotes, as in ["#ev-alerts"]'),
            (_QUOTE_IN_QUOTES, "a text in double quotes ends at the next one; put single quotes around it"),
            (_COLON, 'a ":" with a space after it begins a new key; put the whole value in quotes'),
        ):
            found = pattern.search(line)
            if found is not None:
                return YamlProblem(message, place + 1, found.start(1) + 1, line)
    return None


def _syntax_problem(wrong: MarkedYAMLError, text: str) -> YamlProblem:
    mark = wrong.problem_mark or wrong.context_mark
    message = _one_line(" ".join(part for part in (wrong.context, wrong.problem) if part))
    if "'\\t'" in message:
        message = "a tab cannot indent YAML; use spaces"
    elif "cannot start any token" in message or "alphabetic or numeric character" in message:
        message = f"{message}; a text that begins with a sign such as @, * or % needs quotes"
    elif "expected <block end>, but found '<block" in message:
        message = "this line begins in another column than the keys above it; put it below them"
    elif "expected a single document" in message:
        message = 'a file holds one document; remove the line "---"'
    if mark is None:
        return YamlProblem(message)
    lines = text.splitlines()
    written = lines[mark.line] if mark.line < len(lines) else None
    return _everyday(text, mark.line) or YamlProblem(message, mark.line + 1, mark.column + 1, written)


def _one_line(text: str) -> str:
    return " ".join(text.split())
