"""The learning curve: a line keeps one measure, whatever of it is missing for some models."""

from __future__ import annotations

from typing import Any

import curve
from streamlit.testing.v1 import AppTest

from annotate_select.steps.status import Round


def model(number: int, exam: float | None, cross_validated: float | None) -> Round:
    low, high = (None, None) if exam is None else (exam - 0.1, exam + 0.1)
    return Round(number, 10 * number, exam, low, high, cross_validated, "2026-01-01T00:00:00Z")


def lines(rounds: list[Round]) -> dict[str, list[tuple[int, float]]]:
    """Return the points of each line that is drawn, by the name of its measure."""
    chart: dict[str, Any] = curve.chart(rounds).to_dict()
    (line,) = [one for one in chart["layer"] if one["mark"]["type"] == "line"]
    assert line["encoding"]["strokeDash"]["field"] == "measured"  # which makes a line of each
    found: dict[str, list[tuple[int, float]]] = {}
    data = line.get("data", chart.get("data"))
    for row in data.get("values") or chart["datasets"][data["name"]]:
        found.setdefault(row["measured"], []).append((row["labels"], row["accuracy"]))
    return found


def test_models_without_an_exam_do_not_join_the_line_of_those_with_one() -> None:
    rounds = [model(1, None, 0.5), model(2, 0.7, 0.55), model(3, None, 0.6), model(4, 0.8, 0.65)]
    assert lines(rounds) == {
        curve.ON_THE_EXAM: [(20, 0.7), (40, 0.8)],
        curve.CROSS_VALIDATED: [(10, 0.5), (20, 0.55), (30, 0.6), (40, 0.65)],
    }


def test_where_every_model_was_measured_there_is_one_line() -> None:
    assert lines([model(1, 0.6, 0.9), model(2, 0.7, 0.95)]) == {curve.ON_THE_EXAM: [(10, 0.6), (20, 0.7)]}


def test_without_an_exam_there_is_the_cross_validated_line() -> None:
    assert lines([model(1, None, 0.5), model(2, None, None)]) == {curve.CROSS_VALIDATED: [(10, 0.5)]}


def test_only_points_of_the_exam_have_its_interval() -> None:
    rows = curve.curve_rows([model(1, None, 0.5), model(2, 0.7, 0.55)])
    assert [(row["measured"], row["low"] is None) for row in rows] == [
        (curve.ON_THE_EXAM, False),
        (curve.CROSS_VALIDATED, True),
        (curve.CROSS_VALIDATED, True),
    ]


def test_streamlit_shows_both_lines() -> None:
    def page() -> None:
        import curve
        import streamlit as st

        from annotate_select.steps.status import Round

        first = Round(1, 10, None, None, None, 0.5, "2026-01-01")
        second = Round(2, 20, 0.7, 0.6, 0.8, 0.6, "2026-01-01")
        st.altair_chart(curve.chart([first, second]))

    at = AppTest.from_function(page, default_timeout=60).run()
    assert not at.exception
    (drawn,) = at.get("vega_lite_chart") or at.get("arrow_vega_lite_chart")
    assert "strokeDash" in drawn.proto.spec


def test_the_legend_names_what_is_drawn() -> None:
    def legend(*rounds: Round) -> list[str]:
        layers: list[dict[str, Any]] = curve.chart(rounds).to_dict()["layer"]
        (line,) = [one for one in layers if one["mark"]["type"] == "line"]
        return list(line["encoding"]["strokeDash"]["legend"]["values"])

    measured, other = model(1, 0.7, 0.6), model(2, None, 0.6)
    assert legend(measured) == [curve.ON_THE_EXAM]
    assert legend(other) == [curve.CROSS_VALIDATED]
    assert legend(measured, other) == [curve.ON_THE_EXAM, curve.CROSS_VALIDATED]
