"""What the Trust page's checks share: a button that looks, what the last look found, and words as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import streamlit as st
from instead import instead

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project

__all__ = ["looked", "paragraphs", "sentence"]

Found = TypeVar("Found")


def looked(
    project: Project, name: str, button: str, look: Callable[[], Found], *, waiting: str, disabled: bool = False
) -> Found | None:
    """Look when the button is pressed; return what the last look of this sitting found, None before the first.

    It stays on the page while other buttons are pressed. What cannot be looked for is said, and nothing is returned.
    """
    key = f"looked-{name}-{project.id}"
    if st.button(button, key=f"check_{name}", disabled=disabled):
        st.session_state.pop(key, None)
        try:
            with st.spinner(waiting):
                st.session_state[key] = look()
        except AnnotateSelectError as error:
            st.error(sentence(str(error)))
    found: Found | None = st.session_state.get(key)
    return found


def sentence(text: str) -> str:
    """Write words as a sentence."""
    text = instead(text)
    return f"{text[:1].upper()}{text[1:].rstrip('.:')}."


def paragraphs(text: str) -> str:
    """Write lines as sentences, one a paragraph."""
    return "\n\n".join(sentence(one.strip()) for one in text.splitlines() if one.strip())
