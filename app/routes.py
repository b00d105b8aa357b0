"""What the labeller in the browser talks to: images, the queue, and annotations, which are stored before the answer."""

from __future__ import annotations

from collections.abc import Mapping

from asked import RefusedError, Visitor, answered, body_of, number_of, token_of, visitor_of
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from annotate_select import __version__
from annotate_select.annotations.events import Event, StoredEvent
from annotate_select.annotations.queue import QueueItem, QueueProgress
from annotate_select.steps.review import ReviewItem, Said

__all__ = ["routes"]

SIZES = (128, 256, 640, 1024, 1600, 2400)  # pixels of the longest side: few, so that the cache is small and often hit
LARGEST = 8192  # pixels of the longest side of what is asked for whole
FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}
NOT_KEPT = {"Cache-Control": "no-store"}
MOST_EVENTS = 1_000
MOST_QUEUE = 200
MOST_RECENT = 50
MOST_NOTE = 2_000
# Exam images and audit picks look alike, so that nobody labels the exam with more care than the rest.
CHANCE = "chosen at random"
WHY_REVIEWED = {
    "rules": "its label breaks a rule",
    "disputed": "annotators disagree",
    "doubtful": "a model that had not seen the label contradicts it",
    "unsure": "nobody could tell",
    "flagged": "somebody asked to have a look",
    "rejected": "called not usable, or none of the classes",
}
BY_CHANCE = ("random audit", "picked at random")  # how the reasons of picks made by chance begin


@answered
async def ping(request: Request) -> Response:
    """Say that the routes are there."""
    return JSONResponse({"app": "annotate-select", "version": __version__})


@answered
async def image(request: Request) -> Response:
    """Answer with an image of the token's project, no larger than asked for."""
    visitor = await run_in_threadpool(visitor_of, request.query_params.get("t") or token_of(request))
    wanted = number_of(request.query_params.get("w", "1024"), "w", 1, 100_000)
    size = next((size for size in SIZES if size >= wanted), SIZES[-1])
    path = await run_in_threadpool(visitor.project.thumbnail, request.path_params["id"], size)
    return FileResponse(path, media_type="image/webp", headers=FOR_EVER)


@answered
async def queue(request: Request) -> Response:
    """Answer with the images to show next, the latest decisions, and how far the work is."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    n = number_of(request.query_params.get("n", "50"), "n", 1, MOST_QUEUE)
    return JSONResponse(await run_in_threadpool(_queue, visitor, n), headers=NOT_KEPT)


@answered
async def original(request: Request) -> Response:
    """Answer with an image as large as it is, for who zooms in; only what is larger than any screen is made smaller."""
    visitor = await run_in_threadpool(visitor_of, request.query_params.get("t") or token_of(request))
    path = await run_in_threadpool(visitor.project.thumbnail, request.path_params["id"], LARGEST)
    return FileResponse(path, media_type="image/webp", headers=FOR_EVER)


@answered
async def review(request: Request) -> Response:
    """Answer with images to review, or with `image` that one; with `reveal` others' opinions and the model's too."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    asked = request.query_params
    reveal = asked.get("reveal") == "1"
    if "image" in asked:
        image_id = number_of(asked["image"], "image", 0, 10**9)
        one = await run_in_threadpool(visitor.project.review_item, image_id)
        return JSONResponse({"items": [_reviewed(one, visitor, "", reveal)]}, headers=NOT_KEPT)
    n = number_of(asked.get("n", "50"), "n", 1, MOST_QUEUE)
    offset = number_of(asked.get("offset", "0"), "offset", 0, 10**9)
    answer = await run_in_threadpool(_review, visitor, asked.get("what", ""), n, offset, reveal)
    return JSONResponse(answer, headers=NOT_KEPT)


@answered
async def annotations(request: Request) -> Response:
    """Store events and then acknowledge them; sending them again does no harm."""
    visitor = await run_in_threadpool(visitor_of, token_of(request))
    events = _events(await body_of(request), visitor.annotator)
    return JSONResponse(await run_in_threadpool(_record, visitor, events))


def routes() -> list[Route]:
    """Return the routes that stand beside Streamlit's own."""
    return [
        Route("/api/ping", ping),
        Route("/api/image/{id:int}", image),
        Route("/api/original/{id:int}", original),
        Route("/api/queue", queue),
        Route("/api/review", review),
        Route("/api/annotations", annotations, methods=["POST"]),
    ]


def _queue(visitor: Visitor, n: int) -> dict[str, object]:
    project, annotator = visitor.project, visitor.annotator
    return {
        "items": [
            {
                "id": one.image_id,
                "key": one.key,
                "batch": one.batch,
                "why": _why(one),
                "suggestion": _suggestion(one.suggestion, one.certainty),
            }
            for one in project.queue(annotator, n)
        ],
        "recent": [_said_before(one) for one in project.recent(annotator, MOST_RECENT)],
        "progress": _progress(project.progress(annotator)),
    }


def _review(visitor: Visitor, what: str, n: int, offset: int, reveal: bool) -> dict[str, object]:
    """List what to review; what others said of it only when asked, so that a reviewer can look with fresh eyes."""
    if what not in WHY_REVIEWED:
        raise RefusedError(400, f"what must be one of {', '.join(WHY_REVIEWED)}, got {what[:40]!r}")
    found = visitor.project.review(what, n, offset)
    finals = [one for one in visitor.project.recent(visitor.annotator, MOST_RECENT) if one.kind == "final"]
    return {
        "items": [_reviewed(one, visitor, WHY_REVIEWED[what], reveal) for one in found],
        "recent": [_said_before(one) for one in finals],
    }


def _reviewed(one: ReviewItem, visitor: Visitor, why: str, reveal: bool) -> dict[str, object]:
    shown: dict[str, object] = {"id": one.image_id, "key": one.key, "batch": None, "why": why}
    if not reveal:
        return shown
    others = [said for said in [*one.said, *one.flags] if said.annotator != visitor.annotator]
    # A rule names what the image cannot be, which is what somebody said: it is heard with the others, not before.
    rule = [Said("rules.toml", "flag", None, "", one.rule)] if one.rule else []
    return shown | {
        "opinions": [
            {"annotator": said.annotator, "kind": said.kind, "label": said.label, "at": said.at, "note": said.note}
            for said in [*rule, *others]
        ],
        "votes": one.votes,
        "state": one.state,
        "label": one.label,
        "final": one.final,
        "suggestion": _suggestion(one.suggestion, one.certainty),
    }


def _said_before(one: StoredEvent) -> dict[str, object]:
    said = {"uid": one.uid, "image": one.image_id, "key": one.key, "kind": one.kind, "label": one.label}
    return {**said, "note": one.note}


def _suggestion(label: str | None, certainty: float | None) -> dict[str, object] | None:
    return {"label": label, "probability": certainty} if label is not None else None


def _why(one: QueueItem) -> str:
    reason = one.reason or ""
    return CHANCE if one.is_exam or reason.startswith(BY_CHANCE) else reason


def _progress(progress: QueueProgress) -> dict[str, int]:
    # Not the batch's own counts: a bar that stands still for some images would give away which are the exam's.
    return {"left": progress.left, "by_me": progress.by_me, "labelled": progress.labelled_total}


def _record(visitor: Visitor, events: list[Event]) -> dict[str, object]:
    outcome = visitor.project.record(events)
    return {
        "acked": outcome.acked,
        "refused": [[uid, reason] for uid, reason in outcome.refused],
        "progress": _progress(visitor.project.progress(visitor.annotator)),
    }


def _events(body: object, annotator: str) -> list[Event]:
    events = body.get("events") if isinstance(body, Mapping) else None
    if not isinstance(events, list):
        raise RefusedError(400, 'the body must be {"events": [...]}')
    if len(events) > MOST_EVENTS:
        raise RefusedError(413, f"at most {MOST_EVENTS:,} events at once, got {len(events):,}")
    return [_event(one, i, annotator) for i, one in enumerate(events)]


def _event(one: object, i: int, annotator: str) -> Event:
    if not isinstance(one, Mapping):
        raise RefusedError(400, f"events[{i}] must be an object, got {type(one).__name__}")
    return Event(
        uid=_text(one, "uid", i) or "",
        image_id=_whole(one, "image", i) or 0,
        annotator=annotator,
        kind=_text(one, "kind", i) or "",
        label=_text(one, "label", i, optional=True),
        target_uid=_text(one, "target", i, optional=True),
        said_at=_text(one, "said_at", i, optional=True),
        shown_ms=_whole(one, "shown_ms", i, optional=True),
        batch=_whole(one, "batch", i, optional=True),
        note=_text(one, "note", i, optional=True, most=MOST_NOTE),
    )


def _text(one: Mapping[str, object], name: str, i: int, *, optional: bool = False, most: int = 200) -> str | None:
    value = one.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise RefusedError(400, f"events[{i}].{name} must be text of 1 to {most} characters, got {str(value)[:40]!r}")
    return value


def _whole(one: Mapping[str, object], name: str, i: int, *, optional: bool = False) -> int | None:
    value = one.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise RefusedError(400, f"events[{i}].{name} must be a whole number, got {str(value)[:40]!r}")
    return value
