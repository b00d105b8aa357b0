"""How fluent the map is: load, paint, lasso, colour and bulk label of many points in a real Chromium.

    python benchmarks/app_map.py [--images 100000] [--dim 128] [--canvas]

The project's rows are written in bulk, without image files, and the features are made up; the browser draws in
software, without a graphics card. --canvas takes WebGL away, as in a browser that has none.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from annotate_select import Project

ROOT = Path(__file__).parents[1]
CLASSES = ["ok", "crack", "dent", "stain"]
CLUSTERS = 60
FRAMES = 20
PORT = 8797
FLAGS = ["--no-sandbox", "--no-first-run", "--disable-background-networking"]
SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


class MadeUp:
    """Features in clusters, by the number of the image."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self.image_size = 8

    def definition(self) -> dict[str, object]:
        """Name it."""
        return {"kind": "made up", "dim": self.dim}

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, d) of images that carry their number in their first four bytes."""
        numbers = images.reshape(len(images), -1)[:, :4].copy().view("<u4")[:, 0]
        centres = np.random.default_rng(0).normal(size=(CLUSTERS, self.dim))
        noise = np.random.default_rng(int(numbers[0])).normal(size=(len(images), self.dim))
        return (1.2 * centres[numbers % CLUSTERS] + noise).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Keep nothing: nobody encodes with it again."""
        folder.mkdir(parents=True, exist_ok=True)


def main() -> None:
    """Build the project, open its map, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--canvas", action="store_true", help="without WebGL")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = build(Path(folder) / "project", asked.images, asked.dim)
        rows = [("principal components, first time", timed(lambda: laid_out(root)))]
        rows += in_browser(root, Path(folder), asked.canvas)
    print(f"{asked.images:,} images x {asked.dim}, load average {os.getloadavg()[0]:.1f}\n")
    print("| what | ms |\n|---|---:|")
    for what, seconds in rows:
        print(f"| {what} | {1000 * seconds:,.0f} |")


def build(root: Path, n: int, dim: int) -> Path:
    """Make a project of n images without files, their features, and labels of every hundredth."""
    with Project.create(root, CLASSES) as project:
        add_images(root / "annotations.db", n)
        table = [(i, f"{i:032x}") for i in range(1, n + 1)]
        store = project._home.store()
        batches = (numbered(start, min(n, start + 4096)) for start in range(0, n, 4096))
        store.extend("autoencoder", MadeUp(dim), [one for one, _ in table], [two for _, two in table], batches)
        project.annotate({f"{i:07}.jpg": CLASSES[i % 4] for i in range(0, n, 100)}, annotator="ana")
    return root


def add_images(database: Path, n: int) -> None:
    """Put n images into the pool, named by their numbers."""
    columns = "id, key, source, path, fingerprint, size_bytes, mtime_ns, width, height, status, added_at"
    rows = (
        (i, f"{i - 1:07}.jpg", "made", f"{i - 1:07}.jpg", f"{i:032x}", 1, 1, 64, 64, "ok", "2026-01-01T00:00:00+00:00")
        for i in range(1, n + 1)
    )
    with closing(sqlite3.connect(database)) as db, db:
        db.executemany(f"INSERT INTO images ({columns}) VALUES ({', '.join('?' * 11)})", rows)


def numbered(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions, and images (b, 8, 8, 3) that carry them."""
    positions = np.arange(start, stop)
    images = np.zeros((len(positions), 8 * 8 * 3), np.uint8)
    images[:, :4] = positions.astype("<u4").view(np.uint8).reshape(-1, 4)
    return positions, images.reshape(-1, 8, 8, 3)


def laid_out(root: Path) -> None:
    """Compute the quick layout, and keep it."""
    with Project.open(root) as project:
        project.layout()


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_browser(root: Path, folder: Path, canvas: bool) -> list[tuple[str, float]]:
    """Measure the page."""
    environment = {**os.environ, "ANNOTATE_SELECT_STATE": str(folder / "state"), "ANNOTATE_SELECT_DEBUG": "1"}
    command = [sys.executable, str(ROOT / "app/launch.py"), "--project", str(root), "--port", str(PORT), "--no-browser"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        server.stdout.readline()
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            flags = [*FLAGS, *(["--disable-gpu", "--disable-3d-apis"] if canvas else SOFTWARE)]
            browser = playwright.chromium.launch(executable_path=chromium, args=flags)
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            page.set_default_timeout(180_000)
            return measured(page)
    finally:
        server.terminate()
        server.wait()


def measured(page: Page) -> list[tuple[str, float]]:
    """Return what was measured on the map, in seconds."""
    began = time.perf_counter()
    wait = lambda: page.wait_for_function("window.__map?.view.drawn > 0", polling=20)  # noqa: E731
    page.goto(f"http://127.0.0.1:{PORT}/map?annotator=ana")
    wait()
    rows = [("page opened, to the first picture", time.perf_counter() - began)]
    began = time.perf_counter()
    page.reload()
    wait()
    rows.append(("page reloaded, to the picture", time.perf_counter() - began))
    kind = page.evaluate("window.__map.view.plot.kind")
    rows.append((f"a frame while zooming, {kind}, median of {FRAMES}", frames(page)))
    chosen, drag = lasso(page)
    rows.append((f"lasso round {chosen:,} points: from the button's release to the picture", drag))
    rows.append(
        (
            "of such a lasso: the hit test, and building the panel with its first 200 images",
            page.evaluate(HIT_TEST) / 1000,
        )
    )
    rows.append(("what is nearest to the pointer", page.evaluate(NEAREST) / 1000))
    rows.append(("coloured by age", timed(lambda: coloured(page, "age"))))
    n, seconds = labelled(page)
    rows.append((f"{n:,} images labelled, until all are stored", seconds))
    return rows


def frames(page: Page) -> float:
    """Return the median seconds of drawing all points anew, finished, at growing zoom."""
    return float(
        statistics.median(
            page.evaluate(
                """(n) => {
                    const { view } = window.__map;
                    const times = [];
                    for (let i = 0; i < n; i++) {
                        view.zoom(1.05);
                        const began = performance.now();
                        view.draw();
                        view.plot.finish();
                        times.push(performance.now() - began);
                    }
                    view.fit();
                    return times;
                }""",
                FRAMES,
            )
        )
        / 1000
    )


HIT_TEST = """() => {
    const { view } = window.__map;
    const corner = (i) => [0.5 + 0.2 * Math.cos(i / 10), 0.5 + 0.2 * Math.sin(i / 10)];
    const circle = Array.from({ length: 62 }, (_, i) => [corner(i)[0] * view.width, corner(i)[1] * view.height]).flat();
    const began = performance.now();
    view.chooseInside(circle);
    return performance.now() - began;
}"""
NEAREST = """() => {
    const { view } = window.__map;
    const began = performance.now();
    for (let i = 0; i < 10; i++) view.rowAt(300 + i, 300);
    return (performance.now() - began) / 10;
}"""


def lasso(page: Page) -> tuple[int, float]:
    """Draw round the middle by the mouse; return how many points that chose and the seconds it took at the end."""
    box = page.locator("canvas.over").bounding_box()
    assert box is not None
    x, y, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, min(box["width"], box["height"]) / 5
    page.mouse.move(x + radius, y)
    page.mouse.down()
    for step in range(1, 60):
        turn = 2 * math.pi * step / 60
        page.mouse.move(x + radius * math.cos(turn), y + radius * math.sin(turn))
    began = time.perf_counter()
    page.mouse.up()
    page.wait_for_function("window.__map.shown?.length > 0", polling=5)
    return int(page.evaluate("window.__map.chosen.length")), time.perf_counter() - began


def coloured(page: Page, by: str) -> None:
    """Colour by something else, and wait for it."""
    page.locator("#map-by").select_option(by)
    page.wait_for_function("by => window.__map.by === by", arg=by, polling=20)


def labelled(page: Page) -> tuple[int, float]:
    """Label 2,000 of the points, and wait until the server has them."""
    page.evaluate("window.__map.choose(Array.from({ length: 2000 }, (_, i) => i))")
    page.wait_for_function("window.__map.shown?.length === 2000", polling=5)
    began = time.perf_counter()
    page.locator(".act").first.click()
    page.wait_for_function("window.__map.work.outbox.pending().length === 0", polling=20)
    return 2000, time.perf_counter() - began


if __name__ == "__main__":
    main()
