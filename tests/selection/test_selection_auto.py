from __future__ import annotations

import re

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.selection.both import margin_diverse
from annotate_select.selection.pool import Picks
from annotate_select.selection.select import select

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(200, 10))
SURE = np.where(np.eye(2, dtype=bool)[np.arange(200) % 2], 0.9, 0.1)
UNSURE = np.full((200, 2), 0.5)


def ask(
    labels: list[int], probabilities: np.ndarray | None = SURE, accuracy: float | None = None, n: int = 10
) -> Picks:
    return select(
        FEATURES,
        n,
        labeled=np.arange(len(labels)),
        labels=labels,
        probabilities=probabilities,
        accuracy=accuracy,
        class_names=["ok", "crack"],
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "accuracy", "strategy", "why"),
    [
        ([], None, None, "kmeans", "nothing is labelled yet"),
        ([0, 1] * 30, None, 0.9, "kmeans", "60 labels but no probabilities of a model"),
        ([0] * 30 + [1] * 4, SURE, 0.9, "kmeans", "crack has 4 labels of the 5 every class needs, and 34 in all"),
        ([0] * 30, SURE, 0.9, "kmeans", "crack has 0 labels of the 5"),
        ([0] * 39 + [1], SURE, 0.9, "margin_diverse", "40 labels, at least 1 a class, and the model's accuracy .90"),
        ([0, 1] * 5, SURE, 0.6, "margin_diverse", "10 labels, at least 5 a class, and the model's accuracy .60"),
        ([0, 1] * 5, SURE, 0.59, "kmeans and margin_diverse", "accuracy .59 is below .60"),
        ([0, 1] * 5, SURE, None, "margin_diverse", "mean confidence .90 (its accuracy is not known)"),
        (
            [0, 1] * 5,
            UNSURE,
            None,
            "kmeans and margin_diverse",
            "mean confidence .50 (its accuracy is not known) is below",
        ),
    ],
)
def test_it_decides_by_the_numbers_and_tells_them(
    labels: list[int], probabilities: np.ndarray | None, accuracy: float | None, strategy: str, why: str
) -> None:
    picks = ask(labels, probabilities, accuracy)
    assert picks.strategy == f"auto: {strategy}"
    assert picks.note.startswith(strategy)
    assert why in picks.note


def test_half_takes_both_in_turn() -> None:
    picks = ask([0, 1] * 5, accuracy=0.3, n=9)
    assert ["nothing labelled is closer" in reason for reason in picks.reasons] == [True, False] * 4 + [True]
    assert len(set(picks.rows.tolist())) == 9


def test_half_of_one_is_coverage() -> None:
    assert "nothing labelled is closer" in ask([0, 1] * 5, accuracy=0.3, n=1).reasons[0]


def test_margin_diverse_spreads_what_margin_heaps() -> None:
    """Twenty torn images lie together; five others, a little less torn, lie apart."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(100, 10))
    features[:20] = features[0] + rng.normal(scale=0.15, size=(20, 10))
    torn = np.full(100, 0.99)
    torn[:20] = 0.5 + np.arange(20) / 1000
    torn[20:25] = 0.55
    probabilities = np.stack([torn, 1 - torn], axis=1)
    heaped = select(features, 5, "margin", probabilities=probabilities, near_duplicate=1.0)
    spread = select(features, 5, "margin_diverse", probabilities=probabilities, near_duplicate=1.0)
    assert (heaped.rows < 20).all()
    assert (spread.rows < 20).sum() <= 2
    assert (spread.rows < 25).all()
    np.testing.assert_allclose(spread.scores, 2 - 2 * torn[spread.rows])
    assert (np.diff(spread.scores) <= 0).all()
    assert re.fullmatch(
        r"torn between class 0 .5\d and class 1 .[45]\d; stands for \d+ images in doubt", spread.reasons[0]
    )


def test_a_strategy_of_ones_own_may_not_doubt_without_a_model() -> None:
    with pytest.raises(SelectionError, match="there are no probabilities to be uncertain about; train a model first"):
        select(FEATURES, 3, margin_diverse)
