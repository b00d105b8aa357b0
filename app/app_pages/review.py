"""Review: disagreements, doubts, and what was flagged, unsure or rejected; what is said here is the last word."""

from __future__ import annotations

import state
import streamlit as st
from instead import instead
from labeller import labeller
from panels import need_annotator, need_project

from annotate_select.errors import ConfigError

LISTS = {
    "rules": ("Break a rule", "Labels that break a rule of rules.toml: either the label is wrong, or the rule is."),
    "disputed": ("Disagreements", "Annotators chose different classes, and no class has most of the votes."),
    "doubtful": ("Likely wrong", "Labels that a model which had not seen them contradicts; the strongest doubt first."),
    "unsure": ("Unsure", "Nobody could tell what these are."),
    "flagged": ("Flagged", "Somebody asked to have a look, and wrote why."),
    "rejected": ("Rejected", "Called not usable, or none of the classes."),
}

project = need_project()
annotator = need_annotator("Who is reviewing?", "Start reviewing")
try:
    counts = project.review_counts()
except ConfigError as error:
    st.error(instead(str(error)))
    state.end_page()
listed = [name for name in LISTS if counts[name]]
# Most projects have no rules; whoever has just decided the last such image stays there.
shown = [name for name in LISTS if name != "rules" or counts[name] or st.session_state.get("review_list") == name]
# Who has just decided the last one stays, and can take it back.
if not listed and "review_list" not in st.session_state:
    st.info("There is nothing to review: no disagreement, no doubt, nothing flagged, unsure or rejected.")
    st.page_link("app_pages/label.py", label="Label", icon=":material/label:")
    state.end_page()

what = st.segmented_control(
    "List",
    shown,
    default=(listed or shown)[0],
    required=True,
    format_func=lambda one: f"{LISTS[one][0]} · {counts[one]:,}",
    key="review_list",
    label_visibility="collapsed",
)
st.caption(f"{LISTS[what][1]} What you choose here is final: it overrules the votes, and can be undone.")
_, leave = labeller(project, annotator, queue_url=f"/api/review?what={what}", mode="review")
if leave:
    state.forget_annotator()
    st.rerun()
