"""What a project asks for next: the page that goes on with it, or what is left to do where every image has a label."""

from __future__ import annotations

import streamlit as st

from annotate_select.steps.status import Status

__all__ = ["all_answered", "next_page", "show_answered"]


def next_page(status: Status) -> tuple[str, str]:
    """Return what the button to go on says, and the page it opens: what `status.advice` says is next."""
    if status.to_label:
        return "Start labelling", "app_pages/label.py"
    if status.advice.startswith("measure"):
        return "Measure the model", "app_pages/trust.py"
    return "Train and pick the next batch", "app_pages/batch.py"


def all_answered(status: Status) -> bool:
    """Tell whether there is no image left that somebody could label."""
    answers = sum(n for state, n in status.states.items() if state != "skipped")
    return 0 < status.images <= answers


def show_answered(status: Status) -> None:
    """Say that nothing is left to label, and what can be done with the labels."""
    labelled = status.labelled - status.absent >= status.images
    st.write("Every image has a label." if labelled else "Every image has a label, or was judged unsure or not usable.")
    if not status.exam_total:
        st.write("An exam, which says how good a model is, is drawn from images that nobody has labelled: add some.")
    st.write("Next: add images below, or go on with the labels there are:")
    with st.container(horizontal=True, gap="medium"):
        st.page_link("app_pages/review.py", label="Review doubtful labels", icon=":material/rate_review:")
        if status.features:
            st.page_link("app_pages/batch.py", label="Train a model", icon=":material/playlist_add:")
        else:
            st.page_link("app_pages/map.py", label="Compute features, to train a model", icon=":material/bubble_chart:")
        if status.models and status.exam_labelled:
            st.page_link("app_pages/trust.py", label="Measure the model", icon=":material/verified:")
        st.page_link("app_pages/export.py", label="Export the labels", icon=":material/download:")
