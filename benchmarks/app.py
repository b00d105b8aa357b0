"""How fast and how safe labelling is, in a real Chromium against a real server, a row each.

    python benchmarks/app.py [--rows latency,busy,burst,...] [--labels 1000] [--images 10000] [--photos FOLDER]

What was on screen at each key press is read from the pixels: 1,000 of the photographs carry their number in a strip. A
press is right when its label is stored for that image, or when the page refused it because the image had not been
painted. The project is built once in --keep (default: a temporary folder).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from app_world import (
    CODED,
    FLAGS,
    MOST,
    PROBE,
    ROOT,
    TAUGHT,
    Hand,
    World,
    add_rows,
    build,
    count,
    label_quickly,
    load,
    middle,
    queue,
)
from harness import CLASSES, Server, write_coded
from playwright.sync_api import Browser, sync_playwright

from annotate_select import Project
from annotate_select.steps import jobs

RATE = 10  # keys a second
SPARE = 120  # images that are left where two share a queue, which keeps some for each
THINK = 0.15  # seconds before a key where the latency is measured
AWAY = 10.0  # seconds without a network
ANOTHER = 5  # keys a second of a second annotator
MILLION = 1_000_000
CHUNK = 250  # labels between two looks at the memory
HEAD = "| row | keys | key to image, median ms | p95 ms | stored | refused | wrong image | lost | doubled | load |"


def main() -> None:
    """Run the rows asked for, and print them as one table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--labels", type=int, default=1000, help="key presses a row, at most 1,000 in all rows but one")
    parser.add_argument("--memory-labels", type=int, default=10_000, help="labels of the row memory")
    parser.add_argument("--images", type=int, default=10_000, help="images in the project")
    parser.add_argument("--photos", type=Path, default=ROOT / "sample_data", help="photographs it is made of")
    parser.add_argument("--keep", type=Path, help="a folder to build the project in, or to use it again")
    asked = parser.parse_args()
    names = asked.rows.split(",")
    if unknown := [name for name in names if name not in ROWS]:
        parser.error(f"unknown rows {', '.join(unknown)}; there are {', '.join(ROWS)}")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("this benchmark needs chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        template = (asked.keep or Path(folder)) / "project"
        if not (template / "project.toml").exists():
            build(template, asked.photos, asked.images)
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        print(HEAD + "\n|---" + "|---:" * 9 + "|", flush=True)
        for name in names:
            place = Path(tempfile.mkdtemp(dir=folder))
            n = asked.memory_labels if name == "memory" else min(asked.labels, CODED)
            print(ROWS[name](template, place, browser, n), flush=True)
            shutil.rmtree(place)
        browser.close()


@contextmanager
def world_of(template: Path, place: Path, browser: Browser) -> Iterator[World]:
    """Give a copy of the project with a server, and close it."""
    world = World(template, place, browser)
    try:
        yield world
    finally:
        world.close()


def row(what: str, hands: list[Hand], world: World, timed: Hand | None = None) -> str:
    """Wait until all is stored, count, and return the row, with the times of one hand or of all."""
    for hand in hands:
        hand.wait_saved()
        hand.collect()
    got = count(hands, world)
    median, p95 = middle([one for hand in ([timed] if timed else hands) for one in hand.times])
    figures = [f"{got.pressed:,}", f"{median:.0f}", f"{p95:.0f}", f"{got.stored:,}"]
    faults = [str(one) for one in (got.refused, got.wrong, got.lost, got.doubled)]
    return f"| {' | '.join([what, *figures, *faults, load()])} |"


def steadily(n: int, press: Callable[[int], None], at: dict[int, Callable[[], None]] | None = None) -> None:
    """Press n times, ten times a second; `at` does something before a press, and the clock stops meanwhile."""
    due = time.monotonic()
    for i in range(n):
        if at and i in at:
            at[i]()
            due = time.monotonic()
        time.sleep(max(0.0, due - time.monotonic()))
        press(i)
        due += 1 / RATE


def latency(template: Path, place: Path, browser: Browser, n: int) -> str:
    """A key a moment after each image was painted."""
    with world_of(template, place, browser) as world:
        hand = world.hand()
        for i in range(min(n, CODED - 50)):
            hand.press_slowly(i, THINK)
        return row("one annotator, each key after 0.15 s", [hand], world)


def busy(template: Path, place: Path, browser: Browser, n: int) -> str:
    """The same while models train on the same project, and somebody else labels."""
    with world_of(template, place, browser) as world, training(world.root):
        hand, other = world.hand(), world.hand("ben")
        began = time.monotonic()
        done = 0
        for i in range(min(n, (CODED - 100) // 3)):
            hand.press_slowly(i, THINK)
            while done < (time.monotonic() - began) * ANOTHER and done < CODED // 2:
                other.press(done)
                done += 1
        what = f"the same while models train and a second annotator presses {ANOTHER} keys a second"
        return row(what, [hand, other], world, timed=hand)


def burst(template: Path, place: Path, browser: Browser, n: int) -> str:
    """Ten keys a second, blindly."""
    with world_of(template, place, browser) as world:
        hand = world.hand()
        steadily(n, hand.press)
        return row("10 keys a second", [hand], world)


def killed(template: Path, place: Path, browser: Browser, n: int) -> str:
    """The server is killed in the middle, and started again six seconds later."""
    with world_of(template, place, browser) as world:
        hand = world.hand()
        stop = n // 2
        steadily(
            n,
            hand.press,
            {stop: lambda: world.server.stop(signal.SIGKILL), stop + 6 * RATE: lambda: world.server.start(world.root)},
        )
        return row("the server killed in the middle, and started again", [hand], world)


def offline(template: Path, place: Path, browser: Browser, n: int) -> str:
    """The network is cut for ten seconds."""
    with world_of(template, place, browser) as world:
        hand = world.hand()
        cut = n // 3
        back = cut + int(AWAY * RATE)
        cuts = {cut: lambda: hand.page.context.set_offline(True), back: lambda: hand.page.context.set_offline(False)}
        steadily(n, hand.press, cuts)
        hand.page.context.set_offline(False)
        return row(f"the network cut for {AWAY:.0f} s", [hand], world)


def reloaded(template: Path, place: Path, browser: Browser, n: int) -> str:
    """The tab is reloaded three times, right after a key."""
    with world_of(template, place, browser) as world:
        hand = world.hand()

        def reload() -> None:
            hand.collect()
            hand.page.reload()
            hand.wait_shown()

        steadily(n, hand.press, {n * k // 4: reload for k in (1, 2, 3)})
        return row("the tab reloaded three times", [hand], world)


def tabs(template: Path, place: Path, browser: Browser, n: int) -> str:
    """Two tabs of one annotator by turns, each of which shows what the other has not decided."""
    with world_of(template, place, browser) as world:
        first = world.hand()
        hands = [first, world.hand(context=first.page.context)]

        def press(i: int) -> None:
            hand = hands[i // 10 % 2]
            if i % 10 == 0:
                hand.page.bring_to_front()
            hand.press(i)

        steadily(min(n, CODED - SPARE), press)
        return row("two tabs of one annotator, by turns", hands, world)


def two(template: Path, place: Path, browser: Browser, n: int) -> str:
    """Two annotators at once, ten keys a second in all."""
    with world_of(template, place, browser) as world:
        hands = [world.hand(), world.hand("ben")]
        steadily(min(n, CODED - SPARE), lambda i: hands[i % 2].press(i // 2))
        return row("two annotators at once", hands, world)


def million(template: Path, place: Path, browser: Browser, n: int) -> str:
    """Open the page of a project of a million images, in a new browser and again."""
    root = place / "project"
    with Project.create(root, CLASSES, images=write_coded(place / "photos", 60)) as project:
        queue(project, [f"{number:04}.png" for number in range(60)])
        address = f"/label?project={project.id}&annotator=ana"
    add_rows(root, MILLION)
    server = Server(place / "state")
    server.start(root)
    try:
        seconds = [opened(browser, server.url + address) for _ in range(4)]
    finally:
        server.stop()
    again = sorted(seconds[1:])[1]
    text = f"a page of {MILLION:,} images: {seconds[0]:.1f} s to the first image after the start, {again:.1f} s later"
    return f"| {text}{' |' * 9} {load()} |"


def opened(browser: Browser, url: str) -> float:
    """Return how long it takes a new visitor until an image is on screen."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.add_init_script(PROBE)
    page = context.new_page()
    began = time.monotonic()
    page.goto(url)
    page.wait_for_function("() => window.__probe.shown !== null", timeout=MOST)
    took = time.monotonic() - began
    context.close()
    return took


def memory(template: Path, place: Path, browser: Browser, n: int) -> str:
    """The server's memory over many labels of one session, as fast as images are painted."""
    with world_of(template, place, browser) as world:
        with Project.open(world.root) as project:
            queue(project, [f"more/{i:05}.jpg" for i in range(TAUGHT, project.status().images - CODED)])
        hand = world.hand()
        points = [(0, world.memory_kb())]
        while points[-1][0] < n:
            done = label_quickly(hand.page, min(CHUNK, n - points[-1][0]))
            points.append((points[-1][0] + done, world.memory_kb()))
            if not done:
                break
        hand.wait_saved()
        stored = len(world.events())
    labels, kilobytes = np.array([point for point in points if point[0] >= n // 4]).T
    slope = np.polyfit(labels / 1000, kilobytes, 1)[0]
    first, last = points[0][1] / 1024, points[-1][1] / 1024
    text = (
        f"the server's memory over {stored:,} labels: {first:.0f} MB, then {last:.0f} MB; after the first quarter "
        f"{slope:+,.0f} kB a thousand labels"
    )
    return f"| {text}{' |' * 9} {load()} |"


@contextmanager
def training(root: Path) -> Iterator[None]:
    """Train models of a project as the app does, in background jobs, one after the other, until the end."""
    enough = threading.Event()

    def train() -> None:
        with Project.open(root) as project:
            while not enough.wait(0.2):
                job = project.job()
                if job is None or job.state != "running":
                    project.start("train")

    trainer = threading.Thread(target=train)
    trainer.start()
    try:
        yield
    finally:
        enough.set()
        trainer.join()
        for child in jobs._children.values():
            child.kill()


ROWS: dict[str, Callable[[Path, Path, Browser, int], str]] = {
    one.__name__: one for one in (latency, busy, burst, killed, offline, reloaded, tabs, two, million, memory)
}

if __name__ == "__main__":
    main()
