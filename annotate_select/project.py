"""Project: the one object behind the CLI, the app and pipelines. It wires; it computes nothing.

Each method imports its step when it is called, so that opening a project loads neither torch nor faiss. The loop stands
here; features, annotations, what the app shows and what measures are parts of it in the files project_*.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select import config as settings
from annotate_select.annotations import identity as _identity
from annotate_select.annotations import tokens as _tokens
from annotate_select.annotations.database import Database
from annotate_select.config import Config
from annotate_select.errors import AnnotateSelectError, ProjectError
from annotate_select.progress import Progress, silent
from annotate_select.project_annotations import Answers
from annotate_select.project_app import Screens
from annotate_select.project_features import Spaces
from annotate_select.project_trust import Scores
from annotate_select.steps import annotate as _annotate
from annotate_select.steps.home import DATABASE_NAME, Home

if TYPE_CHECKING:
    from annotate_select.selection.select import Strategy
    from annotate_select.steps.active_exam import ActiveExam
    from annotate_select.steps.add import AddReport
    from annotate_select.steps.batches import BatchInfo, PickInfo
    from annotate_select.steps.exam import Exam
    from annotate_select.steps.known import Known
    from annotate_select.steps.predict import Prediction
    from annotate_select.steps.select import Batch
    from annotate_select.steps.status import Round, Status
    from annotate_select.steps.train import TrainedModel

__all__ = ["Project"]


class Project(Spaces, Answers, Screens, Scores):
    """A folder with a project.toml, a database and caches.

    Make one with `Project.create`, open one with `Project.open`; close it, or use it in a `with` block.
    """

    def __init__(self, home: Home) -> None:
        """Take an opened home; use `create` or `open` instead."""
        self._home = home
        self.id = _tokens.project_id(home.db)

    # --- making and opening -------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        root: str | Path,
        classes: Sequence[str],
        *,
        name: str | None = None,
        images: str | Path | None = None,
        seed: int = 0,
    ) -> Project:
        """Make a project in the folder `root`, which may exist; with `images`, add that source.

        Raises ProjectError when a project is there already, ConfigError when the classes are not usable.
        """
        root = Path(root).expanduser().resolve()
        if (root / settings.FILE_NAME).exists():
            raise ProjectError(f"there is a project in {root} already; open it, or choose another folder")
        values = {"name": name or root.name or "project", "classes": list(classes), "seed": seed}
        config = settings.validated(values, "the new project")
        if root.exists() and not root.is_dir():
            raise ProjectError(f"{root} is a file; a project needs a folder")
        _make_folder(root)
        if not (root / DATABASE_NAME).exists():
            Database.create(root / DATABASE_NAME).close()
        settings.write(root, config)  # last: a folder without it is no project, so a kill before leaves none
        project = cls.open(root)
        if images is not None:
            project.add(images)
        return project

    @classmethod
    def open(cls, root: str | Path | None = None) -> Project:
        """Open the project in `root`, or without it the one in this folder or the nearest parent that has one.

        Raises ProjectError when there is none, ConfigError or DatabaseError when a file of it is damaged.
        """
        folder = _find(Path(root).expanduser().resolve() if root is not None else None)
        settings.read(folder)
        home = Home(folder, Database.open(folder / DATABASE_NAME))
        try:
            _identity.settle(home.db)
            _annotate.finish_changes(home)
            return cls(home)
        except BaseException:
            home.db.close()
            raise

    def close(self) -> None:
        """Close the database; nothing is lost without it."""
        self._home.db.close()

    def __enter__(self) -> Project:
        """Return the project itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the project."""
        self.close()

    def __repr__(self) -> str:
        """Name the project and its folder."""
        return f"Project({str(self.root)!r})"

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self._home.root

    @property
    def config(self) -> Config:
        """The settings in project.toml, as the file is now."""
        return self._home.config

    @property
    def name(self) -> str:
        """The project's name."""
        return self.config.name

    @property
    def classes(self) -> list[str]:
        """The classes, in their order."""
        return list(self.config.classes)

    # --- round the loop -----------------------------------------------------------------------------------------

    def add(self, *sources: str | Path | Sequence[str | Path], progress: Progress = silent) -> AddReport:
        """Add images: folders, CSV manifests, files; without any, look through the known sources again."""
        from annotate_select.steps.add import add

        return add(self._home, sources, progress)

    def exam(
        self,
        size: int | None = None,
        *,
        new_ground: bool = False,
        stratify: bool | None = None,
        features: str | None = None,
        output: str | Path | None = None,
    ) -> Exam:
        """Draw the exam, or grow it to `size`, and write what of it is still to be labelled.

        With `stratify` (default: project.toml's) images are drawn evenly over clusters of `features`, by default the
        project's: each has the same chance still, and no kind is missed by bad luck. With `new_ground` it grows by
        images that `check drift` called new, to the share they have in the pool.
        Raises ExamError when too few images are left, or without features to make clusters of.
        """
        from annotate_select.steps.exam import draw

        return draw(self._home, size, new_ground=new_ground, stratify=stratify, features=features, output=_path(output))

    def active_exam(self, n: int, *, output: str | Path | None = None) -> ActiveExam:
        """Draw n images where the newest model may err, each by a known chance, as a second exam; `evaluate` uses it.

        They are kept from training like the exam. Raises LearningError without a model, ExamError while images of the
        one before have no label, or when too few images are left.
        """
        from annotate_select.steps.active_exam import draw

        return draw(self._home, n, output=_path(output))

    def select(
        self,
        n: int | None = None,
        strategy: str | Strategy | None = None,
        *,
        features: str | None = None,
        seed: int | None = None,
        audit: float | None = None,
        relabel: float | None = None,
        like: Sequence[str] = (),
        balance: str | None = None,
        output: str | Path | None = None,
        formats: Sequence[str] = ("csv",),
        progress: Progress = silent,
    ) -> Batch:
        """Choose the next batch, store it, and write it to `output` (default: batches/NUMBER.csv in the project).

        `like` are keys of images of which `similar_to` and `seals` find more. `balance` names something besides the
        thing itself, such as brightness: usual and unusual get equally many picks within each predicted class. With
        `relabel`, at most that share of it is second opinions, where they are worth more than new images.
        """
        from annotate_select.steps.select import select

        return select(
            self._home,
            n,
            strategy,
            features=features,
            seed=seed,
            audit=audit,
            relabel=relabel,
            like=like,
            balance=balance,
            output=_path(output),
            formats=formats,
            progress=progress,
        )

    def balance_by(self, name: str | None) -> None:
        """Balance every selection from now on by something besides the thing itself, as `select(balance=...)` does.

        None: no more. It stands in project.toml; raises SelectionError for what is not known of the images.
        """
        from annotate_select.steps.strata import balance_by

        balance_by(self._home, name)

    def batch(self, number: int, *, output: str | Path | None = None, formats: Sequence[str] = ("csv",)) -> Batch:
        """Read a stored batch again, and write it."""
        from annotate_select.steps.select import stored_batch

        return stored_batch(self._home, number, output=_path(output), formats=formats)

    def train(
        self,
        head: str | None = None,
        *,
        features: str | None = None,
        minutes: float | None = None,
        views: str | None = None,
        progress: Progress = silent,
    ) -> TrainedModel:
        """Train a model on all labels outside the exam and store it.

        `head` is linear, mlp or finetune, by default what project.toml has under [train]: linear where nothing is said.
        With finetune the pretrained network under the features learns them first, within some `minutes` (15), on
        `views` of the images (as `embed` takes them); its features are stored as NAME-finetuned.
        Raises LearningError for another, or when fewer than two classes have labels.
        """
        from annotate_select.steps.train import train

        return train(self._home, head, features=features, minutes=minutes, views=views, progress=progress)

    def predict(
        self,
        source: str | Path | Sequence[str | Path],
        *,
        output: str | Path | None = None,
        progress: Progress = silent,
    ) -> list[Prediction]:
        """Label new images with the newest model: class, probabilities and novelty of each."""
        from annotate_select.steps.predict import predict

        return predict(self._home, source, output=_path(output), progress=progress)

    def prepare(self, n: int | None = None, exam: int | None = None, *, progress: Progress = silent) -> Batch:
        """Do what a new project needs before anybody can label: features, exam, first batch."""
        self.embed(progress=progress)
        self.exam(exam)
        return self.select(n, progress=progress)

    def known(self, features: str | None = None) -> Known:
        """Return features and labels of every labelled image, to replay rounds with `simulate`.

        Raises SourceError when too few are labelled.
        """
        from annotate_select.steps.known import known_of_project

        return known_of_project(self._home, features)

    def next(self, n: int | None = None, strategy: str | None = None, *, progress: Progress = silent) -> Batch:
        """Close a round and open the next: embed what is new, train, evaluate if there is an exam, select.

        Raises SelectionError where no batch can be chosen; the model that was trained stays.
        """
        from annotate_select.steps.next_round import next_round

        return next_round(self._home, n, strategy, progress=progress)

    # --- where it stands ----------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Count what there is and say what to do next."""
        from annotate_select.steps.status import status

        return status(self._home)

    def rounds(self) -> list[Round]:
        """Return the learning curve, a row a model."""
        from annotate_select.steps.status import rounds

        return rounds(self._home)

    def batches(self) -> list[BatchInfo]:
        """Return every batch, newest first: how it was chosen, and how far it is labelled."""
        from annotate_select.steps.batches import batch_infos

        return batch_infos(self._home)

    def picks(self, number: int) -> list[PickInfo]:
        """Return the picks of a batch, best first, each with its reason and where its image stands."""
        from annotate_select.steps.batches import pick_infos

        return pick_infos(self._home, number)

    def add_batch(self, images: Sequence[str | int], reason: str) -> tuple[int | None, int]:
        """Put images, by key or id, into the queue as a batch chosen by hand; return its number and how many it has.

        Left out is what is settled or in the queue already; where nothing is left, the number is None.
        """
        from annotate_select.steps.batches import add_batch

        return add_batch(self._home, images, reason)


def _find(root: Path | None) -> Path:
    if root is not None:
        if (root / settings.FILE_NAME).exists():
            return root
        raise ProjectError(f"there is no project in {root}; make one with `annotate-select init {root} --classes a,b`")
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / settings.FILE_NAME).exists():
            return folder
    raise ProjectError(f"no project in {here} or above it; go into one, name one with --project, or make one with init")


def _make_folder(root: Path) -> None:
    from annotate_select.files import storage_errors

    try:
        with storage_errors(root):
            root.mkdir(parents=True, exist_ok=True)
    except AnnotateSelectError as error:
        raise ProjectError(str(error)) from error


def _path(path: str | Path | None) -> Path | None:
    return Path(path) if path is not None else None
