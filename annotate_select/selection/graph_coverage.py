"""Coverage along the data's own shape: the strategies that `auto` is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotate_select import chains
from annotate_select.selection.covering import Greedy, gaussian, in_rounds, worths
from annotate_select.selection.kernel_coverage import robust_sigma, with_doubts
from annotate_select.selection.neighbours import nearest
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.uncertainty import margin_scores, model_probabilities

__all__ = ["graph_coverage", "graph_uncertainty"]

NODES = 4000  # images in one graph: more cost with the cube of their number and show little more of the shape
MOST_COVERED = 2000  # of them labelled or picked ones
CHAINS = 0.75  # of the kernel of graph_uncertainty; the rest is likeness at first sight, which needs no chain
NEARER = "along chains of look-alikes nearer to"


def graph_coverage(pool: Pool, n: int) -> Chosen:
    """Take images that together stand for most others along chains of look-alikes: good for the first rounds.

    Greedy coverage under the diffusion kernel of a neighbour graph, see `chains.reach`; covered rows count. Of more
    than 4,000 candidates a seeded sample makes the graph, again and again until there are n picks, so the cost does
    not grow with the pool. Score: how many images, by weight, the pick adds to what is covered when it is made.
    Prefix-consistent.
    """
    return _cover(pool, n, lambda now, nodes: (_reach(now.features[nodes]), None))


def graph_uncertainty(pool: Pool, n: int) -> Chosen:
    """Take images that stand, along chains of look-alikes, for most that are in doubt: good once there is a model.

    As `graph_coverage`, but what is sure is worth nothing, however much there is of it. The worth of an image is the
    margin score of what two think of it on average - the model, and the labels passed on along the graph, which know
    more while labels are few - times the mean of 1 / sqrt(labels + 1) over the classes it may be of, so that rare ones
    are looked for. A quarter of the kernel is the Gaussian of `uncertainty_coverage`. Score: how much worth the pick
    covers when it is made, as a number of images of the usual worth, by weight. Prefix-consistent.
    """
    sigma = robust_sigma(pool)

    def look(now: Pool, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points = now.features[nodes]
        kernel = _reach(points)
        worth = _worth(now, nodes, kernel)
        kernel *= np.float32(CHAINS)
        kernel += np.float32(1 - CHAINS) * gaussian(sigma)(points @ points.T)
        return kernel, worth

    return with_doubts(pool, _cover(pool, n, look))


def _cover(pool: Pool, n: int, look: Callable[[Pool, np.ndarray], tuple[np.ndarray, np.ndarray | None]]) -> Chosen:
    """Pick n by greedy coverage; `look` returns the kernel (m, m) of nodes (m,) and their worth (m,), None: 1."""

    def one_round(now: Pool, drawn: np.ndarray, most: int, repeats: bool) -> Chosen:
        covered = now.covered[np.argsort(now.hashes[now.covered], kind="stable")][:MOST_COVERED]
        nodes = np.concatenate([drawn, covered])
        kernel, worth = look(now, nodes)
        so_far = kernel[len(drawn) :].max(axis=0, initial=0.0)
        greedy = Greedy(now, drawn, lambda rows: kernel[rows], worths(now, nodes, worth), so_far)
        greedy.run(most, repeats=repeats)
        scale = (len(now.candidates) + len(now.covered)) / len(nodes)
        return greedy.chosen_rows(scale, NEARER)

    return in_rounds(pool, n, NODES, one_round)


def _reach(points: np.ndarray) -> np.ndarray:
    """Return (m, m) how well each of points (m, d) of length 1 stands for each along chains of look-alikes."""
    rows, cosines, *_ = nearest(np.ascontiguousarray(points), chains.NEIGHBOURS + 1)  # a point is mostly its own first
    return chains.reach(rows, cosines)


def _worth(pool: Pool, nodes: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return (m,) what knowing each of the nodes is worth, 1 on average; 0 for covered nodes."""
    opinion = model_probabilities(pool, nodes)  # (m, C)
    label_of = np.full(len(pool.space), -1)
    label_of[pool.labeled] = pool.labels
    known = np.flatnonzero(label_of[nodes] >= 0)
    if len(known):
        opinion = (opinion + chains.passed_on(kernel[:, known], label_of[nodes[known]], pool.n_classes)) / 2
    scarce = 1 / np.sqrt(np.bincount(pool.labels, minlength=pool.n_classes) + 1)
    worth = margin_scores(opinion) * (opinion @ scarce)
    worth[np.isin(nodes, pool.covered)] = 0.0
    return np.asarray(worth / (worth.mean() or 1.0))
