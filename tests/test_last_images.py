"""The end of a pool, and what was added since: what `status` advises can be done, and what is left is chosen."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate_select.errors import LearningError, SelectionError
from annotate_select.project import Project

SAMPLE = Path(__file__).parents[1] / "sample_data"


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    """120 images: an exam of 24 and a batch of 30, all labelled, and a model that was evaluated."""
    with Project.open(project_root) as opened:
        yield opened


def label_waiting(project: Project, truth: dict[str, str]) -> None:
    project.annotate({item.key: truth[item.key] for item in project.queue("ana", 200)}, annotator="ana")


def free(project: Project) -> int:
    return 120 - len(project.reserved_rows()) - 30


def test_without_n_the_last_batch_is_what_is_left(project: Project, truth: dict[str, str]) -> None:
    assert project.config.select.n > 3
    assert "the last" not in project.select(free(project) - 3).note
    with pytest.raises(SelectionError, match=r"n must be between 1 and 3 .*, got 4"):
        project.select(4)
    last = project.select()
    assert len(last.picks) == 3
    assert last.note.endswith("these are the last that are left")
    label_waiting(project, truth)
    with pytest.raises(SelectionError, match=r"nothing is left to choose of 120 images: 120 judged already; add im"):
        project.select()


def test_next_says_that_it_trained_where_it_can_choose_nothing(project: Project, truth: dict[str, str]) -> None:
    project.select(free(project))
    label_waiting(project, truth)
    with pytest.raises(
        SelectionError, match="model 2 is trained, but no batch was chosen: nothing is left to choose of 120 images"
    ):
        project.next()
    newest = project.rounds()[-1]
    assert (newest.model, newest.accuracy is not None) == (2, True)


def test_the_advice_at_the_end_of_a_pool_can_be_followed(project: Project, truth: dict[str, str]) -> None:
    project.select(free(project))
    label_waiting(project, truth)
    assert project.status().advice.startswith("train on the new labels")
    project.train()
    project.evaluate()
    facts = project.status()
    project.annotate({key: truth[key] for key in truth if key in set(project.features().keys)}, annotator="ana")
    assert facts.left == 120 - facts.labelled  # what is too near to the exam: that takes features to tell
    assert project.status().left == 0
    project.train()  # learns nothing from images that are too near to the exam
    project.evaluate()
    assert project.status().advice == "add images, for every one has a label: annotate-select add"


def test_no_exam_is_advised_where_every_image_has_a_label(tmp_path: Path, photos: Path, truth: dict[str, str]) -> None:
    some = tmp_path / "some"
    some.mkdir()
    for path in sorted(photos.iterdir())[:12]:
        shutil.copy(path, some)
    with Project.create(tmp_path / "p", sorted(set(truth.values())), images=some) as project:
        project.embed(dim=8, image_size=32)
        assert project.status().advice.startswith("draw the exam")
        project.annotate({path.name: truth[path.name] for path in some.iterdir()}, annotator="ana")
        assert project.status().advice.startswith("train")
        project.train()
        assert project.status().advice.startswith("add images, for every one has a label")


def test_added_images_without_features_are_told_of(project: Project, tmp_path: Path, truth: dict[str, str]) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for key in sorted(truth)[120:125]:
        shutil.copy(SAMPLE / "images" / key, fresh)
    project.add(fresh)
    facts = project.status()
    assert facts.unseen == 5
    assert "5 images have none yet" in facts.text()
    assert facts.advice == "compute features of 5 new images: annotate-select embed"
    project.embed()
    assert project.status().unseen == 0
    assert project.status().advice.startswith("choose the next batch")


def test_labels_that_may_not_be_learned_from_are_named_where_training_lacks_labels(
    tmp_path: Path, photos: Path
) -> None:
    manifest = tmp_path / "all.csv"
    paths = sorted(photos.iterdir())[:12]
    manifest.write_text("image,group\n" + "\n".join(f"{path},g{at // 4}" for at, path in enumerate(paths)))
    with Project.create(tmp_path / "p", ["a", "b"], images=manifest) as project:
        project.embed(dim=8, image_size=32)
        project.exam(1)
        group = next(at for at, path in enumerate(paths) if path.name == Path(project.exam_keys()[0]).name) // 4
        near = {path.name for path in paths[4 * group : 4 * group + 4]}
        keys = sorted(key for key in project.features().keys if Path(key).name in near)
        project.annotate({key: "ab"[at % 2] for at, key in enumerate(keys)})
        with pytest.raises(LearningError, match=r"no image outside the exam has a label .beside 3 labelled images too"):
            project.train()


def test_where_it_stands_is_told_without_torch_or_faiss(project: Project) -> None:
    heavy = "import sys; from annotate_select import Project; Project.open(sys.argv[1]).status()"
    told = f"{heavy}; print([name for name in ('torch', 'faiss') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", told, project.root], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_embed_makes_what_is_missing_of_the_features_in_use(tmp_path: Path, truth: dict[str, str]) -> None:
    first, more = tmp_path / "first", tmp_path / "more"
    for folder, keys in ((first, sorted(truth)[:8]), (more, sorted(truth)[8:10])):
        folder.mkdir()
        for key in keys:
            shutil.copy(SAMPLE / "images" / key, folder)
    with Project.create(tmp_path / "p", sorted(set(truth.values())), images=first) as project:
        project.embed("efficientnet_lite0", image_size=32)
        project.exam(2)
        project.add(more)
        assert project.status().unseen == 2
        found = project.embed()  # as status advises
        assert (found.name, len(found.array), project.status().unseen) == ("efficientnet_lite0", 10, 0)
        assert [one.name for one in project.features_list()] == ["efficientnet_lite0"]
        project.embed(dim=4, image_size=32)  # whoever asks for an autoencoder's width asks for an autoencoder
        assert {one.name for one in project.features_list()} == {"autoencoder", "efficientnet_lite0"}
