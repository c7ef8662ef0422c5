"""Rule files: every rule of files and folders, with routes and quiet hours, or every error of all of them at once.

It reads files and nothing else: no database, no clock, no network.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rules.documents.document import Rule, read_rule
from rules.documents.inhibition import relation_errors
from rules.documents.speech_plan import PLAIN, PlanReader, SpeechPlan
from rules.documents.yaml_text import MAX_BYTES, YamlItem, YamlSection, parse
from rules.language.errors import RuleError, RuleErrors
from rules.language.fields import nearest

FILE_KEYS = ("rules", "routes", "quiet_hours")
"""The keys of a rules file that is not one rule or a list of them."""


@dataclass(frozen=True, slots=True)
class RuleFiles:
    """What files say: the rules, and how all of them speak."""

    rules: tuple[Rule, ...]
    plan: SpeechPlan = PLAIN


def load_rules(paths: Sequence[Path]) -> list[Rule]:
    """Every rule of the files and folders `paths`, as `load_rule_files` finds them."""
    return list(load_rule_files(paths).rules)


def load_rule_files(paths: Sequence[Path]) -> RuleFiles:
    """Every rule of the files and folders `paths`, in the order of paths, file names and text; routes, quiet hours.

    Of a folder it reads each `*.yaml` and `*.yml` below it, without what is hidden and the tests in `*.test.yaml`.
    Raises RuleErrors with what is wrong in all the files together; a name, and each of routes and quiet hours, may
    stand once in all of them.
    """
    errors: list[RuleError] = []
    rules: list[Rule] = []
    taken: dict[str, tuple[Path, int]] = {}
    plan = PlanReader()
    for path in _files(paths, errors):
        for item in _items(path, errors, plan):
            name = item.value.get("name") if isinstance(item.value, dict) else None
            if isinstance(name, str) and name in taken:
                other, line = taken[name]
                errors.append(RuleError(str(path), name[:80], f"the name is taken by {other}, line {line}", item.line))
            elif isinstance(name, str):
                taken[name] = (path, item.line)
            try:
                rules.append(read_rule(item, str(path)))
            except RuleErrors as wrong:
                errors.extend(wrong.errors)
    errors = [*errors, *plan.errors] or relation_errors(rules)
    if errors:
        raise RuleErrors(errors)
    return RuleFiles(tuple(rules), plan.plan())


def list_rule_files(paths: Iterable[Path]) -> list[Path]:
    """The files that `load_rule_files` reads of these paths, in that order; what is missing is left out."""
    return _files(paths, [])


def _files(paths: Iterable[Path], errors: list[RuleError]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = (file for file in path.rglob("*") if file.suffix in {".yaml", ".yml"} and _is_meant(file, path))
            files.extend(sorted(file for file in below if not file.stem.endswith(".test")))
        elif path.exists():
            files.append(path)
        else:
            errors.append(RuleError(str(path), None, "there is no such file or folder"))
    return list(dict.fromkeys(files))


def _is_meant(file: Path, folder: Path) -> bool:
    """Whether what lies below a folder is one of its files; what is hidden is none.

    Kubernetes mounts files as links into a hidden folder. A link to nothing is one too: its rules must not end unsaid.
    """
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and (file.is_file() or (file.is_symlink() and not file.exists()))


def _items(path: Path, errors: list[RuleError], plan: PlanReader) -> list[YamlItem]:
    """The rules of a file; its routes and quiet hours are read into the plan."""
    try:
        content = path.read_bytes()
        text = content.decode()
    except UnicodeDecodeError as wrong:
        errors.append(RuleError(str(path), None, f"the file is not UTF-8 text (byte {wrong.start + 1})"))
        return []
    except OSError as wrong:
        errors.append(RuleError(str(path), None, f"the file cannot be read: {wrong.strerror}"))
        return []
    if len(content) > MAX_BYTES:
        errors.append(RuleError(str(path), None, f"the file has more than {MAX_BYTES:,} bytes"))
        return []
    parsed = parse(text)
    whole = parsed.sections(FILE_KEYS, unless="name")
    if whole is not None:
        sections = dict(whole.sections)
        errors.extend(RuleError(str(path), None, problem.message, problem.line) for problem in whole.problems)
        unknown = [key for key in sections if key not in FILE_KEYS]
        errors.extend(_unknown_section(str(path), key, sections.pop(key)) for key in unknown)
        rules = sections.pop("rules", None)
        plan.read(sections, str(path))
        if rules is not None and not rules.is_list and rules.items[0].value is not None:
            errors.append(RuleError(str(path), None, '"rules" must be a list of rules', rules.line))
        return list(rules.items) if rules is not None and rules.is_list else []
    items, problems = parsed.items()
    errors.extend(
        RuleError(str(path), None, problem.message, problem.line, problem.column, None, problem.written)
        for problem in problems
    )
    return items


def _unknown_section(source: str, key: str, section: YamlSection) -> RuleError:
    near = nearest(key, FILE_KEYS)
    hint = f'; did you mean "{near}"?' if near else ""
    told = f'a rules file has no key "{key[:60]}", but {", ".join(FILE_KEYS[:-1])} and {FILE_KEYS[-1]}{hint}'
    return RuleError(source, None, told, section.line)
