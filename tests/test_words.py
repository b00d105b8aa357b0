"""How counts and names are written: one is singular, and no name can be taken for two."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from annotate_select.steps.check_duplicates import DuplicatesReport, Group
from annotate_select.steps.check_leaks import LeaksReport
from annotate_select.trust.compare import Comparison
from annotate_select.trust.intervals import Interval
from annotate_select.words import counted, named, plain

ROOT = Path(__file__).parents[1]
# A count, as code writes one, before a plural that a reader of the text would see.
UNCONDITIONAL = re.compile(
    r"\{(?:len\([^{}]*\)|[^{}'\"]*:,)\} (?:more |new |old |exam |labelled |repeated )*"
    r"(?:images|labels|classes|rows|picks|predictions|annotations|examples|groups|files|pairs)\b(?! of )"
)


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (1234, "image", "1,234 images"),
        (2, "class", "2 classes"),
        (2, "batch", "2 batches"),
        (2, "near copy", "2 near copies"),
        (2, "key", "2 keys"),
        (1, "near copy", "1 near copy"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said


def test_a_count_has_its_verb_in_the_right_number() -> None:
    assert counted(1, "exam image", ("has", "have")) == "1 exam image has"
    assert counted(2, "exam image", ("has", "have")) == "2 exam images have"


def test_a_name_with_a_comma_is_quoted_in_a_list_and_others_are_not() -> None:
    assert named(["ok", "crack, deep", "dent"]) == 'ok, "crack, deep", dent'
    assert named(["a, b", "c"], most=1) == '"a, b" and 1 more'
    assert named(['say "x", then']) == r'"say \"x\", then"'


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "a\r\nb.jpg", "a\u2028b.jpg", "a\tb.jpg", "a\x1b[31mb.jpg", "a\udc80.jpg"]
)
def test_a_name_stays_on_one_line_and_can_be_printed(name: str) -> None:
    said = plain(name)
    assert said.isprintable()
    assert said.startswith('"a\\')


def test_names_as_they_usually_are_stay_as_they_are() -> None:
    for name in ("ward 3/0001.jpg", "Müller", "腺癌", "grade: 2"):
        assert plain(name) == name


def test_no_text_puts_any_count_before_a_plural() -> None:
    files = [*(ROOT / "annotate_select").rglob("*.py"), *(ROOT / "app").rglob("*.py")]
    errors = ("raise ", "Error(")  # what an error counts, such as the rows of an array, is hardly ever one
    found = [
        f"{path.name}: {line.strip()}"
        for path in files
        for line in path.read_text(encoding="utf-8").splitlines()
        if UNCONDITIONAL.search(line) and not any(word in line for word in errors)
    ]
    assert found == []


def test_one_is_singular_in_reports() -> None:
    assert LeaksReport(1, 1, []).text() == (
        "1 image is the exam's; 1 more is kept from training for its sake; none of them has a label"
    )
    compared = Comparison(1, 2, 1, 0, 0, 0.0, Interval(-1.0, 1.0), 1.0)
    assert compared.text().endswith("on 1 exam image")


def test_duplicates_are_named_on_one_line_each() -> None:
    group = Group(["a\nb.jpg", "c, d.jpg", "e.jpg"], ["ok"])
    _, line = DuplicatesReport(images=3, groups=1, spare=2, contradicting=0, largest=[group]).text().splitlines()
    assert line == r'  "a\nb.jpg", "c, d.jpg", e.jpg'
