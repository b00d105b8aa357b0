"""Has the world changed, and does picking look at all of it: new images against old ones, picks against the pool."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st
from gallery import gallery
from trust_looks import looked, paragraphs, sentence

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.steps.check_drift import Period
from annotate_select.words import counted

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
    if found.strangers and len(found.over_time) > 1:
        st.altair_chart(_over_time(found.over_time), width="stretch")
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


def _over_time(periods: list[Period]) -> alt.Chart:
    """Draw how many of the new images are unlike all before, by when they were captured or added."""
    kinds = ("unlike anything before", "like what was there")
    rows = [
        {"when": one.when, "images": count, "kind": kind}
        for one in periods
        for kind, count in zip(kinds, (one.strangers, one.n - one.strangers), strict=True)
    ]
    colour = alt.Color("kind:N", title=None, sort=list(kinds), legend=alt.Legend(orient="top"))
    bars = alt.Chart(pd.DataFrame(rows)).mark_bar()
    return bars.encode(x=alt.X("when:O", title=None), y=alt.Y("images:Q", title="new images"), color=colour).properties(
        height=180
    )


def _grow_exam(project: Project) -> None:
    try:
        drawn = project.exam(new_ground=True)
    except AnnotateSelectError as error:
        st.toast(sentence(str(error)))
        return
    waiting = len(drawn.to_label)
    wait = "waits" if waiting == 1 else "wait"
    st.toast(f"The exam has {counted(drawn.size)} now; {waiting:,} of them {wait} for a label.")
