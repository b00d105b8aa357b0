"""The Trust page's exam, audit and labels, run by Streamlit without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from page_tools import errors, nothing_open, opened, words

from annotate_select.annotations.events import Event, current_annotations, record
from annotate_select.annotations.exam import exam_ids
from annotate_select.project import Project

__all__ = ["nothing_open"]  # a fixture that every test here uses


def test_the_comparison_with_chance_is_kept(measured: Project) -> None:
    at = opened("trust", measured)
    at.button(key="audit").click().run()
    assert errors(at) == []
    assert "too few audit labels to tell" in words(at)
    number, audit = measured.audit_report() or pytest.fail("no audit was kept")
    assert number == 1
    assert audit == measured.audit()
    assert audit.verdict in words(opened("model", measured))


def test_the_trust_page_says_whether_it_is_enough_and_what_speaks_against_the_labels(measured: Project) -> None:
    at = opened("trust", measured)
    assert "A pass mark, declared below, turns this into a verdict." in words(at)
    at.button(key="check_labels").click().run()
    assert errors(at) == []
    assert "No image was labelled by two people" in words(at)
    assert "less likely than another class to a model and look-alikes that had not learned from them" in words(at)

    toml = measured.root / "project.toml"
    toml.write_text(toml.read_text().replace("[exam]", "[exam]\npass_accuracy = 0.99"))
    with Project.open(measured.root) as marked:
        marked.evaluate()
        at = opened("trust", marked)
    (verdict,) = errors(at)
    assert "Fail: the mark is not reached" in verdict


def test_a_pass_mark_is_declared_on_the_trust_page_and_the_exam_judged_by_it(measured: Project) -> None:
    at = opened("trust", measured)
    at.number_input(key="mark_accuracy").set_value(2.0)
    at.number_input(key="mark_recall").set_value(1.5)
    at.button(key="declare_mark").click().run()
    assert errors(at) == []
    exam = Project.open(measured.root).config.exam
    assert (exam.pass_accuracy, exam.pass_recall, exam.pass_confidence) == (0.02, 0.015, 0.95)
    assert "Measure again: the pass mark has changed since" in words(at)
    at.button(key="measure-again").click().run()
    assert "the mark is reached" in words(at) + str(errors(at)) or "to tell" in words(at)

    at.number_input(key="mark_accuracy").set_value(0.0)
    at.number_input(key="mark_recall").set_value(0.0)
    at.button(key="declare_mark").click().run()
    exam = Project.open(measured.root).config.exam
    assert (exam.pass_accuracy, exam.pass_recall) == (None, None)


def test_the_trust_page_writes_a_signed_report_and_offers_it(measured: Project) -> None:
    at = opened("trust", measured)
    assert len(at.get("image")) == 1  # of 12 exam images there is no reliability picture
    assert at.button(key="write_report").disabled
    at.text_input(key="signed_by").set_value("Dr. Ana").run()
    at.button(key="write_report").click().run()
    assert errors(at) == []
    (page,) = (measured.root / "reports").glob("*.html")
    assert measured.verify_report(page).outcome == "unchanged"
    (offered,) = at.get("download_button")
    assert offered.proto.label == f"Download {page.name}"


def test_the_trust_page_shows_annotators_and_the_least_likely_labels(measured: Project) -> None:
    labels = measured.labels()
    keys = sorted(set(labels) - set(measured.exam_keys()))[:15]
    wrong = {key: next(one for one in measured.classes if one != labels[key]) for key in keys[:4]}
    measured.annotate({key: wrong.get(key, labels[key]) for key in keys}, annotator="ben")
    at = opened("trust", measured)
    at.button(key="check_labels").click().run()
    assert errors(at) == []
    shown = at.dataframe[0].value
    assert "ben" in list(shown["annotator"])
    assert all(str(one).endswith(")") for one in shown["right"])
    said = words(at)
    assert "**disputed** · " in said
    assert "ben: " in said
    assert measured.check.labels().doubts == [] or "to a model it is " in said


def test_the_trust_page_draws_a_second_exam_and_says_what_it_gives(measured: Project) -> None:
    at = opened("trust", measured)
    at.button(key="second_exam").click().run()
    (error,) = errors(at)  # 40 images: all but the 12 of the exam have been learned from
    assert "only 12 are left" in error
    at.number_input(key="second_n").set_value(5).run()
    at.button(key="second_exam").click().run()
    assert errors(at) == []
    assert "5 images, drawn by the doubts of model 1 from 12: all of them have a label" in words(at)
    measured.evaluate()
    assert "A second exam, drawn where model 1 may err: accuracy" in words(opened("trust", measured))


def test_the_trust_page_compares_with_a_model_of_a_copy(measured: Project, tmp_path: Path) -> None:
    copy = shutil.copytree(measured.root, tmp_path / "copy-of-ben")
    at = opened("trust", measured)
    assert at.button(key="check_copy").disabled
    at.text_input(key="copy_folder").set_value(str(tmp_path / "nowhere")).run()
    at.button(key="check_copy").click().run()
    (error,) = errors(at)
    assert "nowhere" in error
    at.text_input(key="copy_folder").set_value(str(copy)).run()
    at.button(key="check_copy").click().run()
    assert errors(at) == []
    assert f"Model 1 and model 1 of {copy} cannot be told apart yet: +0.0 points" in words(at)


def test_the_trust_page_makes_the_exam_larger_by_chance_or_evenly_over_kinds(project: Project) -> None:
    at = opened("trust", project)
    at.number_input(key="grow_n").set_value(1).run()
    at.button(key="grow_exam").click().run()
    assert errors(at) == []
    assert "The exam has 3 images now, 3 of them wait to be labelled" in words(at)
    at.checkbox(key="grow_evenly").check().run()
    at.button(key="grow_exam").click().run()
    (error,) = errors(at)
    assert 'make them on the Map page ("Compute features")' in error
    project.embed()
    at.button(key="grow_exam").click().run()
    assert errors(at) == []
    assert project.exam().draws[-1].strata == 1  # of so few images
    assert project.exam().size == 4


def test_files_beside_a_model_that_cannot_be_read_keep_no_page_from_opening(measured: Project) -> None:
    measured.audit()
    for name in ("stopping.json", "audit.json", "exam.json"):
        for content in ("{}", "[]", "{"):
            (measured.root / "models" / "1" / name).write_text(content)
            assert measured.stopping() is None
            assert measured.audit_report() is None or name != "audit.json"
    at = opened("trust", measured)
    assert errors(at) == []
    assert "Measure again: the exam's report cannot be read." in words(at)
    at.button(key="measure-again").click().run()
    assert errors(at) == []
    assert "Measure again" not in words(at)
    assert "Is it enough?" in words(opened("batch", measured))


def test_a_damaged_model_is_named_with_what_to_do(measured: Project) -> None:
    (measured.root / "models" / "1" / "model.json").write_text("{")
    for page in ("trust", "model"):
        (error,) = errors(opened(page, measured))
        assert error.startswith("Model 1 is damaged")
        assert error.endswith("and train again.")


def test_an_exam_that_was_taken_back_is_asked_for_again(measured: Project) -> None:
    db = measured._home.db
    drawn = set(exam_ids(db))
    events = [
        Event(uuid4().hex, one.image_id, one.annotator, "skip")
        for one in current_annotations(db)
        if one.image_id in drawn
    ]
    assert record(db, events).refused == []
    at = opened("trust", measured)
    assert errors(at) == []
    assert "0 of 12 exam images have a label" in words(at)
    at.button(key="measure-again").click().run()
    assert errors(at) == ["None of the exam's 12 images has a label yet; label them in the app, then evaluate."]


def test_labels_kept_out_for_the_exam_are_named_where_training_is_begun_and_looked_at(measured: Project) -> None:
    path = measured.root / "models" / "1" / "model.json"
    about = json.loads(path.read_text())
    leak = {"key": "a.png", "exam_key": "b.png", "why": "near-duplicate", "cosine": 0.99}
    path.write_text(json.dumps({**about, "left_out": 5, "leaks": [leak]}))
    told = "too near to the exam: a.png (near-duplicate of b.png) and 4 more (see the Model page "
    told += '("Show all that are left out"))'
    assert told in words(opened("batch", measured))
    at = opened("model", measured)
    assert told in words(at)
    at.button(key="check_leaks").click().run()
    assert errors(at) == []
