"""The learning curve and the table of classes, as Streamlit shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from annotate_select.steps.status import Round, Status
from annotate_select.trust.audit import AuditReport
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.intervals import Interval

__all__ = ["CLASS_COLUMNS", "chart", "chosen_cell", "class_rows", "confusion_table", "curve_rows", "version_rows"]

ON_THE_EXAM, CROSS_VALIDATED = "on the exam", "cross-validated, on labelled picks"

CLASS_COLUMNS = {
    "labels": st.column_config.NumberColumn("Labels", help="Images whose label is this class"),
    "exam": st.column_config.NumberColumn("In the exam"),
    "recall": st.column_config.TextColumn("Found (recall)", help="Of the exam's images of the class; 95 % interval"),
    "precision": st.column_config.TextColumn("Right (precision)", help="Of the exam's images taken for it"),
    "class": st.column_config.TextColumn("Class"),
}


def chart(rounds: Sequence[Round], audit: AuditReport | None = None) -> alt.LayerChart:
    """Draw exam accuracy with its 95 % interval against labels, a line of its own for each measure.

    Where some model was not measured on the exam, or there is none, cross-validated accuracy is a second, dashed line:
    it is of picked images, and the two cannot be read as one curve. With an audit, also what equally many picks and
    random images taught.
    """
    rows = curve_rows(rounds)
    x = alt.X(
        "labels:Q",
        title="labels trained on",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickMinStep=1, format=",d"),
    )
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("accuracy:Q", title="accuracy", scale=scale, axis=alt.Axis(format="%"))
    tips = ["model:O", "labels:Q", alt.Tooltip("accuracy:Q", format=".1%"), "measured:N"]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x)
    band = base.mark_errorband(opacity=0.18).encode(y=alt.Y("low:Q", title="accuracy", scale=scale), y2="high:Q")
    bars = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
    measures = alt.Scale(domain=[ON_THE_EXAM, CROSS_VALIDATED], range=[[1, 0], [5, 4]])
    there = [name for name in (ON_THE_EXAM, CROSS_VALIDATED) if any(row["measured"] == name for row in rows)]
    named = alt.Legend(orient="bottom", symbolType="stroke", values=there, labelLimit=0)
    dashes = alt.StrokeDash("measured:N", title=None, scale=measures, legend=named)
    line = base.mark_line(point=alt.OverlayMarkDef(size=70, filled=True)).encode(y=y, tooltip=tips, strokeDash=dashes)
    marks = [_compared(audit, x, y)] if audit is not None and audit.accuracy_audit is not None else []
    return alt.layer(band, bars, line, *marks).properties(height=300)


def curve_rows(rounds: Sequence[Round]) -> list[dict[str, object]]:
    """Return a row a point of the curves; each measure has its own, and cross-validation only where it is needed."""
    on_exam = [_point(one, one.accuracy, ON_THE_EXAM) for one in rounds if one.accuracy is not None]
    if len(on_exam) == len(rounds):
        return on_exam
    return on_exam + [_point(one, one.cv_accuracy, CROSS_VALIDATED) for one in rounds if one.cv_accuracy is not None]


def _point(one: Round, accuracy: float | None, measured: str) -> dict[str, object]:
    ends = {"low": one.low, "high": one.high} if measured == ON_THE_EXAM else {"low": None, "high": None}
    return {"labels": one.labels, "accuracy": accuracy, **ends, "measured": measured, "model": one.model}


def _compared(audit: AuditReport, x: alt.X, y: alt.Y) -> alt.Chart:
    rows = [
        {"labels": audit.size, "accuracy": accuracy, "measured": measured}
        for accuracy, measured in ((audit.accuracy_picks, "picks alone"), (audit.accuracy_audit, "chance alone"))
    ]
    tips = ["labels:Q", alt.Tooltip("accuracy:Q", format=".1%"), "measured:N"]
    shape = alt.Shape("measured:N", title=None, legend=alt.Legend(orient="top-left"))
    colour = alt.Color("measured:N", legend=None)
    marks = alt.Chart(alt.InlineData(values=rows)).mark_point(size=90, filled=True)
    return marks.encode(x=x, y=y, shape=shape, color=colour, tooltip=tips)


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


def version_rows(rounds: Sequence[Round]) -> list[dict[str, object]]:
    """Return a row a model, newest first."""
    return [
        {
            "model": one.model,
            "trained": one.at[:16].replace("T", " "),
            "labels": one.labels,
            "on the exam": _share(one.accuracy, Interval(one.low, one.high))
            if one.low is not None and one.high is not None
            else "–",
            "cross-validated": f"{one.cv_accuracy:.0%}" if one.cv_accuracy is not None else "–",
        }
        for one in reversed(rounds)
    ]


def confusion_table(report: ExamReport) -> Styler:
    """Return the confusion matrix, a row a class and a column a class it was taken for, shaded by share of the row."""
    names = [one.name for one in report.classes]
    counts = pd.DataFrame(report.confusion, index=names, columns=names)

    def shades(row: pd.Series[int]) -> list[str]:
        shares = row / max(1, row.sum())
        colours = ["47, 127, 168" if name == row.name else "192, 118, 43" for name in names]  # right, wrong
        return [
            f"background-color: rgba({one}, {0.12 + 0.6 * share:.2f})" if share else "color: #8888"
            for one, share in zip(colours, shares, strict=True)
        ]

    return counts.style.apply(shades, axis=1)


def chosen_cell(state: Mapping[str, Any], report: ExamReport) -> tuple[str, str] | None:
    """Return (label, what the model says) of the cell chosen in the table, None when there is none."""
    cells = state["selection"]["cells"]
    return (report.classes[cells[0][0]].name, str(cells[0][1])) if cells else None


def _share(share: float | None, interval: Interval) -> str:
    return "–" if share is None else f"{share:.0%} ({interval.low:.0%} to {interval.high:.0%})"
