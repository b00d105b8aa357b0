"""Take the README's screenshots: the app on the demo's project, in a real Chromium.

Usage: python benchmarks/screenshots.py DEMO_PROJECT TARGET_FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PAGES = {"label": "Label", "model": "Model", "export": "Export", "project": "Project"}


def main(project: Path, target: Path) -> None:
    """Open every page and save it as TARGET/NAME.png."""
    target.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "annotate_select", "-p", str(project), "app", "--port", "8731", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        print(server.stdout.readline().strip() if server.stdout else "")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for name, title in PAGES.items():
                page = browser.new_page(viewport={"width": 1366, "height": 768})
                page.goto("http://127.0.0.1:8731/?annotator=ana")
                page.get_by_role("link", name=title).first.click()
                page.wait_for_timeout(4000)
                if name == "label":
                    page.get_by_role("textbox").first.fill("ana")
                    page.keyboard.press("Enter")
                    page.wait_for_timeout(6000)
                page.screenshot(path=target / f"{name}.png")
                page.close()
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
