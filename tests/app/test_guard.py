"""What a page of another site may ask of the server: nothing."""

from __future__ import annotations

import warnings

import pytest
from guard import SameOrigin
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of httpx, where httpx2 is not installed
    from starlette.testclient import TestClient


async def hello(request: object) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


app = Starlette(routes=[Route("/", hello), WebSocketRoute("/talk", talk)], middleware=[Middleware(SameOrigin)])


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://testserver", 200),
        ("http://testserver:8501", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
def test_only_the_servers_own_pages_are_answered(origin: str | None, status: int) -> None:
    headers = {"Origin": origin} if origin else {}
    assert TestClient(app).get("/", headers=headers).status_code == status


def test_a_foreign_page_cannot_connect() -> None:
    client = TestClient(app)
    with client.websocket_connect("/talk", headers={"Origin": "http://testserver"}):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/talk", headers={"Origin": "http://evil.example"}),
    ):
        pass
