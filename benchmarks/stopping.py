"""What stopping rules cost: labels wasted after the right moment, and accuracy lost before it.

    python benchmarks/stopping.py [--data FOLDER] [--sets a,b] [--kind autoencoder] [--exam 200]

Rounds of `auto` are replayed with all labels known. The right moment is the first round whose accuracy, on images that
are neither exam nor pool, is within a point of the best any round reaches. A rule sees what a project sees: the exam,
and the models. `enough`: the package's advice says that more labels bring little; `kappa`: successive models agree by
.99, mean of three (Bloodgood and Vijay-Shanker); `confidence`: the least certain prediction in the pool changed by less
than a hundredth (Zhu, max-confidence, stabilised); `half` of the labels, whatever happens.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import datasets
import numpy as np

import annotate_select as ans
from annotate_select.learning.head import fit_head, mean_of
from annotate_select.trust.exam import evaluate
from annotate_select.trust.stopping import SETTLED, advise, expected_gain, kappa

ROUNDS, BATCH = 16, 60
RULES = ("enough", "kappa", "confidence", "half")


def rounds(name: str, kind: str, exam: int, data: Path) -> dict[str, list[float]]:
    """Replay one set; return for each rule (labels wasted, points lost, round stopped at), rounds from 1."""
    features, labels = datasets.features(name, kind, data)
    order = np.random.default_rng(0).permutation(len(features))
    n_test = len(features) // 4
    test, asked, pool = order[:n_test], order[n_test : n_test + exam], order[n_test + exam :]
    classes = [str(one) for one in range(int(labels.max()) + 1)]
    known = np.zeros(0, dtype=np.int64)  # rows of the pool
    probabilities, centre = None, mean_of(features[pool])
    sizes: list[int] = []
    truth: list[float] = []
    right: list[np.ndarray] = []
    agreement: list[float] = []
    surest: list[float] = []
    before = None
    stopped: dict[str, int] = {}
    total = min(ROUNDS, len(pool) // BATCH - 1)
    for number in range(total):
        picks = ans.select(
            features[pool], BATCH, strategy="auto", labeled=known, labels=labels[pool][known],
            probabilities=probabilities, seed=number,
        )  # fmt: skip
        known = np.concatenate([known, picks.rows])
        head = fit_head(features[pool][known], labels[pool][known], len(classes), centre=centre, seed=number)
        probabilities = head.probabilities(features[pool])
        sizes.append(len(known))
        truth.append(float((head.probabilities(features[test]).argmax(axis=1) == labels[test]).mean()))
        answers = head.probabilities(features[asked])
        right.append(answers.argmax(axis=1) == labels[asked])
        free = np.setdiff1d(np.arange(len(pool)), known)[:2000]
        said = probabilities.argmax(axis=1)
        if before is not None:
            agreement.append(kappa(before[free], said[free], len(classes)))
        before = said
        surest.append(float(probabilities[free].max(axis=1).min()))
        gain = expected_gain(np.array(sizes), np.array(right))
        advice = advise(evaluate(labels[asked], answers, classes), sizes, gain, agreement).advice
        if advice in ("little", "reached"):
            stopped.setdefault("enough", number)
        if len(agreement) >= 3 and np.mean(agreement[-3:]) >= SETTLED:
            stopped.setdefault("kappa", number)
        if len(surest) >= 3 and abs(surest[-1] - surest[-2]) < 0.01 and abs(surest[-2] - surest[-3]) < 0.01:
            stopped.setdefault("confidence", number)
    stopped["half"] = total // 2
    best = max(truth)
    moment = next(i for i, one in enumerate(truth) if one >= best - 0.01)
    found = {}
    for rule in RULES:
        at = stopped.get(rule, total - 1)
        found[rule] = [max(0, sizes[at] - sizes[moment]), 100 * max(0.0, best - truth[at]), at + 1]
    found["right"] = [sizes[moment], 100 * best, moment + 1]
    return found


def main() -> None:
    """Print a row a set, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--sets", default="")
    parser.add_argument("--kind", default="autoencoder")
    parser.add_argument("--exam", type=int, default=200)
    given = parser.parse_args()
    names = given.sets.split(",") if given.sets else datasets.names(given.data)
    print(f"| set, {given.kind} | right moment: labels, accuracy | " + " | ".join(RULES) + " |")
    print("|---" * (2 + len(RULES)) + "|")
    table = []
    for name in names:
        found = rounds(name, given.kind, given.exam, given.data)
        cells = [f"{found[rule][0]:.0f} wasted, {found[rule][1]:.1f} lost" for rule in RULES]
        print(
            f"| {name} | {found['right'][0]:.0f}, {found['right'][1]:.1f} % | " + " | ".join(cells) + " |", flush=True
        )
        table.append([found[rule][:2] for rule in RULES])
    means = np.mean(table, axis=0)
    print("| mean | | " + " | ".join(f"{wasted:.0f} wasted, {lost:.1f} lost" for wasted, lost in means) + " |")


if __name__ == "__main__":
    main()
