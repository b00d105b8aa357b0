"""How the routes read what a browser asks, and how they refuse it.

A request is let in by its token, "PROJECT.TOKEN", issued to one annotator of one project; it comes in a header, which
no other site can send, or for images in the query. Ids and labels come from outside; paths never do.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import projects
from instead import instead
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from annotate_select.errors import AnnotateSelectError, ImageError, UnknownImages
from annotate_select.project import Project

__all__ = ["RefusedError", "Visitor", "answered", "body_of", "number_of", "token_of", "visitor_of"]

MOST_BYTES = 2_000_000


class RefusedError(Exception):
    """A request that is answered with an error; `status` is the HTTP one."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Visitor:
    """Whom a token speaks for."""

    project: Project
    annotator: str


Handler = Callable[[Request], Awaitable[Response]]


def answered(handler: Handler) -> Handler:
    """Turn what the handler raises into JSON that says what is wrong."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except RefusedError as error:
            return JSONResponse({"error": instead(str(error))}, error.status)
        except (UnknownImages, ImageError) as error:
            return JSONResponse({"error": instead(str(error))}, 404)
        except AnnotateSelectError as error:  # a full disk, a locked database: the browser keeps its events and retries
            return JSONResponse({"error": instead(str(error))}, 503)

    return wrapped


def token_of(request: Request) -> str:
    return request.headers.get("x-annotate-token", "")


def visitor_of(text: str) -> Visitor:
    project_id, _, token = text.partition(".")
    project = projects.by_id(project_id) if token else None
    annotator = project.annotator_of(token) if project is not None else None
    if project is None or not annotator:
        raise RefusedError(403, "the token is not valid for a project on this server; open the labelling page again")
    return Visitor(project, annotator)


def number_of(text: str, name: str, least: int, most: int) -> int:
    """Read a whole number of the query; too large a one counts as the largest allowed."""
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) < least:
        raise RefusedError(400, f"{name} must be a whole number from {least} to {most}, got {text[:40]!r}")
    return min(int(text), most)


async def body_of(request: Request) -> object:
    """Read JSON, and stop reading where it gets too long."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise RefusedError(400, "the body must be JSON, with Content-Type: application/json")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise RefusedError(413, f"the body may have at most {MOST_BYTES:,} bytes; send fewer events at once")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body is not JSON: {error}") from error
