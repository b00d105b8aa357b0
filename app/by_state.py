"""The routes without routes: requests that came in a component's state are answered by the same functions.

Where the app was not started by `annotate-select app`, or a proxy passes Streamlit's own paths alone, the browser's
requests come as a list, `{"n": number, "calls": [...]}`, and go back as data. The token is asked for all the same.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote

import streamlit as st
from anyio.from_thread import start_blocking_portal
from bulk_routes import bulk_routes
from map_routes import map_routes
from routes import routes
from starlette.applications import Starlette
from starlette.types import Message

__all__ = ["heard", "replies"]

MOST_CALLS = 100
_app = Starlette(routes=[*routes(), *bulk_routes(), *map_routes()])


def heard(key: str) -> dict[str, object] | None:
    """Answer what the component of this key asked by its state "calls"; to be given to it as `heard` in its data."""
    told = st.session_state.get(key)
    answer = replies(told.get("calls") if told else None, st.session_state.get(f"{key}-heard"))
    st.session_state[f"{key}-heard"] = answer
    return answer


def replies(told: object, before: Mapping[str, object] | None) -> dict[str, object] | None:
    """Answer what a browser asked, {"n", "replies"}; what was answered `before` is not done again.

    Returns `before` for anything that is not such a list: a browser cannot be helped by an error here.
    """
    calls = told.get("calls") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(calls, list):
        return dict(before) if before else None
    if before is not None and before["n"] == told.get("n"):
        return dict(before)
    known = {one["id"]: one for one in before["replies"]} if before is not None else {}  # type: ignore[attr-defined]  # `before` is a JSON value
    asked = [one for one in calls[:MOST_CALLS] if isinstance(one, Mapping) and _is_call(one)]
    with start_blocking_portal() as portal:  # an event loop of its own, whatever runs in this thread
        fresh = portal.call(_all, [one for one in asked if one["id"] not in known])
    known.update({one["id"]: one for one in fresh})
    return {"n": told.get("n"), "replies": [known[one["id"]] for one in asked]}


def _is_call(one: Mapping[str, object]) -> bool:
    texts = all(isinstance(one.get(name), str) for name in ("id", "method", "url", "token"))
    return texts and (one.get("body") is None or isinstance(one["body"], str))


async def _all(calls: list[Mapping[str, str]]) -> list[dict[str, object]]:
    # Events in the order they came, and before the questions that should know of them.
    stored = [await _reply(one) for one in calls if one["method"] != "GET"]
    return stored + list(await asyncio.gather(*(_reply(one) for one in calls if one["method"] == "GET")))


async def _reply(call: Mapping[str, str]) -> dict[str, object]:
    """Ask the routes as a server would, in ASGI's terms."""
    path, _, query = call["url"].partition("?")
    asked: list[Message] = [{"type": "http.request", "body": (call.get("body") or "").encode(), "more_body": False}]
    got: list[Message] = []

    async def receive() -> Message:
        if not asked:
            await asyncio.get_running_loop().create_future()  # nothing more comes; who listens on is cancelled
        return asked.pop()

    async def send(message: Message) -> None:
        got.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": call["method"],
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"x-annotate-token", call["token"].encode())],
        "client": None,
        "server": None,
    }
    await _app(scope, receive, send)
    start = got[0]
    types = [value.decode() for name, value in start["headers"] if name == b"content-type"]
    content = b"".join(one.get("body", b"") for one in got[1:])
    return {
        "id": call["id"],
        "status": start["status"],
        "type": types[0] if types else "text/plain",
        "body": b64encode(content).decode(),
    }
