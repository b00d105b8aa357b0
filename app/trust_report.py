"""The exam as a page to print, to sign and to hand on."""

from __future__ import annotations

import state
import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.trust.exam import ExamReport

__all__ = ["report_download"]


def report_download(project: Project, report: ExamReport) -> None:
    """Ask who signs, write the report of a measured model, and offer it."""
    with st.expander("A signed report of this exam"):
        st.caption(
            "One page with all figures, mistakes as pictures, and what it takes to repeat them. It shows exam images "
            "and their labels: not for whoever still labels them."
        )
        name = st.text_input("Signed off by", value=state.annotator(), key="signed_by", placeholder="Your name")
        if st.button("Write the report", key="write_report", disabled=not name.strip()):
            _write(project, report, name)
        path = st.session_state.get("written_report")
        if path is not None and path.is_file() and project.root in path.parents:
            st.download_button(
                f"Download {path.name}",
                path.read_bytes(),
                file_name=path.name,
                mime="text/html",
                on_click="ignore",
                icon=":material/download:",
                key="download_report",
            )


def _write(project: Project, report: ExamReport, name: str) -> None:
    try:
        with st.spinner("Measuring, and writing the page …"):
            written = project.exam_report(signed_by=name, model=report.model)
    except AnnotateSelectError as error:
        st.error(instead(str(error)))
        return
    st.session_state["written_report"] = written.path
    st.caption(
        f"SHA-256 of its figures: `{written.sha256}`. It is kept in {written.record.parent.name}/ of the project."
    )
