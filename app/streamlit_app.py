"""The app: its pages, and what is common to all of them. Every action is a call of Project; this is only its screen."""

from __future__ import annotations

from pathlib import Path

import state
import streamlit as st
from trust_looks import sentence

from annotate_select.errors import AnnotateSelectError

# A file, because Streamlit would fetch a named icon from another site.
st.set_page_config(page_title="annotate-select", page_icon=Path(__file__).with_name("icon.png"), layout="wide")
state.begin()

pages = [
    st.Page("app_pages/start.py", title="Project", icon=":material/folder_open:", default=True),
    st.Page("app_pages/label.py", title="Label", icon=":material/label:", url_path="label"),
    st.Page("app_pages/bulk.py", title="Bulk", icon=":material/grid_view:", url_path="bulk"),
    st.Page("app_pages/map.py", title="Map", icon=":material/bubble_chart:", url_path="map"),
    st.Page("app_pages/batch.py", title="Batch", icon=":material/playlist_add:", url_path="batch"),
    st.Page("app_pages/model.py", title="Model", icon=":material/monitoring:", url_path="model"),
    st.Page("app_pages/review.py", title="Review", icon=":material/rate_review:", url_path="review"),
    st.Page("app_pages/trust.py", title="Trust", icon=":material/verified:", url_path="trust"),
    st.Page("app_pages/export.py", title="Export", icon=":material/download:", url_path="export"),
]
page = st.navigation(pages, position="top")
st.html(
    """<style>
    [data-testid="stMainBlockContainer"] { padding-left: 1.5rem; padding-right: 1.5rem; }
    [data-testid="stElementContainer"]:has(> [data-testid="stHtml"] > style) { display: none; }
    [data-testid="stStatusWidget"] { display: none; }
    /* Seen only where a page takes long: otherwise it would flicker at every click. */
    [data-testid="stLayoutWrapper"]:has(> .st-key-opening) { position: fixed; z-index: 1; width: auto; }
    .st-key-opening { animation: 0.8s step-end opening; }
    @keyframes opening { from { visibility: hidden; } to { visibility: visible; } }
    [data-testid="stHeaderActionElements"] { display: none; }
    /* White on a light blue is hard to read. */
    [data-testid^="stBaseButton-primary"] { color: light-dark(#fff, #101314); }
    [data-stale="true"] { opacity: 1 !important; }
    [class*="-gallery"] img { height: 128px; object-fit: cover; border-radius: 4px; }
    </style>"""
)
message = state.said()
if message is not None:
    kind, text = message
    (st.error if kind == "error" else st.success)(text)
opening = st.container(key="opening").empty()
opening.html('<span role="status">Opening …</span>')
try:
    page.run()
except state.EndOfPage:
    pass
except AnnotateSelectError as error:  # such as a damaged model: nothing of the page can be shown, but how to go on
    st.error(sentence(str(error)))
finally:
    opening.empty()
