"""What the map in the browser asks for: all points at once, an image's neighbours, and a batch of chosen images.

Points come as one buffer, so that 100,000 of them need no parsing: a line of JSON padded with spaces to a multiple of
four bytes, then x and y of every image (float32), its id (uint32), and its group (uint16), all little-endian.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from asked import RefusedError, Visitor, answered, body_of, number_of, token_of, visitor_of
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotate_select.errors import FeaturesError, LearningError, SelectionError

__all__ = ["map_routes"]

MOST_NEIGHBOURS = 48
MOST_CHOSEN = 100_000
NO_STORE = {"Cache-Control": "no-store"}


@answered
async def points(request: Request) -> Response:
    """Answer with where every image lies, and which group it belongs to."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    asked = request.query_params
    buffer = await run_in_threadpool(
        _points, visitor, asked.get("by", "label"), asked.get("features") or None, asked.get("method") or None
    )
    return Response(buffer, media_type="application/octet-stream", headers=NO_STORE)


@answered
async def near(request: Request) -> Response:
    """Answer with an image and the images most like it, the nearest first."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    k = number_of(request.query_params.get("k", "12"), "k", 1, MOST_NEIGHBOURS)
    features = request.query_params.get("features") or None
    found = await run_in_threadpool(_near, visitor, request.path_params["id"], k, features)
    return JSONResponse({"images": found}, headers=NO_STORE)


@answered
async def batch(request: Request) -> Response:
    """Put chosen images into the queue, as a batch of their own."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    ids = _ids(await body_of(request))
    number, n = await run_in_threadpool(visitor.project.add_batch, ids, f"chosen on the map by {visitor.annotator}")
    return JSONResponse({"batch": number, "images": n})


def map_routes() -> list[Route]:
    """Return the routes of the map."""
    return [
        Route("/api/map/points", points),
        Route("/api/map/near/{id:int}", near),
        Route("/api/map/batch", batch, methods=["POST"]),
    ]


def _points(visitor: Visitor, by: str, features: str | None, method: str | None) -> bytes:
    project = visitor.project
    try:
        layout = project.layout(features, method)
        colours = project.map_colours(by, layout)
    except (FeaturesError, LearningError, SelectionError) as error:  # what was asked for is not there
        raise RefusedError(409, str(error)) from error
    head = {
        "n": len(layout.ids),
        "by": by,
        "method": layout.method,
        "features": layout.features,
        "groups": [vars(group) for group in colours.groups],
    }
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    parts = (("<u4", len(text)), ("<f4", layout.points), ("<u4", layout.ids), ("<u2", colours.values))
    length, *arrays = (np.asarray(values, dtype).tobytes() for dtype, values in parts)
    return b"".join([length, text, *arrays])


def _near(visitor: Visitor, image_id: int, k: int, features: str | None) -> list[dict[str, object]]:
    try:
        found = visitor.project.neighbours(image_id, k, features)
    except FeaturesError as error:
        raise RefusedError(409, str(error)) from error
    return [{"id": one.image_id, "key": one.key, "cosine": one.cosine, "label": one.label} for one in found]


def _ids(body: object) -> list[str | int]:
    ids = body.get("images") if isinstance(body, Mapping) else None
    if not isinstance(ids, list) or not all(isinstance(one, int) and not isinstance(one, bool) for one in ids):
        raise RefusedError(400, 'the body must be {"images": [ids]}')
    if not 0 < len(ids) <= MOST_CHOSEN:
        raise RefusedError(413, f"choose 1 to {MOST_CHOSEN:,} images, got {len(ids):,}")
    return ids
