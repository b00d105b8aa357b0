from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from annotate_select.selection.auto import decide
from annotate_select.selection.checks import build_pool
from annotate_select.selection.pool import Picks, Pool
from annotate_select.selection.proof import Proof, prove
from annotate_select.selection.select import select

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(200, 10))
SURE = np.where(np.eye(2, dtype=bool)[np.arange(200) % 2], 0.9, 0.1)


def ask(labels: list[int], probabilities: np.ndarray | None = SURE, n: int = 10, **more: object) -> Picks:
    given: dict[str, object] = {"class_names": ["ok", "crack"], **more}
    return select(
        FEATURES,
        n,
        labeled=np.arange(len(labels)),
        labels=labels,
        probabilities=probabilities,
        **given,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("labels", "probabilities", "accuracy", "strategy", "why"),
    [
        ([], None, None, "graph_coverage", "nothing is labelled yet, so the batch covers the images"),
        ([0, 1] * 30, None, 0.9, "graph_coverage", "60 labels but no model yet"),
        ([0, 1] * 5, SURE, 0.6, "graph_uncertainty", "10 labels and a model of accuracy .60, so the batch covers what"),
        ([0, 1] * 5, SURE, None, "graph_uncertainty", "10 labels, so the batch covers what is in doubt"),
        (
            [0] * 3,
            None,
            None,
            "graph_coverage and kcenter_robust",
            "3 labels but no model yet, so the batch",
        ),
        (
            [0] * 9,
            SURE,
            0.9,
            "graph_uncertainty and kcenter_robust",
            "crack has no label, so half of it looks for",
        ),
        ([1] * 40, SURE, 0.9, "graph_uncertainty and kcenter_robust", "ok has no label, so 2 of 10 look for"),
    ],
)
def test_it_decides_by_the_numbers_and_tells_them(
    labels: list[int], probabilities: np.ndarray | None, accuracy: float | None, strategy: str, why: str
) -> None:
    picks = ask(labels, probabilities, accuracy=accuracy)
    assert picks.strategy == f"auto: {strategy}"
    assert picks.note.startswith(f"{strategy}: ")
    assert why in picks.note


def test_several_classes_without_labels_are_counted() -> None:
    flat = np.full((200, 5), 0.2)
    picks = ask([0, 1], flat, n=10, class_names=["a", "b", "c", "d", "e"])
    assert "3 of 5 classes have no label, so half of it looks for what is unlike the rest" in picks.note
    unlike = ["nothing labelled or picked is nearer" in reason for reason in picks.reasons]
    assert sum(unlike) == 5
    assert sum(unlike[:4]) == 2  # laid into one another, not one behind the other


def test_batches_of_one_have_one_strategy_each_and_in_the_long_run_their_shares() -> None:
    became = []
    for count in range(40, 80):  # one of two classes has no label: 20 of 40 to 20 of 79 images
        picks = ask([0] * count, n=1)
        became.append(picks.strategy)
        of_one = "so this one looks for what is unlike the rest" in picks.note
        of_all = " % of all picks look for what is unlike the rest, but none of these 1" in picks.note
        assert (of_one, of_all) == ((True, False) if picks.strategy == "auto: kcenter_robust" else (False, True))
    assert set(became) == {"auto: graph_uncertainty", "auto: kcenter_robust"}
    expected = sum(0.5 * 20 / count for count in range(40, 80))  # 6.9, with a standard deviation of 2.3
    assert abs(became.count("auto: kcenter_robust") - expected) <= 5


def test_the_note_tells_of_what_was_done() -> None:
    flat = np.full((200, 16), 1 / 16)
    names = [f"c{number}" for number in range(16)]
    few = ask(list(range(15)), flat, n=5, class_names=names)
    assert few.strategy == "auto: graph_uncertainty"
    assert "c15 has no label, so 6 % of all picks look for what is unlike the rest, but none of these 5" in few.note
    drawn = ask([0] * 9, n=10, chance=1.0)
    assert drawn.strategy == "auto: random"
    assert "batch covers" not in drawn.note
    assert "unlike" not in drawn.note
    assert "so all of it is drawn by chance" in drawn.note
    both = ask([0] * 9, n=20, chance=0.5)
    assert sum(reason.startswith("drawn at random") for reason in both.reasons) == 10
    assert sum("nothing labelled or picked is nearer" in reason for reason in both.reasons) == 5
    assert "so 5 of 20 look for what is unlike the rest" in both.note
    assert "so half of it is drawn by chance" in both.note


def test_repeats_come_after_everything_else() -> None:
    features = np.repeat(RNG.normal(size=(6, 12)), 5, axis=0)
    picks = select(
        features, 20, labeled=[0], labels=[0], probabilities=np.full((30, 2), 0.5), class_names=["ok", "crack"]
    )
    repeats = ["near-duplicate" in reason for reason in picks.reasons]
    assert repeats == sorted(repeats)
    assert repeats.count(False) == 5


def judged(pick_labels: np.ndarray, seed: int = 0) -> Pool:
    """Make a pool of two kinds whose 60 audits carry the truth and whose 120 picks carry labels as given."""
    rng = np.random.default_rng(seed)
    truth = np.arange(400) % 2
    features = rng.normal(size=(400, 12))
    features[:, 0] += 4 * truth
    labels = truth[:180].copy()
    labels[60:] = pick_labels
    return build_pool(
        features,
        labeled=np.arange(180),
        labels=labels,
        probabilities=np.full((400, 2), 0.5),
        accuracy=None,
        seed=seed,
        exclude=(),
        weights=None,
        groups=None,
        class_names=["ok", "crack"],
        n_classes=None,
        tokens=np.arange(400, dtype=np.uint64),
        near_duplicate=None,
        audits=np.arange(60),
    )


def test_picks_that_mislead_are_found_out_and_chance_takes_over() -> None:
    wrong = 1 - np.arange(60, 180) % 2
    pool = judged(wrong)
    proof = prove(pool)
    assert proof is not None
    assert proof.audits == 60
    assert proof.difference < -0.8  # audits teach nearly all, picks the opposite
    decision = decide(pool, 10)
    assert decision.counts == {"random": 10}
    assert "picks teach less than chance (-" in decision.because
    assert "points on 60 audits), so all of it is drawn by chance" in decision.because


def test_picks_as_good_as_chance_are_believed() -> None:
    pool = judged(np.arange(60, 180) % 2)
    proof = prove(pool)
    assert proof is not None
    assert abs(proof.difference) <= 0.1
    decision = decide(pool, 10)
    assert decision.counts == {"graph_uncertainty": 10}
    assert "; picks teach as much as chance, as far as can be told (" in decision.because


def test_labels_that_no_strategy_chose_are_no_picks() -> None:
    labels = np.arange(60, 180) % 2
    labels[60:] = 1 - labels[60:]  # the imported ones mislead, the picks do not
    pool = judged(labels)
    misled, fair = prove(pool), prove(replace(pool, chosen=np.arange(60, 120)))
    assert misled is not None
    assert misled.difference < -0.2
    assert fair is not None
    assert abs(fair.difference) <= 0.1
    assert prove(replace(pool, chosen=np.arange(60, 80))) is None


@pytest.mark.parametrize(
    ("difference", "chance", "words"),
    [
        (0.05, 0.0, "picks teach more than chance (+5.0 +- 2.0 points on 40 audits)"),
        (0.01, 0.0, "picks teach as much as chance, as far as can be told (+1.0 +- 2.0 points on 40 audits)"),
        (-0.02, 0.0, "picks teach as much as chance, as far as can be told (-2.0 +- 2.0 points on 40 audits)"),
        (
            -0.03,
            0.5,
            "picks teach less than chance (-3.0 +- 2.0 points on 40 audits), so half of it is drawn by chance",
        ),
        (-0.05, 1.0, "picks teach less than chance (-5.0 +- 2.0 points on 40 audits), so all of it is drawn by chance"),
    ],
)
def test_the_proof_sets_the_share_of_chance(
    difference: float, chance: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotate_select.selection.auto.prove", lambda pool: Proof(difference, 0.02, 40))
    picks = ask([0, 1] * 10, n=10)
    assert words in picks.note
    assert sum(reason.startswith("drawn at random") for reason in picks.reasons) == 10 * chance


def test_a_few_audits_prove_nothing() -> None:
    pool = judged(1 - np.arange(60, 180) % 2)
    assert prove(replace(pool, audits=np.arange(29))) is None
    assert prove(replace(pool, audits=np.arange(30))) is not None
