"""Coverage along the data's own shape, the strategy of the first rounds."""

from __future__ import annotations

import numpy as np

from annotate_select.selection.covering import Greedy, in_rounds, worths
from annotate_select.selection.graph import reach
from annotate_select.selection.pool import Chosen, Pool

__all__ = ["cover_graph", "graph_coverage"]

NODES = 4000  # images in one graph: more cost with the cube of their number and show little more of the shape
MOST_COVERED = 2000  # of them labelled or picked ones


def graph_coverage(pool: Pool, n: int) -> Chosen:
    """Take images that together stand for most others along chains of look-alikes: good for the first rounds.

    Greedy coverage under the diffusion kernel of a neighbour graph, see `graph.reach`; covered rows count. Of more
    than 4,000 candidates a seeded sample makes the graph, again and again until there are n picks, so the cost does
    not grow with the pool. Score: how many images, by weight, the pick adds to what is covered when it is made.
    Prefix-consistent.
    """
    return cover_graph(pool, n, None)


def cover_graph(pool: Pool, n: int, worth: np.ndarray | None) -> Chosen:
    """Do what `graph_coverage` says, where covering a row is worth `worth` (n_rows,), at least 0, times its weight."""

    def one_round(now: Pool, drawn: np.ndarray, most: int, repeats: bool) -> Chosen:
        covered = now.covered[np.argsort(now.hashes[now.covered], kind="stable")][:MOST_COVERED]
        nodes = np.concatenate([drawn, covered])
        kernel = reach(now.features[nodes])
        so_far = kernel[len(drawn) :].max(axis=0, initial=0.0)
        greedy = Greedy(now, drawn, lambda rows: kernel[rows], worths(now, nodes, worth), so_far)
        greedy.run(most, repeats=repeats)
        scale = (len(now.candidates) + len(now.covered)) / len(nodes)
        return greedy.chosen_rows(scale, "along chains of look-alikes nearer to")

    return in_rounds(pool, n, NODES, one_round)
