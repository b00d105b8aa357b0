"""The labelling page with the model's suggestions, and as a reviewer's, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import CLASSES, Server, make_project, stored
from label_tools import label_page, number_of, press_away, seen, shown, standing, wait_number, wait_saved, wait_shown
from playwright.sync_api import BrowserContext, Page, expect

from annotate_select.annotations.events import Event
from annotate_select.project import Project

pytestmark = pytest.mark.browser

Visit = Callable[[], BrowserContext]
PICKS = 20


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A project of 90 images: 6 of the exam and 20 picks without a label, all others labelled and learned from."""
    root = tmp_path_factory.mktemp("trained") / "project"
    with make_project(root, photos, exam_size=6, picks=PICKS) as made:
        waiting = {one.key for one in made.queue("nobody", 50)}
        keys = [f"{number:04}.png" for number in range(90)]
        made.annotate({key: CLASSES[i % 3] for i, key in enumerate(keys) if key not in waiting})
        made.embed()
        made.train()
    return root


def test_suggestions_come_where_the_project_wants_them_and_never_on_the_exam(
    trained: Path, shared: Server, visit: Visit
) -> None:
    with Project.open(trained) as project:
        exam = {int(Path(key).stem) for key in project.exam_keys()}
    shared.knows(trained)
    page = label_page(visit().new_page(), shared, trained, "nobody")
    suggestion = page.locator(".suggestion")
    expect(suggestion).to_be_hidden()  # unless the project says so

    toml = trained / "project.toml"
    toml.write_text(toml.read_text().replace("suggestions = false", "suggestions = true"))
    page.reload()
    wait_shown(page)
    said: dict[int, str] = {}
    for _ in range(PICKS + len(exam)):
        number = seen(page)
        if suggestion.is_visible():
            text = suggestion.locator("span").inner_text()
            said[number] = text.removeprefix("model: ").partition(",")[0]
            press_away(page, "Enter", number)
        else:
            page.keyboard.press("Enter")  # says nothing
            assert shown(page) == number
            press_away(page, "1", number)
    wait_saved(page)
    labels = standing(trained, "nobody")
    assert len(labels) == PICKS + len(exam)
    assert exam & set(said) == set()
    assert len(said) >= PICKS // 2
    assert {number: labels[number] for number in said} == said


@pytest.fixture
def disputed(tmp_path: Path, photos: Path, shared: Server) -> Path:
    """A project that the server knows, in which ben and eva disagree on three images, and ben flagged the first."""
    root = tmp_path / "project"
    with make_project(root, photos, exam_size=10) as made:
        images = made.image_ids([f"{number:04}.png" for number in range(3)])
        for i, image in enumerate(images.values()):
            made.record([Event(f"b{i}", image, "ben", "label", "crack"), Event(f"e{i}", image, "eva", "label", "dent")])
    shared.knows(root)
    return root


def review_page(page: Page, server: Server, root: Path) -> Page:
    with Project.open(root) as project:
        page.goto(f"{server.url}/review?project={project.id}&annotator=rita")
    wait_shown(page)
    return page


def test_a_reviewers_word_is_final_and_others_are_heard_afterwards(
    disputed: Path, shared: Server, visit: Visit
) -> None:
    page = review_page(visit().new_page(), shared, disputed)
    first = shown(page)
    opinions = page.locator(".opinions")
    expect(opinions).not_to_contain_text("ben")
    page.keyboard.press("u")  # a reviewer is sure, or passes on
    assert shown(page) == first
    page.keyboard.press("o")
    expect(opinions).to_contain_text("ben: crack")
    expect(opinions).to_contain_text("eva: dent")
    page.keyboard.press("1")
    second = wait_shown(page, other_than=first)
    expect(opinions).not_to_contain_text("ben")
    page.keyboard.press("x")
    third = wait_shown(page, other_than=second)
    page.keyboard.press("ArrowLeft")
    wait_number(page, second)
    expect(opinions).to_contain_text("eva: dent")  # who has spoken may hear
    page.keyboard.press("ArrowRight")
    wait_number(page, third)
    page.keyboard.press("3")
    expect(page.get_by_text("Nothing is left on this list")).to_be_visible()
    expect(page.get_by_text("Disagreements · 0")).to_be_visible()  # the server knows, and leaves the page as it is
    page.keyboard.press("z")
    wait_number(page, third)
    wait_saved(page)
    finals = {number_of(one): (one.kind, one.label) for one in stored(disputed, "rita") if not one.undone}
    assert {number: one for number, one in finals.items() if one[0] == "final"} == {
        first: ("final", "ok"),
        second: ("final", None),
    }
    with Project.open(disputed) as project:
        assert project.labels()[f"{first:04}.png"] == "ok"
        assert project.review_counts()["disputed"] == 1


def test_a_reviewer_can_come_back_to_what_was_passed_on(disputed: Path, shared: Server, visit: Visit) -> None:
    page = review_page(visit().new_page(), shared, disputed)
    first = shown(page)
    numbers = {first}
    for _ in range(2):
        before = shown(page)
        page.keyboard.press("s")
        numbers.add(wait_shown(page, other_than=before))
    page.keyboard.press("s")
    wait_number(page, first)
    assert numbers == {0, 1, 2}
    assert stored(disputed, "rita") == []


def test_a_reviewer_hears_of_a_likely_wrong_label_what_the_model_says(
    trained: Path, shared: Server, visit: Visit
) -> None:
    with Project.open(trained) as project:
        doubtful = {int(Path(one.key).stem): one.suggestion for one in project.review("doubtful", 100)}
    assert doubtful  # every label is one of three in turn, whatever is on the picture
    shared.knows(trained)
    page = visit().new_page()
    with Project.open(trained) as project:
        page.goto(f"{shared.url}/review?project={project.id}&annotator=rita")
    page.get_by_text("Likely wrong").first.click()
    number = wait_shown(page)
    opinions = page.locator(".opinions")
    expect(opinions).not_to_contain_text("model")
    page.keyboard.press("o")
    expect(opinions).to_contain_text(f"model: {doubtful[number]}, ")
    page.keyboard.press("Enter")  # takes no suggestion: a reviewer says what it is
    assert shown(page) == number
