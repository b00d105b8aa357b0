"""The policy: what to do next, decided by what can be seen, and said in one line.

Three things are in it. Coverage along chains of look-alikes while there is no model, then the same coverage of what is
in doubt: of all that was tried this is the best or nearly so at every number of labels, see benchmarks/RESULTS.md.
Images unlike all others for as long as classes have no label, which coverage, counting images, finds late. And chance,
where the audits show that picking teaches less than chance does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from annotate_select.selection.chance import random, uniforms
from annotate_select.selection.graph_coverage import graph_coverage, graph_uncertainty
from annotate_select.selection.guard import REPEATED
from annotate_select.selection.kcenter import kcenter_robust
from annotate_select.selection.pool import Chosen, Pool, seeded_hashes
from annotate_select.selection.proof import Proof, prove
from annotate_select.selection.reasons import share
from annotate_select.words import counted

__all__ = ["Decision", "auto", "decide"]

MOST_UNLIKE = 0.5  # of a batch: images unlike all others
PATIENCE = 10  # labels a class, on average; beyond, a class without any may not be there, and is looked for less
CLEARLY = 2.0  # standard errors
ROUNDING = 1e-9  # .1 x 30 is 3.0000000000000004
COVERS = {"graph_coverage": "the images", "graph_uncertainty": "what is in doubt"}
FUNCTIONS: dict[str, Callable[[Pool, int], Chosen]] = {
    "graph_coverage": graph_coverage,
    "graph_uncertainty": graph_uncertainty,
    "kcenter_robust": kcenter_robust,
    "random": random,
}


@dataclass(frozen=True)
class Decision:
    """How many of the batch each strategy chooses, names of FUNCTIONS, and why."""

    counts: dict[str, int]
    because: str


def auto(pool: Pool, n: int) -> Chosen:
    """Cover the images first, then what is in doubt, with an eye on classes without labels and on chance.

    graph_coverage until there is a model, then graph_uncertainty. Once there are labels, but none of some classes, a
    share of the batch as large as theirs goes to kcenter_robust. Where the labelled audits show that picks teach less
    than chance, half of the batch is random, and all of it where that is clear. Where earlier picks crowd together, the
    share `chance` is random, unless audits show that picks teach more. Score: of the strategy that chose.
    """
    decision = decide(pool, n)
    parts: list[Chosen] = []
    now = pool
    for name, count in decision.counts.items():
        part = FUNCTIONS[name](now, count)
        parts.append(part)
        left = np.setdiff1d(now.candidates, part.rows, assume_unique=True)
        now = replace(now, candidates=left, taken=np.concatenate([now.taken, part.rows]))
    became = " and ".join(decision.counts)
    return _in_turn(parts)._replace(note=f"{became}: {decision.because}", became=became)


def decide(pool: Pool, n: int) -> Decision:
    """Choose by the numbers; `because` names them."""
    proof = prove(pool)
    chance = _chance(proof)
    crowded = pool.chance > chance and not _proven(proof)
    chance = pool.chance if crowded else chance
    main = "graph_coverage" if pool.probabilities is None or not len(pool.labeled) else "graph_uncertainty"
    shares = {"kcenter_robust": _unlike(pool) * (1 - chance), "random": chance}
    rest, others = _counts(pool, shares, n)

    def part(name: str, one: str, many: str) -> str:
        return _part(shares[name], others[name], n, one, many)

    said = [_seen(pool) + (f", so the batch covers {COVERS[main]}" if rest else "")]
    if shares["kcenter_robust"]:
        unlike = part("kcenter_robust", "looks for what is unlike the rest", "look for what is unlike the rest")
        said.append(f"{_missing(pool)}, so {unlike}")
    drawn = part("random", "is drawn by chance", "are drawn by chance")
    if proof is not None:
        said.append(_verdict(proof) + (f", so {drawn}" if chance and not crowded else ""))
    if crowded:
        said.append(f"picks of the last rounds crowd in few kinds of images, so {drawn}")
    counts = {name: count for name, count in {main: rest, **others}.items() if count}
    return Decision(counts, "; ".join(said))


def _seen(pool: Pool) -> str:
    total = len(pool.labeled)
    if not total:
        return "nothing is labelled yet"
    if pool.probabilities is None:
        return f"{counted(total, 'label')} but no model yet"
    accuracy = "" if pool.accuracy is None else f" and a model of accuracy {share(pool.accuracy)}"
    return counted(total, "label") + accuracy


def _unlike(pool: Pool) -> float:
    """Return the share of the batch that looks for classes without a label: as large as theirs, half at most."""
    total = len(pool.labeled)
    if not total:
        return 0.0
    without = np.count_nonzero(np.bincount(pool.labels, minlength=pool.n_classes) == 0) / pool.n_classes
    return float(min(MOST_UNLIKE, without) * min(1.0, PATIENCE * pool.n_classes / total))


def _missing(pool: Pool) -> str:
    missing = np.flatnonzero(np.bincount(pool.labels, minlength=pool.n_classes) == 0)
    if len(missing) == 1:
        return f"{pool.class_name(int(missing[0]))} has no label"
    return f"{len(missing)} of {pool.n_classes} classes have no label"


def _chance(proof: Proof | None) -> float:
    if proof is None or proof.difference >= -proof.error:
        return 0.0
    return 1.0 if proof.difference < -CLEARLY * proof.error else 0.5


def _proven(proof: Proof | None) -> bool:
    """Say whether audits show that picks teach more than chance: then they may crowd."""
    return proof is not None and proof.difference > CLEARLY * proof.error


def _verdict(proof: Proof) -> str:
    points = f"{100 * proof.difference:+.1f} +- {100 * proof.error:.1f} points on {proof.audits} audits"
    if _chance(proof):
        return f"picks teach less than chance ({points})"
    if _proven(proof):
        return f"picks teach more than chance ({points})"
    return f"picks teach as much as chance, as far as can be told ({points})"


def _part(value: float, count: int, n: int, one: str, many: str) -> str:
    """Say how many of n do what `one` says of one and `many` of several; of none, which share of all batches does."""
    if count == n:
        return f"{'all of it' if n > 1 else 'this one'} {one}"
    if 2 * count == n:
        return f"half of it {one}"
    if not count:
        return f"{100 * value:.0f} % of all picks {many}, but none of these {n:,}"
    return f"{count:,} of {n:,} {one if count == 1 else many}"


def _counts(pool: Pool, shares: dict[str, float], n: int) -> tuple[int, dict[str, int]]:
    """Split n by shares in whole images: what is left, and the others.

    What a share of n is beyond a whole image decides by luck whether there is one more, so that small batches too have
    their shares in the long run; the luck is new when an image is chosen or left out.
    """
    passed = np.array([len(pool.space) - len(pool.candidates)], dtype=np.uint64)
    left, counts = n, {}
    for stream, (name, value) in enumerate(shares.items()):
        whole = int(value * n + ROUNDING)
        luck = float(uniforms(seeded_hashes(seeded_hashes(passed, pool.seed), stream))[0])
        counts[name] = min(left, whole + (luck < value * n - whole - ROUNDING))
        left -= counts[name]
    return left, counts


def _in_turn(parts: list[Chosen]) -> Chosen:
    """Lay parts into one another, so that every stretch holds its share of each; what repeats goes last."""
    places = np.concatenate([(np.arange(len(part.rows)) + 0.5) / len(part.rows) for part in parts])
    reasons = [reason for part in parts for reason in part.reasons]
    order = np.lexsort((places, np.array([REPEATED in reason for reason in reasons])))
    return Chosen(
        np.concatenate([part.rows for part in parts])[order],
        np.concatenate([part.scores for part in parts])[order],
        [reasons[at] for at in order.tolist()],
    )
