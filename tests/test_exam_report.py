"""The signed report: everything it takes to repeat it is on the page, and a page that was changed is found out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from annotate_select.cli import cli
from annotate_select.errors import ExamError, LearningError
from annotate_select.project import Project

NAME = 'Dr. <b>Ana</b> & "Co"'


class Page(HTMLParser):
    """The tags of a page, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += f"{data}\n"


@pytest.fixture
def project(project_root: Path) -> Iterator[Project]:
    (project_root / "exam-marks.json").unlink()  # so that the mark comes before any result
    toml = project_root / "project.toml"
    toml.write_text(toml.read_text().replace("[exam]", "[exam]\npass_accuracy = 0.995"))
    with Project.open(project_root) as made:
        yield made


def test_the_page_says_what_was_asked_found_and_what_it_rests_on(project: Project, tmp_path: Path) -> None:
    signed = project.exam_report(tmp_path / "exam.html", signed_by=NAME)
    page = Page(signed.path.read_text(encoding="utf-8"))
    report, answers = project.report() or pytest.fail("no report"), project.exam_answers()
    wrong = [one for one in answers if one.label != one.predicted]
    said = re.sub(r"\s+", " ", page.words)
    assert f"Signed off by {NAME} on {signed.signed_at}." in said
    assert "accuracy of at least 99.5 %; with 95 % confidence" in said
    assert "no results were seen before" in said
    assert "Fail: the mark is not reached, with 95 % confidence." in said
    assert f"The model is right on {24 - len(wrong)} of 24 exam images, {report.accuracy:.1%}." in said
    assert f"{report.interval.low:.1%} to {report.interval.high:.1%} of all images like these" in said
    assert "24 images on " in said
    assert "none of the 30 images that the model learned from is of the exam" in said
    assert "annotate-select reproduce 1" in said
    for name in ("training.npy", "weights.safetensors", "model.json"):
        digest = hashlib.sha256((project.root / "models" / "1" / name).read_bytes()).hexdigest()
        assert f"models/1/{name} SHA-256 {digest}" in said
    assert project.features().digest in said
    assert signed.sha256 in said
    pictures = [values for tag, values in page.tags if tag == "img"]
    assert [one["alt"] for one in pictures] == [one.key for one in wrong[:24]]
    assert sum(tag == "svg" for tag, _ in page.tags) == 2
    assert all(one.name in said for one in report.classes)


def test_the_page_stands_alone_and_runs_nothing(project: Project) -> None:
    signed = project.exam_report(signed_by=NAME)
    assert signed.path.parent == project.root / "reports"
    page = Page(signed.path.read_text(encoding="utf-8"))
    assert {"script", "link", "iframe", "b"} & {tag for tag, _ in page.tags} == set()
    for _, values in page.tags:
        assert all(not name.startswith("on") for name in values)
        assert (values.get("src") or "data:image/webp").startswith("data:image/webp")
        assert "href" not in values


def test_the_record_has_the_figures_of_the_digest(project: Project) -> None:
    signed = project.exam_report(signed_by="  Ana   Ruiz ")
    kept = json.loads(signed.record.read_text(encoding="utf-8"))
    plain = json.dumps(kept["figures"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert kept["sha256"] == signed.sha256 == hashlib.sha256(plain.encode()).hexdigest()
    figures = kept["figures"]
    assert figures["signed_by"] == "Ana Ruiz"
    assert figures["report"]["accuracy"] == project.evaluate().accuracy
    assert {one["key"] for one in figures["answers"]} == set(project.exam_keys())
    right = [one["label"] == one["predicted"] for one in figures["answers"]]
    assert np.mean(right) == pytest.approx(figures["report"]["accuracy"])


def test_a_changed_page_or_record_is_found_out(project: Project, tmp_path: Path) -> None:
    signed = project.exam_report(tmp_path / "exam.html", signed_by="Ana")
    assert project.verify_report(signed.path).outcome == "unchanged"
    text = signed.path.read_text(encoding="utf-8")
    flattered = tmp_path / "flattered.html"
    flattered.write_text(text.replace("Fail: the mark", "Pass: the mark"), encoding="utf-8")
    found = project.verify_report(flattered)
    assert found.outcome == "changed"
    assert "it is not the page that was signed off by Ana" in found.text()
    foreign = tmp_path / "foreign.html"
    foreign.write_text("<p>98 %</p>")
    assert project.verify_report(foreign).outcome == "unknown"
    record = signed.record.read_text(encoding="utf-8")
    signed.record.write_text(record.replace('"signed_by": "Ana"', '"signed_by": "Eva"'), encoding="utf-8")
    assert "is not as it was written" in project.verify_report(signed.path).text()
    with pytest.raises(ExamError, match="cannot read"):
        project.verify_report(tmp_path / "none.html")


@pytest.mark.parametrize("content", ["{}", '{"sha256": "ab', "[]", '{"sha256": 1, "page_sha256": 2, "figures": {}}'])
def test_a_damaged_record_leaves_the_others_alone(project: Project, tmp_path: Path, content: str) -> None:
    signed = project.exam_report(tmp_path / "exam.html", signed_by="Ana")
    damaged = signed.record.with_name("exam-model-0-damaged.json")
    damaged.write_text(content)
    assert project.verify_report(signed.path).outcome == "unchanged"
    signed.record.unlink()
    found = project.verify_report(signed.path)
    assert found.outcome == "unknown"
    assert f"damaged, and to be put back from a backup: {damaged}" in found.text()


def test_images_that_are_gone_and_a_model_that_saw_the_exam_are_said(project: Project) -> None:
    for one in project.exam_answers():
        for source in project.config.sources:
            path = project.root / source.root / one.key
            path.rename(path.with_suffix(".away"))
    try:
        folder = project.root / "models" / "1"
        rows = np.load(folder / "training.npy")
        rows["id"][:2] = list(project.image_ids(project.exam_keys()[:2]).values())
        np.save(folder / "training.npy", rows)
        signed = project.exam_report(signed_by="Ana")
    finally:
        for path in (project.root / project.config.sources[0].root).glob("*.away"):
            path.rename(path.with_suffix(".jpg"))
    said = re.sub(r"\s+", " ", Page(signed.path.read_text(encoding="utf-8")).words)
    assert "this file cannot be read any more" in said
    assert "2 of the 30 images that the model learned from are of the exam" in said


def test_who_signs_is_asked_for_and_the_model_must_be_there(project: Project) -> None:
    with pytest.raises(ExamError, match="signed off by a person"):
        project.exam_report(signed_by="  ")
    with pytest.raises(LearningError, match="there is no model 7"):
        project.exam_report(signed_by="Ana", model=7)
    assert not (project.root / "reports").exists()


def test_on_the_command_line(project: Project, tmp_path: Path) -> None:
    page = tmp_path / "exam.html"
    runner, begin = CliRunner(), ["-p", str(project.root), "--json", "evaluate"]
    done = runner.invoke(cli, [*begin, "--report", str(page), "--signed-by", "Ana"], catch_exceptions=False)
    assert json.loads(done.stdout)["report"]["signed_by"] == "Ana"
    done = runner.invoke(cli, [*begin, "--verify", str(page)], catch_exceptions=False)
    assert json.loads(done.stdout)["outcome"] == "unchanged"
    done = runner.invoke(cli, [*begin, "--report", str(page)], catch_exceptions=False)
    assert done.exit_code == 2
    assert "go together" in done.stderr
    page.write_text("other")
    done = runner.invoke(cli, [*begin, "--verify", str(page)])
    assert isinstance(done.exception, ExamError)
