"""Are the labels right: what annotators, look-alikes and a model say against them."""

from __future__ import annotations

import streamlit as st
from gallery import gallery
from trust_looks import looked, sentence

from annotate_select.project import Project
from annotate_select.steps.annotators import Pointing, Skill
from annotate_select.steps.check_labels import LabelsReport

__all__ = ["labels_panel"]

PAIRS = 12  # shown at once
UNLIKELY = 24


def labels_panel(project: Project) -> None:
    """Look for what speaks against the labels when asked, and show it."""
    st.subheader("Are the labels right?")
    st.caption("Nothing is changed by looking: what is doubtful waits on the Review page for a person.")
    found = looked(
        project, "labels", "Look for doubts", project.check.labels, waiting="Comparing …",
        disabled=not project.status().labelled,
    )  # fmt: skip
    if found is None:
        return
    for line in found.text().splitlines():
        if not line.startswith("  "):
            st.write(sentence(line))
    if found.doubtful:
        st.page_link("app_pages/review.py", label="Review them", icon=":material/rate_review:")
    _annotators(found.people.skills)
    _unlikely(project, found)
    pairs = found.contradictions[:PAIRS]
    ids = project.image_ids([key for one in pairs for key in (one.key, one.other_key)])
    sides = [side for one in pairs for side in ((one.key, one.label), (one.other_key, one.other_label))]
    gallery(project, [(ids[key], f"**{label}** · {key}") for key, label in sides if key in ids], "contradictions")


def _annotators(skills: list[Skill]) -> None:
    """Show how often each annotator is right, where others labelled the same images."""
    known = [one for one in skills if one.accuracy is not None]
    if not known:
        return
    st.markdown("**Who is how often right**, by the images that others labelled, too")
    st.dataframe(
        {
            "annotator": [one.annotator for one in known],
            "labels": [one.labels for one in known],
            "shared": [one.shared for one in known],
            "right": [f"{one.accuracy:.0%} ({one.low:.0%} to {one.high:.0%})" for one in known],
            "confuses": [
                ", ".join(f"{each.true} with {each.said} ({each.share:.0%})" for each in one.confusions)
                for one in known
            ],
        },
        hide_index=True,
        key="annotators",
    )


def _unlikely(project: Project, found: LabelsReport) -> None:
    """Show the labels that are least likely, each with what speaks against it, and what people's skill points to."""
    doubts = found.doubts[:UNLIKELY]
    ids = project.image_ids([one.key for one in [*doubts, *found.people.pointing[:PAIRS]]])
    if doubts:
        st.markdown("**Least likely labels**")
    words = [(ids[one.key], f"**{one.label}** · {'; '.join(one.why)}") for one in doubts if one.key in ids]
    gallery(project, words, "unlikely")
    pointing = [one for one in found.people.pointing[:PAIRS] if one.key in ids]
    if pointing:
        st.markdown("**Where skill points to another class than the votes**")
    gallery(project, [(ids[one.key], _pointed(one)) for one in pointing], "pointing")


def _pointed(one: Pointing) -> str:
    said = ", ".join(f"{name}: {label}" for name, label in one.said.items())
    return f"**{one.label or 'disputed'}** · {one.consensus} with {one.probability:.0%} · {said}"
