from __future__ import annotations

import numpy as np
import pytest

from annotate_select.errors import SelectionError
from annotate_select.selection.pool import Picks
from annotate_select.selection.select import select

# In the line of class "a" the rows stand in their order, in that of "b" the other way round.
A = np.array([0.9375, 0.875, 0.75, 0.625, 0.5625, 0.4375, 0.375, 0.25, 0.125])
P = np.stack([A, 1 - A], axis=1)


def halve(n: int, **changes: object) -> Picks:
    given: dict[str, object] = {"labeled": [0, 8], "labels": [0, 1], "probabilities": P, "class_names": ["a", "b"]}
    return select(np.eye(9), n, "galaxy", **(given | changes))  # type: ignore[arg-type]


def test_the_middle_between_labels_that_differ() -> None:
    picks = halve(1)
    assert (picks.rows.tolist(), picks.scores.tolist()) == ([4], [0.875])
    name = "a" if "between a and not" in picks.reasons[0] else "b"
    assert picks.reasons == [
        f"in the middle of 7 images between {name} and not {name}, as labelled; torn between a .56 and b .44"
    ]


@pytest.mark.parametrize("seed", range(4))
def test_later_picks_believe_what_the_model_thinks_of_earlier_ones(seed: int) -> None:
    # Row 4 is thought a: on between it and 8. Then 6 is thought b: on between 4 and 6. Then the edge is known.
    assert set(halve(2, seed=seed).rows) == {4, 6}
    assert set(halve(3, seed=seed).rows) == {4, 5, 6}
    picks = halve(4, seed=seed)
    assert set(picks.rows) == {3, 4, 5, 6}
    told = dict(zip(picks.rows.tolist(), picks.reasons, strict=True))
    assert "in the middle of 3 images" in told[6]
    assert "as labelled or thought" in told[6]
    assert "in the middle of 1 image between" in told[5]
    assert told[3].startswith("the nearest left to the edge of ")


def test_the_shortest_stretch_first() -> None:
    picks = halve(1, labeled=[0, 3, 8], labels=[0, 1, 0])
    assert int(picks.rows[0]) in (1, 2)
    assert "in the middle of 2 images" in picks.reasons[0]


def test_labels_of_one_class_leave_the_edge() -> None:
    picks = halve(1, labels=[0, 0])
    assert int(picks.rows[0]) in (4, 5)
    assert picks.reasons[0].startswith("the nearest left to the edge of ")


def test_a_stretch_is_halved_by_weight() -> None:
    picks = halve(1, weights=[1, 1, 1, 1, 1, 1, 10, 1, 1])
    assert (picks.rows.tolist(), picks.scores.tolist()) == ([6], [7.5])
    assert picks.reasons[0].startswith("in the middle, by weight, of 7 images")


def test_a_weight_of_0_is_never_the_middle() -> None:
    weights = np.array([1, 0, 0, 0, 0, 0, 0, 0.1, 1])
    assert halve(1, weights=weights).rows.tolist() == [7]
    picks = halve(7, weights=weights)
    assert set(picks.rows) == set(range(1, 8))
    assert np.count_nonzero(picks.scores) == 1


def test_a_class_of_many_is_found_where_it_ends() -> None:
    """Of 3,000 images 30 are of the rare class: bisection asks for far more of them than chance would."""
    rng = np.random.default_rng(0)
    labels = (np.arange(3000) < 30).astype(np.int64)
    score = 1 / (1 + np.exp(-(labels * 4 - 4 + rng.normal(size=3000))))
    labeled = np.array([0, 1, 100, 200, 300])
    picks = select(
        rng.normal(size=(3000, 16)),
        30,
        "galaxy",
        labeled=labeled,
        labels=labels[labeled],
        probabilities=np.stack([1 - score, score], axis=1),
    )
    assert labels[picks.rows].sum() >= 5  # chance: .3


def test_many_classes_and_other_seeds() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(20), 200)
    labels = rng.integers(0, 20, 40)
    picked = {
        tuple(select(np.eye(200), 10, "galaxy", probabilities=p, labeled=np.arange(40), labels=labels, seed=seed).rows)
        for seed in range(5)
    }
    assert len(picked) == 5


def test_no_probabilities_no_line() -> None:
    with pytest.raises(SelectionError, match="no probabilities to put images in a line by; train a model first"):
        select(np.eye(9), 1, "annotate_select.selection.galaxy:galaxy", labeled=[0], labels=[0])
