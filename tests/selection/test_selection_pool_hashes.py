from __future__ import annotations

import numpy as np

from annotate_select.selection.pool import seeded_hashes


def test_a_permutation_of_words() -> None:
    tokens = np.arange(100_000, dtype=np.uint64)
    assert len(np.unique(seeded_hashes(tokens, 0))) == 100_000


def test_every_seed_orders_otherwise() -> None:
    tokens = np.arange(1000, dtype=np.uint64)
    orders = [np.argsort(seeded_hashes(tokens, seed)) for seed in (0, 1, 2, 2**63, -1)]
    ranks = [np.argsort(order) for order in orders]
    for one in range(len(ranks)):
        for other in range(one):
            assert abs(np.corrcoef(ranks[one], ranks[other])[0, 1]) < 0.15


def test_bits_are_even() -> None:
    bits = np.unpackbits(seeded_hashes(np.arange(20_000, dtype=np.uint64), 3).view(np.uint8)).reshape(20_000, 64)
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.02


def test_a_hash_belongs_to_the_token_and_not_to_its_place() -> None:
    assert seeded_hashes(np.array([7, 9], dtype=np.uint64), 4)[1] == seeded_hashes(np.array([9], dtype=np.uint64), 4)[0]


def test_tokens_stay_unchanged() -> None:
    tokens = np.array([1, 2], dtype=np.uint64)
    seeded_hashes(tokens, 1)
    assert tokens.tolist() == [1, 2]
