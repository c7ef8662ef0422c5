"""Charts as SVG and as PNG: bars by hour or day, shares that add up, and a map of days by things.

Light, with colours that stay apart for people who are colour-blind (Okabe and Ito), and words beside every colour.
Nothing here asks a database; every word from outside is escaped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import resvg_py

WIDTH, MARGIN, LEFT, AXIS = 960, 24, 250, 104
INK, FAINT, PAPER = "#222222", "#d9d9d9", "#ffffff"
BLUE, SKY, ORANGE, GREY, RED = "#0072B2", "#56B4E9", "#E69F00", "#999999", "#D55E00"
FONT = "DejaVu Sans, Noto Sans, Liberation Sans, Arial, sans-serif"
LONGEST_NAME = 18
SMALL, LARGE = 20, 25
"""The sizes of words, so that they can be read where a phone shows the picture at a third of its width."""


class NoFonts(Exception):  # noqa: N818 - read as a sentence
    """This machine has no font, so that a chart would be without words."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture as SVG, its title, and `alt`: the same facts in words."""

    title: str
    alt: str
    svg: str


@dataclass(frozen=True, slots=True)
class Series:
    """Values by place on the x axis, with their name and colour; None is not known."""

    name: str
    colour: str
    values: Sequence[float | None]


def png_of(chart: Chart) -> bytes:
    """The picture as PNG. NoFonts where there is nothing to write its words with."""
    words = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">{}</svg>'
    mark = f'<text x="2" y="30" font-size="30" font-family="{FONT}">M</text>'
    if _rendered(words.format(mark)) == _rendered(words.format("")):
        raise NoFonts("there is no font here to write a chart's words with; install one, such as fonts-dejavu-core")
    return _rendered(chart.svg)


def _rendered(svg: str) -> bytes:
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, background=PAPER))


def plain(text: str) -> str:
    """A text without what cannot be seen, such as marks that turn the direction of what follows."""
    return "".join(character if character.isprintable() else " " for character in text)


def bars(title: str, panels: Sequence[tuple[str, Series]], labels: Sequence[str]) -> str:
    """Panels of bars below one another, each with what it shows in which unit; one label a bar."""
    height, top = 190, 74
    parts = [_title(title)]
    for number, (what, series) in enumerate(panels):
        y = top + number * (height + 84)
        parts.append(_text(MARGIN, y, what, size=SMALL, bold=True))
        parts += _columns([series], labels, y + 22, height)
    return _svg(parts, top + len(panels) * (height + 84) - 8)


def stacked(title: str, series: Sequence[Series], labels: Sequence[str]) -> str:
    """Bars of parts that add up, with a key of their colours."""
    height, parts, x = 300, [_title(title)], float(MARGIN)
    for one in series:
        parts.append(f'<rect x="{x:.0f}" y="52" width="16" height="16" fill="{one.colour}"/>')
        parts.append(_text(x + 24, 67, one.name, size=SMALL))
        x += 52 + 13 * len(one.name)
    parts += _columns(series, labels, 92, height)
    return _svg(parts, 92 + height + 48)


def heat_map(title: str, days: Sequence[str], rows: Sequence[tuple[str, Sequence[float | None]]]) -> str:
    """One row a thing, one square a day: the darker, the longer it was down; crossed where nothing is known."""
    step, size, top = (WIDTH - LEFT - MARGIN) / max(len(days), 1), 28, 118
    parts = [_title(title), _text(MARGIN, 67, "up all day", size=SMALL)]
    swatch = '<rect x="{}" y="52" width="22" height="18" fill="{}" stroke="{}"/>'
    parts += [swatch.format(146 + n * 24, _shade(1 - n / 5), FAINT) for n in range(6)]
    parts.append(_text(300, 67, "down all day; crossed: not known", size=SMALL))
    every = max(1, round(len(days) * 84 / (WIDTH - LEFT)))
    parts += [_text(LEFT + n * step, top - 8, day, size=SMALL) for n, day in enumerate(days) if n % every == 0]
    for number, (name, values) in enumerate(rows):
        y = top + number * size
        parts.append(_text(LEFT - 8, y + 20, _short(name), size=SMALL, anchor="end"))
        for n, value in enumerate(values):
            x, fill = LEFT + n * step, PAPER if value is None else _shade(value)
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{max(step - 1, 1):.1f}" height="{size - 1}" fill="{fill}" '
                f'stroke="{FAINT}"/>'
            )
            if value is None:
                parts.append(f'<path d="M{x:.1f} {y}l{step - 1:.1f} {size - 1}" stroke="{GREY}"/>')
    return _svg(parts, top + len(rows) * size + MARGIN)


def _columns(series: Sequence[Series], labels: Sequence[str], top: int, height: int) -> Iterator[str]:
    totals = [sum(one.values[n] or 0 for one in series) for n in range(len(labels))]
    most = _round_up(max(totals, default=0))
    step, left = (WIDTH - MARGIN - AXIS) / max(len(labels), 1), AXIS
    for part in range(5):
        value, y = most * part / 4, top + height - height * part / 4
        yield f'<path d="M{left} {y:.1f}H{WIDTH - MARGIN}" stroke="{FAINT}"/>'
        yield _text(left - 8, y + 7, f"{value:,.10g}", size=SMALL, anchor="end")
    wide = 14 * max((len(label) for label in labels), default=0) + 10
    every = max(1, -(-len(labels) * wide // (WIDTH - MARGIN - AXIS))) if all(labels) else 1
    for n, label in enumerate(labels):
        x, y = left + n * step, float(top + height)
        for one in series:
            tall = height * (one.values[n] or 0) / most
            y -= tall
            size = f'width="{max(step - 2, 1):.1f}" height="{tall:.1f}"'
            yield f'<rect x="{x + 1:.1f}" y="{y:.1f}" {size} fill="{one.colour}"/>'
        if label and n % every == 0:
            anchor = "middle" if all(labels) else "start"
            yield _text(x + step / 2, top + height + 26, label, size=SMALL, anchor=anchor)


def _round_up(value: float) -> float:
    """The next number of which a quarter is short to say."""
    if value <= 0:
        return 1.0
    scale = 10.0 ** (len(str(int(value))) - 1)
    return next(scale * one for one in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if scale * one >= value)


def _shade(uptime: float) -> str:
    """From paper to a dark brown, by how much of the time it was down."""
    down = min(1.0, max(0.0, 1 - uptime)) ** 0.5  # a little is to be seen already
    red, green, blue = (round(a + (b - a) * down) for a, b in ((255, 127), (247, 39), (236, 4)))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _title(text: str) -> str:
    return _text(MARGIN, 34, text, size=LARGE, bold=True)


def _text(x: float, y: float, text: str, *, size: int, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="bold"' if bold else ""
    words = escape(plain(text).encode("utf-8", "replace").decode())
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{weight}>{words}</text>'


def _short(name: str) -> str:
    """A name with its middle left out where it is long: what tells things apart stands at their end."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 10]}…{name[-9:]}"


def _svg(parts: Sequence[str], height: float) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
    paper = f'<rect width="100%" height="100%" fill="{PAPER}"/>'
    return f'{head}font-family="{FONT}" fill="{INK}">{paper}{"".join(parts)}</svg>'
