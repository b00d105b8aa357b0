"""What many tests need: real images, and a project that has gone round the loop once."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before anything imports torch: see annotate_select/features
if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as cores: two threads of torch or BLAS in each only wait for one another, half of all the time.
    # The engines of selection, which take threads by those of BLAS, have theirs: see tests/selection/conftest.py.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"
SMALL = {"atoms": 40, "epochs": 1, "image_size": 32}  # a tenth of the dictionary, of images a quarter as large
# Begun first where files are run beside each other, so that no process is left alone with a long one at the end.
LONGEST = (
    "test_faults.py",
    "test_cli.py",
    "test_docs.py",
    "test_wheel.py",
    "test_selection_contract.py",
    "test_check_drift.py",
    "test_backbone.py",
    "test_pages.py",
    "test_trust_page.py",
    "test_training.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; all else stays in its order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests' list of recent projects out of the user's home, for child processes too."""
    os.environ["ANNOTATE_SELECT_STATE"] = str(tmp_path_factory.mktemp("state"))
    yield
    del os.environ["ANNOTATE_SELECT_STATE"]


@pytest.fixture(scope="session", autouse=True)
def _small_encoder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let projects learn a small encoder here: what is done with features is tested, not how good they are.

    Rooms are tested with their own settings, and commands in processes of their own learn what a user's do.
    """
    if not {item.path.parent.name for item in request.session.items} & {"tests", "app"}:
        yield  # and torch is not loaded for tests of what does without
        return
    from annotate_select.features.autoencoder import AutoencoderConfig
    from annotate_select.steps import choose, embed, known

    with pytest.MonkeyPatch.context() as patch:
        for step in (choose, embed, known):
            patch.setattr(step, "AutoencoderConfig", partial(AutoencoderConfig, **SMALL))
        yield


@pytest.fixture(scope="session")
def truth() -> dict[str, str]:
    """The known labels of the sample images, by key."""
    with (SAMPLE / "labels.csv").open(newline="") as file:
        return {row["image"]: row["label"] for row in csv.DictReader(file)}


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory, truth: dict[str, str]) -> Path:
    """A folder of 120 real photos."""
    folder = tmp_path_factory.mktemp("photos")
    for key in sorted(truth)[:120]:
        shutil.copy(SAMPLE / "images" / key, folder / key)
    return folder


@pytest.fixture(scope="session")
def trained_root(tmp_path_factory: pytest.TempPathFactory, photos: Path, truth: dict[str, str]) -> Path:
    """A project after its first round: never change it, copy it (fixture `project`)."""
    from annotate_select import Project

    root = tmp_path_factory.mktemp("projects") / "clothes"
    with Project.create(root, sorted(set(truth.values())), images=photos) as project:
        project.embed(dim=16, image_size=32)
        exam = project.exam(24)
        project.annotate({key: truth[key] for key in exam.to_label}, annotator="ana")
        batch = project.select(30)
        project.annotate({pick.image: truth[pick.image] for pick in batch.picks}, annotator="ana")
        project.train()
        project.evaluate()
    return root


@pytest.fixture
def project_root(trained_root: Path, tmp_path: Path) -> Path:
    """A copy of the trained project, free to be changed."""
    root = tmp_path / "clothes"
    shutil.copytree(trained_root, root)
    return root
