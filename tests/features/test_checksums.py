"""Checksums: damage is found and located, a crash never looks like damage, and only damaged rows are made again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_tools import Killed, Mean, Pool, check, extend, folder_of

from annotate_select import files
from annotate_select.errors import FeaturesError
from annotate_select.features import checksums, rows, store, verify
from annotate_select.features.store import FeatureStore


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FeatureStore, Pool]:
    """A store of 20 rows of 12 bytes, hashed three rows at a time."""
    monkeypatch.setattr(checksums, "BLOCK_BYTES", 36)
    pool = Pool({i: 10 * i for i in range(1, 21)})
    made = FeatureStore(tmp_path / "features")
    extend(made, pool, Mean())
    return made, pool


def spoil(folder: Path, row: int, value: float = 3.0) -> None:
    array = np.lib.format.open_memmap(folder / "features.npy", mode="r+")
    array[row, 1] = value
    array.flush()


def look(folder: Path) -> list[str]:
    return [Path(one.path).name for one in verify.verify(folder)]


def test_damage_is_found_located_and_only_those_rows_are_encoded_again(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    folder = folder_of(made)
    assert look(folder) == []
    spoil(folder, 7)
    (damage,) = verify.verify(folder)
    assert damage.rows == ((6, 9),)
    assert "rows 6 to 8 are not what was written" in damage.problem
    assert "features verify f --mend`, then `annotate-select embed`" in damage.remedy
    assert verify.mend(folder) == 3
    assert look(folder) == []
    assert verify.mend(folder) == 0
    with pytest.raises(FeaturesError, match="3 of 20 images changed"):
        made.open("f", pool.by_id)
    encoder = Mean()
    extend(made, pool, encoder)
    assert encoder.encoded == 3
    check(made, pool)
    assert look(folder) == []


def test_rows_that_are_not_finite_are_damage_even_without_checksums(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    folder = folder_of(made)
    (folder / "checksums.json").unlink()
    spoil(folder, 7, np.nan)
    assert [one.rows for one in verify.verify(folder)] == [((7, 8),)]
    assert verify.mend(folder) == 1
    assert look(folder) == []
    extend(made, pool, Mean())
    check(made, pool)


def test_opening_finds_a_damaged_last_block_and_a_damaged_ids_file(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    folder = folder_of(made)
    spoil(folder, 19)
    with pytest.raises(FeaturesError, match=r"features.npy is damaged: rows 18 to 19 .* --mend"):
        made.open("f", pool.by_id)
    verify.mend(folder)
    extend(made, pool, Mean())
    ids = np.load(folder / "ids.npy")
    ids["id"][3] = 77
    np.save(folder / "ids.npy", ids)
    with pytest.raises(FeaturesError, match=r"ids.npy is corrupt: it is not what was written"):
        made.open("f", pool.by_id)
    assert look(folder) == ["ids.npy"]
    assert verify.mend(folder) == 20
    extend(made, pool, Mean())
    check(made, pool)


def test_every_block_is_looked_at_in_the_end(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    spoil(folder_of(made), 0)
    found = 0
    for _ in range(200):
        try:
            made.open("f", pool.by_id)
        except FeaturesError:
            found += 1
    assert 5 < found < 100  # one block in seven, besides the last


@pytest.mark.parametrize("file", ["features.npy", "ids.npy"])
def test_truncated_files_are_damage_and_can_be_mended(filled: tuple[FeatureStore, Pool], file: str) -> None:
    made, pool = filled
    folder = folder_of(made)
    (folder / file).write_bytes((folder / file).read_bytes()[:-5])
    assert look(folder) == [file]
    verify.mend(folder)
    extend(made, pool, Mean())
    check(made, pool)
    assert look(folder) == []


def test_a_store_without_checksums_opens_and_gets_them_at_the_next_embedding(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    folder = folder_of(made)
    for damage in ("missing", "damaged"):
        if damage == "missing":
            (folder / "checksums.json").unlink()
            assert look(folder) == []
        else:
            (folder / "checksums.json").write_text('{"features": 3}')
            assert look(folder) == ["checksums.json"]
        check(made, pool)
        extend(made, pool, Mean())
        assert checksums.read(folder) is not None
        spoil(folder, 4)
        assert look(folder) == ["features.npy"]
        spoil(folder, 4, 50.0)
        assert look(folder) == []


def test_appending_hashes_only_what_changed(filled: tuple[FeatureStore, Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    made, pool = filled
    hashed: list[int] = []
    real = checksums._block
    monkeypatch.setattr(checksums, "_block", lambda a, sums, block: hashed.append(block) or real(a, sums, block))
    pool.values |= {4: 44, 21: 210, 22: 220}
    extend(made, pool, Mean())
    assert set(hashed) == {1, 6, 7}
    assert look(folder_of(made)) == []
    assert checksums.read(folder_of(made)) == checksums.Checksums(
        (checksums.hashed(np.load(folder_of(made) / "features.npy")),),
        (checksums.of_ids(np.load(folder_of(made) / "ids.npy")),),
    )


def test_appending_does_not_make_damage_sound(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    folder = folder_of(made)
    spoil(folder, 0)
    pool.values[21] = 210
    extend(made, pool, Mean())
    assert look(folder) == ["features.npy"]  # taken over as it was, and still known to be damaged
    spoil(folder, 19)
    pool.values[22] = 220
    with pytest.raises(FeaturesError, match="rows 18 to 20"):
        extend(made, pool, Mean())
    verify.mend(folder)
    encoder = Mean()
    extend(made, pool, encoder)
    assert encoder.encoded == 6  # the row that waits in a block is not encoded again
    check(made, pool)


def test_retraining_the_same_encoder_makes_damaged_features_anew(filled: tuple[FeatureStore, Pool]) -> None:
    made, pool = filled
    spoil(folder_of(made), 0)
    encoder = Mean()
    extend(made, pool, encoder, replace=True)
    assert encoder.encoded == 20
    assert look(folder_of(made)) == []


CHANGES = st.lists(
    st.dictionaries(st.integers(1, 12), st.integers(1, 250), min_size=1, max_size=6), min_size=1, max_size=4
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, deaths=st.lists(st.integers(0, 4), max_size=4))
def test_whatever_is_killed_nothing_looks_damaged_and_rows_fit_their_images(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[int, int]], deaths: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checksums, "BLOCK_BYTES", 36)
        patch.setattr(files, "_sync", lambda path: None)
        made = FeatureStore(tmp_path_factory.mktemp("store") / "features")
        pool = Pool({})
        for number, change in enumerate(changes):
            pool.values |= change
            if number < len(deaths):
                _killed(made, pool, deaths[number])
            extend(made, pool, Mean())
            assert look(folder_of(made)) == []
            check(made, pool)


def _killed(made: FeatureStore, pool: Pool, writes: int) -> None:
    """Store, and die before the write that follows so many."""
    left = [writes]

    def dying(path: Path) -> None:
        if path.suffix == ".tmp" and path.is_file():
            if left[0] == 0:
                raise Killed
            left[0] -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_sync", dying)
        with suppress(Killed):
            extend(made, pool, Mean())
    if folder_of(made).exists():
        assert look(folder_of(made)) == []


def test_a_change_between_two_looks_is_no_damage(
    filled: tuple[FeatureStore, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, pool = filled
    real = rows.read_rows
    done: list[int] = []

    def crowded(folder: Path) -> tuple[np.ndarray, np.ndarray]:
        found = real(folder)
        if not done:
            done.append(1)
            pool.values[21] = 210
            extend(made, pool, Mean())
        return found

    monkeypatch.setattr(rows, "read_rows", crowded)
    assert store.read_sound is rows.read_sound
    assert len(made.open("f", pool.by_id).ids) == 21


def test_checksums_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    assert checksums.read(tmp_path) is None
    for content in ("[]", "{", '{"features": [], "ids": 3}'):
        (tmp_path / "checksums.json").write_text(content)
        with pytest.raises(ValueError, match=r"checksums\.json"):
            checksums.read(tmp_path)
    one = {"rows": 4, "row_bytes": 12, "step": 2, "blocks": ["a"]}
    (tmp_path / "checksums.json").write_text(json.dumps({"features": [one], "ids": []}))
    with pytest.raises(ValueError, match="does not fit together"):
        checksums.read(tmp_path)
