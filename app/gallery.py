"""Thumbnails in rows, with a line under each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from annotate_select.errors import AnnotateSelectError
from annotate_select.project import Project

__all__ = ["gallery"]

SIDE = 128  # pixels
AT_ONCE = 48


def gallery(project: Project, images: Sequence[tuple[int, str]], key: str) -> None:
    """Show (image id, words) a page at a time; an image whose file cannot be read is named instead."""
    pages = -(-len(images) // AT_ONCE)
    page = st.pagination(pages, key=f"{key}-page") if pages > 1 else 1
    shown = images[(page - 1) * AT_ONCE : page * AT_ONCE]
    with st.container(horizontal=True, gap="small", key=f"{key}-gallery"):
        for image_id, words in shown:
            path = _thumbnail(project, image_id)
            with st.container(width=SIDE + 8, gap=None):
                if path is None:
                    st.caption("this file cannot be read any more")
                else:
                    st.image(path, width=SIDE, alt=words.replace("*", ""))
                st.caption(words)


def _thumbnail(project: Project, image_id: int) -> Path | None:
    try:
        return project.thumbnail(image_id, SIDE)
    except AnnotateSelectError:
        return None
