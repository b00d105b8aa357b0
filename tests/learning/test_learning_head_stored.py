"""A head as bytes, and what can be had of its layers."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from head_tools import Mixture, small_head
from safetensors.numpy import save

from annotate_select.errors import LearningError
from annotate_select.learning.calibration import softmax
from annotate_select.learning.head import Head
from annotate_select.learning.learners import LEARNERS


@pytest.fixture(params=LEARNERS)
def small(request: pytest.FixtureRequest) -> tuple[Mixture, Head]:
    return small_head(request.param)


def test_bytes_round_trip(small: tuple[Mixture, Head]) -> None:
    mixture, head = small
    again = Head.from_bytes(head.to_bytes())
    x, _ = mixture.draw(20, seed=3)
    np.testing.assert_array_equal(again.probabilities(x), head.probabilities(x))
    numbers = ("temperature", "regularisation", "cv_accuracy", "n_labels")
    assert [getattr(again, name) for name in numbers] == [getattr(head, name) for name in numbers]
    assert again.to_bytes() == head.to_bytes()
    assert Head.from_bytes(replace(head, cv_accuracy=None).to_bytes()).cv_accuracy is None


def stored(head: Head, **changed: np.ndarray) -> bytes:
    tensors = {**head.classifier.arrays(), "centre": head.centre, "classes_seen": head.classes_seen, **changed}
    numbers = {
        "format": LEARNERS[head.kind].format,
        "temperature": 1.0,
        "regularisation": 1.0,
        "cv_accuracy": None,
        "n_labels": 3,
        "length": 1.0,
    }
    return bytes(save(tensors, {"head": json.dumps(numbers)}))


def test_linear_heads_stored_by_older_versions_are_read(small: tuple[Mixture, Head]) -> None:
    weights, bias = np.array([[1.0, -1.0], [0.5, 0.0]]), np.array([0.0, 0.25])
    tensors = {"weights": weights, "bias": bias, "centre": np.ones(2), "classes_seen": np.array([True, True])}
    said = (
        '{"format": "annotate-select head 2", "length": 2.0, "temperature": 0.5, "regularisation": 10.0, '
        '"cv_accuracy": null, "n_labels": 3}'
    )
    content = bytes(save(tensors, {"head": said}))
    head = Head.from_bytes(content)
    assert (head.kind, head.to_bytes()) == ("linear", content)
    logits = np.array([[1.0, 0.0]]) @ weights + bias  # below 8 dimensions a row keeps its length, in units of `length`
    np.testing.assert_allclose(head.probabilities(np.array([[3.0, 1.0]])), softmax(logits, 0.5), rtol=1e-6)


def test_bytes_of_one_kind_are_not_taken_for_another(small: tuple[Mixture, Head]) -> None:
    other = next(one.format for kind, one in LEARNERS.items() if kind != small[1].kind)
    swapped = stored(small[1]).replace(LEARNERS[small[1].kind].format.encode(), other.encode())
    with pytest.raises(LearningError, match=r"not a stored model|does not fit together"):
        Head.from_bytes(swapped)


def test_junk_bytes_are_refused(small: tuple[Mixture, Head]) -> None:
    good = small[1].to_bytes()
    zeros = np.zeros(1)
    for junk in (b"", b"junk", b"\x80\x04N.", good[:-8], good[:100], bytes(save({"a": zeros}))):
        with pytest.raises(LearningError, match="not a stored model"):
            Head.from_bytes(junk)
    for other in ("{", "{}", "3", '{"format": "another"}', json.dumps({"format": LEARNERS[small[1].kind].format})):
        with pytest.raises(LearningError, match="not a stored model"):
            Head.from_bytes(bytes(save({"a": zeros}, {"head": other})))


def test_bytes_that_do_not_fit_together_are_refused(small: tuple[Mixture, Head]) -> None:
    head = small[1]
    assert Head.from_bytes(stored(head)).n_labels == 3
    broken = [
        {"centre": np.zeros(3)},
        {"bias": np.array(1.0)},
        {"weights": np.zeros(8)},
        {"weights": np.array(1.0)},
        {"centre": np.full(8, np.inf)},
        {"weights": np.full_like(head.classifier.weights, np.nan)},
        {"classes_seen": np.zeros(4, dtype=bool)},
        {"classes_seen": np.ones(4)},
    ]
    if head.hidden_units:
        broken += [
            {"hidden_weights": np.array(1.0)},
            {"hidden_weights": np.zeros((8, 3))},
            {"hidden_bias": np.zeros((128, 1))},
            {"hidden_bias": np.full(128, np.inf)},
        ]
    for changed in broken:
        with pytest.raises(LearningError, match="does not fit together"):
            Head.from_bytes(stored(head, **changed))


def test_the_layer_before_the_last_is_what_the_answers_are_made_of(small: tuple[Mixture, Head]) -> None:
    mixture, head = small
    x, _ = mixture.draw(30, seed=3)
    if not head.hidden_units:
        with pytest.raises(LearningError, match="no layer before its last"):
            head.penultimate(x)
        return
    units = head.penultimate(x)
    assert (units.shape, units.dtype) == ((30, head.hidden_units), np.float32)
    assert (units >= 0).all()
    logits = units @ head.classifier.weights + head.classifier.bias
    np.testing.assert_allclose(softmax(logits, head.temperature), head.probabilities(x), atol=1e-5)
    with pytest.raises(LearningError, match=r"shape \(n, 8\)"):
        head.penultimate(x[:, :7])


def test_slopes_say_how_the_logits_change(small: tuple[Mixture, Head]) -> None:
    mixture, head = small
    row = mixture.draw(1, seed=3)[0][0]
    row = head.centre + (row - head.centre) / np.linalg.norm(row - head.centre)  # at length 1 a step is a direction's
    aside = np.random.default_rng(0).normal(size=8)
    aside -= (aside @ (row - head.centre)) * (row - head.centre)
    step = 1e-5 * aside / np.linalg.norm(aside)
    before, after = (head.classifier.logits((at - head.centre)[None])[0] for at in (row, row + step))
    np.testing.assert_allclose(step @ head.slopes(row), after - before, rtol=1e-3, atol=1e-10)
