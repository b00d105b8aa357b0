"""The pages, run by Streamlit without a browser; what the start page does is in test_start_page.py."""

from __future__ import annotations

import json

import pytest
from page_tools import ENTRY, errors, nothing_open, opened, words
from streamlit.testing.v1 import AppTest

from annotate_select.annotations.events import Event
from annotate_select.project import Project
from annotate_select.recent import recent_projects

__all__ = ["nothing_open"]  # a fixture that every test here uses

PAGES = ["start", "label", "bulk", "map", "batch", "model", "trust", "export"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_a_project(page: str) -> None:
    at = opened(page)
    assert errors(at) == []
    assert "New project" in words(at) if page == "start" else "No project is open yet." in words(at)


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("start", "12 images"),
        ("label", "Who is labelling?"),
        ("bulk", "Who is labelling?"),
        ("map", "There is no map yet"),
        ("batch", "Next batch"),
        ("model", "No model yet"),
        ("review", "Who is reviewing?"),
        ("trust", "0 of 2 exam images have a label"),
        ("export", "Export"),
    ],
)
def test_every_page_opens_with_a_project(page: str, shown: str, project: Project) -> None:
    at = opened(page, project)
    assert errors(at) == []
    assert shown in words(at)


def test_the_address_brings_back_project_and_annotator(project: Project) -> None:
    at = opened("label", project, "ana")
    assert errors(at) == []
    assert at.query_params["project"] == project.id
    assert at.query_params["annotator"] == "ana"


def test_an_unknown_project_in_the_address_is_one_error() -> None:
    at = AppTest.from_file(ENTRY, default_timeout=60)
    at.query_params["project"] = "0" * 32
    assert len(errors(at.run())) == 1
    assert "not known here" in at.error[0].value


def test_the_server_may_be_started_on_a_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTATE_SELECT_PROJECT", str(project.root))
    at = opened()
    assert errors(at) == []
    assert at.query_params["project"] == project.id
    assert recent_projects() == [project.root]


def test_the_bulk_page_needs_features(project: Project) -> None:
    at = opened("bulk", project, "ana")
    assert errors(at) == []
    assert "There are no groups yet" in words(at)
    assert not at.get("bidi_component")
    project.embed(dim=4, image_size=16)
    at = opened("bulk", project, "ana")
    assert errors(at) == []
    given = json.loads(at.get("bidi_component")[0].proto.json)
    assert project.annotator_of(given["token"].partition(".")[2]) == "ana"
    assert given["alike_url"] == "/api/alike"
    assert [(one["name"], one["key"]) for one in given["about"]] == [("ok", "1"), ("crack", "2"), ("dent", "3")]


def test_the_labeller_gets_a_token_and_no_queue(project: Project) -> None:
    at = opened("label", project, "ana")
    given = json.loads(at.get("bidi_component")[0].proto.json)
    project_id, _, token = given["token"].partition(".")
    assert project_id == project.id
    assert project.annotator_of(token) == "ana"
    assert [(one["name"], one["key"]) for one in given["about"]] == [("ok", "1"), ("crack", "2"), ("dent", "3")]
    assert given["debug"] is False


def test_a_name_is_asked_for_once(project: Project) -> None:
    at = opened("label", project)
    at.text_input(key="name_typed").set_value("  ana   maria ")
    at.button[0].click().run()
    assert errors(at) == []
    assert at.session_state["annotator"] == "ana maria"
    assert len(at.get("bidi_component")) == 1


def test_an_empty_name_is_one_error(project: Project) -> None:
    at = opened("label", project)
    at.text_input(key="name_typed").set_value("   ")
    at.button[0].click().run()
    assert len(errors(at)) == 1
    assert "a name has 1 to 60 characters" in at.error[0].value


def label_queue(project: Project) -> None:
    items = project.queue("ana", 50)
    labels = ["ok", "crack"] * len(items)
    project.record([Event(f"u{one.image_id}", one.image_id, "ana", "label", labels.pop()) for one in items])


def test_a_finished_queue_offers_the_next_round(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[str, ...]] = []
    monkeypatch.setattr(Project, "start", lambda self, *command: started.append(command))
    label_queue(project)
    at = opened("label", project, "ana")
    assert errors(at) == []
    assert at.button(key="next_batch").label == "Train and pick the next batch"
    at.button(key="next_batch").click().run()
    assert started == [("next",)]  # all that is left, however many of these are too near to the exam
    at = opened("batch", project, "ana")
    at.number_input(key="batch_n").set_value(3).run()
    at.button(key="next_batch").click().run()
    assert started[1] == ("next", "-n", "3", "--strategy", "auto")


def test_when_every_image_was_picked_there_is_training_only(project: Project) -> None:
    label_queue(project)
    project.annotate(dict.fromkeys((f"{i:04}.png" for i in range(12)), "ok"), annotator="ben")
    at = opened("batch", project)
    assert errors(at) == []
    assert at.button(key="next_batch").label == "Train"


def test_the_next_round_waits_for_two_classes(project: Project) -> None:
    assert opened("batch", project).button(key="next_batch").disabled


def test_an_export_shows_its_first_rows(project: Project) -> None:
    image = project.queue("ana", 1)[0]
    project.record([Event("u1", image.image_id, "ana", "label", "dent")])
    at = opened("export", project)
    assert errors(at) == []
    row = at.dataframe[0].value.iloc[0]
    assert (row["image"], row["label"], row["annotator"]) == (image.key, "dent", "ana")
    for format in ("jsonl", "imagefolder"):
        at.radio(key="format").set_value(format).run()
        assert errors(at) == []


def test_the_batch_page_says_why_each_image_was_picked(project: Project) -> None:
    image = project.queue("ana", 1)[0]
    project.record([Event("u1", image.image_id, "ana", "label", "dent")])
    at = opened("batch", project)
    assert errors(at) == []
    row = at.dataframe[0].value.iloc[0]
    assert (row["batch"], row["images"], row["strategy"]) == (1, 6, "kmeans")
    assert words(at).count("stands for many images") == 6
    picks = project.picks(1)
    assert [pick.state for pick in picks].count("labelled") == round(row["labelled"] * 6)
    at.pills(key="batch_states").select("waiting").run()
    assert words(at).count("stands for many images") == sum(pick.state == "waiting" for pick in picks)


def test_the_model_page_shows_the_images_behind_its_figures(measured: Project) -> None:
    at = opened("model", measured)
    assert errors(at) == []
    report = measured.report()
    assert report is not None
    assert at.metric[3].value == f"{report.accuracy:.1%}"
    confusion = at.dataframe(key="confusion").value
    assert int(confusion.to_numpy().sum()) == report.n
    wrong = [one for one in measured.exam_answers() if one.label != one.predicted]
    assert len(wrong) == report.n - sum(report.confusion[i][i] for i in range(3))
    assert sum("· model: " in line for line in words(at).splitlines()) == len(wrong)


def test_exam_answers_put_the_surest_mistake_first(measured: Project) -> None:
    answers = measured.exam_answers()
    right = [one.label == one.predicted for one in answers]
    assert right == sorted(right)
    mistakes = [one.probability for one in answers if one.label != one.predicted]
    assert mistakes == sorted(mistakes, reverse=True)
    exam = set(measured.exam_keys())
    assert {one.key for one in answers} == exam
    labels = measured.labels()
    assert all(labels[one.key] == one.label for one in answers)


def test_a_project_without_doubts_has_nothing_to_review(project: Project) -> None:
    at = opened("review", project, "rita")
    assert errors(at) == []
    assert "nothing to review" in words(at)


def test_the_review_page_opens_the_first_list_that_holds_something(project: Project) -> None:
    for name, label in (("ana", "ok"), ("ben", "crack")):
        project.annotate({"0001.png": label}, annotator=name)
    at = opened("review", project, "rita")
    assert errors(at) == []
    given = json.loads(at.get("bidi_component")[0].proto.json)
    assert given["queue_url"] == "/api/review?what=disputed"
    assert given["mode"] == "review"
    assert "Annotators chose different classes" in words(at)

    rules = project.root / "rules.toml"
    rules.write_text('[[rule]]\nwhen = {source = "photos"}\nnever = ["dent"]\n')
    project.annotate({"0002.png": "dent"}, annotator="ana")
    at = opened("review", project, "rita")
    assert json.loads(at.get("bidi_component")[0].proto.json)["queue_url"] == "/api/review?what=rules"
    assert "break a rule of rules.toml" in words(at)

    rules.write_text("[rule")
    (error,) = errors(opened("review", project, "rita"))
    assert "is not valid TOML" in error
