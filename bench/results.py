"""Writes bench/RESULTS.md: every row of the table with its peer, the machine, the versions, and what was not measured.

Words and Markdown only; what is compared with what is said by the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.machine import machine, versions
from bench.measuring import Figure
from bench.rows.growth import BASE, RULES, evaluated, recorded
from bench.rows.profiles import CONNECTORS, PREFIX
from bench.sizes import Size
from bench.table import TABLES, rows_of, shown

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = ("work", "ours", "of it processor (s)", "beside", "ratio", "goal", "reached")
WORLD = """\
Four connectors stand on a charger, ten chargers at a location, and two connectors in a hundred are faulted. About half
of the rules look at the whole fleet, the others at one place; a quarter read the power, and all say `for: 30s`. Times
are wall time: the median, then the least and the most. How they are measured: [README](README.md)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its figures by name, what was not measured and why, and how long all took in seconds."""

    figures: Mapping[str, Figure]
    troubles: Mapping[str, str]
    size: Size
    day: date
    took: float


def render(run: Run) -> str:
    """The whole page."""
    size = run.size
    return "\n".join(
        [
            "# Results",
            "",
            f"<!-- Written by `{_command(size)}`. Do not edit. -->",
            "",
            f"Of {run.day}, in {run.took / 60:.1f} minutes: {size.connectors:,} connectors and {size.rules} rules.",
            WORLD,
            "",
            *(f"- {fact}" for fact in [*machine(), *versions()]),
            *(line for title in TABLES for line in _table(title, run.figures, full=size.name == "full")),
            *_growth(run.figures, size),
            *_profiles(run.figures),
            *_troubles(run.troubles),
            "",
        ]
    )


def _command(size: Size) -> str:
    return "make bench" if size.name == "full" else "make bench-quick"


def _table(title: str, figures: Mapping[str, Figure], *, full: bool) -> list[str]:
    lines = ["", f"## {title}", "", _row(HEAD), _row(["---"] * len(HEAD))]
    lines += [_row(rows_of(line, figures, full=full)) for line in TABLES[title]]
    notes = {figure.note for line in TABLES[title] for name in (line.ours, line.peer) if (figure := figures.get(name))}
    return [*lines, *(part for note in sorted(notes - {""}) for part in ("", note))]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _growth(figures: Mapping[str, Figure], size: Size) -> list[str]:
    known = [(connectors, figure) for connectors in size.growth if (figure := figures.get(evaluated(connectors)))]
    if not known:
        return []
    base = next((figure for connectors, figure in known if connectors == BASE), known[0][1])
    said = f"The same 1,000 changed connectors in fleets of other sizes, with {RULES} rules; [as a plot](growth.svg)."
    lines = ["", "## Growth", "", said, "", _row(["connectors", "evaluate", f"against {BASE:,}", "record"])]
    lines.append(_row(["---"] * 4))
    for connectors, figure in known:
        written = figures.get(recorded(connectors))
        ratio = f"{figure.median / base.median:.2f}"
        lines.append(_row([f"{connectors:,}", shown(figure), ratio, shown(written) if written else ""]))
    return [*lines, "", f"Wanted: at most 2 times, from {BASE:,} connectors to the most."]


def _profiles(figures: Mapping[str, Figure]) -> list[str]:
    steps: dict[str, list[str]] = {}
    for figure in figures.values():
        step, colon, where = figure.name.removeprefix(f"{PREFIX} ").partition(": ")
        if figure.name.startswith(PREFIX) and colon:
            steps.setdefault(step, []).append(f"{figure.median:.0f} % `{where}`")
    if not steps:
        return []
    said = f"Processor time by function, each by itself, with {CONNECTORS:,} connectors at most."
    return [
        "",
        "## Where the processor time goes",
        "",
        said,
        "",
        *(f"- {step}: {', '.join(parts)}" for step, parts in steps.items()),
    ]


def _troubles(troubles: Mapping[str, str]) -> list[str]:
    if not troubles:
        return []
    return ["", "## Not measured to the end", "", *(f"- {section}: {reason}" for section, reason in troubles.items())]
