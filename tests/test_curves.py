"""What replayed rounds say, on values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from annotate_select.curves import area, by_budget, labels_ratio, markdown, picture, summaries
from annotate_select.simulate import Replay


def run(strategy: str, seed: int, values: tuple[float, ...], found: tuple[int, ...] = (0, 1, 2)) -> Replay:
    return Replay(strategy, seed, (10, 20, 40), values, values, values, values, found)


RUNS = [
    run("random", 0, (0.2, 0.4, 0.6)),
    run("random", 1, (0.4, 0.4, 0.6)),
    run("better", 0, (0.4, 0.6, 0.7)),
    run("better", 1, (0.4, 0.6, 0.9)),
]


def test_area_is_the_mean_height_over_the_logarithm() -> None:
    assert area([10, 20, 40], [0.2, 0.4, 0.6]) == pytest.approx(0.4)  # two stretches of equal width: .3 and .5
    assert area([10], [0.3]) == 0.3


def test_labels_for_a_goal() -> None:
    assert labels_ratio([10, 20, 40], [0.2, 0.4, 0.6], 0.5, 40) == pytest.approx(30 / 40)
    assert labels_ratio([10, 20, 40], [0.2, 0.4, 0.6], 0.1, 40) == pytest.approx(10 / 40)
    assert math.isinf(labels_ratio([10, 20, 40], [0.2, 0.4, 0.6], 0.7, 40))
    # A curve that falls below again has not reached the goal for good.
    assert labels_ratio([10, 20, 40], [0.5, 0.3, 0.5], 0.4, 40) == pytest.approx(30 / 40)


def test_a_summary_pairs_each_seed_with_chance() -> None:
    better, chance = summaries(RUNS)
    assert (better.strategy, chance.strategy) == ("better", "random")
    # Areas: better .575 and .625, random .4 and .45; the differences are 17.5 points each, so there is no interval.
    assert better.area == pytest.approx(60.0)
    assert (better.gain, better.low, better.high) == pytest.approx((17.5, 17.5, 17.5))
    assert better.ratio == pytest.approx(20 / 40)  # .6, random's last, is there at 20 labels
    assert better.worst == pytest.approx(1.0)  # at 10 labels: .2 and 0, so .1 with a standard error of .1
    assert better.final == pytest.approx(80.0)
    assert better.rare_found == 2.0
    assert (chance.gain, chance.worst, chance.ratio) == (0.0, 0.0, 1.0)


def test_the_interval_is_students() -> None:
    runs = [run("random", seed, (0.2, 0.2, 0.2)) for seed in range(3)]
    runs += [run("other", seed, (0.2 + gain,) * 3) for seed, gain in enumerate((0.1, 0.2, 0.3))]
    one = summaries(runs)[0]
    half = 4.302653 * 10 / math.sqrt(3)  # t of 2 degrees of freedom; the gains spread by 10 points
    assert (one.gain, one.low, one.high) == pytest.approx((20, 20 - half, 20 + half), abs=1e-4)


def test_without_chance_nothing_is_compared() -> None:
    text = markdown(summaries([run("better", 0, (0.4, 0.6, 0.7))]))
    assert text.splitlines()[-1].startswith("| better | 57.5 | - (- to -) | - |")


def test_never_is_written_as_a_word() -> None:
    runs = [run("random", 0, (0.2, 0.4, 0.6)), run("worse", 0, (0.1, 0.2, 0.3))]
    assert "| never |" in markdown(summaries(runs))


def test_every_budget_stands_in_the_table() -> None:
    lines = by_budget(RUNS).splitlines()
    assert len(lines) == 2 + 3 * 2
    assert lines[2].startswith("| 10 | random | 30.0 +- 10.0 | 30.0 +- 10.0 | 30.0 +- 10.0 | 30.0 +- 10.0 | 0.0 |")
    assert lines[-1].startswith("| 40 | better | 80.0 +- 10.0 |")
    assert "| 10 | random | 20.0 | 20.0 |" in by_budget(RUNS[:1])


def test_a_title_is_no_formula() -> None:
    assert picture(RUNS, "sold at $^$ 5").startswith(b"\x89PNG")


def test_a_picture_is_a_png() -> None:
    content = picture(RUNS, "two strategies")
    assert content.startswith(b"\x89PNG")
    assert len(np.frombuffer(content, np.uint8)) > 5000
