"""The exam's figures as pictures: SVG text that stands alone, for the report, the app, and paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from annotate_select.trust.calibration import Calibration
from annotate_select.words import counted

__all__ = ["confusion_picture", "reliability_picture"]

INK, PALE, PAPER = "#1f2933", "#b8c0c8", "#ffffff"
RIGHT, WRONG = "#2f7fa8", "#c0762b"  # as in the app's table; told apart by the colour-blind, and by place
LETTER = 6.6  # pixels a letter takes at 12 px, about
LONGEST = 24  # letters of a class's name
READABLE = 26  # pixels of a cell that can hold its count
FAINT, STRONG = 0.1, 0.75  # opacity of a cell of share 0 and 1: ink can be read on both


def confusion_picture(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Draw counts (C, C) as SVG: a row a class, a column what it was taken for, shaded by the share of the row.

    Of many classes the cells get smaller, and lose their counts below 26 pixels; each keeps them as its tooltip.
    """
    n = len(class_names)
    cell = max(8, min(46, 720 // max(1, n)))
    names = [_short(name) for name in class_names]
    margin = int(max(map(len, names), default=0) * LETTER) + 14
    left, top = margin + 22, margin + 22
    side = n * cell
    parts = [
        _text(left + side / 2, 14, "taken by the model for", anchor="middle"),
        _text(14, top + side / 2, "really is", anchor="middle", turn=-90),
    ]
    for i, (row, name) in enumerate(zip(confusion, names, strict=True)):
        middle = (i + 0.5) * cell
        size = min(12, cell)
        parts.append(_text(left - 6, top + middle + 0.36 * size, name, anchor="end", size=size))
        parts.append(_text(left + middle + 0.36 * size, top - 6, name, anchor="start", size=size, turn=-90))
        for j, count in enumerate(row):
            share = count / max(1, sum(row))
            what = f"{class_names[i]} taken for {class_names[j]}: {count:,} of {sum(row):,}"
            parts.append(_cell(left + j * cell, top + middle, cell, count, share, i == j, what))
    title = "Confusion matrix: " + "; ".join(
        f"{name}: {row[i]:,} of {sum(row):,} right"
        for i, (name, row) in enumerate(zip(class_names[:20], confusion, strict=False))
    )
    return _svg(left + side + 12, top + side + 12, title, parts)


def reliability_picture(found: Calibration) -> str:
    """Draw how often a model was right against how sure it was, as SVG: a dot a bin with its 95 % interval."""
    size, left, top = 300, 56, 20

    def at(sure: float, right: float) -> tuple[float, float]:
        return left + size * sure, top + size * (1 - right)

    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts = [f'<rect x="{x0:g}" y="{y1:g}" width="{size}" height="{size}" fill="none" stroke="{PALE}"/>']
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, y = at(tick, tick)
        parts.append(_text(x, y0 + 18, f"{tick:.0%}", anchor="middle"))
        parts.append(_text(x0 - 8, y + 4, f"{tick:.0%}", anchor="end"))
    parts += [
        f'<line x1="{x0:g}" y1="{y0:g}" x2="{x1:g}" y2="{y1:g}" stroke="{INK}" stroke-dasharray="4 4"/>',
        _text((x0 + x1) / 2, y0 + 38, "how sure it was", anchor="middle"),
        _text(14, (y0 + y1) / 2, "how often it was right", anchor="middle", turn=-90),
        _text(x0 + 8, y1 + 18, "right more often than it says"),
        _text(x1 - 8, y0 - 8, "surer than it ought to be", anchor="end"),
    ]
    for one in found.bins:
        (x, low), (_, high), (_, y) = (
            at(one.sure, one.interval.low),
            at(one.sure, one.interval.high),
            at(one.sure, one.right),
        )
        said = f"{counted(one.n)}: {one.sure:.1%} sure, {one.right:.1%} right"
        parts.append(
            f"<g><title>{escape(said)}</title>"
            f'<line x1="{x:.1f}" y1="{low:.1f}" x2="{x:.1f}" y2="{high:.1f}" stroke="{RIGHT}" stroke-width="2"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{RIGHT}"/></g>'
        )
    return _svg(left + size + 20, top + size + 48, f"Reliability: {found.text()}", parts)


def _cell(x: float, middle: float, cell: int, count: int, share: float, right: bool, what: str) -> str:
    y = middle - cell / 2
    colour = RIGHT if right else WRONG
    strength = f"{FAINT + (STRONG - FAINT) * share:.2f}" if count else "0"
    drawn = (
        f"<g><title>{escape(what)}</title>"
        f'<rect x="{x:g}" y="{y:g}" width="{cell}" height="{cell}" fill="{colour}" fill-opacity="{strength}" '
        f'stroke="{PALE}" stroke-width="0.5"/>'
    )
    if count and cell >= READABLE:
        drawn += _text(x + cell / 2, middle + 4, f"{count}", anchor="middle")
    return f"{drawn}</g>"


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: float = 12, turn: int = 0) -> str:
    turned = f' transform="rotate({turn} {x:g} {y:g})"' if turn else ""
    place = f'x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"{turned}'
    return f'<text {place} fill="{INK}">{escape(words)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """Put parts on white paper: what is printed, or seen on a dark page, is the same."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" font-family="system-ui, sans-serif">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(parts)}</svg>'
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
