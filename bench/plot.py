"""Draws bench/growth.svg: what the same changes cost in fleets of other sizes, beside what they would if it grew alike.

It draws figures, and measures none.
"""

from collections.abc import Mapping
from pathlib import Path

from bench.charts import CleanStyle, pygal
from bench.measuring import Figure
from bench.rows.growth import evaluated, recorded
from bench.sizes import Size

PLOT = Path(__file__).with_name("growth.svg")
TITLE = "Seconds for the same 1,000 changed connectors"


def draw(figures: Mapping[str, Figure], size: Size) -> str | None:
    """The plot as SVG, both axes logarithmic; None where fewer than two fleets were measured."""
    known = [connectors for connectors in size.growth if evaluated(connectors) in figures]
    if len(known) < 2:
        return None
    chart = pygal.XY(
        title=TITLE,
        x_title="connectors in the fleet",
        logarithmic=True,
        xrange=(known[0], known[-1]),
        style=CleanStyle,
        legend_at_bottom=True,
        truncate_legend=-1,
        js=[],  # a plot loads nothing from elsewhere
        width=800,
        height=480,
        x_labels=known,
        x_value_formatter=lambda value: f"{value:,.0f}",
        value_formatter=lambda value: f"{value:.3g} s",
    )
    for title, name in (("evaluate", evaluated), ("record", recorded)):
        chart.add(title, [(n, figures[name(n)].median) for n in known if name(n) in figures])
    first = figures[evaluated(known[0])].median
    in_proportion = [(n, first * n / known[0]) for n in known]
    chart.add("if it grew with the fleet", in_proportion, stroke_style={"dasharray": "4, 6"}, show_dots=False)
    return str(chart.render(is_unicode=True))
