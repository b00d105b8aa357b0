"""How rows are written: as float16, and without those of images that left; no crash gives a row to another image."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_tools import Killed, Mean, Pool, check, extend, fingerprint, folder_of

from annotate_select import files
from annotate_select.errors import FeaturesError
from annotate_select.features import checksums, verify
from annotate_select.features.store import FeatureStore


def store(tmp_path: Path, dtype: str = "float32") -> FeatureStore:
    return FeatureStore(tmp_path / "features", dtype)


def test_float16_takes_half_the_space_and_opens_memory_mapped(tmp_path: Path) -> None:
    made, pool = store(tmp_path, "float16"), Pool({i: i for i in range(1, 200)})
    extend(made, pool, Mean())
    opened = made.open("f", pool.by_id)
    assert opened.array.dtype == np.float16
    assert isinstance(opened.array, np.memmap)
    check(made, pool)
    assert (folder_of(made) / "features.npy").stat().st_size == 128 + 199 * 3 * 2
    pool.values |= {3: 33, 200: 200}
    extend(made, pool, Mean())
    check(made, pool)
    assert verify.verify(folder_of(made)) == []


@pytest.mark.parametrize(("before", "after"), [("float32", "float16"), ("float16", "float32")])
def test_the_next_embedding_converts_what_is_there(tmp_path: Path, before: str, after: str) -> None:
    pool = Pool({1: 10, 2: 20, 3: 30})
    extend(store(tmp_path, before), pool, Mean())
    made = store(tmp_path, after)
    assert made.open("f", pool.by_id).array.dtype == before  # until then it is read as it is
    for _ in range(2):
        extend(made, pool, Mean())
        assert made.open("f", pool.by_id).array.dtype == after
        check(made, pool)
        assert verify.verify(folder_of(made)) == []
    pool.values[4] = 40
    extend(made, pool, Mean())
    check(made, pool)


def test_numbers_beyond_float16_are_refused_before_anything_is_stored(tmp_path: Path) -> None:
    pool = Pool({1: 10, 2: 200})
    made = store(tmp_path, "float16")
    with pytest.raises(
        FeaturesError, match=r"as large as 8e\+04 do not fit into float16.*features\.dtype = \"float32\""
    ):
        extend(made, pool, Mean(400.0))
    extend(store(tmp_path), pool, Mean(400.0))
    with pytest.raises(FeaturesError, match="do not fit into float16"):
        extend(made, pool, Mean(400.0))
    check(store(tmp_path), pool, factor=400)


def test_rows_of_images_that_left_go_when_they_are_more_than_a_tenth(tmp_path: Path) -> None:
    made, pool = store(tmp_path), Pool({i: 10 * i for i in range(1, 21)})
    extend(made, pool, Mean())
    for gone in (3, 7):
        del pool.values[gone]
    extend(made, pool, Mean())
    assert len(made.covers("f")) == 20
    del pool.values[20]
    pool.values[30] = 99
    extend(made, pool, Mean())
    assert sorted(made.covers("f")["id"].tolist()) == sorted(pool.ids)
    assert np.load(folder_of(made) / "features.npy").shape == (18, 3)
    check(made, pool)
    assert verify.verify(folder_of(made)) == []
    pool.values[3] = 30  # and back: it is encoded again
    assert extend(made, pool, Mean()) == [18]
    check(made, pool)


def test_damaged_features_are_not_compacted(tmp_path: Path) -> None:
    made, pool = store(tmp_path), Pool({i: 10 * i for i in range(1, 21)})
    extend(made, pool, Mean())
    array = np.lib.format.open_memmap(folder_of(made) / "features.npy", mode="r+")
    array[0] = 1
    array.flush()
    pool.values = {1: 10}
    extend(made, pool, Mean())
    assert len(made.covers("f")) == 20
    assert len(verify.verify(folder_of(made))) == 1


POOLS = st.lists(
    st.dictionaries(st.integers(1, 14), st.integers(1, 250), min_size=1, max_size=10), min_size=2, max_size=4
)


@settings(max_examples=40, deadline=None)
@given(pools=POOLS, deaths=st.lists(st.integers(0, 9), max_size=4), half=st.booleans())
@example(pools=[{1: 1}, {1: 2}], deaths=[0, 3], half=False)
def test_killed_anywhere_no_image_gets_the_row_of_another(
    tmp_path_factory: pytest.TempPathFactory, pools: list[dict[int, int]], deaths: list[int], half: bool
) -> None:
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "BLOCK_BYTES", 36)
        patch.setattr(files, "_sync", lambda path: None)
        for number, values in enumerate(pools):
            made = store(folder, "float16" if half and number % 2 else "float32")
            pool = Pool(values)
            if number < len(deaths):
                killed(made, pool, deaths[number])
                nobody_has_a_wrong_row(made)
            extend(made, pool, Mean())
            nobody_has_a_wrong_row(made)
            check(made, pool)
            kept = set(made.covers("f")["id"].tolist())
            assert len(kept - set(pool.ids)) <= 0.1 * len(kept)


def test_killed_while_damaged_features_are_made_anew(tmp_path: Path) -> None:
    made, pool = store(tmp_path), Pool({1: 10, 2: 20, 3: 30})
    extend(made, pool, Mean())
    array = np.lib.format.open_memmap(folder_of(made) / "features.npy", mode="r+")
    array[0] = 1
    array.flush()
    pool = Pool({3: 30, 1: 10, 2: 20})
    for writes in range(9):
        with suppress(FeaturesError):
            killed(made, pool, writes, replace=True)
            if writes:
                nobody_has_a_wrong_row(made)
    extend(made, pool, Mean(), replace=True)
    check(made, pool)


def killed(made: FeatureStore, pool: Pool, writes: int, replace: bool = False) -> None:
    """Store, and die before the write that follows so many."""
    left = [writes]

    def dying(path: Path) -> None:
        if path.suffix == ".tmp" and path.is_file():
            if left[0] == 0:
                raise Killed
            left[0] -= 1

    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        patch.setattr(files, "_sync", dying)
        extend(made, pool, Mean(), replace=replace)


def nobody_has_a_wrong_row(made: FeatureStore) -> None:
    """Every stored row is of the image that its fingerprint says, whether or not it is in the pool."""
    if not (folder_of(made) / "ids.npy").exists():
        return
    assert verify.verify(folder_of(made)) == []
    opened, rows = made.open("f", {}), made.covers("f")
    for row, features in zip(rows, opened.array.tolist(), strict=True):
        if row["fingerprint"]:
            value = int(row["fingerprint"], 16)
            assert (features, row["fingerprint"].decode()) == ([float(value)] * 3, fingerprint(value))
