"""Nuisances cut into cells, and how they differ in words."""

from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.trust.colour_names import colour_name
from annotate_select.trust.nuisances import category, cells, colour, column, kinds, named, names_the_class, number
from annotate_select.trust.shortcut_words import ends, how_it_differs


def test_a_number_is_cut_at_its_quantiles_and_none_is_a_cell() -> None:
    cut = cells(number("width", [*range(9), np.nan]), 3)
    assert cut.number.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert cut.names[-1] == "none"
    assert cells(number("width", [5.0, 5.0, 7.0]), 3).number.tolist() == [0, 0, 1]
    assert cells(number("width", [5.0] * 4), 3).number.tolist() == [0] * 4


def test_rare_values_are_pooled() -> None:
    cut = cells(category("camera", ["a"] * 6 + ["b"] * 5 + ["c"] * 2 + ["d"] + [None, ""]), 12)
    assert cut.names == ("a", "b", "others", "none")
    assert cut.number.tolist() == [0] * 6 + [1] * 5 + [2] * 3 + [3] * 2


def test_a_column_of_numbers_is_a_number() -> None:
    assert column("age", [str(one) for one in range(20, 40)]).kind == "number"
    assert column("age", ["1", "2", "1", "2"]).kind == "category"
    assert column("ward", ["1", "2", "3", "4", "5", "6", "north"]).kind == "category"
    assert np.isnan(column("age", [*(str(one) for one in range(9)), None]).values[-1])


def test_colours_are_clustered_and_named() -> None:
    dark, light = np.array([0.05, 0.05, 0.4]), np.array([0.95, 0.95, 0.95])
    cut = cells(colour("border", np.array([dark] * 5 + [light] * 5)), 4)
    assert len(set(cut.number[:5])) == len(set(cut.number[5:])) == 1
    assert sorted(cut.names) == ["dark blue", "white"]
    assert colour_name(np.array([0.9, 0.5, 0.1])) == "orange"
    assert colour_name(np.array([0.02, 0.02, 0.02])) == "black"
    assert colour_name(np.array([0.0, -1e-17, 0.0])) == "black"  # as a mean may be


def test_kinds_are_thirds_in_words() -> None:
    cut = kinds(number("brightness", np.arange(9.0), less="darker", more="brighter"))
    assert cut.names == ("darker", "middling brightness", "brighter")
    assert np.bincount(cut.number).tolist() == [3, 3, 3]
    two = kinds(number("flash", [0.0, 1.0, np.nan], less="without", more="with"))
    assert [two.names[one] for one in two.number] == ["without", "with", "no flash"]
    assert kinds(category("camera", ["a"] * 5 + ["b"] * 5)).names == ("camera a", "camera b")


def test_folders_called_after_classes_are_the_label() -> None:
    labels = np.array([0, 0, 1, 1])
    folder = category("folder", ["train/Rain", "test/rain", "train/Sun", "train/Sun"])
    assert names_the_class(folder, labels, ["Rain", "Sun"])
    assert not names_the_class(category("folder", ["train", "rainy", "sunset", "Sunday"]), labels, ["Rain", "Sun"])
    assert not names_the_class(folder, labels[::-1], ["Rain", "Sun"])
    assert not names_the_class(category("folder", [None] * 4), labels, ["Rain", "Sun"])
    assert not names_the_class(number("width", labels.astype(float)), labels, ["0", "1"])


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(SelectionError, match=r"'widt'.*did you mean width.*width, height"):
        named([number("width", [1.0]), number("height", [1.0])], "widt")


def test_how_classes_differ_is_said_in_words() -> None:
    night = np.arange(20) < 10
    level = number("brightness", np.where(night, 0.2, 0.6), less="darker", more="brighter", unit=" %", scale=100)
    assert how_it_differs(level, night, ~night, "night", "day") == "night is darker (median 20 %, day 60 %)"
    assert how_it_differs(level, ~night, night, "day", "night") == "day is brighter (median 60 %, night 20 %)"
    missing = number("quality", np.where(night, np.nan, 1.0), "JPEG quality")
    assert "0 % of night have a JPEG quality, 100 % of day" in how_it_differs(missing, night, ~night, "night", "day")
    inner = number("hue", [*np.linspace(-1, 1, 10), *np.linspace(-9, 9, 10)])
    assert "another spread of hue" in how_it_differs(inner, night, ~night, "night", "day")
    camera = category("camera", ["Acme" if one else None for one in night], "camera")
    assert how_it_differs(camera, night, ~night, "night", "day").startswith("0 % of night have no camera, 100 % of day")
    edge = colour("border", np.where(night[:, None], [0.0, 0.0, 0.4], [0.95, 0.95, 0.95]))
    assert how_it_differs(edge, night, ~night, "night", "day") == "night is dark blue on average, day white"


def test_the_ends_are_the_extremes_and_never_overlap() -> None:
    level = number("brightness", [3.0, 1.0, 2.0, np.nan, 5.0], less="darker", more="brighter")
    (low, dark), (high, bright) = ends(level, np.arange(5), np.arange(0), 6)
    assert (low, dark.tolist(), high, bright.tolist()) == ("darker", [1, 2], "brighter", [4, 0])
    (name, mine), (_, others) = ends(category("camera", ["a", "b", "a"], "camera"), np.arange(3), np.arange(0), 6)
    assert (name, mine.tolist(), others.tolist()) == ("camera a", [0, 2], [1])


def test_the_ends_of_a_colour_are_like_the_rest_and_unlike_it() -> None:
    red, white = np.array([0.8, 0.1, 0.1]), np.array([1.0, 1.0, 1.0])
    given = colour("corner", np.array([white, red, 0.9 * red + 0.1 * white, white, white, white]))
    (like, same), (unlike, other) = ends(given, np.arange(4), np.array([4, 5]), 1)
    assert (like, len(same), same[0] in (0, 3)) == ("white, as the rest", 1, True)
    assert (unlike, other.tolist()) == ("red, unlike the rest", [1])
