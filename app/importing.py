"""The form that takes labels somebody has already: a table, or a folder a class."""

from __future__ import annotations

import tempfile
from pathlib import Path

import state
import streamlit as st
from creation import Upload
from instead import instead

from annotate_select.errors import AnnotateSelectError, ExchangeError
from annotate_select.project import Project
from annotate_select.steps.annotate import ImportReport

__all__ = ["labels_form", "take"]


def labels_form(project: Project, *, disabled: bool) -> None:
    """Ask for a table or a folder of labels, and record all of it, or nothing when something is wrong."""
    st.caption(
        "A CSV with the columns image and label, what Export wrote, or a folder with a folder of images for each class."
    )
    table = st.file_uploader("A table (CSV or JSON Lines)", type=["csv", "jsonl"], key=state.counted("labels_table"))
    folder = st.text_input("or the folder, or the table's path on this computer", key=state.counted("labels_folder"))
    who = st.text_input(
        "Whose labels these are, where the table does not say", state.annotator() or "import", key="labels_by"
    )
    skip = st.checkbox("Leave out images that are not in the project", key="labels_skip")
    create = st.checkbox("Add classes that are new", key="labels_create")
    first = st.checkbox("Of repeated rows take the first", key="labels_first")
    if st.button("Take these labels", key="labels_take", disabled=disabled or not (table or folder.strip())):
        try:
            report = take(project, table, folder, who, skip_unknown=skip, create_classes=create, skip_duplicates=first)
        except AnnotateSelectError as error:
            st.error(instead(str(error)))
        else:
            state.say("success", report.text)
            state.count("labels_table")
            state.count("labels_folder")
            st.rerun()


def take(project: Project, table: Upload | None, folder: str, annotator: str, **ticks: bool) -> ImportReport:
    """Record the labels of an upload, or else of a path; `ticks` are those of `Project.import_annotations`.

    Raises AnnotateSelectError; then nothing is recorded.
    """
    if not annotator.strip():
        raise ExchangeError("labels are somebody's: say whose these are, or write import")
    if table is None:
        path = Path(folder.strip()).expanduser()
        if not path.is_absolute():
            raise ExchangeError(f"give the whole path of the table or the folder, from / on, got {folder.strip()!r}")
        return project.import_annotations(path, annotator=annotator.strip(), **ticks)
    with tempfile.TemporaryDirectory() as beside:
        # Its own name, for errors name it; none of a browser's folders.
        path = Path(beside) / Path(table.name).name
        path.write_bytes(table.read())
        try:
            return project.import_annotations(path, annotator=annotator.strip(), **ticks)
        except AnnotateSelectError as error:
            raise type(error)(str(error).replace(str(path), path.name)) from error
