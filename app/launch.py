"""Start the app: `python launch.py [--project PATH] [--host 127.0.0.1] [--port 8501] [--no-browser]`.

Everything it needs to be set is set here; no configuration of the user's is read into it or written.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
import time
import urllib.request
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # siblings import each other by name, as they do under Streamlit

from heaps import few_heaps  # noqa: E402

few_heaps()  # before what is imported now starts threads

import projects  # noqa: E402
import streamlit as st  # noqa: E402
from bulk_routes import bulk_routes  # noqa: E402
from guard import SameOrigin  # noqa: E402
from map_routes import map_routes  # noqa: E402
from routes import routes  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.trustedhost import TrustedHostMiddleware  # noqa: E402

from annotate_select.errors import AnnotateSelectError  # noqa: E402

LOOPBACK = ("127.0.0.1", "localhost")
WAIT_SECONDS = 60.0
SETTINGS: dict[str, object] = {
    "server.headless": True,  # the browser is opened here, with the project in the address
    "server.showEmailPrompt": False,
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": True,
    "server.enableCORS": True,  # Streamlit's name for: only its own pages may connect
    "server.enableStaticServing": False,
    "server.maxUploadSize": 200,
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "logger.hideWelcomeMessage": True,
    "logger.level": "warning",
    "theme.paddingTop": "0.5rem",
    "theme.paddingBottom": "0.75rem",
    "theme.baseFontSize": 15,
    "theme.metricValueFontSize": "1.5rem",
    "theme.chartCategoricalColors": ["#2f7fa8", "#c0762b", "#4f9a5b", "#a3568f", "#7d7f2f"],
    "theme.baseRadius": "6px",
    "theme.headingFontSizes": ["1.6rem", "1.25rem", "1.05rem", "1rem", "0.95rem", "0.9rem"],
    "theme.headingFontWeights": [600, 600, 600, 600, 600, 600],
    "theme.light.primaryColor": "#2f6f8f",
    "theme.light.backgroundColor": "#fbfbfa",
    "theme.light.secondaryBackgroundColor": "#eeefed",
    "theme.light.textColor": "#14191b",
    "theme.light.borderColor": "#d5d8d6",
    "theme.dark.primaryColor": "#6fb3cf",
    "theme.dark.backgroundColor": "#16191b",
    "theme.dark.secondaryBackgroundColor": "#23282b",
    "theme.dark.textColor": "#e4e7e6",
    "theme.dark.borderColor": "#3a4145",
}


def main() -> None:
    """Read the arguments and serve until interrupted."""
    arguments = _arguments()
    address = ""
    if arguments.project is not None:
        try:
            project = projects.opened(arguments.project)
        except AnnotateSelectError as error:
            sys.exit(f"error: {error}")
        os.environ["ANNOTATE_SELECT_PROJECT"] = str(project.root)
        address = f"?project={project.id}"
    port = _port(arguments.host, arguments.port)
    shown = "localhost" if arguments.host in ("0.0.0.0", "::", "") else arguments.host
    url = f"http://{shown}:{port}/{address}"
    app = st.App(
        HERE / "streamlit_app.py",
        routes=[*routes(), *map_routes(), *bulk_routes()],
        middleware=_guards(arguments.host),
        lifespan=_announcing(url, not arguments.no_browser),
    )
    app.run(config={**SETTINGS, "server.address": arguments.host, "server.port": port, "browser.serverAddress": shown})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Open the labelling app.")
    parser.add_argument("--project", type=Path, help="the project to open (default: its start page)")
    parser.add_argument("--host", default=LOOPBACK[0], help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8501, help="port to listen on; 0 takes a free one")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args()


def _port(host: str, port: int) -> int:
    """Return a port that is free now; leave with one line where the one asked for is not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            sys.exit(
                f"error: cannot listen on {host}:{port}: {reason}; choose another --port, or --port 0 for a free one"
            )
        return int(trial.getsockname()[1])


def _guards(host: str) -> list[Middleware]:
    """On this machine alone, answer only to its own names and its own pages; who opens it to others has a proxy."""
    if host not in LOOPBACK:
        return []
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(LOOPBACK), www_redirect=False)
    return [hosts, Middleware(SameOrigin)]


def _announcing(url: str, browse: bool):  # type: ignore[no-untyped-def]  # Streamlit's own type for it is private
    @asynccontextmanager
    async def lifespan(app: st.App) -> AsyncIterator[None]:
        sys.stdout.write(f"annotate-select is at {url} (stop it with Ctrl-C)\n")
        sys.stdout.flush()
        if browse:
            threading.Thread(target=_open_browser, args=(url,), daemon=True).start()
        yield

    return lifespan


def _open_browser(url: str) -> None:
    """Open the page as soon as the server answers."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url.partition("?")[0] + "api/ping", timeout=2) as answer:
                json.load(answer)
            webbrowser.open(url)
            return
        except OSError:
            time.sleep(0.2)


if __name__ == "__main__":
    main()
