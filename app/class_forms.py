"""The forms in which a person says what each class means: colour, key, guideline, examples, and its name."""

from __future__ import annotations

import state
import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project
from annotate_select.steps.classes import ClassInfo

__all__ = ["class_forms"]

MOST_OFFERED = 200  # images of a class to choose examples from


def class_forms(project: Project) -> None:
    """Show every class in a line, and the form of the one that is chosen."""
    infos = project.classes_about()
    with st.container(horizontal=True, gap="small"):
        for one in infos:
            _badge(one)
    chosen, new = st.columns([3, 1], gap="large", vertical_alignment="bottom")
    name = chosen.pills("Describe", [one.name for one in infos], key="class_described")
    added = new.text_input("Add a class", key=state.counted("class_added"), placeholder="its name, then Enter")
    if added.strip():
        _done(lambda: project.add_class(added.strip()), "class_added", f"added the class {added.strip()}")
    one = next((info for info in infos if info.name == name), None)
    if one is not None:
        _describe(project, one)
        _rename(project, one, [info.name for info in infos if info.name != one.name])


def _badge(one: ClassInfo) -> None:
    with st.container(horizontal=True, gap="small", width="content", vertical_alignment="center"):
        # The colour is checked to be #rrggbb where it is read.
        st.html(f'<div style="width:12px;height:12px;border-radius:6px;background:{one.color}"></div>', width="content")
        st.markdown(f"{_plain(one.name)} `{one.key}`" if one.key else _plain(one.name), width="content")


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()#+-.!|<>$~:" else sign for sign in text)


def _describe(project: Project, one: ClassInfo) -> None:
    labelled = [key for key, label in project.labels().items() if label == one.name and key not in one.examples]
    with st.form(f"describe-{one.name}", border=False):
        left, right = st.columns([1, 3], gap="large")
        color = left.color_picker("Colour", one.color)
        key = left.text_input(
            "Key", _own_key(one), max_chars=1, key=f"key-{one.name}", help="Empty: the digit of its place."
        )
        guideline = right.text_area(
            "What is this class, and what is not?", one.guideline, height=120, key=f"text-{one.name}"
        )
        examples = right.multiselect(
            "Examples, shown beside the guideline",
            [*one.examples, *labelled[:MOST_OFFERED]],
            one.examples,
            key=f"examples-{one.name}",
            help="Images labelled as this class can be chosen.",
        )
        if st.form_submit_button("Save", type="primary"):
            changed = {"color": color} if color != one.color else {}
            _done(
                lambda: project.describe_class(one.name, key=key, guideline=guideline, examples=examples, **changed),
                "described",
                f"saved what {one.name} is",
            )


def _own_key(one: ClassInfo) -> str:
    """Return the key a class was given; the digits are dealt by place."""
    return one.key if one.key and not one.key[-1].isdigit() else ""


def _rename(project: Project, one: ClassInfo, others: list[str]) -> None:
    left, right = st.columns(2, gap="large", vertical_alignment="bottom")
    new = left.text_input("Rename it to", key=state.counted(f"rename-{one.name}"), help="Its labels follow.")
    if new.strip():
        _done(lambda: project.rename_class(one.name, new.strip()), f"rename-{one.name}", f"{one.name} is now {new}")
    if len(others) < 2:
        return  # a project has two classes at least
    into = right.selectbox("Merge it into", others, index=None, key=f"merge-{one.name}")
    if into and right.button(f"Merge {one.name} into {into}", key=f"merge-now-{one.name}"):
        _done(lambda: project.merge_class(one.name, into), f"merge-{one.name}", f"{one.name} is now {into}")


def _done(act: state.Act, counter: str, text: str) -> None:
    """Do it, say so, and run the page again; an error is said, and what was typed stays."""
    try:
        act()
    except AnnotateSelectError as error:
        st.error(instead(str(error)))
        return
    state.say("success", text)
    state.count(counter)
    st.rerun()
