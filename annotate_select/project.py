"""Project: the one object behind the CLI, the app and pipelines. It wires; it computes nothing.

Each method imports its step when it is called, so that opening a project loads neither torch nor faiss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select import config as settings
from annotate_select.annotations import events as _events
from annotate_select.annotations import identity as _identity
from annotate_select.annotations import images as _images
from annotate_select.annotations import queue as _queue
from annotate_select.annotations import tokens as _tokens
from annotate_select.annotations.database import Database
from annotate_select.annotations.events import Event, RecordOutcome, StoredEvent
from annotate_select.annotations.queue import QueueItem, QueueProgress
from annotate_select.config import Config
from annotate_select.errors import AnnotateSelectError, ProjectError, UnknownImages
from annotate_select.progress import Progress, silent
from annotate_select.steps import annotate as _annotate
from annotate_select.steps import jobs as _jobs
from annotate_select.steps.home import DATABASE_NAME, Home
from annotate_select.steps.jobs import Job

if TYPE_CHECKING:
    from annotate_select.checks import Checks
    from annotate_select.features.health import Health
    from annotate_select.features.store import Features
    from annotate_select.selection.select import Strategy
    from annotate_select.steps.active_exam import ActiveExam
    from annotate_select.steps.add import AddReport
    from annotate_select.steps.alike import Alike
    from annotate_select.steps.batches import BatchInfo, PickInfo
    from annotate_select.steps.choose import Choice
    from annotate_select.steps.classes import ClassInfo
    from annotate_select.steps.evaluate import ExamAnswer
    from annotate_select.steps.exam import Exam
    from annotate_select.steps.exam_report import SignedReport, Verification
    from annotate_select.steps.explain import Explanation
    from annotate_select.steps.features import FeaturesInfo, Verified
    from annotate_select.steps.known import Known
    from annotate_select.steps.layout import Layout
    from annotate_select.steps.map import MapColours, Neighbour
    from annotate_select.steps.predict import Prediction
    from annotate_select.steps.reproduce import Reproduction
    from annotate_select.steps.review import ReviewItem
    from annotate_select.steps.select import Batch
    from annotate_select.steps.status import Round, Status
    from annotate_select.steps.train import TrainedModel
    from annotate_select.steps.traversal import Traversal
    from annotate_select.trust.audit import AuditReport
    from annotate_select.trust.compare import Comparison
    from annotate_select.trust.exam import ExamReport
    from annotate_select.trust.stopping import Stopping

__all__ = ["Project"]


class Project:
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

    def embed(
        self,
        encoder: str = "autoencoder",
        *,
        name: str | None = None,
        dim: int | None = None,
        image_size: int | None = None,
        weights: str | Path | None = None,
        retrain: bool = False,
        labels: bool = False,
        views: str | None = None,
        progress: Progress = silent,
    ) -> Features:
        """Train the autoencoder, or load another encoder, and store features (n, d) of every image that has none yet.

        `auto` is `embed_best`, which decides width, size and weights itself. With `labels`, the autoencoder learns from
        the labels outside the exam, too; `views` is what about an image does not matter: `objects` (left and right),
        `any_orientation`, or `oriented` (nothing is turned or mirrored).
        """
        from annotate_select.steps.embed import embed

        if encoder == "auto" and (dim, image_size, weights, labels, views) == (None, None, None, False, None):
            return self.embed_best(name=name, retrain=retrain, progress=progress)[0]
        return embed(
            self._home,
            encoder,
            name=name,
            dim=dim,
            image_size=image_size,
            weights=Path(weights) if weights is not None else None,
            retrain=retrain,
            labels=labels,
            views=views,
            progress=progress,
        )

    def embed_best(
        self, *, name: str | None = None, retrain: bool = False, progress: Progress = silent
    ) -> tuple[Features, Choice]:
        """Embed with the encoder of `choose_encoder`, and let the project select on it from now on."""
        from annotate_select.steps.choose import embed_best

        return embed_best(self._home, name=name, retrain=retrain, progress=progress)

    def choose_encoder(self, *, progress: Progress = silent) -> Choice:
        """Try the encoders that are installed on a sample of the pool; returns which is best here, and why."""
        from annotate_select.steps.choose import choose

        return choose(self._home, progress=progress)

    def features(self, name: str | None = None) -> Features:
        """Open stored features, memory-mapped; `keys[i]` is the image of row i."""
        from annotate_select.steps.embed import open_features

        return open_features(self._home, name)

    def features_health(self, name: str | None = None, *, progress: Progress = silent) -> tuple[Health, list[Path]]:
        """Measure whether the space is worth selecting in; returns the figures and the files written beside it."""
        from annotate_select.steps.health import health

        return health(self._home, name, progress=progress)

    def features_list(self) -> list[FeaturesInfo]:
        """Describe all stored features, those that were replaced included."""
        from annotate_select.steps.features import features_list

        return features_list(self._home)

    def features_show(self, name: str) -> FeaturesInfo:
        """Describe stored features, with the definition of their encoder."""
        from annotate_select.steps.features import features_show

        return features_show(self._home, name)

    def features_verify(self, name: str | None = None, *, mend: bool = False) -> Verified:
        """Look for damage in stored features, by default in all; with `mend`, forget rows that are damaged."""
        from annotate_select.steps.features import features_verify

        return features_verify(self._home, name, mend_rows=mend)

    def features_remove(self, name: str) -> list[str]:
        """Remove stored features and those they replaced; return the folders that are gone."""
        from annotate_select.steps.features import features_remove

        return features_remove(self._home, name)

    def exam(self, size: int | None = None, *, new_ground: bool = False, output: str | Path | None = None) -> Exam:
        """Draw the exam, or grow it to `size`, and write what of it is still to be labelled.

        With `new_ground` it grows by images that `check drift` called new, to the share they have in the pool.
        """
        from annotate_select.steps.exam import draw

        return draw(self._home, size, new_ground=new_ground, output=_path(output))

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

    def annotate(self, labels: Mapping[str, str], annotator: str = "api") -> int:
        """Record a class for each image key; return how many were recorded."""
        return _annotate.annotate(self._home, labels, annotator)

    def train(self, head: str = "linear", *, features: str | None = None, progress: Progress = silent) -> TrainedModel:
        """Train a model on all labels outside the exam and store it."""
        from annotate_select.steps.train import train

        return train(self._home, head, features=features, progress=progress)

    def evaluate(self, model: int | None = None) -> ExamReport:
        """Measure a model, by default the newest, on the exam."""
        from annotate_select.steps.evaluate import evaluate
        from annotate_select.steps.stop import conclude

        report = evaluate(self._home, model)
        conclude(self._home, report)
        return report

    def exam_report(self, path: str | Path | None = None, *, signed_by: str, model: int | None = None) -> SignedReport:
        """Write a model's exam as a signed-off HTML page, by default into reports/ of the project, and keep its record.

        The page shows exam images and their labels. Raises ExamError without a name or a labelled exam.
        """
        from annotate_select.steps.exam_report import sign

        return sign(self._home, _path(path), signed_by=signed_by, number=model)

    def verify_report(self, path: str | Path) -> Verification:
        """Say whether an HTML page is, byte for byte, one that was signed off in this project."""
        from annotate_select.steps.exam_report import verify

        return verify(self._home, Path(path))

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
        """Close a round and open the next: embed what is new, train, evaluate if there is an exam, select."""
        from annotate_select.errors import ExamError
        from annotate_select.steps.embed import embed_new

        embed_new(self._home, progress=progress)
        self.train(progress=progress)
        with suppress(ExamError):  # an exam that is not drawn or labelled yet keeps nobody from labelling on
            self.evaluate()
        return self.select(n, strategy, progress=progress)

    # --- annotations in and out ---------------------------------------------------------------------------------

    def import_annotations(
        self,
        path: str | Path,
        *,
        annotator: str = "import",
        create_classes: bool = False,
        skip_unknown: bool = False,
        skip_duplicates: bool = False,
    ) -> _annotate.ImportReport:
        """Record the annotations of a CSV or JSONL file; nothing is recorded when a row of it is wrong."""
        return _annotate.import_file(
            self._home,
            Path(path),
            annotator=annotator,
            create_classes=create_classes,
            skip_unknown=skip_unknown,
            skip_duplicates=skip_duplicates,
        )

    def export(self, path: str | Path, format: str | None = None) -> int:
        """Write annotations as csv, jsonl or imagefolder; return how many."""
        from annotate_select.steps.export import export

        return export(self._home, Path(path), format)

    def labels(self) -> dict[str, str]:
        """Return the label of every labelled image, by key."""
        from annotate_select.steps.standing import labels_by_key

        return labels_by_key(self._home)

    def exam_keys(self) -> list[str]:
        """Return the keys of the exam's images, in the order they were drawn."""
        from annotate_select.steps.exam import exam_keys

        return exam_keys(self._home)

    def reserved_rows(self, features: str | None = None) -> list[int]:
        """Return the rows of the features that are never trained on: the exam, its groups and near-duplicates."""
        from annotate_select.steps.exam import reserved_rows

        return reserved_rows(self._home, features)

    def add_class(self, name: str) -> None:
        """Add a class at the end of the list."""
        _annotate.add_class(self._home, name)

    def rename_class(self, old: str, new: str) -> None:
        """Rename a class; annotations keep what was said, labels follow."""
        _annotate.change_class(self._home, "rename", old, new)

    def merge_class(self, old: str, into: str) -> None:
        """Merge a class into another; annotations keep what was said, labels follow."""
        _annotate.change_class(self._home, "merge", old, into)

    def classes_about(self) -> list[ClassInfo]:
        """Return every class in its order, with its colour, key, guideline and examples."""
        from annotate_select.steps.classes import classes_about

        return classes_about(self._home)

    def describe_class(
        self,
        name: str,
        *,
        color: str | None = None,
        key: str | None = None,
        guideline: str | None = None,
        examples: Sequence[str] | None = None,
    ) -> None:
        """Say what is given of a class (`examples` are image keys), leaving the rest; an empty one is taken back."""
        from annotate_select.steps.classes import describe_class

        describe_class(self._home, name, color=color, key=key, guideline=guideline, examples=examples)

    # --- at the annotator's screen ------------------------------------------------------------------------------

    def queue(self, annotator: str, n: int = 50) -> list[QueueItem]:
        """Return the images this annotator should see next, and keep them from others for a while."""
        from annotate_select.steps.queue import queue

        return queue(self._home, annotator, n)

    def alike(
        self,
        by: str = "cluster",
        *,
        n: int = 60,
        of: str | None = None,
        features: str | None = None,
        seed: int | None = None,
        groups: int = 1,
        without: Iterable[int] = (),
        annotator: str | None = None,
    ) -> Alike:
        """Return groups of up to n unlabelled images that belong together: by cluster, prediction, or similar.

        `of` is a class for `prediction`, the key of an image for `similar`. No exam image and no audit pick is among
        them, nor the ids `without`, nor for an annotator what others are looking at.
        """
        from annotate_select.steps.alike import alike

        return alike(
            self._home,
            by,
            n=n,
            of=of,
            features=features,
            seed=seed,
            groups=groups,
            without=without,
            annotator=annotator,
        )

    def hold(self, annotator: str, ids: Iterable[int]) -> list[int]:
        """Keep images from other annotators for a while, instead of those kept before; return those still to be had."""
        return _queue.hold(self._home.db, annotator, ids, lease_seconds=self.config.queue.lease_seconds)

    def progress(self, annotator: str) -> QueueProgress:
        """Return how far the newest batch and the whole project are."""
        return _queue.progress_counts(self._home.db, annotator, overlap=self.config.queue.overlap)

    def recent(self, annotator: str, n: int = 20) -> list[StoredEvent]:
        """Return what this annotator said last and did not undo, newest first."""
        return _events.recent(self._home.db, annotator, n)

    def record(self, events: Sequence[Event]) -> RecordOutcome:
        """Record events; the acknowledged ones are on the disk, the refused ones carry a reason."""
        return _annotate.record(self._home, events)

    def token(self, annotator: str) -> str:
        """Issue the token with which an annotator's browser may send annotations."""
        return _tokens.issue(self._home.db, annotator)

    def annotator_of(self, token: str) -> str | None:
        """Return whom a token was issued to, None when this project did not issue it."""
        return _tokens.annotator_of(self._home.db, token)

    def image_ids(self, keys: Iterable[str]) -> dict[str, int]:
        """Return the id behind each key, for a duplicate that of its original; unknown keys are left out."""
        return _images.resolve(self._home.db, keys)

    def thumbnail(self, image_id: int, size: int) -> Path:
        """Return a WebP file of an image, longest side at most `size` pixels.

        Raises UnknownImages for an id that is not in the pool, ImageError when its file cannot be read any more.
        """
        from annotate_select.pool.thumbnails import thumbnail

        image = _images.image(self._home.db, image_id)
        if image is None:
            raise UnknownImages(f"the pool has no image with the id {image_id}")
        path = self._home.path_of(image.source, image.path)
        return thumbnail(path, image.fingerprint, size, self.root / "thumbnails")

    # --- where it stands ----------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Count what there is and say what to do next."""
        from annotate_select.steps.status import status

        return status(self._home)

    def rounds(self) -> list[Round]:
        """Return the learning curve, a row a model."""
        from annotate_select.steps.status import rounds

        return rounds(self._home)

    def report(self, model: int | None = None) -> ExamReport | None:
        """Return a model's stored exam report, by default the newest there is."""
        from annotate_select.steps.evaluate import report_of

        return report_of(self._home, model)

    def compare(self, model: int | None = None, against: int | None = None) -> Comparison:
        """Compare two models on the exam, image by image: by default the newest with the one before it.

        Raises LearningError where there are no two models of the same classes, ExamError without exam labels.
        """
        from annotate_select.steps.evaluate import compare

        return compare(self._home, model, against)

    def reproduce(self, model: int, *, progress: Progress = silent) -> Reproduction:
        """Train a stored model again from the recorded state, and compare; nothing is changed.

        Raises LearningError when there is no such model or its training was not recorded, FeaturesError when the
        features it learned from are gone.
        """
        from annotate_select.steps.reproduce import reproduce

        return reproduce(self._home, model, progress=progress)

    def stopping(self) -> Stopping | None:
        """Return whether more labels are worth it, as the newest model's evaluation concluded; None without one."""
        from annotate_select.steps.stop import stopping_of

        return stopping_of(self._home)

    def exam_answers(self, model: int | None = None) -> list[ExamAnswer]:
        """Return what a model, by default the newest, says of each labelled exam image; the surest mistakes first."""
        from annotate_select.steps.evaluate import exam_answers

        return exam_answers(self._home, model)

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

    def audit(self) -> AuditReport | None:
        """Compare what picks and audit picks taught; None while there is no model or no labelled exam."""
        from annotate_select.errors import ExamError, LearningError
        from annotate_select.steps.evaluate import audit

        try:
            return audit(self._home)
        except (ExamError, LearningError):
            return None

    # --- the map ------------------------------------------------------------------------------------------------

    def layout(self, features: str | None = None, method: str | None = None, *, progress: Progress = silent) -> Layout:
        """Return where each image lies in two dimensions, by `pca` (a second) or `tsne` (minutes); both are kept.

        Without a method it is the better one, if it has been computed, else `pca`.
        """
        from annotate_select.steps.layout import layout

        return layout(self._home, features, method, progress=progress)

    def layouts(self, features: str | None = None) -> list[str]:
        """Return the methods whose layouts are there already."""
        from annotate_select.steps.layout import layouts

        return layouts(self._home, features)

    def map_colours(self, by: str, layout: Layout) -> MapColours:
        """Return the group of each image of a layout: by label, prediction, certainty, batch, or age of the label.

        Images of the exam look like unlabelled ones.
        """
        from annotate_select.steps.map import map_colours

        return map_colours(self._home, by, layout)

    def write_map(self, layout: Layout, output: str | Path) -> None:
        """Write a layout as .csv (image,x,y), or as .png coloured by label."""
        from annotate_select.steps.map import write_map

        write_map(self._home, layout, Path(output))

    def neighbours(self, image_id: int, k: int = 12, features: str | None = None) -> list[Neighbour]:
        """Return an image itself and the k most like it, the nearest first."""
        from annotate_select.steps.map import neighbours

        return neighbours(self._home, image_id, k, features)

    # --- in review ----------------------------------------------------------------------------------------------

    def review(self, what: str, n: int = 50, offset: int = 0) -> list[ReviewItem]:
        """Return what a reviewer should look at, the largest doubt first.

        `what` is disputed, doubtful (labels a model contradicts that did not learn from them), unsure, flagged or
        rejected.
        """
        from annotate_select.steps.review import review

        return review(self._home, what, n, offset)

    def review_counts(self) -> dict[str, int]:
        """Return how many images each list of `review` holds."""
        from annotate_select.steps.review import review_counts

        return review_counts(self._home)

    def review_item(self, image_id: int) -> ReviewItem:
        """Return who said what of one image, and what a model says that did not learn from its label."""
        from annotate_select.steps.review import review_item

        return review_item(self._home, image_id)

    @property
    def check(self) -> Checks:
        """The checks of this project: `project.check.leaks()` and others."""
        from annotate_select.checks import Checks

        return Checks(self._home)

    def explain(self, image: str) -> Explanation:
        """Return where in an image, by key, the newest model finds its answer: a map of what covering each part costs.

        Raises UnknownImages for another key, LearningError while there is no model.
        """
        from annotate_select.steps.explain import explain

        return explain(self._home, image)

    def traverse(self, image: str, towards: str) -> Traversal:
        """Return pictures of an image moved towards a class, as the autoencoder draws it: what the model goes by.

        Raises UnknownImages, UnknownClasses, or LearningError without a model or with features that have no decoder.
        """
        from annotate_select.steps.traversal import traverse

        return traverse(self._home, image, towards)

    def audit_report(self) -> tuple[int, AuditReport] | None:
        """Return the newest stored audit with its model's number; None while none was made."""
        from annotate_select.steps.evaluate import audit_of

        return audit_of(self._home)

    # --- in the background --------------------------------------------------------------------------------------

    def start(self, *command: str) -> Job:
        """Run a command of the CLI on this project in a process of its own."""
        return _jobs.start(self.root, command)

    def job(self) -> Job | None:
        """Return the command started last in the background, and how far it is."""
        return _jobs.newest(self.root)


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
