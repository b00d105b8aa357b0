"""Take pictures of every page of the app, on the demo's project, in a real Chromium.

Usage: python benchmarks/screenshots.py DEMO_PROJECT TARGET_FOLDER [--theme dark] [--width 1366] [--height 768]
The README's four are label.png, bulk.png, map.png and model.png of it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PAGES = {
    "project": "Project",
    "label": "Label",
    "bulk": "Bulk",
    "map": "Map",
    "batch": "Batch",
    "model": "Model",
    "review": "Review",
    "trust": "Trust",
    "export": "Export",
}
PORT = 8731


def main() -> None:
    """Open every page and save it as TARGET/NAME.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--width", type=int, default=1366)
    parser.add_argument("--height", type=int, default=768)
    wanted = parser.parse_args()
    wanted.target.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "annotate_select", "-p", str(wanted.project), "app"]
    server = subprocess.Popen([*command, "--port", str(PORT), "--no-browser"], stdout=subprocess.PIPE, text=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        address = server.stdout.readline().split()[3] if server.stdout else ""
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            size = {"width": wanted.width, "height": wanted.height}
            context = browser.new_context(viewport=size, color_scheme=wanted.theme)
            for name, title in PAGES.items():
                page = context.new_page()
                page.goto(f"{address}&annotator=ana")
                open_page(page, title)
                page.screenshot(path=wanted.target / f"{name}.png")
                page.close()
            browser.close()
    finally:
        server.terminate()
        server.wait()


def open_page(page: Page, title: str) -> None:
    """Go to a page by the navigation, and wait until nothing moves any more."""
    page.get_by_role("link", name=title, exact=True).first.click()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(6000)


if __name__ == "__main__":
    main()
