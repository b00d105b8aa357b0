"""The forms that bring images into a project: from a folder, as uploads, from a webcam, or the sample images."""

from __future__ import annotations

from pathlib import Path

import creation
import state
import streamlit as st
from instead import instead
from panels import start_job

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project

__all__ = ["add", "more_images", "try_samples"]


def add(project: Project, source: Path) -> None:
    """Add images with a bar, then get a project that is not ready yet ready in the background."""
    bar = st.progress(0.0, text="reading the images")
    report = creation.add_images(project, source, lambda share, text: bar.progress(min(1.0, share), text=text))
    state.say("success", report)
    status = project.status()
    if status.images and not (status.batches and status.exam_total):
        start_job(project, *creation.prepare_command(status.images))


def more_images(project: Project, *, disabled: bool) -> None:
    """Offer the three ways of adding images to a project."""
    by_folder, by_upload, by_camera = st.tabs(["From a folder", "Upload", "Webcam"])
    with by_folder:
        folder = st.text_input("Folder of images, or a CSV manifest", key="more_images")
        if st.button("Add", key="add_more", disabled=disabled):
            _added(project, lambda: creation.check_folder(folder))
    with by_upload:
        uploads = st.file_uploader(
            "Images", type=sorted(creation.SUFFIXES), accept_multiple_files=True, key=state.counted("more_uploads")
        )
        if st.button("Add", key="add_uploads", disabled=disabled or not uploads):
            _added(project, lambda: creation.save_uploads(project, uploads), "more_uploads")
    with by_camera:
        _webcam(project, disabled=disabled)


def _webcam(project: Project, *, disabled: bool) -> None:
    """Save each photo as soon as it is taken; they join the pool together, by the button."""
    if not st.toggle("Use the webcam", key="webcam_on"):  # a camera is asked for only when it is wanted
        return
    photo = st.camera_input("Take photos; each is saved at once", key=state.counted("webcam"), width=480)
    if photo is not None:
        creation.save_uploads(project, [photo])
        state.count("webcam")
        st.rerun()
    taken = state.count_of("webcam")
    there = (project.root / creation.UPLOADS).is_dir()
    text = f"Add the photos ({taken:,} taken)" if taken else "Add the photos"
    if st.button(text, key="add_photos", disabled=disabled or not there):
        _added(project, lambda: project.root / creation.UPLOADS)


def _added(project: Project, source: creation.Source, counter: str = "") -> None:
    """Add what `source` returns, and run the page again; an error is said, and nothing is lost."""
    try:
        add(project, source())
    except AnnotateSelectError as error:
        st.error(instead(str(error)))
    else:
        if counter:
            state.count(counter)
        st.rerun()


def try_samples() -> None:
    """Make a project of the sample images, or open the one that was made before."""
    try:
        project = creation.sample_project()
        state.use(project.root)
        if project.status().images == 0:
            add(project, creation.samples())
    except AnnotateSelectError as error:
        state.say("error", str(error))
    st.rerun()
