"""The exam's report as one HTML file that stands alone: no script, no network, readable on paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from annotate_select.exchange.exam_record import Answer, Drawn, ExamRecord, Rests
from annotate_select.trust.exam import ExamReport
from annotate_select.trust.intervals import Interval
from annotate_select.trust.pictures import confusion_picture, reliability_picture
from annotate_select.trust.verdict import Mark
from annotate_select.words import counted, named

__all__ = ["exam_page"]

GROUPS = 10  # shown
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #b8c0c8; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
.pairs td, code { overflow-wrap: anywhere; } svg { max-width: 100%; height: auto; }
.verdict { padding: .8rem 1rem; border-left: .5rem solid #b8c0c8; background: #f3f5f7; }
.pass { border-color: #2f7fa8; } .fail { border-color: #a8322f; } .undecided { border-color: #c0762b; }
.mistakes { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 1rem; }
figure { margin: 0; width: 9rem; font-size: .8rem; }
figure img { max-width: 100%; } figcaption { overflow-wrap: anywhere; }
.signed { margin-top: 2rem; padding: 1rem; border: 2px solid #1f2933; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } h2 { break-after: avoid; }
  table, figure, svg, .signed, .verdict { break-inside: avoid; } }
"""


def exam_page(record: ExamRecord, pictures: Mapping[str, str | None]) -> str:
    """Write a record as HTML. `pictures` gives the mistakes to show, by key, as data URIs; None for one unreadable."""
    report = record.report
    sections = [
        _asked(record),
        _verdict(report),
        _figures(report),
        _section("What was taken for what", confusion_picture(report.confusion, record.classes)),
        _classes(report),
        _calibration(report),
        _groups(report),
        _mistakes(record, pictures),
        _drawn(record.drawn),
        _rests(record.rests),
        _signed(record),
    ]
    title = escape(f"Exam of model {report.model}: {record.project}")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n"
        + "\n".join(sections)
        + "\n</main></body></html>\n"
    )


def _asked(record: ExamRecord) -> str:
    mark = record.mark
    rows = [
        ("project", f"{record.project} ({record.project_id})"),
        ("classes", named(record.classes, len(record.classes))),
        ("question", f"how often model {record.report.model} is right on images like those of this project"),
        ("date of this report", record.signed_at),
        ("pass mark", _mark(mark) if mark else "none was declared"),
    ]
    if mark:
        when = f"{record.mark_seen_at}, when results were first seen under it"
        rows.append(("declared at the latest", f"{when}; {record.report.marked_late or 'no results were seen before'}"))
    return _section("What was asked", _pairs(rows))


def _mark(mark: Mark) -> str:
    parts = [] if mark.accuracy is None else [f"accuracy of at least {100 * mark.accuracy:g} %"]
    parts += [f"recall of {name} of at least {100 * share:g} %" for name, share in mark.recall.items()]
    return f"{'; '.join(parts)}; with {100 * mark.confidence:g} % confidence"


def _verdict(report: ExamReport) -> str:
    if report.verdict is None:
        return _section("Verdict", "<p>No pass mark was declared, so there is no verdict.</p>")
    head, *lines = report.verdict.text().splitlines()
    body = f"<strong>{escape(_sentence(head))}</strong>{_list(line.strip() for line in lines)}"
    return _section("Verdict", f'<div class="verdict {report.verdict.outcome}">{body}</div>')


def _figures(report: ExamReport) -> str:
    right = sum(row[i] for i, row in enumerate(report.confusion))
    said = [
        f"The model is right on {right:,} of {counted(report.n, 'exam image')}, {report.accuracy:.1%}. With 95 % "
        f"confidence it is right on {_range(report.interval)} of all images like these."
    ]
    ends = report.macro_f1_interval
    said.append(
        f"Over classes, so that a rare one counts as much as a common one (macro F1): {report.macro_f1:.2f}"
        + (f", with 95 % confidence {ends.low:.2f} to {ends.high:.2f}." if ends else ".")
    )
    if report.stratified is not None:
        said.append(f"The exam was {report.stratified.text()}. Intervals of single classes make no use of that.")
    if report.powered is not None:
        said.append(f"A second estimate, {report.powered.text()}.")
    if report.active is not None:
        said.append(_sentence(report.active.text()))
    said += [_sentence(note) for note in (report.macro_f1_note, *report.notes) if note is not None]
    if report.unlabelled:
        said.append(f"{counted(report.unlabelled, 'more exam image', ('has', 'have'))} no label yet and not counted.")
    return _section("Figures", _list(said))


def _classes(report: ExamReport) -> str:
    rows = [
        [
            one.name,
            f"{one.n:,}",
            _share(one.recall, one.recall_interval),
            _share(one.precision, one.precision_interval),
        ]
        for one in report.classes
    ]
    return _section("Class by class", _table(CLASS_HEAD, rows) + "<p>In brackets: 95 % intervals.</p>")


CLASS_HEAD = ["class", "exam images", "found (recall)", "right when named (precision)"]


def _calibration(report: ExamReport) -> str:
    found = report.calibration
    if found is None:
        return _section("Is it right as often as it is sure?", "<p>Too few exam images to tell.</p>")
    return _section(
        "Is it right as often as it is sure?", f"<p>{escape(_sentence(found.text()))}</p>{reliability_picture(found)}"
    )


def _groups(report: ExamReport) -> str:
    title = "Groups of images"
    if not report.groups:
        return _section(title, "<p>No group of 10 exam images or more is known (source, group, metadata).</p>")
    rows = [
        [one.column, one.value, f"{one.n:,}", _share(one.accuracy, one.interval), "yes" if one.worse else "no"]
        for one in report.groups[:GROUPS]
    ]
    head = ["by", "group", "exam images", "right on", "worse than the rest, beyond chance"]
    return _section(title, _table(head, rows))


def _mistakes(record: ExamRecord, pictures: Mapping[str, str | None]) -> str:
    wrong = record.mistakes()
    if not wrong:
        return _section("Mistakes", "<p>No exam image was answered wrongly.</p>")
    shown = [one for one in wrong if one.key in pictures]
    figures = "".join(_mistake(one, pictures[one.key]) for one in shown)
    words = (
        f"<p>{counted(len(wrong), 'exam image', ('was', 'were'))} answered wrongly; here are the {len(shown):,} of "
        "which the model was surest. Whoever still labels images of this exam should not read this part.</p>"
    )
    return _section("Mistakes", f'{words}<div class="mistakes">{figures}</div>')


def _mistake(one: Answer, picture: str | None) -> str:
    image = f'<img src="{escape(picture or "")}" alt="{escape(one.key)}">'
    seen = image if picture else "<p>this file cannot be read any more</p>"
    said = f"<strong>{escape(one.label)}</strong>, taken for {escape(one.predicted)} ({one.probability:.0%} sure)"
    return f"<figure>{seen}<figcaption>{said}<br>{escape(one.key)}</figcaption></figure>"


def _drawn(drawn: Drawn) -> str:
    times = "; ".join(map(_draw, drawn.draws))
    if drawn.learned_too_near is None:
        leak = "not known, for the training of this model was not recorded"
    elif drawn.learned_too_near:
        leak = (
            f"{drawn.learned_too_near:,} of the {counted(drawn.learned_from or 0)} that the model learned from are of "
            "the exam, of its groups or near-duplicates: the figures flatter"
        )
    else:
        leak = (
            f"none of the {counted(drawn.learned_from or 0)} that the model learned from is of the exam, of its "
            "groups or a near-duplicate"
        )
    rows = [
        ("size", f"{counted(drawn.size)}, drawn at random from all that had not been labelled"),
        ("drawn", times),
        (
            "groups",
            f"{counted(drawn.groups, 'group', ('has', 'have'))} exam images; no image of them is trained on"
            if drawn.groups
            else "none",
        ),
        (
            "kept from training",
            f"{drawn.reserved:,} more (groups, near-duplicates), {drawn.left_out:,} of them labelled",
        ),
        ("leak check", leak),
    ]
    if drawn.active is not None:
        said = "{size} images by the doubts of model {model} from {pool}, on {at}, seed {seed}".format(**drawn.active)
        rows.append(("second exam", f"{said}; their chances are in the project's database"))
    return _section("How the exam was drawn", _pairs(rows))


def _draw(one: Mapping[str, Any]) -> str:
    said = f"{one['images']} images on {one['at']}, seed {one['seed']}"
    if "pool" in one:
        said += f", from {counted(one['pool'])}, each with a chance of {one['chance']:.2%}"
    if "strata" in one:
        said += f", evenly over {one['strata']} strata of the features {one['features']} ({one['features_digest']})"
    return said


def _rests(rests: Rests) -> str:
    rows = [
        (
            "model",
            f"{rests.model}, trained {rests.trained_at}; {counted(rests.labels, 'label')}, digest "
            f"{rests.labels_digest}",
        ),
        *((name, f"SHA-256 {value}") for name, value in rests.files.items()),
        ("features", f"{rests.features}, definition {rests.features_digest}"),
        ("this report", f"annotate-select {rests.version}; {_versions(rests.libraries)}"),
        ("the training", _versions(rests.trained_with) or "not recorded"),
    ]
    commands = [
        f"annotate-select reproduce {rests.model}",
        f"annotate-select evaluate --model {rests.model}",
        "annotate-select check leaks",
    ]
    again = "".join(f"<pre><code>{escape(one)}</code></pre>" for one in commands)
    return _section("What it rests on", f"{_pairs(rows)}<p>To repeat it, in the project's folder:</p>{again}")


def _signed(record: ExamRecord) -> str:
    return (
        f'<div class="signed"><strong>Signed off by {escape(record.signed_by)} on {escape(record.signed_at)}.</strong>'
        f"<p>SHA-256 of all figures and answers: <code>{record.digest()}</code></p>"
        "<p><code>annotate-select evaluate --verify FILE</code>, in the project, says whether this file is as it was "
        "signed. The digest is no signature: who can write the project's folder can write another one. Keep a copy of "
        "it elsewhere.</p></div>"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    return (
        '<table class="pairs">'
        + "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in rows)
        + "</table>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _list(lines: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(one)}</li>' for one in lines)}</ul>"


def _share(share: float | None, interval: Interval) -> str:
    return "–" if share is None else f"{share:.1%} ({_range(interval)})"


def _range(interval: Interval) -> str:
    return f"{interval.low:.1%} to {interval.high:.1%}"


def _versions(libraries: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in libraries.items())


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
