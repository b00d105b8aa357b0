"""A second exam, drawn where the newest model may err: asked for here, labelled with the rest of the queue."""

from __future__ import annotations

import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.words import counted

__all__ = ["second_exam"]

USUAL = 40  # images: a few minutes of labelling


def second_exam(project: Project) -> None:
    """Offer to draw one; its images are kept from training for ever, like the exam's."""
    with st.expander("A second exam, where the model may err"):
        st.caption(
            "Of a good model most exam images show no mistake. These are drawn where it is unsure, and weighted for "
            "it, so that few labels tell more. They come through the labelling page and are never trained on."
        )
        n = st.number_input("Images", min_value=1, value=USUAL, key="second_n", width=160)
        if not st.button("Draw them", key="second_exam"):
            return
        try:
            made = project.active_exam(int(n))
        except AnnotateSelectError as error:
            st.error(instead(str(error)))
            return
        left = len(made.to_label)
        wait = "waits" if left == 1 else "wait"
        waiting = f"{left:,} of them {wait} to be labelled" if left else "all of them have a label"
        st.success(f"{counted(made.size)}, drawn by the doubts of model {made.model} from {made.pool:,}: {waiting}.")
