"""The documents that are written from the code: `python -m bot.cli.docs` writes them, with `--check` it only compares.

A document of this table is never edited by hand, and a check that finds one out of date ends with status 1, naming it.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bot.service.operating.metrics import render_metrics_reference
from bot.settings import render_settings_reference
from bot.slack.manifest import render_scopes_reference
from notify.kpis.catalogue import render_kpis
from rules.registry.reference import render_rules_reference

ROOT = Path(__file__).resolve().parents[2]

DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/rules-reference.md": render_rules_reference,
    "docs/metrics.md": render_metrics_reference,
    "docs/kpis.md": render_kpis,
    "docs/settings.md": render_settings_reference,
    "docs/slack-scopes.md": render_scopes_reference,
}
"""Each generated document by its path from the project's root, and what renders it."""


def stale_documents(root: Path, documents: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """The documents below `root` that are missing or differ from the code, with the text they should have."""
    stale = {}
    for name, render in documents.items():
        path, text = root / name, render()
        if not path.is_file() or path.read_bytes() != text.encode():
            stale[name] = text
    return stale


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Write every stale document below `root`, or with `--check` name them and return 1. Returns an exit status."""
    if list(arguments) not in ([], ["--check"]):
        sys.stderr.write("usage: python -m bot.cli.docs [--check]\n")
        return 2
    stale = stale_documents(root, DOCUMENTS)
    if arguments:
        for name in stale:
            sys.stderr.write(f"{name} is out of date: run `python -m bot.cli.docs` and commit it\n")
        return 1 if stale else 0
    for name, text in stale.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        sys.stdout.write(f"wrote {name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
