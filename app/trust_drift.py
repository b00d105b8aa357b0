"""Has the world changed, and does picking look at all of it: new images against old ones, picks against the pool."""

from __future__ import annotations

import streamlit as st
from gallery import gallery
from trust_looks import looked, paragraphs, sentence

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project

__all__ = ["drift_panel", "picks_panel"]

SHOWN = 12  # images at once


def drift_panel(project: Project) -> None:
    """Compare new images with old ones when asked, and show the strangest."""
    st.subheader("Has the world changed?")
    st.caption("New images against those that were there before. New ground weighs more in the next batches.")
    since = st.date_input("New since", value=None, key="drift_since", help="Without a date: what was added last.")
    found = looked(
        project, "drift", "Look for new ground", waiting="Comparing …",
        look=lambda: project.check.drift(since=since.isoformat() if since is not None else None),
    )  # fmt: skip
    if found is None:
        return
    (st.warning if found.drifted else st.success)(paragraphs(found.text()))
    keys = list(dict.fromkeys([*found.stranger_keys, *(key for one in found.kinds for key in one.keys)]))[:SHOWN]
    if found.drifted:
        ids = project.image_ids(keys)
        gallery(project, [(ids[key], key) for key in keys if key in ids], "new_ground")
    if found.drifted and found.exam:
        st.button(
            "Give new images their share of the exam", key="exam_new_ground", on_click=_grow_exam, args=(project,)
        )


def picks_panel(project: Project) -> None:
    """Compare the picks of every round with the pool when asked."""
    st.subheader("Does picking look everywhere?")
    st.caption("Picks that crowd in a few kinds of images round after round may feed on themselves.")
    found = looked(
        project, "picks", "Compare with the pool", project.check.picks, waiting="Comparing …",
        disabled=not project.status().batches,
    )  # fmt: skip
    if found is None:
        return
    (st.warning if found.runaway else st.info)(paragraphs(found.text()))


def _grow_exam(project: Project) -> None:
    try:
        drawn = project.exam(new_ground=True)
    except AnnotateSelectError as error:
        st.toast(sentence(str(error)))
        return
    st.toast(f"The exam has {drawn.size:,} images now; {len(drawn.to_label):,} of them wait for a label.")
