"""The learning curve and the table of classes, as Streamlit shows them."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import streamlit as st

from annotate_select.steps.status import Round, Status
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.intervals import Interval

__all__ = ["CLASS_COLUMNS", "chart", "class_rows"]

CLASS_COLUMNS = {
    "labels": st.column_config.NumberColumn("Labels", help="Images whose label is this class"),
    "exam": st.column_config.NumberColumn("In the exam"),
    "recall": st.column_config.TextColumn("Found (recall)", help="Of the exam's images of the class; 95 % interval"),
    "precision": st.column_config.TextColumn("Right (precision)", help="Of the exam's images taken for it"),
    "class": st.column_config.TextColumn("Class"),
}


def chart(rounds: Sequence[Round]) -> alt.LayerChart:
    """Draw exam accuracy with its 95 % interval against labels; where there is no exam, cross-validated accuracy."""
    rows = [
        {
            "labels": one.labels,
            "accuracy": one.accuracy if one.accuracy is not None else one.cv_accuracy,
            "low": one.low,
            "high": one.high,
            "measured": "on the exam" if one.accuracy is not None else "cross-validated",
            "model": one.model,
        }
        for one in rounds
        if one.accuracy is not None or one.cv_accuracy is not None
    ]
    x = alt.X(
        "labels:Q", title="labels trained on", scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(tickMinStep=1)
    )
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("accuracy:Q", title="accuracy", scale=scale, axis=alt.Axis(format="%"))
    tips = ["model:O", "labels:Q", alt.Tooltip("accuracy:Q", format=".1%"), "measured:N"]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    band = base.mark_errorband(opacity=0.18).encode(y=alt.Y("low:Q", title="accuracy", scale=scale), y2="high:Q")
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    line = base.mark_line(point=alt.OverlayMarkDef(size=70, filled=True)).encode(y=y, tooltip=tips)
    return alt.layer(band, bars, line).properties(height=300)


def class_rows(status: Status, report: ExamReport | None) -> list[dict[str, object]]:
    """Return a row a class: its labels, and how the model does on it."""
    measured = {one.name: one for one in report.classes} if report else {}
    rows: list[dict[str, object]] = []
    for name, labels in status.per_class.items():
        one = measured.get(name)
        rows.append(
            {
                "class": name,
                "labels": labels,
                "exam": one.n if one else 0,
                "recall": _share(one.recall, one.recall_interval) if one else "–",
                "precision": _share(one.precision, one.precision_interval) if one else "–",
            }
        )
    return rows


def _share(share: float | None, interval: Interval) -> str:
    return "–" if share is None else f"{share:.0%} ({interval.low:.0%} to {interval.high:.0%})"
