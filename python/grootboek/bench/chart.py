"""Small SVG charts: curves and bars, as elements for a page."""

import math
from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from msgspec import Struct

__all__ = ["Bar", "Series", "bars", "curves"]

WIDTH: Final = 720
HEIGHT: Final = 400
LEFT: Final = 70
RIGHT: Final = 210
"""Room for the legend."""
TOP: Final = 40
BOTTOM: Final = 50
TICKS: Final = 6
BAR: Final = 16
COLOURS: Final = ("#0b5fa5", "#c8102e", "#00805a", "#b36b00", "#6f42a1", "#007d8a", "#5a5a5a", "#a3195b")


class Series(Struct, frozen=True):
    """A curve through its points, in their order."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


class Bar(Struct, frozen=True):
    """A name, and one or more amounts of which each is a bar; None leaves it out."""

    name: str
    amounts: Sequence[float | None]


class _Scale(Struct, frozen=True):
    """Marks along an axis, and where a value lies between the first and the last of them."""

    ticks: Sequence[float]
    log: bool = False

    def part(self, value: float) -> float:
        """0 at the first mark, 1 at the last one."""
        low, high, here = self.ticks[0], self.ticks[-1], value
        if self.log:
            low, high, here = math.log(low), math.log(high), math.log(here)
        return (here - low) / (high - low)


def curves(title: str, x_label: str, y_label: str, series: Sequence[Series], *, log: bool = False) -> Element:
    """A chart of all series; the axes begin at zero.

    ``log``: the upright one is logarithmic. Requires a point, and no negative one; with ``log`` all above 0.
    """
    xs, ys = zip(*(point for one in series for point in one.points), strict=True)
    x_scale = _Scale(_ticks(max(xs)))
    y_scale = _Scale(_log_ticks(min(ys), max(ys)), log=True) if log else _Scale(_ticks(max(ys)))
    svg = _canvas(title, HEIGHT)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (WIDTH - LEFT - RIGHT) * x_scale.part(x)
        up = (HEIGHT - TOP - BOTTOM) * y_scale.part(y)
        return round(LEFT + across, 1), round(HEIGHT - BOTTOM - up, 1)

    for tick in x_scale.ticks:
        x, y = place(tick, y_scale.ticks[0])
        _line(svg, (x, y), place(tick, y_scale.ticks[-1]), "grid")
        _text(svg, x, y + 18, _number(tick), "middle")
    for tick in y_scale.ticks:
        x, y = place(0, tick)
        _line(svg, (x, y), place(x_scale.ticks[-1], tick), "grid")
        _text(svg, x - 8, y + 4, _number(tick), "end")
    _text(svg, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_label, "middle")
    _text(svg, LEFT, TOP - 12, y_label, "middle")
    for number, one in enumerate(series):
        _curve(svg, one, [place(*point) for point in one.points], number)
    return svg


def bars(title: str, legend: Sequence[str], rows: Sequence[Bar]) -> Element:
    """Horizontal bars from zero, one group for each row. Requires at least one amount."""
    longest = _ticks(max(amount for row in rows for amount in row.amounts if amount is not None))[-1]
    group = BAR * len(legend) + 10
    svg = _canvas(title, TOP + group * len(rows) + BAR)
    for place, row in enumerate(rows):
        top = TOP + group * place
        _text(svg, RIGHT - 10, top + group / 2, row.name, "end")
        for number, amount in enumerate(row.amounts):
            if amount is not None:
                y, width = top + BAR * number, (WIDTH - 2 * RIGHT) * amount / longest
                shape = {"x": RIGHT, "y": y, "width": round(width, 1), "height": BAR - 3}
                SubElement(svg, "rect", {**_texts(shape), "fill": _colour(number)})
                _text(svg, RIGHT + width + 6, y + BAR - 5, f"{amount:,.4g}", "start")
    for number, name in enumerate(legend):
        _legend(svg, name, number, dashed=False)
    return svg


def _canvas(title: str, height: int) -> Element:
    box = {"viewBox": f"0 0 {WIDTH} {height}", "role": "img", "xmlns": "http://www.w3.org/2000/svg"}
    svg = Element("svg", box)
    SubElement(svg, "title").text = title
    return svg


def _curve(svg: Element, one: Series, places: Sequence[tuple[float, float]], number: int) -> None:
    style = {"stroke": _colour(number), "fill": "none", "stroke-width": "2"}
    if one.dashed:
        style["stroke-dasharray"] = "6 4"
    SubElement(svg, "polyline", {"points": " ".join(f"{x},{y}" for x, y in places), **style})
    for (x, y), (across, up) in zip(places, one.points, strict=True):
        dot = SubElement(svg, "circle", {**_texts({"cx": x, "cy": y, "r": 4}), "fill": _colour(number)})
        SubElement(dot, "title").text = f"{one.name}: {_number(across)}, {_number(up)}"
    _legend(svg, one.name, number, dashed=one.dashed)


def _legend(svg: Element, name: str, number: int, *, dashed: bool) -> None:
    x, y = WIDTH - RIGHT + 16, TOP + 18 * number
    line = _line(svg, (x, y), (x + 20, y), "key")
    line.set("stroke", _colour(number))
    if dashed:
        line.set("stroke-dasharray", "6 4")
    _text(svg, x + 26, y + 4, name, "start")


def _line(svg: Element, start: tuple[float, float], end: tuple[float, float], kind: str) -> Element:
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    return SubElement(svg, "line", {**_texts(ends), "class": kind})


def _text(svg: Element, x: float, y: float, text: str, anchor: str) -> None:
    where = _texts({"x": round(x, 1), "y": round(y, 1)})
    SubElement(svg, "text", {**where, "text-anchor": anchor}).text = text


def _texts(values: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:g}" for name, value in values.items()}


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _ticks(highest: float) -> list[float]:
    """Round numbers from zero to at least ``highest``."""
    rough = (highest or 1.0) / (TICKS - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    return [step * i for i in range(math.ceil((highest or 1.0) / step - 1e-9) + 1)]


def _log_ticks(lowest: float, highest: float) -> list[float]:
    """1, 2 and 5 times powers of ten, from at most ``lowest`` to at least ``highest``."""
    powers = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 2)
    marks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    first = max(i for i, mark in enumerate(marks) if mark <= lowest)
    last = next(i for i, mark in enumerate(marks) if mark >= highest and i > first)
    return marks[first : last + 1]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004  # three digits
