"""What benchmarks/app.py works with: a project of coded photographs, hands that press keys, and what became of each,
taken from the pixels that were on screen and from the database."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, BrowserContext, Page

from annotate_select import Project
from annotate_select.annotations import batches
from annotate_select.annotations.events import StoredEvent

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "app"))
from harness import BITS, BLOCK, CLASSES, Server, stored  # noqa: E402

PROBE = (ROOT / "tests" / "app" / "probe.js").read_text(encoding="utf-8")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
CODED = 1020  # photographs that say in their pixels which they are; the strip has ten bits
SIZE = (800, 600)
TAUGHT = 300  # images with a label from the start, so that models can be trained
SMALL = (96, 96)
MOST = 60_000  # milliseconds that something may take on a busy machine


def build(root: Path, photos: Path, images: int) -> Path:
    """Make a project of so many photographs, the coded ones in the queue, with features and some labels to train on."""
    folder = write_photos(root.parent / "photos", photos, images)
    with Project.create(root, CLASSES) as project:
        project.add(folder)
        project.embed()
        project.annotate({f"more/{i:05}.jpg": CLASSES[i % 3] for i in range(TAUGHT)}, annotator="import")
        queue(project, [f"coded/{number:04}.jpg" for number in range(CODED)])
    return root


def queue(project: Project, keys: list[str]) -> None:
    """Put images into the queue, in their order."""
    ids = project.image_ids(keys)
    picks = [batches.StoredPick(ids[key], "pick", 0.5, "stands for many images") for key in keys]
    batches.store_batch(
        project._home.db,
        strategy="kmeans",
        seed=0,
        audit=0.0,
        features_name=None,
        features_digest=None,
        model=None,
        settings={},
        note="",
        picks=picks,
    )


def write_photos(folder: Path, photos: Path, images: int) -> Path:
    """Write coded photographs, and small others made of the same by cutting and turning."""
    found = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for name in ("coded", "more"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(CODED):
        with Image.open(found[number % len(found)]) as photo:
            coded(photo.convert("RGB").resize(SIZE), number).save(folder / "coded" / f"{number:04}.jpg", quality=90)
    for i in range(images - CODED):
        with Image.open(found[i % len(found)]) as photo:
            angle = 360 * (i // len(found)) / (1 + images // len(found))
            photo.convert("RGB").rotate(angle).resize(SMALL).save(folder / "more" / f"{i:05}.jpg", quality=80)
    return folder


def coded(picture: Image.Image, number: int) -> Image.Image:
    """Write a number into the first rows of a picture, as tests/app/probe.js reads it."""
    draw = ImageDraw.Draw(picture)
    colours = ["red", *("white" if number >> bit & 1 else "black" for bit in range(BITS)), "lime"]
    for place, colour in enumerate(colours):
        draw.rectangle((place * BLOCK, 0, (place + 1) * BLOCK - 1, BLOCK - 1), fill=colour)
    return picture


def add_rows(root: Path, n: int) -> None:
    """Put n images without files into a pool."""
    columns = "key, source, path, fingerprint, size_bytes, mtime_ns, width, height, status, added_at"
    now = "2026-01-01T00:00:00+00:00"
    rows = ((f"b/{i:08}.jpg", "b", f"{i:08}.jpg", f"{i:032x}", 1, 1, 64, 64, "ok", now) for i in range(n))
    with closing(sqlite3.connect(root / "annotations.db")) as db, db:
        db.executemany(f"INSERT INTO images ({columns}) VALUES ({', '.join('?' * 10)})", rows)


class World:
    """A copy of the project, its server, and browsers."""

    def __init__(self, template: Path, folder: Path, browser: Browser) -> None:
        self.root = folder / "project"
        shutil.copytree(template, self.root)
        (folder / "photos").symlink_to(template.parent / "photos")  # the project knows them as its neighbours
        self.browser = browser
        self.server = Server(folder / "state")
        self.contexts: list[BrowserContext] = []
        self.server.start(self.root)

    def hand(self, annotator: str = "ana", context: BrowserContext | None = None) -> Hand:
        """Return a hand on a page that shows an image."""
        if context is None:
            context = self.browser.new_context(viewport={"width": 1366, "height": 768})
            context.set_default_timeout(MOST)
            context.add_init_script(PROBE)
            self.contexts.append(context)
        page = context.new_page()
        with Project.open(self.root) as project:
            page.goto(f"{self.server.url}/label?project={project.id}&annotator={annotator}")
        hand = Hand(page, annotator)
        hand.wait_shown()
        return hand

    def events(self, annotator: str | None = None) -> list[StoredEvent]:
        """Return the labels in the database."""
        return [one for one in stored(self.root, annotator) if one.kind == "label" and one.annotator != "import"]

    def memory_kb(self) -> int:
        """Return the resident memory of the server."""
        assert self.server.process is not None
        lines = Path(f"/proc/{self.server.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def close(self) -> None:
        """Close the browsers and the server."""
        for context in self.contexts:
            context.close()
        self.server.stop()


class Hand:
    """Presses digits on one page, and remembers what was on screen at each press, also over a reload."""

    def __init__(self, page: Page, annotator: str) -> None:
        self.page = page
        self.annotator = annotator
        self.presses: list[tuple[int | None, str]] = []
        self.times: list[float] = []
        self.refused = 0

    def wait_shown(self) -> None:
        """Wait until an image is on screen."""
        self.page.wait_for_function("() => window.__probe && window.__probe.shown !== null")

    def press(self, i: int) -> None:
        """Press a digit that depends on i."""
        self.page.keyboard.press("123"[(i * i + i // 7) % 3])

    def press_slowly(self, i: int, think: float) -> None:
        """Press when an image was on screen for some seconds, and wait for the next."""
        number = self.page.evaluate("window.__probe.shown")
        time.sleep(think)
        self.press(i)
        self.page.wait_for_function(
            "number => window.__probe.shown !== null && window.__probe.shown !== number", arg=number
        )

    def collect(self) -> None:
        """Take over what the page knows of the presses, before it goes away and at the end."""
        told = self.page.evaluate(
            """() => {
                const { keys, frames, hero } = window.__probe;
                window.__probe.keys = [];
                const labeller = hero()?.closest(".labeller");
                return { keys, frames, refused: Number(labeller?.dataset.refusedKeys ?? 0) };
            }"""
        )
        digits = [key for key in told["keys"] if key["key"] in "123" and not key["repeat"]]
        self.presses += [(key["number"], CLASSES[int(key["key"]) - 1]) for key in digits]
        self.refused += told["refused"]
        for key in digits:
            after = [f["t"] for f in told["frames"] if f["t"] > key["t"] and f["number"] not in (None, key["number"])]
            if after and key["number"] is not None:
                self.times.append(min(after) - key["t"])

    def wait_saved(self) -> None:
        """Wait until the server has everything."""
        self.page.wait_for_function(
            """() => {
                const saved = window.__probe.hero()?.closest(".labeller").querySelector(".saved");
                return saved?.textContent === "all saved";
            }""",
            timeout=2 * MOST,
        )


@dataclass(frozen=True)
class Count:
    """What became of presses: each is stored, or was refused on the screen; all else is a fault."""

    pressed: int
    stored: int
    refused: int
    wrong: int
    lost: int
    doubled: int


def count(hands: list[Hand], world: World) -> Count:
    """Compare presses on what the pixels showed with the labels in the database."""
    presses = Counter((hand.annotator, *press) for hand in hands for press in hand.presses)
    labels = Counter((one.annotator, int(Path(one.key).stem), one.label or "") for one in world.events())
    refused = sum(hand.refused for hand in hands)
    on_image = Counter((annotator, number) for annotator, number, _ in presses.elements())
    of_image = Counter((annotator, number) for annotator, number, _ in labels.elements())
    doubled = sum((of_image - on_image).values())
    return Count(
        pressed=presses.total(),
        stored=labels.total(),
        refused=refused,
        wrong=sum((labels - presses).values()) - doubled,
        lost=max(0, presses.total() - refused - labels.total()),
        doubled=doubled,
    )


def label_quickly(page: Page, n: int) -> int:
    """Press a digit as soon as each of n images is painted, from inside the page; return how many were labelled."""
    return int(
        page.evaluate(
            """async (n) => {
                const frame = () => new Promise((done) => requestAnimationFrame(done));
                const name = () => window.__probe.hero()?.querySelector("img")?.alt ?? null;
                for (let i = 0; i < n; i++) {
                    const before = name();
                    if (before === null) return i;
                    for (let tries = 0; name() === before; tries++) {
                        if (tries % 30 === 0) window.dispatchEvent(new KeyboardEvent("keydown", { key: "123"[i % 3] }));
                        await frame();
                    }
                    for (let tries = 0; name() === null && tries < 600; tries++) await frame();
                    await frame();
                }
                return n;
            }""",
            n,
        )
    )


def load() -> str:
    """Say how busy the machine is."""
    return f"{os.getloadavg()[0]:.1f}"


def middle(times: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile."""
    ordered = sorted(times)
    return statistics.median(ordered), ordered[int(0.95 * (len(ordered) - 1))]
