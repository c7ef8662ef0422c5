"""The plot of growth shows every fleet that was measured, and loads nothing from elsewhere."""

import xml.etree.ElementTree as ET
from dataclasses import replace

from bench.measuring import Figure, Lap
from bench.plot import TITLE, draw
from bench.rows.growth import evaluated, recorded
from bench.sizes import FULL


def test_the_plot_is_one_whole_image() -> None:
    names = [name(connectors) for connectors in FULL.growth for name in (evaluated, recorded)]
    figures = {name: Figure(name, (Lap(0.1),)) for name in names}
    drawn = draw(figures, FULL)
    assert drawn is not None
    assert TITLE in ET.fromstring(drawn).itertext()
    assert "<script" not in drawn or "src=" not in drawn
    assert "300,000" in drawn


def test_one_fleet_makes_no_plot() -> None:
    size = replace(FULL, growth=(1_000,))
    assert draw({evaluated(1_000): Figure("x", (Lap(0.1),))}, size) is None
