"""Draws a chart as static SVG whose looks are attributes alone: no style, no script, nothing to load.

A content policy that forbids styles and scripts changes nothing of it. Where styles are allowed, those of the page
choose other colours by these very attributes in the dark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from pytest_paddle_mt.html_report.words import clean, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Place = tuple[float, float]  #: A place in a chart, in the units of its axes.

#: Colours of what is drawn, on white. Each has a contrast of 4.5 at least.
BLUE, ORANGE, GREEN, PURPLE, RED, TEAL = "#0b5cc2", "#b45309", "#17713a", "#7a33b8", "#c0262d", "#0f6f78"
PINK, OLIVE = "#a3195b", "#666100"
INK, GREY, GRID = "#24292f", "#5b6470", "#d8dee4"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, TEAL, PINK, OLIVE, GREY)  #: Of series; red is for limits and failures.

DASHED, DOTTED = "6 4", "2 3"

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_SIZE = 13.5  #: Of the letters.
_LETTER = 0.56 * _SIZE  #: Mean width of a letter.
_LEFT, _RIGHT, _BOTTOM, _LINE = 68, 14, 46, 20
_TICKS = 5  #: About so many marks on an axis.


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Axis:
    """What an axis shows."""

    label: str
    low: float
    high: float
    ticks: Sequence[float]


def axis(label: str, values: Iterable[float], *, low: float | None = 0.0, high: float | None = None) -> Axis:
    """An axis with round numbers that has room for ``values``; it begins at ``low``, unless that is None."""
    shown = list(values) or [0.0, 1.0]
    top = max(shown) if high is None else high
    bottom = min(shown) if low is None else min(low, *shown)
    if top <= bottom:
        top = bottom + (abs(bottom) or 1.0)
    step = _step((top - bottom) / _TICKS)
    first, last = math.floor(bottom / step + 1e-9), math.ceil(top / step - 1e-9)
    return Axis(label=label, low=first * step, high=last * step, ticks=[one * step for one in range(first, last + 1)])


def axis_of_threads(counts: Sequence[int]) -> Axis:
    """An axis with a mark at each thread count."""
    margin = 0.04 * (max(counts) - min(counts)) or 0.5
    return Axis(label="threads", low=min(counts) - margin, high=max(counts) + margin, ticks=list(counts))


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20 ... that is at least ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


class Chart:
    """A chart under construction: what is added later is drawn above what was added before.

    Args:
        name: what the chart shows, in a few words; readers of screens hear it, and then ``described``.
        described: what is to be seen in it, in a sentence.
        x: the horizontal axis.
        y: the vertical axis.
        width: in pixels.
        height: in pixels.
    """

    def __init__(self, name: str, described: str, x: Axis, y: Axis, *, width: int = 400, height: int = 260) -> None:
        self._x, self._y = x, y
        self._width, self._height = width, height
        self._legend: list[tuple[str, dict[str, str], bool]] = []
        self._marks: list[Callable[[], ElementTree.Element]] = []  #: Placed once the legend has its lines.
        self._name, self._described = name, described

    def line(self, places: Sequence[Place], colour: str, label: str | None = None, *, dash: str | None = None) -> None:
        """A line through ``places``."""
        looks = {"stroke": colour, "stroke-width": "1.7" if dash else "2"} | (
            {"stroke-dasharray": dash} if dash else {}
        )
        if label is not None:
            self._legend.append((label, looks, False))
        if len(places) > 1:
            self._add(lambda: "M" + "L".join(self._at(place) for place in places), looks)

    def dots(self, places: Sequence[Place], colour: str, label: str | None = None, *, size: float = 6) -> None:
        """A dot at each place: one path, whatever their number."""
        looks = {"stroke": colour, "stroke-width": f"{size:g}", "stroke-linecap": "round"}
        if label is not None:
            self._legend.append((label, looks, True))
        if places:
            self._add(lambda: "".join(f"M{self._at(place)}h0" for place in places), looks)

    def intervals(self, intervals: Sequence[tuple[float, float, float]], colour: str) -> None:
        """An upright bar from ``low`` to ``high`` at each ``x``: ``(x, low, high)``; an end in the chart has a cap."""

        def path() -> str:
            bars = [f"M{self._at((x, low))}L{self._at((x, high))}" for x, low, high in intervals]
            ends = [(x, end) for x, *both in intervals for end in both if self._y.low <= end <= self._y.high]
            return "".join([*bars, *(f"M{self._at(end, -5)}h10" for end in ends)])

        if intervals:
            self._add(path, {"stroke": colour, "stroke-width": "1.5"})

    def svg(self) -> str:
        """The whole chart."""
        root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {self._width} {self._height}",
                "width": str(self._width),
                "height": str(self._height),
                "role": "img",
                "aria-label": clean(f"{self._name}. {self._described}"),
                "font-family": _FONT,
                "font-size": f"{_SIZE:g}",
                "fill": INK,
            },
        )
        self._draw_legend(root)
        self._draw_grid(root)
        root.extend([mark() for mark in self._marks])
        return ElementTree.tostring(root, encoding="unicode")

    # Where things are

    @property
    def _inside(self) -> tuple[float, float, float, float]:
        return _LEFT, self._width - _RIGHT, 14 + _LINE * len(self._rows()), self._height - _BOTTOM

    def _at(self, place: Place, right: float = 0.0) -> str:
        left, far, top, bottom = self._inside
        x = left + (place[0] - self._x.low) / (self._x.high - self._x.low) * (far - left)
        share = (place[1] - self._y.low) / (self._y.high - self._y.low)
        y = bottom - min(max(share, -0.01), 1.01) * (bottom - top)
        return f"{x + right:.4g} {y:.4g}"

    def _add(self, path: Callable[[], str], looks: dict[str, str]) -> None:
        self._marks.append(lambda: ElementTree.Element("path", {"d": path(), "fill": "none", **looks}))

    def _rows(self) -> list[list[tuple[str, dict[str, str], bool]]]:
        rows: list[list[tuple[str, dict[str, str], bool]]] = [[]]
        used = 0.0
        for entry in self._legend:
            needed = 34 + _LETTER * len(entry[0]) + 10
            if used + needed > self._width - _LEFT and rows[-1]:
                rows.append([])
                used = 0.0
            rows[-1].append(entry)
            used += needed
        return rows

    def _draw_legend(self, root: ElementTree.Element) -> None:
        for number, row in enumerate(self._rows()):
            x, y = float(_LEFT), 14 + _LINE * number
            for label, looks, is_dot in row:
                path = f"M{x + 12:.4g} {y}h0" if is_dot else f"M{x:.4g} {y}h24"
                ElementTree.SubElement(root, "path", {"d": path, "fill": "none", **looks})
                _text(root, label, x + 30, y + 4)
                x += 34 + _LETTER * len(label) + 10

    def _draw_grid(self, root: ElementTree.Element) -> None:
        left, far, top, bottom = self._inside
        grid = "".join(f"M{left} {self._at((self._x.low, one)).split()[1]}H{far}" for one in self._y.ticks)
        ElementTree.SubElement(root, "path", {"d": grid, "stroke": GRID, "stroke-width": "1", "fill": "none"})
        for one in self._y.ticks:
            y = float(self._at((self._x.low, one)).split()[1])
            _text(root, tick(one, self._y.ticks), left - 7, y + 4, anchor="end", fill=GREY)
        beyond = -math.inf
        for one in self._x.ticks:
            x = float(self._at((one, self._y.low)).split()[0])
            label = tick(one, self._x.ticks)
            half = _LETTER * len(label) / 2
            if x - half > beyond + 3:  # labels that would run into each other are left out
                _text(root, label, x, bottom + 17, anchor="middle", fill=GREY)
                beyond = x + half
        _text(root, self._x.label, (left + far) / 2, self._height - 6, anchor="middle", fill=GREY)
        middle = (top + bottom) / 2
        upright = _text(root, self._y.label, 13, middle, anchor="middle", fill=GREY)
        upright.set("transform", f"rotate(-90 13 {middle:.4g})")


def _text(
    root: ElementTree.Element, text: str, x: float, y: float, *, anchor: str | None = None, fill: str | None = None
) -> ElementTree.Element:
    looks = {"x": f"{x:.5g}", "y": f"{y:.5g}"}
    looks |= {"text-anchor": anchor} if anchor else {}
    element = ElementTree.SubElement(root, "text", looks | ({"fill": fill} if fill else {}))
    element.text = clean(text)
    return element
