"""Export: choose a format, look at the first rows, download."""

from __future__ import annotations

import downloads
import state
import streamlit as st
from instead import instead
from panels import need_project

from annotate_select.errors import AnnotateSelectError
from annotate_select.words import counted

PREVIEW_ROWS = 8

project = need_project()
st.subheader("Export")
format = st.radio("Format", list(downloads.FORMATS), format_func=lambda one: downloads.FORMATS[one].text, key="format")
choice = downloads.FORMATS[format]
status = project.status()
if not status.states:
    st.info("There is nothing to export yet: no image has been labelled.")
    st.page_link("app_pages/label.py", label="Label", icon=":material/label:")
    state.end_page()

try:
    if format == "imagefolder":
        st.caption(
            f"{counted(status.labelled, 'labelled image')}, in a folder a class, packed when you press the button."
        )
        content = downloads.zipped(project)
    else:
        content = downloads.content(project, format)
        st.caption("The first rows:")
        st.dataframe(downloads.preview(content, format, PREVIEW_ROWS), hide_index=True, width="stretch")
except AnnotateSelectError as error:
    st.error(instead(str(error)))
    state.end_page()
st.download_button(
    f"Download {project.name}{choice.suffix}",
    content,
    file_name=f"{project.name}{choice.suffix}",
    mime=choice.mime,
    type="primary",
    on_click="ignore",
    icon=":material/download:",
    key="download",
)
