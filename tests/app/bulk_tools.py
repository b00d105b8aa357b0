"""A project whose images fall into groups that a test knows, and what the bulk page shows of them, by its pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from harness import CLASSES, Server, write_coded
from PIL import Image
from playwright.sync_api import Locator, Page

from annotate_select.annotations import exam, images
from annotate_select.project import Project

D = 16

# Which number a shown image has, read from its pixels; null where a cell shows none.
READ = """(root) => {
  const canvas = new OffscreenCanvas(128, 96);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return [...root.querySelectorAll(".cell")].map((cell) => {
    const image = cell.querySelector("img");
    let number = null;
    if (image?.complete && image.naturalWidth) {
      context.drawImage(image, 0, 0, 128, 96);
      const at = (place) => context.getImageData(Math.round((place + 0.5) * 6.4), 3, 1, 1).data[1];
      number = 0;
      for (let bit = 0; bit < 10; bit++) if (at(bit + 1) > 127) number |= 1 << bit;
    }
    return { number, out: cell.classList.contains("out"), state: cell.dataset.state };
  });
}"""


class Given:
    """An encoder that was told the features; an image is the number of its row."""

    image_size = 1
    dim = D

    def __init__(self, features: np.ndarray) -> None:
        self.features = features

    def definition(self) -> dict[str, object]:
        return {"kind": "given", "features": self.features.tolist()}

    def encode(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.features[images[:, 0, 0, 0]], dtype=np.float32)

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)


def grouped_project(folder: Path, n: int, kinds: int, exam_size: int = 0) -> Project:
    """Make a project of n coded photographs; photograph i is of kind i % kinds, and the last are the exam."""
    project = Project.create(folder / "project", CLASSES, images=write_coded(folder / "photos", n))
    table = images.pool_table(project._home.db)
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(kinds, D)) * 4
    number = np.array([int(Path(key).stem) for key in table.keys])
    features = middles[number % kinds] + rng.normal(size=(n, D))
    rows = np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    project._home.store().extend("given", Given(features), table.ids, table.fingerprints, [(np.arange(n), rows)])
    if exam_size:
        exam.add_to_exam(project._home.db, table.ids[-exam_size:].tolist(), seed=0)
    return project


def bulk_page(page: Page, server: Server, root: Path, annotator: str = "ana", n: int = 12) -> Page:
    with Project.open(root) as project:
        page.goto(f"{server.url}/bulk?project={project.id}&annotator={annotator}")
    page.wait_for_function("() => window.__bulk")
    if n != 60:
        page.get_by_label("Images in a group").select_option(str(n))
    return page


def grid(page: Page) -> Locator:
    return page.locator(".bulk .grid")


def cells(page: Page) -> list[dict[str, object]]:
    """Return of each cell the number that its pixels say, and whether it is out."""
    found: list[dict[str, object]] = grid(page).evaluate(READ)
    return found


def seen(page: Page) -> list[int]:
    """Return the numbers of the images on screen, in their order."""
    return [int(str(one["number"])) for one in cells(page) if one["number"] is not None]


def on_screenshot(page: Page) -> list[int | None]:
    """Return the number of each cell as it is in a picture of the screen; None for a cell that shows none."""
    boxes = grid(page).evaluate(
        "(root) => [...root.querySelectorAll('.cell')].map((cell) => cell.getBoundingClientRect().toJSON())"
    )
    screen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    return [_number(screen.crop([int(box[side]) for side in ("left", "top", "right", "bottom")])) for box in boxes]


def _number(cell: Image.Image) -> int | None:
    """Read the strip of a photograph 320 x 240 that fills the width of a cell inside its border of 2 pixels."""
    width = cell.width - 4
    top = 2 + (width - width * 3 // 4) // 2
    block = 16 * width / 320
    at = [cell.getpixel((int(2 + (place + 0.5) * block), int(top + block / 2))) for place in range(12)]
    (red, *_), (_, green, _) = at[0], at[11]  # type: ignore[misc]
    if red < 150 or green < 150 or at[0][1] > 110 or at[11][0] > 110:  # type: ignore[index]
        return None
    return sum(1 << bit for bit in range(10) if at[bit + 1][1] > 127)  # type: ignore[index]


def wait_painted(page: Page, n: int, other_than: list[int] | None = None) -> list[int]:
    """Wait until n cells are in and painted, and others than before if those are named; return their numbers."""
    page.wait_for_function("n => window.__bulk?.grid.chosen.length === n", arg=n)
    numbers = seen(page)
    assert not set(numbers) & set(other_than or []), (numbers, other_than)
    page.wait_for_function("() => performance.now() - window.__bulk.shownAt > 450")  # a person looks first
    return numbers


def click(page: Page, i: int, shift: bool = False) -> None:
    """Take the i-th image out of the group, or back in."""
    grid(page).locator(".cell").nth(i).click(modifiers=["Shift"] if shift else [])


def refused(page: Page) -> int:
    return int(page.locator(".bulk").get_attribute("data-refused-keys") or 0)
