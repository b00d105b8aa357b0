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

from annotate_select.selection.chance import random
from annotate_select.selection.graph_coverage import graph_coverage, graph_uncertainty
from annotate_select.selection.guard import REPEATED
from annotate_select.selection.kcenter import kcenter_robust
from annotate_select.selection.pool import Chosen, Pool
from annotate_select.selection.proof import Proof, prove
from annotate_select.selection.reasons import counted, share

__all__ = ["Decision", "auto", "decide"]

MOST_UNLIKE = 0.5  # of a batch: images unlike all others
PATIENCE = 10  # labels a class, on average; beyond, a class without any may not be there, and is looked for less
CLEARLY = 2.0  # standard errors
FUNCTIONS: dict[str, Callable[[Pool, int], Chosen]] = {
    "graph_coverage": graph_coverage,
    "graph_uncertainty": graph_uncertainty,
    "kcenter_robust": kcenter_robust,
    "random": random,
}


@dataclass(frozen=True)
class Decision:
    """Which strategies share the batch - names of FUNCTIONS and their shares, the first gets the rest - and why."""

    shares: dict[str, float]
    because: str


def auto(pool: Pool, n: int) -> Chosen:
    """Cover the images first, then what is in doubt, with an eye on classes without labels and on chance.

    graph_coverage until there is a model, then graph_uncertainty. Once there are labels, but none of some classes, a
    share of the batch as large as theirs goes to kcenter_robust. Where the labelled audits show that picks teach less
    than chance, half of the batch is random, and all of it where that is clear. Where earlier picks crowd together, the
    share `chance` is random, unless audits show that picks teach more. Score: of the strategy that chose.
    """
    decision = decide(pool)
    names, counts = list(decision.shares), _counts(list(decision.shares.values()), n)
    parts: list[Chosen] = []
    now = pool
    for name, count in zip(names, counts, strict=True):
        if count:
            part = FUNCTIONS[name](now, count)
            parts.append(part)
            left = np.setdiff1d(now.candidates, part.rows, assume_unique=True)
            now = replace(now, candidates=left, taken=np.concatenate([now.taken, part.rows]))
    became = " and ".join(name for name, count in zip(names, counts, strict=True) if count)
    return _in_turn(parts)._replace(note=f"{became}: {decision.because}", became=became)


def decide(pool: Pool) -> Decision:
    """Choose by the numbers; `because` names them."""
    main, because = _main(pool)
    shares, unlike = {main: 1.0}, _unlike(pool)
    if unlike:
        shares["kcenter_robust"] = unlike
        because += f"; {_missing(pool)}, so {_part(unlike)} looks for what is unlike the rest"
    proof = prove(pool)
    chance = _chance(proof)
    if proof is not None:
        because += f"; {_verdict(proof, chance)}"
    if pool.chance > chance and not _proven(proof):
        chance = pool.chance
        because += f"; picks of the last rounds crowd in few kinds of images, so {_part(chance)} is drawn by chance"
    if chance:
        shares = {name: value * (1 - chance) for name, value in shares.items()} | {"random": chance}
    return Decision(shares, because)


def _main(pool: Pool) -> tuple[str, str]:
    total = len(pool.labeled)
    if not total:
        return "graph_coverage", "nothing is labelled yet, so the batch covers the images"
    if pool.probabilities is None:
        return "graph_coverage", f"{counted(total, 'label')} but no model yet, so the batch covers the images"
    measured = "" if pool.accuracy is None else f" and a model of accuracy {share(pool.accuracy)}"
    return "graph_uncertainty", f"{counted(total, 'label')}{measured}, so the batch covers what is in doubt"


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


def _verdict(proof: Proof, chance: float) -> str:
    points = f"{100 * proof.difference:+.1f} +- {100 * proof.error:.1f} points on {proof.audits} audits"
    if not chance:
        return f"picks teach no less than chance ({points})"
    return f"picks teach less than chance ({points}), so {_part(chance)} is drawn by chance"


def _part(value: float) -> str:
    return "all of it" if value == 1 else "half of it" if value == 0.5 else f"{100 * value:.0f} % of it"


def _counts(shares: list[float], n: int) -> list[int]:
    """Split n by shares, rounded to whole images; the first gets what is left."""
    others: list[int] = []
    for value in shares[1:]:
        others.append(min(int(value * n + 0.5), n - sum(others)))
    return [n - sum(others), *others]


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
