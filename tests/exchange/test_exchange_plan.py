from __future__ import annotations

import pytest

from annotate_select.annotations.events import Event
from annotate_select.errors import DuplicateRows, UnknownClasses, UnknownImages
from annotate_select.exchange.plan import ImportPlan, plan_import
from annotate_select.exchange.rows import AnnotationRow

# b.jpg is an exact copy of a.jpg, so both keys name image 1
POOL = {"a.jpg": 1, "b.jpg": 1, "c.jpg": 2, **{f"{i}.jpg": 100 + i for i in range(20)}}


def plan(
    *rows: AnnotationRow,
    annotator: str = "import",
    create_classes: bool = False,
    skip_unknown: bool = False,
    skip_duplicates: bool = False,
) -> ImportPlan:
    return plan_import(
        rows,
        resolve=lambda keys: {key: POOL[key] for key in keys if key in POOL},
        classes=["ok", "crack"],
        annotator=annotator,
        create_classes=create_classes,
        skip_unknown=skip_unknown,
        skip_duplicates=skip_duplicates,
    )


def row(image: str, label: str | None = "ok", **more: str) -> AnnotationRow:
    return AnnotationRow(image, label=label, line=2, **more)  # type: ignore[arg-type]


def said(found: ImportPlan) -> list[tuple[int, str, str | None, str]]:
    return [(event.image_id, event.kind, event.label, event.annotator) for event in found.events]


def test_rows_become_events() -> None:
    found = plan(
        row("c.jpg", "crack", annotator="ana", at="2026-01-31", uid="u1", note="=hm"),
        row("a.jpg", None, kind="skip"),
    )
    assert found.events[0] == Event(
        uid="u1", image_id=2, annotator="ana", kind="label", label="crack", said_at="2026-01-31", note="=hm"
    )
    assert said(found)[1] == (1, "skip", None, "import")
    assert (found.new_classes, found.unknown_images, found.duplicates, found.n_rows) == ([], [], [], 2)


def test_an_undo_keeps_its_target() -> None:
    found = plan(row("a.jpg", uid="u1"), row("a.jpg", None, kind="undo", uid="u2", target="u1"))
    assert [(event.uid, event.kind, event.target_uid) for event in found.events] == [
        ("u1", "label", None),
        ("u2", "undo", "u1"),
    ]


def test_nothing_to_plan() -> None:
    assert plan() == ImportPlan([], [], [], [], 0, frozenset())


def test_the_same_file_gives_the_same_uids() -> None:
    rows = [row("a.jpg"), row("c.jpg", annotator="ana", at="2026-01-31"), row("c.jpg", None, kind="unsure")]
    first, again = plan(*rows), plan(*rows)
    assert first == again
    assert len({event.uid for event in first.events}) == 3
    longer = plan(row("0.jpg"), *rows)
    assert {event.uid for event in first.events} < {event.uid for event in longer.events}


@pytest.mark.parametrize(
    "other",
    [
        row("b.jpg"),
        row("a.jpg", "crack"),
        row("a.jpg", None, kind="skip"),
        row("a.jpg", annotator="ana"),
        row("a.jpg", at="2026-01-31"),
        row("a.jpg", uid="mine"),
    ],
)
def test_what_is_said_differently_has_another_uid(other: AnnotationRow) -> None:
    assert plan(row("a.jpg")).events[0].uid != plan(other).events[0].uid


def test_the_default_annotator_and_the_same_name_in_the_file_are_one() -> None:
    assert plan(row("a.jpg"), annotator="ana") == plan(row("a.jpg", annotator="ana"))


def test_unknown_images_are_all_listed_once() -> None:
    rows = [row("a.jpg"), *(row(f"new{i}.jpg") for i in range(12)), row("new3.jpg", "crack")]
    with pytest.raises(UnknownImages, match=r"^12 images are not in the pool: new0\.jpg, .*") as caught:
        plan(*rows)
    message = str(caught.value)
    assert "new9.jpg and 2 more; " in message
    assert "new10.jpg" not in message
    assert "--skip-unknown" in message


def test_unknown_images_skipped_bring_no_classes_and_no_duplicates() -> None:
    found = plan(
        row("new.jpg", "dent"), row("a.jpg"), row("new.jpg", "scratch"), skip_unknown=True, create_classes=True
    )
    assert said(found) == [(1, "label", "ok", "import")]
    assert (found.unknown_images, found.new_classes, found.duplicates, found.n_rows) == (["new.jpg"], [], [], 3)


def test_unknown_classes_are_listed_with_near_names() -> None:
    with pytest.raises(
        UnknownClasses, match=r"'crak' \(did you mean crack\?\), 'zzz'; it has ok, crack; .*--create-cl"
    ):
        plan(row("a.jpg", "crak"), row("c.jpg", "zzz"), row("0.jpg", "crak"))


def test_new_classes_in_the_order_they_appear() -> None:
    found = plan(
        row("a.jpg", "zebra"), row("c.jpg", "ok"), row("0.jpg", "ant"), row("1.jpg", "zebra"), create_classes=True
    )
    assert found.new_classes == ["zebra", "ant"]
    assert len(found.events) == 4


@pytest.mark.parametrize("label", [" dent", "", "d" * 101])
def test_a_class_that_project_toml_would_refuse_is_not_made(label: str) -> None:
    with pytest.raises(UnknownClasses, match=r"cannot make the classes .*1 to 100 characters"):
        plan(row("a.jpg", label), create_classes=True)


def test_every_problem_comes_before_a_class_is_made() -> None:
    with pytest.raises(DuplicateRows):
        plan(row("a.jpg", "dent"), row("a.jpg", "ok"), create_classes=True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (row("a.jpg"), row("a.jpg")),
        (row("a.jpg"), row("a.jpg", "crack")),
        (row("a.jpg"), row("b.jpg", "crack")),  # through a copy
        (row("a.jpg"), row("b.jpg", None, kind="skip")),
        (row("a.jpg", annotator="import"), row("a.jpg")),
        (row("a.jpg", at="2026-01-31"), row("a.jpg", at="2026-01-31")),
        (row("a.jpg", at="2026-01-31"), row("a.jpg", "crack")),  # which of the two is later?
        (row("a.jpg"), row("a.jpg", "crack", at="2026-01-31")),
        (row("a.jpg", uid="u"), row("a.jpg", "crack")),
        (row("a.jpg", uid="u"), row("a.jpg", uid="u")),
        (row("a.jpg", uid="u"), row("c.jpg", uid="u")),  # the second would be taken for the first
        (row("a.jpg", uid="u"), row("a.jpg", None, kind="undo", uid="u", target="v")),
    ],
)
def test_duplicates(first: AnnotationRow, second: AnnotationRow) -> None:
    with pytest.raises(
        DuplicateRows,
        match=rf"^1 row repeats .*: {second.image} \(line 2\); .* or keep the first with --skip-duplicates",
    ):
        plan(first, second)
    found = plan(first, second, skip_duplicates=True)
    assert found.events == plan(first).events
    assert found.duplicates == [second.image]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (row("a.jpg"), row("c.jpg", "crack")),
        (row("a.jpg", annotator="ana"), row("a.jpg", "crack", annotator="ben")),
        (row("a.jpg", at="2026-01-30"), row("a.jpg", "crack", at="2026-01-31")),
        (row("a.jpg", uid="u"), row("a.jpg", "crack", uid="v")),
        (row("a.jpg", uid="u", at="2026-01-31"), row("a.jpg", "crack", uid="v", at="2026-01-31")),
        (row("a.jpg", uid="u"), row("a.jpg", "crack", at="2026-01-31")),
    ],
)
def test_no_duplicates(first: AnnotationRow, second: AnnotationRow) -> None:
    found = plan(first, second)
    assert [event.label for event in found.events] == ["ok", "crack"]
    assert found.duplicates == []


def test_copies_with_the_same_label_are_one_annotation() -> None:
    found = plan(row("a.jpg"), row("b.jpg"), row("c.jpg", "crack"))
    assert said(found) == [(1, "label", "ok", "import"), (2, "label", "crack", "import")]
    assert (found.duplicates, found.n_rows) == ([], 3)


def test_the_later_time_comes_later_wherever_it_stands() -> None:
    """13:00 in Berlin is before 12:30 in UTC, and what names no zone is UTC."""
    rows = [
        row("a.jpg", "ok", at="2026-01-31T12:30:00"),
        row("c.jpg", "ok"),
        row("a.jpg", "crack", at="2026-01-31T13:00:00+01:00"),
    ]
    assert [(event.image_id, event.label) for event in plan(*rows).events] == [(2, "ok"), (1, "crack"), (1, "ok")]


def test_a_history_keeps_its_order() -> None:
    """Uids come from an export, whose order decided; the clocks of two computers may disagree."""
    rows = [row("a.jpg", "ok", uid="u1", at="2026-01-31"), row("a.jpg", "crack", uid="u2", at="2026-01-30")]
    assert [event.uid for event in plan(*rows).events] == ["u1", "u2"]


def test_all_keys_are_resolved_at_once() -> None:
    asked = []

    def resolve(keys: list[str]) -> dict[str, int]:
        asked.append(keys)
        return {key: POOL[key] for key in keys}

    plan_import([row("a.jpg", at="2026-01-30"), row("c.jpg"), row("a.jpg", at="2026-01-31")],
                resolve=resolve, classes=["ok"], annotator="x")  # fmt: skip
    assert asked == [["a.jpg", "c.jpg"]]
