"""The exam's pictures: well-formed SVG in which each count, dot and name is where it ought to be."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from annotate_select.trust.calibration import Bin, Calibration
from annotate_select.trust.intervals import Interval
from annotate_select.trust.pictures import confusion_picture, reliability_picture

SVG = "{http://www.w3.org/2000/svg}"


def drawn(picture: str) -> ElementTree.Element:
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    return root


def tips(root: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}title")]


def test_a_cell_shows_its_count_shaded_by_the_share_of_its_row() -> None:
    root = drawn(confusion_picture([[8, 2], [0, 5]], ["ok", "crack"]))
    assert tips(root) == [
        "ok taken for ok: 8 of 10",
        "ok taken for crack: 2 of 10",
        "crack taken for ok: 0 of 5",
        "crack taken for crack: 5 of 5",
    ]
    cells = [group.find(f"{SVG}rect") for group in root.iter(f"{SVG}g")]
    opacity = [float(one.get("fill-opacity") or 0) for one in cells if one is not None]
    assert opacity == pytest.approx([0.1 + 0.65 * 0.8, 0.1 + 0.65 * 0.2, 0, 0.75], abs=0.006)
    counts = [group.findtext(f"{SVG}text") for group in root.iter(f"{SVG}g")]
    assert counts == ["8", "2", None, "5"]
    left, right = (float(one.get("x") or 0) for one in cells[:2] if one is not None)
    assert right > left
    assert [one.get("y") for one in cells[:2] if one is not None] == [cells[0].get("y")] * 2  # type: ignore[union-attr]


def test_names_are_escaped_and_long_ones_cut() -> None:
    root = drawn(confusion_picture([[1, 0], [0, 1]], ['<b>"x" & y</b>', "a" * 60]))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert texts.count('<b>"x" & y</b>') == 2
    assert texts.count("a" * 23 + "…") == 2
    assert f"{'a' * 60} taken for {'a' * 60}: 1 of 1" in tips(root)


def test_many_classes_stay_on_the_page_and_lose_their_counts_not_their_tooltips() -> None:
    root = drawn(confusion_picture(np.eye(60, dtype=int).tolist(), [f"class {i}" for i in range(60)]))
    assert float(root.get("width") or 0) < 900
    assert all(group.find(f"{SVG}text") is None for group in root.iter(f"{SVG}g"))
    assert len(tips(root)) == 3600


def test_a_bin_is_a_dot_at_its_certainty_and_share_with_its_interval() -> None:
    bins = (Bin(20, 0.5, 0.25, Interval(0.1, 0.5)), Bin(20, 0.9, 1.0, Interval(0.8, 1.0)))
    root = drawn(reliability_picture(Calibration(0.7, 0.62, 0.2, 0.1, 0.01, bins)))
    frame = root.findall(f"{SVG}rect")[1]
    x, y, side = (float(frame.get(name) or 0) for name in ("x", "y", "width"))
    dots = [one.find(f"{SVG}circle") for one in root.iter(f"{SVG}g")]
    found = [
        ((float(one.get("cx") or 0) - x) / side, 1 - (float(one.get("cy") or 0) - y) / side)
        for one in dots
        if one is not None
    ]
    assert np.allclose(found, [(0.5, 0.25), (0.9, 1.0)], atol=0.001)
    bars = [one.find(f"{SVG}line") for one in root.iter(f"{SVG}g")]
    ends = [[1 - (float(one.get(name) or 0) - y) / side for name in ("y1", "y2")] for one in bars if one is not None]
    assert np.allclose(ends, [(0.1, 0.5), (0.8, 1.0)], atol=0.001)
    assert tips(root)[0] == "20 images: 50.0% sure, 25.0% right"
