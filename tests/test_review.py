"""The lists of a reviewer: who is on them, in what order, and what ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from annotate_select.annotations import images
from annotate_select.annotations.events import Event
from annotate_select.errors import AnnotationError, UnknownImages
from annotate_select.project import Project
from annotate_select.steps.evidence import evidence
from annotate_select.steps.opinions import opinions
from annotate_select.steps.review import LISTS, Said


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    """120 images, 24 of them the exam's and 30 others labelled by ana, and a model."""
    with Project.open(project_root) as opened:
        yield opened


def ids(project: Project, keys: list[str]) -> list[int]:
    known = images.resolve(project._home.db, keys)
    return [known[key] for key in keys]


def open_ids(project: Project) -> list[int]:
    """Images nobody said anything of."""
    table = images.pool_table(project._home.db)
    labels = project.labels()
    return [int(one) for one, key in zip(table.ids, table.keys, strict=True) if key not in labels]


def say(project: Project, image: int, by: str, kind: str, label: str | None = None, note: str | None = None) -> str:
    uid = uuid4().hex
    target = label if kind == "undo" else None
    event = Event(uid, image, by, kind, None if kind == "undo" else label, target_uid=target, note=note)
    outcome = project.record([event])
    assert outcome.refused == []
    return uid


def on(project: Project, what: str) -> list[int]:
    found = project.review(what, 1000)
    assert len(found) == project.review_counts()[what]
    return [item.image_id for item in found]


def test_what_annotators_said_puts_images_on_the_lists(project: Project) -> None:
    a, b, c, d, e, f = open_ids(project)[:6]
    for image, said in {a: ("Hat", "Dress"), b: ("Hat", "Hat")}.items():
        for by, label in zip(("ana", "ben"), said, strict=True):
            say(project, image, by, "label", label)
    say(project, c, "ana", "unsure", note="too dark")
    say(project, d, "ana", "reject")
    say(project, e, "ana", "flag", note="two things")
    say(project, f, "ana", "skip")
    assert [on(project, what) for what in ("disputed", "unsure", "rejected", "flagged")] == [[a], [c], [d], [e]]
    [item] = project.review("disputed")
    assert (item.state, item.label, item.votes, item.final, item.doubt) == (
        "disputed",
        None,
        {"Hat": 1, "Dress": 1},
        False,
        0.5,
    )
    assert [(said.annotator, said.kind, said.label) for said in item.said] == [
        ("ana", "label", "Hat"),
        ("ben", "label", "Dress"),
    ]
    [flagged] = project.review("flagged")
    assert flagged.said == []
    assert flagged.flags == [Said("ana", "flag", None, flagged.flags[0].at, "two things")]
    assert project.review("unsure")[0].said[0].note == "too dark"


def test_the_most_split_votes_come_first_and_of_equal_ones_the_latest(project: Project) -> None:
    a, b, c = open_ids(project)[:3]
    for image, labels in {a: ["Hat", "Dress"], b: ["Hat", "Dress", "Pants"], c: ["Hat", "Dress"]}.items():
        for number, label in enumerate(labels):
            say(project, image, f"person {number}", "label", label)
    assert on(project, "disputed") == [b, c, a]
    assert [item.image_id for item in project.review("disputed", 1, 1)] == [c]
    assert project.review("disputed", 5, 3) == []


def test_a_final_ends_it_and_its_undo_begins_it_again(project: Project) -> None:
    a, b = open_ids(project)[:2]
    say(project, a, "ana", "label", "Hat")
    say(project, a, "ben", "label", "Dress")
    say(project, b, "ana", "reject")
    say(project, b, "ana", "flag", note="look")
    uid = say(project, a, "eva", "final", "Pants")
    say(project, b, "eva", "final")
    assert {what: n for what, n in project.review_counts().items() if what != "doubtful"} == {
        "rules": 0, "disputed": 0, "unsure": 0, "flagged": 0, "rejected": 0,
    }  # fmt: skip
    item = project.review_item(a)
    assert (item.label, item.state, item.final, item.votes) == ("Pants", "labelled", True, {"Hat": 1, "Dress": 1})
    assert project.review_item(b).state == "rejected"
    assert project.labels()[item.key] == "Pants"
    say(project, a, "eva", "undo", uid)
    assert on(project, "disputed") == [a]


def test_a_flag_taken_back_is_gone(project: Project) -> None:
    a = open_ids(project)[0]
    first = say(project, a, "ana", "flag", note="one")
    say(project, a, "ben", "flag", note="two")
    say(project, a, "ana", "undo", first)
    assert [said.note for said in project.review("flagged")[0].flags] == ["two"]


def test_labels_a_model_contradicts_that_did_not_learn_them_are_doubtful_never_the_exams(project: Project) -> None:
    exam = set(ids(project, project.exam_keys()))
    labels = project.labels()
    labelled = dict(zip(ids(project, list(labels)), labels.values(), strict=True))
    found = project.review("doubtful", 1000)
    assert found
    assert not exam & {item.image_id for item in found}
    known = evidence(project._home)
    assert known is not None
    number = {name: at for at, name in enumerate(project.classes)}
    unlikely = {
        image
        for image, p in zip(known.ids.tolist(), known.together, strict=True)
        if p.argmax() != number[labelled[image]] and image not in exam
    }
    assert {item.image_id for item in found} == unlikely
    doubts = [item.doubt for item in found]
    assert doubts == sorted(doubts, reverse=True)
    assert all(item.doubt > 0.5 for item in found)
    assert all(item.suggestion not in (None, item.label) for item in found)
    say(project, found[0].image_id, "eva", "final", found[0].label)
    assert found[0].image_id not in on(project, "doubtful")


def test_a_wrong_label_is_found(project: Project, truth: dict[str, str]) -> None:
    """A label the model of the others is sure of, changed to another class, leads the list after training."""
    exam = set(project.exam_keys())
    here = images.pool_table(project._home.db).keys
    project.annotate({key: truth[key] for key in here}, annotator="ana")
    project.train()
    labels = {key: label for key, label in project.labels().items() if key not in exam}
    said = opinions(project._home, ids(project, list(labels))) or {}
    known = zip(ids(project, list(labels)), labels.items(), strict=True)
    right = [(said[one].probability, key) for one, (key, label) in known if one in said and said[one].label == label]
    surest = max(right)[1]
    project.annotate({surest: next(label for label in project.classes if label != labels[surest])}, annotator="ana")
    assert surest in [item.key for item in project.review("doubtful", 5)]
    project.train()
    assert surest in [item.key for item in project.review("doubtful", 10)]


def test_the_exam_and_a_tenth_have_no_suggestion(project: Project) -> None:
    exam = ids(project, project.exam_keys())[:3]
    some = [*open_ids(project), *exam]
    for one in some:
        say(project, one, "ben", "flag", note="look")
    found = {item.image_id: item.suggestion for item in project.review("flagged", 1000)}
    assert [found[one] for one in exam] == [None] * 3
    without = sum(suggestion is None for suggestion in found.values())
    assert 3 < without < 3 + 0.3 * len(some)


def test_what_left_the_pool_is_on_no_list(project: Project) -> None:
    a, b = open_ids(project)[:2]
    for one in (a, b):
        say(project, one, "ana", "reject")
    images.mark_unreadable(project._home.db, [(a, "truncated")])
    assert on(project, "rejected") == [b]
    with pytest.raises(UnknownImages, match=f"no image with the id {a}"):
        project.review_item(a)


def test_without_a_model_nothing_is_doubtful(tmp_path: Path, photos: Path) -> None:
    with Project.create(tmp_path / "p", ["a", "b"], images=photos) as project:
        assert project.review_counts() == dict.fromkeys(LISTS, 0)
        assert [project.review(what) for what in LISTS] == [[]] * 6
        say(project, 1, "ana", "unsure")
        [item] = project.review("unsure")
        assert (item.suggestion, item.certainty, item.doubt) == (None, None, 0.0)
        item = project.review_item(2)
        assert (item.state, item.said, item.votes) == ("waiting", [], {})


def test_an_unknown_list_is_named(project: Project) -> None:
    with pytest.raises(
        AnnotationError, match=r"no list 'disputes' .*did you mean disputed\?.*choose rules, disputed, doubtful"
    ):
        project.review("disputes")


def test_finals_are_labels_to_learn_from_and_in_the_exam(project: Project) -> None:
    before = project.train().labels
    a, b = open_ids(project)[:2]
    say(project, a, "eva", "final", "Hat")
    say(project, b, "eva", "final")
    key = project.exam_keys()[0]
    wrong = next(label for label in project.classes if label != project.labels()[key])
    say(project, ids(project, [key])[0], "eva", "final", wrong)
    assert project.train().labels in (before, before + 1)  # not when it looks too much like an image of the exam
    status = project.status()
    assert (status.labelled, status.states["rejected"]) == (55, 1)
    assert project.labels()[key] == wrong
    project.evaluate()
    assert [answer.label for answer in project.exam_answers() if answer.key == key] == [wrong]
