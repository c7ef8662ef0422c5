"""Makes the measurements: `python -m bench`, with `--quick` a small fleet, with `--only NAME` some sections.

Each section runs in a process of its own and prints as it goes; at the end bench/RESULTS.md is written, unless only
some were wanted.
"""

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime

from bench.measuring import Told, figures_of
from bench.plot import PLOT, draw
from bench.results import RESULTS, Run, render
from bench.sections import run_section
from bench.sizes import FULL, QUICK
from bench.work import SECTIONS


def main() -> None:
    """Read the arguments, run the sections, write the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small fleet, in under two minutes")
    parser.add_argument("--only", action="append", metavar="NAME", help="this section alone; may be given again")
    parser.add_argument("--minutes", type=float, help="on a busy machine: how long it may take in all")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else FULL
    most = arguments.minutes * 60 if arguments.minutes else size.seconds
    began = time.monotonic()
    told: list[Told] = []
    troubles: dict[str, str] = {}
    wanted = [
        replace(one, seconds=one.seconds * most / size.seconds)
        for one in SECTIONS[size.name]
        if not arguments.only or one.name in arguments.only
    ]
    for number, section in enumerate(wanted):
        # what one leaves over is the next one's, and each has at least its own
        kept = sum(other.seconds for other in wanted[number + 1 :])
        laps, trouble = run_section(section, size, most - (time.monotonic() - began) - kept)
        told += laps
        if trouble:
            troubles[section.name] = trouble
    run = Run(figures_of(told), troubles, size, datetime.now(UTC).date(), time.monotonic() - began)
    if arguments.only:
        print(render(run))
    else:
        RESULTS.write_text(render(run), encoding="utf-8")
        plot = draw(run.figures, size)
        if plot is not None:
            PLOT.write_text(plot, encoding="utf-8")
        print(f"written: {RESULTS.name}")


if __name__ == "__main__":
    main()
