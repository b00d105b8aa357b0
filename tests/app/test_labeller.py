"""What the labelling page offers beside the labels themselves, in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Server, make_project, stored, write_coded
from label_tools import label_page, number_of, press_each, shown, standing, wait_number, wait_saved, wait_shown
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from annotate_select.project import Project

pytestmark = pytest.mark.browser

Visit = Callable[[], BrowserContext]


@pytest.fixture
def root(many: Path, shared: Server) -> Path:
    """A project of 90 images that the server knows."""
    shared.knows(many)
    return many


@pytest.fixture
def ana(root: Path, shared: Server, visit: Visit) -> Page:
    return label_page(visit().new_page(), shared, root)


def transform(page: Page) -> tuple[float, float, float]:
    """Return how the shown image is drawn: scale, and pixels it is moved right and down."""
    found = page.evaluate(
        """() => { const m = new DOMMatrix(getComputedStyle(window.__probe.hero().querySelector("img")).transform);
        return [m.a, m.e, m.f]; }"""
    )
    return found[0], found[1], found[2]


def test_zooming_changes_the_view_alone(ana: Page, root: Path) -> None:
    first = shown(ana)
    box = ana.locator(".hero").bounding_box()
    assert box is not None
    x, y = box["width"] / 4, box["height"] / 4
    ana.mouse.move(box["x"] + x, box["y"] + y)
    ana.mouse.wheel(0, -300)
    ana.wait_for_function("window.__probe.hero().querySelector('img').style.transform !== ''")
    scale, left, top = transform(ana)
    assert scale > 1
    assert left == pytest.approx(x * (1 - scale), abs=1)  # what is under the pointer stays there
    assert top == pytest.approx(y * (1 - scale), abs=1)
    ana.mouse.down()
    ana.mouse.move(box["x"] + x - 40, box["y"] + y - 30)
    ana.mouse.up()
    assert transform(ana) == pytest.approx((scale, left - 40, top - 30), abs=1)
    ana.keyboard.press("Shift+ArrowRight")
    assert transform(ana)[1] == pytest.approx(left - 120, abs=1)
    ana.keyboard.press("f")
    assert transform(ana) == (1, 0, 0)
    ana.keyboard.press("=")
    ana.keyboard.press("1")
    wait_shown(ana, other_than=first)
    assert transform(ana) == (1, 0, 0)  # the next image is seen whole
    wait_saved(ana)
    assert standing(root) == {first: "ok"}


def test_a_zoom_can_be_kept(ana: Page) -> None:
    ana.keyboard.press("b")
    ana.get_by_role("button", name="Keep zoom").click()
    ana.keyboard.press("+")
    zoomed = transform(ana)
    press_each(ana, "2")
    assert transform(ana) == zoomed


def test_more_pixels_are_loaded_and_the_image_stays_itself(shared: Server, tmp_path: Path, visit: Visit) -> None:
    folder = write_coded(tmp_path / "photos", 4)
    for path in sorted(folder.iterdir()):
        with Image.open(path) as small:
            small.resize((3200, 2400)).save(path, compress_level=1)
    make_project(tmp_path / "project", folder, exam_size=1).close()
    shared.knows(tmp_path / "project")
    with Project.open(tmp_path / "project") as project:
        context = visit()
        page = context.new_page()
        page.goto(f"{shared.url}/label?project={project.id}&annotator=ana")
    image = page.locator(".hero img")
    expect(image).to_be_visible()
    page.wait_for_function("window.__probe.hero().querySelector('img').naturalWidth === 1024")
    name = image.get_attribute("alt")
    page.keyboard.press("f")
    page.wait_for_function("window.__probe.hero().querySelector('img').naturalWidth === 3200")
    assert image.get_attribute("alt") == name
    page.keyboard.press("3")
    expect(image).not_to_have_attribute("alt", name or "")
    wait_saved(page)
    assert {f"Image {one.key}": one.label for one in stored(tmp_path / "project")} == {name: "dent"}


def test_brightness_and_contrast_last_for_the_session(ana: Page, root: Path) -> None:
    ana.keyboard.press("b")
    slider = ana.get_by_role("slider", name="Brightness")
    slider.fill("200")
    slider.focus()
    filter_of = "getComputedStyle(window.__probe.hero().querySelector('img')).filter"
    assert ana.evaluate(filter_of) == "brightness(2)"
    first = shown(ana)
    ana.keyboard.press("1")  # a slider takes no digits
    wait_shown(ana, other_than=first)
    assert ana.evaluate(filter_of) == "brightness(2)"
    ana.reload()
    wait_shown(ana)
    assert ana.evaluate(filter_of) == "brightness(2)"
    ana.keyboard.press("b")
    ana.get_by_role("button", name="Reset").click()
    assert ana.evaluate(filter_of) == "none"
    wait_saved(ana)
    assert standing(root) == {first: "ok"}


def test_a_flag_has_a_note_and_leaves_the_image_open(ana: Page, root: Path) -> None:
    first = shown(ana)
    ana.keyboard.press("n")
    ana.keyboard.type("1 crack or 2? x")
    ana.keyboard.press("Escape")
    ana.keyboard.press("n")
    ana.keyboard.type("z 123")
    ana.keyboard.press("Enter")
    expect(ana.locator(".flagged")).to_have_text("flagged: z 123")
    wait_saved(ana)
    assert shown(ana) == first
    assert [(number_of(one), one.kind, one.note) for one in stored(root)] == [(first, "flag", "z 123")]
    ana.keyboard.press("z")
    expect(ana.locator(".flagged")).to_be_hidden()
    ana.locator(".actions").get_by_role("button", name="Flag").click()
    ana.keyboard.type("blurred")
    ana.locator(".notefield").get_by_role("button", name="Flag").click()
    ana.keyboard.press("1")
    wait_shown(ana, other_than=first)
    ana.reload()
    wait_shown(ana)
    ana.keyboard.press("ArrowLeft")
    wait_number(ana, first)
    expect(ana.locator(".flagged")).to_have_text("flagged: blurred")
    wait_saved(ana)
    standing_now = [(one.kind, one.note or one.label) for one in stored(root) if one.kind != "undo" and not one.undone]
    assert standing_now == [("flag", "blurred"), ("label", "ok")]


def test_the_guideline_is_read_while_labelling(root: Path, shared: Server, visit: Visit) -> None:
    with Project.open(root) as project:
        text = "<b>darker</b> than\nits surroundings"
        project.describe_class("crack", guideline=text, examples=["0001.png"], key="k")
    page = label_page(visit().new_page(), shared, root)
    page.keyboard.press("g")
    guide = page.get_by_role("complementary", name="Guideline")
    expect(guide).to_contain_text("<b>darker</b> than")
    example = guide.get_by_role("img", name="Example 1 of crack")
    expect(example).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=example.element_handle())
    numbers = press_each(page, "k3")
    expect(guide).to_be_visible()
    page.keyboard.press("Escape")
    expect(guide).to_be_hidden()
    wait_saved(page)
    assert standing(root) == dict(zip(numbers, ["crack", "dent"], strict=True))


def test_one_of_many_classes_is_found_by_its_name(root: Path, shared: Server, visit: Visit) -> None:
    with Project.open(root) as project:
        for i in range(30):
            project.add_class(f"kind {i}")
    page = label_page(visit().new_page(), shared, root)
    first = shown(page)
    page.keyboard.press("/")
    page.keyboard.type("kind 2")
    expect(page.locator(".choice.label:visible")).to_have_count(11)
    page.keyboard.type("7")
    expect(page.locator(".choice.label:visible")).to_have_count(1)
    page.keyboard.press("Enter")
    second = wait_shown(page, other_than=first)
    page.keyboard.press("/")
    page.keyboard.type("no such class")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Digit1")  # the eleventh
    wait_shown(page, other_than=second)
    wait_saved(page)
    assert standing(root) == {first: "kind 27", second: "kind 7"}
