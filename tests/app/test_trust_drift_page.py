"""The Trust page's new ground and picks, run by Streamlit without a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from page_tools import errors, nothing_open, opened, words
from PIL import Image
from sqlalchemy import text

from annotate_select.project import Project

__all__ = ["nothing_open"]  # a fixture that every test here uses


def test_new_ground_is_shown_and_joins_the_exam(measured: Project, tmp_path: Path) -> None:
    folder, rng = tmp_path / "later", np.random.default_rng(0)
    folder.mkdir()
    for number in range(12):
        pixels = rng.integers(120, 255, size=(64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"noise-{number:02}.png")
    project = measured
    with project._home.db.write() as connection:
        connection.execute(text("UPDATE images SET added_at = '2026-01-01T00:00:00+00:00'"))
    at = opened("trust", project)
    at.button(key="check_drift").click().run()
    assert "All of the 48 images are new" in errors(at)[0]
    project.add(folder)
    project.embed()
    at.button(key="check_drift").click().run()
    assert errors(at) == []
    assert "The world has changed (p 0." in words(at)
    at.button(key="exam_new_ground").click().run()
    assert errors(at) == []
    assert any(key.startswith("noise-") for key in project.exam_keys())
    project.select(3)
    at.run()
    at.button(key="check_picks").click().run()
    assert errors(at) == []
    assert "picks of" in words(at)


def test_what_was_found_stays_while_something_else_is_looked_for(measured: Project) -> None:
    at = opened("trust", measured)
    at.button(key="check_picks").click().run()
    assert "picks of" in words(at)
    at.button(key="check_labels").click().run()
    assert "picks of" in words(at)
