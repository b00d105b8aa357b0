"""Shared features: found by the image's bytes and the full definition, never wrong, never fatal."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_tools import Mean, Pool, check, extend, folder_of

from annotate_select import files
from annotate_select.errors import FeaturesError
from annotate_select.features import shared as shared_module
from annotate_select.features import shared_place
from annotate_select.features.shared import SharedFeatures
from annotate_select.features.shared_place import FolderPlace
from annotate_select.features.store import FeatureStore

DEFINITION = Mean().definition()


def project(tmp_path: Path, name: str, dtype: str = "float32") -> FeatureStore:
    return FeatureStore(tmp_path / name / "features", dtype, FolderPlace(tmp_path / "shared"))


def embed(store: FeatureStore, pool: Pool, encoder: Mean | None = None) -> int:
    """As the step does; returns how many images were encoded."""
    encoder = encoder or Mean()
    store.reuse("f", encoder, pool.ids, pool.fingerprints)
    extend(store, pool, encoder)
    return encoder.encoded


def blocks(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "shared").rglob("*.block"))


def test_what_one_project_encoded_the_others_find(tmp_path: Path) -> None:
    first, second = Pool({1: 10, 2: 20, 3: 30}), Pool({7: 30, 8: 80, 9: 10})
    assert embed(project(tmp_path, "a"), first) == 3
    assert embed(project(tmp_path, "b"), second) == 1
    check(project(tmp_path, "b"), second)
    assert len(blocks(tmp_path)) == 2
    definition = json.loads((tmp_path / "shared" / files.digest(DEFINITION) / "definition.json").read_text())
    assert files.digest(definition) == files.digest(DEFINITION)
    first.values[4] = 80
    assert embed(project(tmp_path, "a"), first) == 0
    check(project(tmp_path, "a"), first)
    assert len(blocks(tmp_path)) == 2


def test_another_definition_finds_nothing(tmp_path: Path) -> None:
    pool = Pool({1: 10, 2: 20})
    embed(project(tmp_path, "a"), pool)
    assert embed(project(tmp_path, "b"), pool, Mean(2.0)) == 2
    check(project(tmp_path, "b"), pool, factor=2)


def test_a_shared_row_that_does_not_fit_float16_is_refused(tmp_path: Path) -> None:
    pool = Pool({1: 200})
    embed(project(tmp_path, "a"), pool, Mean(400.0))
    with pytest.raises(FeaturesError, match="do not fit into float16"):
        embed(project(tmp_path, "b", "float16"), pool, Mean(400.0))


@pytest.mark.parametrize("how", ["flipped", "truncated", "empty", "another", "renamed"])
def test_a_damaged_block_is_encoded_anew_with_a_warning(tmp_path: Path, how: str) -> None:
    pool = Pool({i: 10 * i for i in range(1, 9)})
    embed(project(tmp_path, "a"), pool)
    (block,) = blocks(tmp_path)
    content = bytearray(block.read_bytes())
    if how == "flipped":
        content[-3] ^= 1
    elif how == "truncated":
        content = content[:-7]
    elif how == "empty":
        content = bytearray()
    elif how == "another":
        np.save(block.with_suffix(".npy"), np.arange(3))
        content = bytearray(block.with_suffix(".npy").read_bytes())
    if how == "renamed":
        block.rename(block.with_name("0" * 32 + ".block"))
    else:
        block.write_bytes(content)
    with pytest.warns(UserWarning, match=r"shared features .*\.block are not used: it .*; delete the file"):
        assert embed(project(tmp_path, "b"), pool) == 8
    check(project(tmp_path, "b"), pool)


def test_a_damaged_definition_switches_sharing_off(tmp_path: Path) -> None:
    pool = Pool({1: 10})
    embed(project(tmp_path, "a"), pool)
    (tmp_path / "shared" / files.digest(DEFINITION) / "definition.json").write_text('{"kind": "other"}')
    with pytest.warns(UserWarning, match=r"definition\.json are not used"):
        assert embed(project(tmp_path, "b"), pool) == 1


def test_no_space_or_a_read_only_folder_only_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool({1: 10})
    embed(project(tmp_path, "a"), pool)

    def refused(path: Path, content: bytes | str) -> None:
        with files.storage_errors(path):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shared_place, "write_whole", refused)
    pool.values[2] = 20
    assert embed(project(tmp_path, "b"), pool) == 1
    check(project(tmp_path, "b"), pool)
    assert len(blocks(tmp_path)) == 1


def test_a_file_where_the_folder_should_be_is_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("a file")
    pool = Pool({1: 10})
    with pytest.warns(UserWarning, match=r"shared features in .*/shared are not used: it is a file; set ") as said:
        assert embed(project(tmp_path, "a"), pool) == 1
    assert len(said) == 1
    check(project(tmp_path, "a"), pool)


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    pool = Pool({1: 10})
    store = FeatureStore(tmp_path / "a" / "features", "float32", FolderPlace(Path("/proc/nothing/here")))
    with pytest.warns(UserWarning, match=r"shared features in /proc/nothing/here are not used: ") as said:
        assert embed(store, pool) == 1
    assert len(said) == 1
    check(store, pool)


def test_looking_stops_when_encoding_would_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool({i: i for i in range(1, 20)})
    embed(project(tmp_path, "a"), pool)
    monkeypatch.setattr(shared_module, "SECONDS", -1.0)
    assert embed(project(tmp_path, "b"), pool) == 19


def test_functions_and_features_made_of_others_are_not_shared(tmp_path: Path) -> None:
    for kind in ("function", "concatenation", "model"):
        shared = SharedFeatures(FolderPlace(tmp_path), {"kind": kind}, 3)
        shared.add(np.array([b"a"], "S32"), np.ones((1, 3), np.float32))
    assert not list(tmp_path.rglob("*.block"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 30), min_size=1, unique=True), min_size=1, max_size=5), st.data())
def test_rows_found_are_those_of_the_fingerprints(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("shared")
    for part in parts:
        names = np.array([f"{value:032x}" for value in part], "S32")
        SharedFeatures(FolderPlace(folder), {}, 2).add(names, np.array([[value, -value] for value in part], np.float32))
    asked = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=20))
    found: dict[int, list[float]] = {}
    for at, features in SharedFeatures(FolderPlace(folder), {}, 2).find(
        np.array([f"{value:032x}" for value in asked], "S32")
    ):
        for position, row in zip(at.tolist(), features.tolist(), strict=True):
            assert position not in found
            found[position] = row
    there = set().union(*parts)
    assert found == {i: [value, -value] for i, value in enumerate(asked) if value in there}


def test_many_projects_at_once(tmp_path: Path) -> None:
    pools = [Pool({i: i + 3 * number for i in range(1, 40)}) for number in range(6)]
    encoded: list[int] = []

    def work(number: int) -> None:
        encoded.append(embed(project(tmp_path, str(number)), pools[number]))
        check(project(tmp_path, str(number)), pools[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(encoded) == 6
    assert embed(project(tmp_path, "last"), Pool({i: i for i in range(1, 55)})) == 0
    assert not [path for path in (tmp_path / "shared").rglob("*") if path.suffix == ".tmp"]
    assert os.access(tmp_path / "shared", os.W_OK)


def test_the_store_is_not_changed_by_sharing(tmp_path: Path) -> None:
    pool = Pool({1: 10, 2: 20})
    embed(project(tmp_path, "a"), pool)
    embed(project(tmp_path, "b"), pool)
    alone = FeatureStore(tmp_path / "c" / "features")
    extend(alone, pool, Mean())
    for name in ("features.npy", "ids.npy", "checksums.json"):
        same = {(folder_of(one) / name).read_bytes() for one in (alone, *(project(tmp_path, n) for n in "ab"))}
        assert len(same) == 1, name
