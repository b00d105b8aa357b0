"""Project: open one, make one, add images to it, and get it ready for labelling."""

from __future__ import annotations

from pathlib import Path

import creation
import state
import streamlit as st
from adding import add, more_images, try_samples
from class_forms import class_forms
from importing import labels_form
from instead import instead
from next_steps import all_answered, next_page, show_answered
from panels import job_panel, start_job

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.recent import recent_projects
from annotate_select.words import counted


def open_folder(folder: str) -> None:
    """Open the project in a folder."""
    try:
        state.use(folder)
    except AnnotateSelectError as error:
        state.say("error", str(error))


def show_current(project: Project) -> None:
    """Say where the open project stands, and offer the next step."""
    status = project.status()
    st.subheader(project.name)
    st.caption(f"{project.root} · {counted(status.images)} · {status.labelled:,} labelled")
    ready, answered = bool(status.batches and status.exam_total), all_answered(status)
    if answered and not ready:  # there is nothing left to draw an exam or a batch from
        show_answered(status)
    else:
        st.write(f"Next: {status.advice.partition(': annotate-select')[0]}.")
    if status.enough:
        st.caption(f"Is it enough? {status.enough[0].upper()}{status.enough[1:]}.")
    add_first = status.advice.startswith("add")
    job = job_panel(project)
    running = job is not None and job.state == "running"
    if not running and status.images and not ready and not answered:
        command = creation.prepare_command(status.images)
        st.button("Prepare for labelling", type="primary", key="prepare", on_click=start_job, args=(project, *command))
    elif status.batches and not add_first and not (answered and not ready):
        label, page = next_page(status)
        if st.button(label, type="primary", key="go_on", disabled=running):
            st.switch_page(page)
    with st.expander("Add images", expanded=add_first or (answered and not ready)):
        more_images(project, disabled=running)
    if status.images:
        with st.expander("Labels you have already"):
            labels_form(project, disabled=running)
    with st.expander("Classes: what each is, its colour and key"):
        class_forms(project)
    st.button("Close this project", on_click=state.close, key="close_project")


def show_open() -> None:
    """Offer the projects opened lately, and any by its path."""
    st.subheader("Open a project")
    for root in recent_projects()[:8]:
        st.button(
            root.name, help=str(root), key=f"open-{root}", width="stretch", on_click=open_folder, args=(str(root),)
        )
    if st.button("Try it with the sample images", key="samples", icon=":material/science:", width="stretch"):
        try_samples()
    folder = st.text_input("Its folder", key="open_path", placeholder="/path/to/my-project")
    if st.button("Open", key="open_by_path", disabled=not folder.strip()):
        open_folder(folder.strip())
        st.rerun()


def show_new() -> None:
    """Offer to make a project."""
    st.subheader("New project")
    name = st.text_input("Name", key="new_name", placeholder="e.g. defects")
    by_folder, by_upload, by_camera = st.tabs(["Images in a folder on this computer", "Upload images", "Webcam"])
    images = by_folder.text_input("Folder of images", key="new_images", placeholder="/path/to/images")
    if images.strip() and Path(images).expanduser().is_dir():
        n, whole = creation.count_images(Path(images).expanduser())
        by_folder.caption(
            f"{'' if whole else 'more than '}{counted(n)} there; "
            f"{'it stays where it is' if n == 1 else 'they stay where they are'}"
        )
    uploads = by_upload.file_uploader(
        "Images", type=sorted(creation.SUFFIXES), accept_multiple_files=True, key="new_uploads"
    )
    camera = by_camera.checkbox("Take the images with the webcam, once the project is made", key="new_camera")
    classes = st.text_area("Classes, one a line", key="new_classes", height=120, placeholder="ok\ncrack\ndent")
    where = st.text_input("Where to put the project", key="new_where", placeholder=str(creation.beside(name or "NAME")))
    if st.button("Make the project", type="primary", key="make"):
        try:
            later = camera and not uploads and not images.strip()
            project = creation.make(name, where, creation.class_names(classes), None if later else images, uploads)
            state.use(project.root)
            if not later:
                add(project, creation.save_uploads(project, uploads) if uploads else creation.check_folder(images))
        except AnnotateSelectError as error:
            st.error(instead(str(error)))
        else:
            st.rerun()


current = state.project()
if current is not None:
    show_current(current)
else:
    left, right = st.columns([2, 3], gap="large")
    with left:
        show_open()
    with right:
        show_new()
