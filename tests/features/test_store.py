"""The feature store: rows belong to their images, whatever is killed, changed or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from store_tools import Killed, Mean, Pool, check, extend, fingerprint, folder_of, image

from annotate_select import files
from annotate_select.errors import FeaturesError
from annotate_select.features import merge as merge_module
from annotate_select.features import rows as rows_module
from annotate_select.features.rows import ROW, compare
from annotate_select.features.store import FeatureStore


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "BLOCK_ROWS", 2)


def test_stored_rows_come_back_memory_mapped(store: FeatureStore) -> None:
    pool = Pool({7: 70, 3: 30, 9: 90})
    assert store.names() == []
    assert extend(store, pool, Mean()) == [0, 1, 2]
    assert store.names() == ["f"]
    features = store.open("f", pool.by_id)
    assert features.ids.tolist() == [7, 3, 9]
    assert features.array.tolist() == [[70.0] * 3, [30.0] * 3, [90.0] * 3]
    assert features.array.dtype == np.float32
    assert isinstance(features.array, np.memmap)
    assert not features.array.flags.writeable
    assert features.keys == ()
    assert features.digest == files.digest(Mean().definition())
    assert store.encoder_folder("f", features.digest).joinpath("factor.json").read_text() == "1.0"
    assert sorted(path.name for path in folder_of(store).iterdir()) == [
        "checksums.json",
        "definition.json",
        "encoder",
        "features.npy",
        "ids.npy",
    ]


def test_the_definition_comes_back_with_its_digest(store: FeatureStore) -> None:
    extend(store, Pool({1: 10}), Mean())
    definition = store.definition("f")
    assert definition == {"kind": "mean", "how": {"factor": 1.0, "axes": [1, 2]}}
    assert files.digest(definition) == files.digest(Mean().definition())


def test_only_new_images_are_encoded_and_old_rows_keep_their_place(store: FeatureStore) -> None:
    pool = Pool({5: 50, 2: 20})
    extend(store, pool, Mean())
    pool.values |= {1: 10, 8: 80, 6: 60}
    encoder = Mean()
    assert extend(store, pool, encoder) == [2, 3, 4]
    assert encoder.encoded == 3
    assert store.open("f", pool.by_id).ids.tolist() == [5, 2, 1, 8, 6]
    check(store, pool)
    assert store.covers("f")["id"].tolist() == [5, 2, 1, 8, 6]
    assert store.covers("other").tolist() == []


def test_with_nothing_new_nothing_is_written(store: FeatureStore) -> None:
    pool = Pool({5: 50})
    extend(store, pool, Mean())
    before = {path: path.stat().st_mtime_ns for path in folder_of(store).iterdir() if path.is_file()}
    assert extend(store, pool, Mean()) == []
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_images_that_could_not_be_decoded_stay_pending(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20, 3: 30})
    assert store.extend("f", Mean(), pool.ids, pool.fingerprints, pool.batches([0, 2])) == [0, 2]
    assert store.pending("f", Mean(), pool.ids, pool.fingerprints) == [1]
    with pytest.raises(FeaturesError, match=r"1 of 3 images has no features 'f' yet; run `annotate-select embed`"):
        store.open("f", pool.by_id)
    del pool.values[2]
    check(store, pool)


def test_rows_of_images_that_left_the_pool_are_allowed(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20})
    extend(store, pool, Mean())
    assert store.open("f", {2: fingerprint(20)}).ids.tolist() == [1, 2]
    assert store.open("f", {}).ids.tolist() == [1, 2]


@pytest.mark.usefixtures("small_blocks")
def test_a_changed_image_is_stale_until_it_is_encoded_again_in_its_place(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20, 3: 30, 4: 40})
    extend(store, pool, Mean())
    pool.values |= {2: 22, 4: 44, 9: 90}
    assert store.pending("f", Mean(), pool.ids, pool.fingerprints) == [1, 3, 4]
    del pool.values[9]
    with pytest.raises(FeaturesError, match=r"2 of 4 images changed since features 'f' were made"):
        store.open("f", pool.by_id)
    pool.values[9] = 90
    extend(store, pool, Mean())
    assert store.open("f", pool.by_id).ids.tolist() == [1, 2, 3, 4, 9]
    check(store, pool)


@pytest.mark.usefixtures("small_blocks")
def test_killed_while_encoding_only_the_rest_is_encoded(store: FeatureStore) -> None:
    pool = Pool({i: 10 * i for i in range(1, 8)})

    def dying() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from pool.batches([0, 1, 2, 3, 4], size=1)
        raise Killed

    with pytest.raises(Killed):
        store.extend("f", Mean(), pool.ids, pool.fingerprints, dying())
    assert store.names() == ["f"]  # so that the next run takes the same encoder
    with pytest.raises(FeaturesError, match="not finished; run `annotate-select embed` again"):
        store.open("f", pool.by_id)
    assert store.pending("f", Mean(), pool.ids, pool.fingerprints) == [5, 6]
    encoder = Mean()
    assert extend(store, pool, encoder) == [5, 6]
    assert encoder.encoded == 2
    check(store, pool)
    assert not (folder_of(store) / "partial").exists()


@pytest.mark.usefixtures("small_blocks")
def test_a_block_that_cannot_be_read_is_encoded_again(store: FeatureStore) -> None:
    pool = Pool({i: 10 * i for i in range(1, 6)})
    folder = folder_of(store)

    def dying() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from pool.batches([0, 1, 2, 3])
        raise Killed

    with pytest.raises(Killed):
        store.extend("f", Mean(), pool.ids, pool.fingerprints, dying())
    blocks = sorted((folder / "partial").iterdir())
    assert [path.name for path in blocks] == ["00000001.npy", "00000002.npy"]
    blocks[0].write_bytes(blocks[0].read_bytes()[:-5])
    assert extend(store, pool, Mean()) == [0, 1, 4]
    check(store, pool)


def test_killed_between_the_two_renames(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool({1: 10, 2: 20})
    extend(store, pool, Mean())
    pool.values |= {2: 22, 3: 30}
    real = merge_module.save

    def dying(path: Path, array: np.ndarray) -> None:
        if path.name == "ids.npy" and len(array) == 3:
            raise Killed
        real(path, array)

    with monkeypatch.context() as patch:
        patch.setattr(merge_module, "save", dying)
        with pytest.raises(Killed):
            extend(store, pool, Mean())
    folder = folder_of(store)
    assert len(np.load(folder / "features.npy")) == 3
    assert len(np.load(folder / "ids.npy")) == 2
    assert store.open("f", {1: fingerprint(10)}).array.shape == (2, 3)  # extra rows are ignored
    with pytest.raises(FeaturesError, match="1 of 2 images changed"):
        store.open("f", {1: fingerprint(10), 2: fingerprint(22)})
    encoder = Mean()
    assert extend(store, pool, encoder) == []  # the blocks are still there
    assert encoder.encoded == 0
    check(store, pool)


def damage(folder: Path, file: str, how: str) -> None:
    path = folder / file
    if how == "missing":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        np.save(path, np.arange(3)) if path.suffix == ".npy" else path.write_text('{"definition": 3}')


@pytest.mark.parametrize("how", ["truncated", "empty", "another"])
@pytest.mark.parametrize("file", ["features.npy", "ids.npy", "definition.json"])
def test_damage_is_one_clear_error_and_replace_mends_it(store: FeatureStore, file: str, how: str) -> None:
    pool = Pool({1: 10, 2: 20})
    extend(store, pool, Mean())
    damage(folder_of(store), file, how)
    for work in (lambda: store.open("f", pool.by_id), lambda: extend(store, pool, Mean())):
        with pytest.raises(FeaturesError, match=r"is corrupt.*--retrain`, or delete the folder"):
            work()
    extend(store, pool, Mean(), replace=True)
    check(store, pool)


def test_missing_features_are_an_error_and_missing_ids_are_made_again(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20})
    extend(store, pool, Mean())
    damage(folder_of(store), "features.npy", "missing")
    with pytest.raises(FeaturesError, match="is missing"):
        store.open("f", pool.by_id)
    extend(store, pool, Mean(), replace=True)
    damage(folder_of(store), "ids.npy", "missing")
    with pytest.raises(FeaturesError, match="not finished"):
        store.open("f", pool.by_id)
    assert extend(store, pool, Mean()) == [0, 1]
    check(store, pool)


def test_a_damaged_folder_of_another_encoder_is_not_asked_again_once_replaced(store: FeatureStore) -> None:
    pool = Pool({1: 10})
    extend(store, pool, Mean(1.0))
    (folder_of(store, Mean(1.0)) / "definition.json").write_text("{")
    extend(store, pool, Mean(2.0), replace=True)
    check(store, pool, factor=2)


def test_another_encoder_needs_another_name_or_replace(store: FeatureStore) -> None:
    pool = Pool({1: 10})
    extend(store, pool, Mean(1.0))
    with pytest.raises(FeaturesError, match=r"\(how\.factor: 1\.0 stored, 2\.0 asked\).*--name.*--retrain"):
        store.pending("f", Mean(2.0), pool.ids, pool.fingerprints)
    extend(store, pool, Mean(2.0), replace=True)
    check(store, pool, factor=2)
    assert folder_of(store, Mean(1.0)).exists()
    extend(store, pool, Mean(1.0), replace=True)  # and back: the newest counts, and nothing is encoded again
    check(store, pool, factor=1)
    assert store.names() == ["f"]


@pytest.mark.usefixtures("small_blocks")
def test_until_a_replacement_is_finished_the_old_features_stay(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20, 3: 30})
    extend(store, pool, Mean(1.0))

    def dying() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from pool.batches([0, 1])
        raise Killed

    with pytest.raises(Killed):
        store.extend("f", Mean(2.0), pool.ids, pool.fingerprints, dying(), replace=True)
    check(store, pool, factor=1)
    encoder = Mean(2.0)
    assert extend(store, pool, encoder, replace=True) == [2]
    check(store, pool, factor=2)


def test_a_damaged_saved_encoder_is_saved_again_on_replace(store: FeatureStore) -> None:
    pool = Pool({1: 10})
    extend(store, pool, Mean())
    (folder_of(store) / "encoder" / "factor.json").unlink()
    extend(store, pool, Mean(), replace=True)
    assert (folder_of(store) / "encoder" / "factor.json").exists()


class Broken(Mean):
    """An encoder gone wrong."""

    def __init__(self, output: object) -> None:
        super().__init__()
        self.output = output

    def encode(self, images: np.ndarray) -> np.ndarray:
        return np.array(self.output, np.float32)


@pytest.mark.parametrize(
    ("output", "message"),
    [([[1, 2, np.nan], [1, 2, 3]], "not finite for 1 of 2 images"), ([[1, 2]], r"shape \(1, 2\), expected \(2, 3\)")],
)
def test_features_that_cannot_be_are_refused(store: FeatureStore, output: object, message: str) -> None:
    pool = Pool({1: 10, 2: 20})
    with pytest.raises(FeaturesError, match=message):
        extend(store, pool, Broken(output))


def test_an_encoder_that_failed_before_its_first_row_leaves_the_name_free(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20})
    with pytest.raises(FeaturesError, match="not finite"):
        extend(store, pool, Broken([[1, 2, np.nan], [1, 2, 3]]))
    assert (store.names(), store.kept_names()) == (["f"], [])
    extend(store, pool, Mean(2.0))
    check(store, pool, factor=2)
    assert store.kept_names() == ["f"]


def test_not_one_image_could_be_encoded(store: FeatureStore) -> None:
    with pytest.raises(FeaturesError, match="not one image could be encoded"):
        store.extend("f", Mean(), [1], [fingerprint(1)], iter([]))


def test_unknown_names_say_which_there_are(store: FeatureStore) -> None:
    with pytest.raises(FeaturesError, match="no features are called 'g'; there are none yet"):
        store.open("g", {})
    extend(store, Pool({1: 10}), Mean())
    with pytest.raises(FeaturesError, match="no features are called 'ff'; there are f"):
        store.open("ff", {})


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "x" * 101])
def test_names_that_cannot_be_folders(store: FeatureStore, name: str) -> None:
    with pytest.raises(FeaturesError, match="cannot name features"):
        store.pending(name, Mean(), [1], [fingerprint(1)])


def test_names_with_dashes_and_stray_files_in_the_folder(store: FeatureStore) -> None:
    store.extend("my-f", Mean(), [1], [fingerprint(10)], iter([(np.array([0]), image(10)[None])]))
    (store.folder / ".training-f").mkdir()
    (store.folder / "notes-0123456789abcdef").write_text("a file")
    assert store.names() == ["my-f"]
    assert store.open("my-f", {1: fingerprint(10)}).array.tolist() == [[10.0] * 3]


def test_progress_counts_what_was_pending(store: FeatureStore) -> None:
    pool = Pool({1: 10, 2: 20, 3: 30})
    heard: list[tuple[str, int, int, str]] = []

    def progress(stage: str, done: int, total: int, note: str) -> None:
        heard.append((stage, done, total, note))

    store.extend("f", Mean(), pool.ids, pool.fingerprints, pool.batches([0, 1, 2]), progress)
    assert heard == [("encoding images", 2, 3, ""), ("encoding images", 3, 3, "")]


def test_compare_by_hand() -> None:
    rows = np.array([(5, b"a"), (2, b"b"), (5, b"c")], ROW)
    present, same = compare(rows, np.array([2, 5, 9, 1]), np.array(["b", "a", "b", "b"], "S32"))
    assert present.tolist() == [True, True, False, False]
    assert same.tolist() == [True, False, False, False]  # the last row of 5 is "c"


def test_rows_are_copied_in_pieces(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_module, "COPY_BYTES", 30)  # two rows of three floats
    pool = Pool({i: i for i in range(1, 6)})
    extend(store, pool, Mean())
    pool.values[6] = 6
    extend(store, pool, Mean())
    check(store, pool)
