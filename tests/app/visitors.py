"""Browsers of visitors, lent to one test after the other.

To start one, and to fetch and compile the app's own files in it, takes longer than most of what is done in it.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page

PROBE = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")
KEPT_OPEN = "http://127.0.0.1/"  # of the same site as the app: what renders the one renders the other
FORGOTTEN = "cookies,local_storage,indexeddb,cache_storage,service_workers"  # all that a page can keep, by Chromium


class Visitors:
    """Lends browser contexts; one that comes back forgets all that a page can keep, and is lent again."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._lent: list[BrowserContext] = []
        self._free: list[BrowserContext] = []
        self._origins: set[str] = set()
        self._wrong: list[str] = []

    def new(self) -> BrowserContext:
        """Return the browser of somebody who was never here."""
        context = self._free.pop() if self._free else self._made()
        self._lent.append(context)
        return context

    def leave(self) -> list[str]:
        """Close what is open, and return the errors in pages and the requests to elsewhere since the last time."""
        while self._lent:
            context = self._lent.pop()
            _forget(context, self._origins)
            self._free.append(context)
        self._origins.clear()
        wrong, self._wrong = self._wrong, []
        return wrong

    def _made(self) -> BrowserContext:
        context = self._browser.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
        context.set_default_timeout(60_000)
        _keep_open(context)
        context.add_init_script(PROBE)
        context.on("page", self._watch)
        context.on("request", lambda request: self._asked(request.url))
        return context

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._wrong.append(f"page error: {error}"))

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss"):
            return
        if parts.hostname == "127.0.0.1":
            self._origins.add(f"http://{parts.netloc}")
        else:
            self._wrong.append(f"request to {url}")


def _keep_open(context: BrowserContext) -> None:
    """Open an empty page that stays: without one, Chromium would end the renderer of a visitor who leaves."""
    page = context.new_page()
    page.route(KEPT_OPEN, lambda route: route.fulfill(body=""))
    page.goto(KEPT_OPEN)
    page.unroute_all()


def _forget(context: BrowserContext, origins: set[str]) -> None:
    kept_open, *others = context.pages
    for page in others:
        page.close()
    context.set_offline(False)
    context.unroute_all()
    session = context.new_cdp_session(kept_open)
    for origin in origins:
        session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": FORGOTTEN})
    session.detach()
