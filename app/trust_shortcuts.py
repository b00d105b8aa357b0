"""Does something else give the label away: what predicts it besides the thing itself, with images of both ends."""

from __future__ import annotations

from collections.abc import Sequence

import state
import streamlit as st
from gallery import gallery
from instead import instead
from trust_looks import looked, sentence

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.steps.shortcuts_report import Finding, ShortcutsReport

__all__ = ["shortcuts_panel"]


WIDTH = 256  # pixels of a map of where the model looks


def shortcuts_panel(project: Project) -> None:
    """Look for shortcuts when asked, show what was found, and offer to break it."""
    st.subheader("Does something else give the label away?")
    st.caption(
        "If all dents were photographed in the dark, a model learns darkness. Brightness, colours, file size, camera, "
        "folder and every column known of the images are tried, each alone."
    )
    found = looked(
        project, "shortcuts", "Look for shortcuts", project.check.shortcuts, waiting="Measuring …",
        disabled=not project.status().labelled,
    )  # fmt: skip
    if found is not None:
        _report(project, found)
    _balance(project, found)


def _report(project: Project, found: ShortcutsReport) -> None:
    head, *_ = found.about_labels()
    st.write(sentence(head))
    for one in found.findings[:1]:
        st.write(f"**{sentence(one.text)}**")
        _sides(project, one)
    for one in found.findings[1:]:
        with st.expander(f"{sentence(one.words).rstrip('.')} predicts the label, too"):
            st.write(sentence(one.text))
            _sides(project, one)
    _where(project, found)
    for line in [*found.about_model(), found.slices_note]:
        st.write(sentence(line))
    for number, spot in enumerate(found.weak_spots):
        st.write(f"**{sentence(spot.text)}** Mistakes first.")
        _images(project, spot.keys, f"weak-{number}")


def _sides(project: Project, one: Finding) -> None:
    """Show images of each class at both ends side by side."""
    for at in range(0, len(one.sides), 2):
        for place, side in zip(st.columns(2, gap="large"), one.sides[at : at + 2], strict=False):
            with place:
                st.caption(sentence(side.words).rstrip("."))
                _images(project, side.keys, f"side-{one.name}-{side.words}")


def _where(project: Project, found: ShortcutsReport) -> None:
    """Show where in one of the example images the model finds its answer."""
    keys = list(dict.fromkeys(key for one in found.findings for side in one.sides for key in side.keys))
    if not keys or not project.status().models:
        return
    key = st.selectbox("Where does the model look?", keys, index=None, placeholder="choose an image", key="explained")
    if key is None:
        return
    try:
        with st.spinner("Covering part after part …"):
            explained = project.explain(key)
    except AnnotateSelectError as error:
        st.error(instead(str(error)))
        return
    st.image(explained.drawn(), width=WIDTH, alt=f"where the model looks in {key}")
    st.caption(f"{sentence(explained.text())} Red: covered, this part takes most from the answer.")
    towards = st.selectbox(
        "What would make it", project.classes, index=None, placeholder="choose a class", key="towards"
    )
    if towards is None:
        return
    try:
        moved = project.traverse(key, towards)
    except AnnotateSelectError as error:
        st.info(sentence(str(error)))
        return
    st.image(moved.drawn(), alt=f"{key} moved towards {towards}")
    st.caption(sentence(moved.text()))


def _images(project: Project, keys: Sequence[str], name: str) -> None:
    ids = project.image_ids(keys)
    gallery(project, [(ids[key], key) for key in keys if key in ids], name)


def _balance(project: Project, found: ShortcutsReport | None) -> None:
    """Say by what batches are balanced, and offer to balance them by what was found, or to stop it."""
    now = project.config.select.balance
    if now is not None:
        st.write(f"Batches have equally many images whose **{now}** is usual for their class, and unusual.")
        st.button("Balance no more", key="balance_stop", on_click=_balance_by, args=(project, None))
        return
    names = [one.name for one in found.findings] if found is not None else []
    if names:
        st.write("Is one of these a shortcut, and not the thing itself? Then labels of every combination break it.")
        name = st.selectbox("Shortcut", names, key="balance_name")
        st.button("Balance the next batches by it", key="balance", on_click=_balance_by, args=(project, name))


def _balance_by(project: Project, name: str | None) -> None:
    try:
        project.balance_by(name)
    except AnnotateSelectError as error:
        state.say("error", str(error))
