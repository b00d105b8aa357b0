"""The policy: coverage while little is known, uncertainty once the model can be believed.

Uncertainty of a poor model is noise: before about 50 to 100 labels a class, or below about 60 % accuracy, picking by
it does not beat chance, so what is measured decides and not the number of labels alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from annotate_select.selection.both import margin_diverse
from annotate_select.selection.coverage import kmeans
from annotate_select.selection.geometry import BLOCK
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.reasons import counted, share
from annotate_select.selection.uncertainty import model_probabilities

__all__ = ["Decision", "auto", "decide"]

FEW_LABELS = 5  # of a class: below, its probabilities are guesses
MANY_LABELS = 20  # a class, on average: from here a class still without labels may just be rare
GOOD_ACCURACY = 0.6


@dataclass(frozen=True)
class Decision:
    """What to hand over to - "kmeans", "half" or "margin_diverse" - and why."""

    strategy: str
    because: str


def auto(pool: Pool, n: int) -> Chosen:
    """Cover the images first, then ask where the model is torn: decides by the labels and the model's accuracy.

    kmeans until there are probabilities and 5 labels of every class, or 20 a class on average; then half kmeans and
    half margin_diverse until the model's accuracy is .6; then margin_diverse.
    """
    decision = decide(pool)
    if decision.strategy == "kmeans":
        return kmeans(pool, n)._replace(note=f"kmeans: {decision.because}", became="kmeans")
    if decision.strategy == "half":
        became = "kmeans and margin_diverse"
        return _half(pool, n)._replace(note=f"{became} in turn: {decision.because}", became=became)
    return margin_diverse(pool, n)._replace(note=f"margin_diverse: {decision.because}", became="margin_diverse")


def decide(pool: Pool) -> Decision:
    """Choose by the numbers; `because` names them."""
    total, classes = len(pool.labeled), pool.n_classes
    if total == 0:
        return Decision("kmeans", "nothing is labelled yet, so the batch covers the images")
    if pool.probabilities is None:
        return Decision(
            "kmeans", f"{counted(total, 'label')} but no probabilities of a model, so the batch covers the images"
        )
    counts = np.bincount(pool.labels, minlength=classes)
    rarest = int(counts.argmin())
    scarce = f"{pool.class_name(rarest)} has {counted(int(counts[rarest]), 'label')}"
    if counts[rarest] < FEW_LABELS and total < MANY_LABELS * classes:
        return Decision(
            "kmeans",
            f"{scarce} of the {FEW_LABELS} every class needs, and {total:,} in all are fewer than "
            f"{MANY_LABELS * classes:,}, so the batch covers the images",
        )
    accuracy, measured = _accuracy(pool)
    if accuracy < GOOD_ACCURACY:
        return Decision(
            "half",
            f"the model's {measured} is below {share(GOOD_ACCURACY)}, so its doubts choose only half of the batch",
        )
    return Decision(
        "margin_diverse", f"{counted(total, 'label')}, at least {counts[rarest]:,} a class, and the model's {measured}"
    )


def _accuracy(pool: Pool) -> tuple[float, str]:
    """Return the accuracy and its words; where it was not measured, the mean confidence stands in for it."""
    if pool.accuracy is not None:
        return pool.accuracy, f"accuracy {share(pool.accuracy)}"
    rows, total = pool.candidates, 0.0
    step = max(1, BLOCK // max(1, pool.n_classes))
    for start in range(0, len(rows), step):
        total += float(model_probabilities(pool, rows[start : start + step]).max(axis=1).sum())
    confidence = total / len(rows)
    return confidence, f"mean confidence {share(confidence)} (its accuracy is not known)"


def _half(pool: Pool, n: int) -> Chosen:
    """Take every other pick by coverage, the others by uncertainty, none near another."""
    covering = kmeans(pool, -(-n // 2))
    if n == 1:
        return covering
    left = np.setdiff1d(pool.candidates, covering.rows)
    torn = margin_diverse(replace(pool, candidates=left, taken=np.concatenate([pool.taken, covering.rows])), n // 2)
    order = np.argsort(np.concatenate([np.arange(0, n, 2), np.arange(1, n, 2)]))
    reasons = covering.reasons + torn.reasons
    return Chosen(
        np.concatenate([covering.rows, torn.rows])[order],
        np.concatenate([covering.scores, torn.scores])[order],
        [reasons[at] for at in order.tolist()],
    )
