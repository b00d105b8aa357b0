"""What the app shows of a project: the queue, groups, the map, what to review, jobs. Project has it all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select.annotations import events as _events
from annotate_select.annotations import images as _images
from annotate_select.annotations import queue as _queue
from annotate_select.annotations import tokens as _tokens
from annotate_select.annotations.events import Event, RecordOutcome, StoredEvent
from annotate_select.annotations.queue import QueueItem, QueueProgress
from annotate_select.errors import UnknownImages
from annotate_select.progress import Progress, silent
from annotate_select.steps import annotate as _annotate
from annotate_select.steps import jobs as _jobs
from annotate_select.steps.home import Home
from annotate_select.steps.jobs import Job

if TYPE_CHECKING:
    from annotate_select.steps.alike import Alike
    from annotate_select.steps.layout import Layout
    from annotate_select.steps.map import MapColours, Neighbour
    from annotate_select.steps.review import ReviewItem

__all__ = ["Screens"]


class Screens:
    """The part of `Project` that people at a screen use."""

    _home: Home

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
        return _queue.hold(self._home.db, annotator, ids, lease_seconds=self._home.config.queue.lease_seconds)

    def progress(self, annotator: str) -> QueueProgress:
        """Return how far the newest batch and the whole project are."""
        return _queue.progress_counts(self._home.db, annotator, overlap=self._home.config.queue.overlap)

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
        return thumbnail(path, image.fingerprint, size, self._home.root / "thumbnails")

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

    def start(self, *command: str) -> Job:
        """Run a command of the CLI on this project in a process of its own."""
        return _jobs.start(self._home.root, command)

    def job(self) -> Job | None:
        """Return the command started last in the background, and how far it is."""
        return _jobs.newest(self._home.root)
