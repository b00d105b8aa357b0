"""The classifier under dropquery and the proof of auto."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from annotate_select.selection.logistic import fitted
from annotate_select.selection.select import select

FEATURES = np.random.default_rng(0).normal(size=(90, 12))


@pytest.mark.parametrize("labels", [np.arange(30), np.arange(30) % 16, np.r_[np.arange(25), np.zeros(5, dtype=int)]])
def test_where_most_labels_differ_the_answer_is_the_same_without_a_warning(labels: np.ndarray) -> None:
    model = fitted(FEATURES[:30].astype(np.float32), labels, 10.0)
    with pytest.warns(UserWarning, match="could represent a regression problem"):
        plain = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000).fit(FEATURES[:30], labels)
    np.testing.assert_allclose(model.predict_proba(FEATURES), plain.predict_proba(FEATURES), atol=2e-3)


def test_otherwise_it_is_scikit_learns_own() -> None:
    labels = np.arange(30) % 15
    plain = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000).fit(FEATURES[:30], labels)
    np.testing.assert_array_equal(fitted(FEATURES[:30], labels, 10.0).coef_, plain.coef_)


@pytest.mark.parametrize("strategy", ["auto", "dropquery"])
def test_a_class_for_each_label(strategy: str) -> None:
    given = {"labeled": np.arange(70), "labels": np.arange(70) % 40, "audits": np.arange(35)}
    assert len(select(FEATURES, 5, strategy, **given).rows) == 5
