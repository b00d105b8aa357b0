"""What the bulk page in the browser asks for: groups of images that belong together, kept from others meanwhile."""

from __future__ import annotations

from asked import RefusedError, Visitor, answered, number_of, token_of, visitor_of
from routes import MOST_RECENT
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from annotate_select.errors import FeaturesError, LearningError, SelectionError, UnknownClasses

__all__ = ["bulk_routes"]

MOST_IN_GROUP = 200
MOST_IDS = 1_000
SEEDS = 12  # of the latest decisions, each to find more like it


@answered
async def alike(request: Request) -> Response:
    """Answer with groups of images for the token's annotator, and keep them and `keep` from others for a while."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    asked = request.query_params
    n = number_of(asked.get("n", "60"), "n", 1, MOST_IN_GROUP)
    keep, without = _ids(asked.get("keep", ""), "keep"), _ids(asked.get("without", ""), "without")
    by, of = asked.get("by", "cluster"), asked.get("of") or None
    return JSONResponse(
        await run_in_threadpool(_alike, visitor, by, of, n, keep, without), headers={"Cache-Control": "no-store"}
    )


def bulk_routes() -> list[Route]:
    """Return the routes of the bulk page."""
    return [Route("/api/alike", alike)]


def _alike(visitor: Visitor, by: str, of: str | None, n: int, keep: list[int], without: list[int]) -> dict[str, object]:
    project, annotator = visitor.project, visitor.annotator
    groups, left, predicted = [], 0, {}
    if by != "similar" or of:  # else there is only the choice of an image to be made
        most = 1 if keep else 2  # one to look at and one in store: more would be kept from others for nothing
        try:
            found = project.alike(by, n=n, of=of, groups=most, without=[*keep, *without], annotator=annotator)
        except (SelectionError, FeaturesError, LearningError, UnknownClasses) as error:
            raise RefusedError(409, str(error)) from error  # not to be had as things are, but the server is well
        groups, left, predicted = found.groups, found.left, found.predicted
    free = set(project.hold(annotator, [*keep, *(one.image_id for group in groups for one in group.images)]))
    listed = [
        {
            "label": group.label,
            "images": [
                {"id": one.image_id, "key": one.key, "score": one.score} for one in group.images if one.image_id in free
            ],
        }
        for group in groups
    ]
    return {
        "groups": [group for group in listed if group["images"]],
        "left": left,
        "predicted": predicted,
        "taken": [image_id for image_id in keep if image_id not in free],
        "recent": _recent(visitor),
    }


def _recent(visitor: Visitor) -> list[dict[str, object]]:
    """Return the latest labels, an image once, so that more like it can be asked for."""
    said = {one.image_id: one for one in visitor.project.recent(visitor.annotator, MOST_RECENT) if one.label}
    return [{"id": one.image_id, "key": one.key, "label": one.label} for one in list(said.values())[:SEEDS]]


def _ids(text: str, name: str) -> list[int]:
    parts = text.split(",") if text else []
    if len(parts) > MOST_IDS:
        raise RefusedError(400, f"{name} may name at most {MOST_IDS:,} images, got {len(parts):,}")
    return [number_of(part, name, 0, 2**53) for part in parts]
