"""Error codes in words: what a code means, its likely cause, and who usually mends it.

The codes of OCPP and of the ChargeX Consortium stand in error_codes.toml; vendors' own come from a file of the
operator's, which may also say a known code otherwise. A code that nobody explained stays as it is; nothing is guessed.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

LONGEST = {"name": 60, "meaning": 200, "cause": 160, "mends": 120}
MOST_CODES = 5_000
LARGEST_FILE = 2_000_000


class CodesError(ValueError):
    """What is wrong with an operator's file of codes, where and how to mend it."""


@dataclass(frozen=True, slots=True)
class CodeInWords:
    """A code in words; only `name` is always there."""

    name: str
    meaning: str | None = None
    cause: str | None = None
    mends: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorCodes:
    """Every code that can be said in words, by its spelling in lower case."""

    by_code: Mapping[str, CodeInWords] = field(default_factory=dict)

    def explain(self, code: str | None, vendor_code: str | None) -> CodeInWords | None:
        """A fault in words: by the vendor's code where that is known, which says more, else by OCPP's."""
        for one in (vendor_code, code):
            found = self.by_code.get(one.strip().lower()) if one else None
            if found is not None:
                return found
        return None


@cache
def standard_codes() -> ErrorCodes:
    """The codes of OCPP 1.6 and of the ChargeX Consortium."""
    text = Path(__file__).with_name("error_codes.toml").read_text(encoding="utf-8")
    entries: dict[str, dict[str, str]] = tomllib.loads(text)
    return ErrorCodes({code.lower(): CodeInWords(**entries[said.get("same", code)]) for code, said in entries.items()})


def load_codes(path: Path | None) -> ErrorCodes:
    """The standard codes, with those of an operator's file before them. Raises CodesError.

    The file is a mapping from each code to a text, or to a mapping with `name`, `meaning`, `cause` and `mends`.
    """
    if path is None:
        return standard_codes()
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise CodesError(f"{path}: it is larger than {LARGEST_FILE:,} bytes")
        said: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CodesError(f"{path}: it cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        raise CodesError(f"{path}{where}: it is no YAML") from None
    if not isinstance(said, dict) or len(said) > MOST_CODES:
        raise CodesError(f'{path}: it must be a mapping of at most {MOST_CODES:,} codes, such as `E12: "Fan broken"`')
    own = {str(code).strip().lower(): _read(path, str(code), words) for code, words in said.items()}
    return ErrorCodes({**standard_codes().by_code, **own})


def _read(path: Path, code: str, words: Any) -> CodeInWords:
    where = f'{path}: the code "{code[:40]}"'
    told = {"name": words} if isinstance(words, str) else words
    if not isinstance(told, dict):
        raise CodesError(f"{where} must have a text, or a mapping of {', '.join(LONGEST)}")
    for key, text in told.items():
        if key not in LONGEST:
            raise CodesError(f'{where} has an unknown key "{str(key)[:40]}"; known are {", ".join(LONGEST)}')
        if not isinstance(text, str) or not text.strip() or len(text) > LONGEST[key]:
            raise CodesError(f'{where}: "{key}" must be a text of 1 to {LONGEST[key]} characters')
    if "name" not in told:
        raise CodesError(f'{where} has no "name"')
    return CodeInWords(**{key: " ".join(text.split()) for key, text in told.items()})
