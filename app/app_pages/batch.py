"""Batch: pick what to label next, watch it being picked, and look back at what was picked and why."""

from __future__ import annotations

import state
import streamlit as st
from gallery import gallery
from panels import job_panel, need_project, next_batch
from trust_looks import sentence

from annotate_select.steps.batches import BatchInfo, PickInfo

project = need_project()


def one_line(batch: BatchInfo) -> str:
    """Name a batch in the list to choose from."""
    return f"batch {batch.number} · {batch.strategy} · {batch.settled:,} of {batch.n:,} labelled"


def words(pick: PickInfo) -> str:
    """Say what became of a pick, and why it was picked."""
    return f"**{pick.label or pick.state}** · {pick.reason}"


job_panel(project)
left, right = st.columns([2, 3], gap="large")
with left:
    st.subheader("Next batch")
    next_batch(project, settings=True)
    status = project.status()
    if status.enough:
        st.caption(f"Is it enough? {sentence(status.enough)}")
    if status.kept_out:
        st.caption(sentence(status.kept_out))
    st.caption("Labelling goes on meanwhile: a new batch joins the end of the queue, and no image on a screen changes.")
batches = project.batches()
with right:
    st.subheader("Batches so far")
    if not batches:
        st.info("No batch has been picked yet. A new project gets its first one when it is prepared.")
        st.page_link("app_pages/start.py", label="Prepare the project", icon=":material/folder_open:")
        state.end_page()
    st.dataframe(
        [
            {
                "batch": one.number,
                "picked": one.created_at[:16].replace("T", " "),
                "strategy": one.strategy,
                "labelled": one.settled / one.n if one.n else 1.0,
                "images": one.n,
                "model": "no model" if one.model is None else str(one.model),
                "how it was decided": one.note,
            }
            for one in batches
        ],
        hide_index=True,
        width="stretch",
        column_config={
            "labelled": st.column_config.ProgressColumn("labelled", min_value=0.0, max_value=1.0, format="percent"),
            "model": st.column_config.TextColumn("model", help="The model whose opinion was asked"),
        },
    )

chosen = st.selectbox("Look at", batches, format_func=one_line, key="batch_shown")
if chosen.note:
    st.write(chosen.note)
picks = project.picks(chosen.number)
states = sorted({pick.state for pick in picks})
wanted = st.pills("Show", states, selection_mode="multi", key="batch_states") if len(states) > 1 else []
shown = [pick for pick in picks if not wanted or pick.state in wanted]
gallery(project, [(pick.image_id, words(pick)) for pick in shown], f"batch-{chosen.number}")
