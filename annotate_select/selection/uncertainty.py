"""Uncertainty: images the model cannot tell."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.pool import Chosen, Pool

__all__ = ["entropy", "entropy_scores", "least_confidence", "margin", "margin_scores", "opinions", "torn"]


def margin(pool: Pool, n: int) -> Chosen:
    """Pick images whose two likeliest classes are nearest to each other (Scheffer et al. 2001)."""
    return _highest(pool, n, margin_scores(opinions(pool)), "margin: the closest calls between two classes come first")


def entropy(pool: Pool, n: int) -> Chosen:
    """Pick images whose probabilities have the highest entropy (Shannon 1948), as a share of the highest possible."""
    return _highest(pool, n, entropy_scores(opinions(pool)), "entropy: the most even opinions come first")


def least_confidence(pool: Pool, n: int) -> Chosen:
    """Pick images whose likeliest class is least likely (Lewis & Gale 1994)."""
    scores = 1.0 - opinions(pool).max(axis=1)
    return _highest(pool, n, scores, "least_confidence: the least sure opinions come first")


def opinions(pool: Pool) -> np.ndarray:
    """Return the probabilities of the candidates, (m, C) float64."""
    if pool.probabilities is None:
        raise TypeError("select() hands probabilities to every strategy that says it needs them")
    return np.asarray(pool.probabilities[pool.candidates], dtype=np.float64)


def margin_scores(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 - (p1 - p2) of probabilities (m, C): 1 is a tie of the two best, 0 certainty."""
    if probabilities.shape[1] == 1:
        return np.zeros(len(probabilities))
    two = np.partition(probabilities, -2, axis=1)[:, -2:]
    scores: np.ndarray = 1.0 - (two[:, 1] - two[:, 0])
    return scores


def entropy_scores(probabilities: np.ndarray) -> np.ndarray:
    """Return -sum p log p / log C of probabilities (m, C), in 0..1."""
    logs = np.log(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    total: np.ndarray = -(probabilities * logs).sum(axis=1) / np.log(max(2, probabilities.shape[1]))
    positive: np.ndarray = np.maximum(total, 0.0)
    return positive


def torn(pool: Pool, row: int) -> str:
    """Say between which two classes the model is torn, with their probabilities."""
    p = np.asarray(pool.probabilities[row] if pool.probabilities is not None else [1.0], dtype=np.float64)
    first, *rest = np.argsort(-p, kind="stable")[:2].tolist()
    if not rest:
        return f"surely {pool.name(first)}"
    second = rest[0]
    return f"torn between {pool.name(first)} {_share(p[first])} and {pool.name(second)} {_share(p[second])}"


def _share(p: float) -> str:
    return f"{p:.2f}".removeprefix("0")


def _highest(pool: Pool, n: int, scores: np.ndarray, note: str) -> Chosen:
    """Pick the n highest scores times weights; ties go to the lower hash."""
    weighted = scores * pool.weight(pool.candidates)
    order = np.lexsort((pool.hashes[pool.candidates], -weighted))[:n]
    rows = pool.candidates[order]
    return Chosen(rows, weighted[order], [torn(pool, row) for row in rows.tolist()], note)
