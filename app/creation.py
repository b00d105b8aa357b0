"""Making a project out of what was filled in."""

from __future__ import annotations

import csv
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import projects

from annotate_select.config import FILE_NAME
from annotate_select.errors import ProjectError, SourceError
from annotate_select.files import whole_file
from annotate_select.places import sample_folder
from annotate_select.project import Project

__all__ = [
    "UPLOADS",
    "Source",
    "Upload",
    "add_images",
    "beside",
    "check_folder",
    "class_names",
    "count_images",
    "make",
    "prepare_command",
    "sample_project",
    "samples",
    "save_uploads",
]

SUFFIXES = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
MOST_COUNTED = 100_000
MOST_SECONDS = 1.5
UPLOADS = "images"  # folder in the project where uploads and photos are kept
SAMPLES = "sample images"  # name of the project of the sample images

Source = Callable[[], Path]


class Upload(Protocol):
    """A file that came with the form."""

    name: str

    def read(self) -> bytes:
        """Return its content."""
        ...


def count_images(folder: Path) -> tuple[int, bool]:
    """Count files with an image's suffix below a folder; the second is False when it stopped before the end."""
    n, until = 0, time.monotonic() + MOST_SECONDS
    for name in _files(folder):
        n += Path(name).suffix.lower() in SUFFIXES
        if n >= MOST_COUNTED or time.monotonic() > until:
            return n, False
    return n, True


def _files(folder: Path) -> Iterator[str]:
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (name for name in names if not name.startswith("."))


def class_names(text: str) -> list[str]:
    """Read one class a line; commas part classes too when everything is on one line."""
    lines = text.split(",") if "\n" not in text.strip() else text.splitlines()
    return [line.strip() for line in lines if line.strip()]


def beside(name: str) -> Path:
    """Return where a project of this name is put by default."""
    plain = re.sub(r"[^\w.-]+", "-", name.strip()).strip("-.") or "project"
    return Path.home() / "annotate-select" / plain


def make(name: str, where: str, classes: Sequence[str], images: str | None, uploads: Sequence[Upload]) -> Project:
    """Make a project; everything that can be wrong with the form is found before anything is written.

    `images` None means that they come later, from a webcam. Raises AnnotateSelectError; the images are added by
    `add_images`, for that takes a while.
    """
    if not name.strip():
        raise ProjectError("the project needs a name")
    if len(classes) < 2:
        raise ProjectError(f"name at least two classes, one a line; got {len(classes)}")
    if not uploads and images is not None:
        check_folder(images)
    root = Path(where).expanduser() if where.strip() else beside(name)
    if not root.is_absolute():
        raise ProjectError(f"the project's folder must be a whole path such as {beside(name)}, got {where}")
    project = Project.create(root, classes, name=name.strip())
    projects.keep(project)
    return project


def sample_project() -> Project:
    """Return the project of the sample images, made the first time; raises AnnotateSelectError."""
    root = beside(SAMPLES)
    if (root / FILE_NAME).exists():
        return projects.opened(root)
    with (sample_folder() / "labels.csv").open(encoding="utf-8", newline="") as file:
        classes = sorted({row["label"] for row in csv.DictReader(file)})
    project = Project.create(root, classes, name=SAMPLES)
    projects.keep(project)
    return project


def samples() -> Path:
    """Return the folder of the sample images."""
    return sample_folder() / "images"


def check_folder(images: str) -> Path:
    """Return the folder of images; raises SourceError when there is none, or no image in it."""
    if not images.strip():
        raise SourceError("name the folder that holds the images, or upload some")
    folder = Path(images.strip()).expanduser()
    if not folder.exists():
        raise SourceError(f"there is no folder {folder}; check the path")
    if folder.is_dir() and count_images(folder) == (0, True):
        raise SourceError(f"there are no images in {folder}; choose another folder")
    return folder


def save_uploads(project: Project, uploads: Sequence[Upload]) -> Path:
    """Write uploaded images into the project's folder `images`; two of one name do not overwrite each other."""
    folder = project.root / UPLOADS
    for upload in uploads:
        target = _free(folder / (Path(upload.name).name or "image"))
        with whole_file(target) as temporary:
            temporary.write_bytes(upload.read())
    return folder


def _free(path: Path) -> Path:
    """Return the path, or the first of NAME-2, NAME-3, ... that is not there yet."""
    number, free = 2, path
    while free.exists():
        number, free = number + 1, path.with_stem(f"{path.stem}-{number}")
    return free


def add_images(project: Project, source: Path, show: Callable[[float, str], None]) -> str:
    """Add a source, showing how far it is; return what became of it in a few lines."""
    began = time.monotonic()

    def progress(stage: str, done: int, total: int, note: str = "") -> None:
        spent = time.monotonic() - began
        left = f" · {(total - done) * spent / done:.0f} s left" if done and spent > 1 else ""
        show(done / total if total else 0.0, f"{stage} · {done:,} of {total:,}{left}")

    return project.add(source, progress=progress).text()


def prepare_command(images: int) -> list[str]:
    """Return the background command that makes a new project ready; small projects get a small exam and batch."""
    exam = max(1, min(40, images // 4))
    batch = max(1, min(50, (images - exam) // 2))
    return ["prepare", "--batch", str(batch), "--exam", str(exam)]
