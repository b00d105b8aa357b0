"""One label an image, of what its annotators say; pure counting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Consensus", "consensus"]

_REJECTED = None  # a vote for no class at all


class _Said(Protocol):
    @property
    def image_id(self) -> int: ...
    @property
    def event_id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def label(self) -> str | None: ...


@dataclass(frozen=True)
class Consensus:
    """`state` is labelled, rejected, disputed, unsure or skipped; `label` is there when it is labelled.

    `final`: a reviewer decided, whatever the votes.
    """

    label: str | None
    state: str
    votes: dict[str, int]
    final: bool = False


def consensus(annotations: Iterable[_Said]) -> dict[int, Consensus]:
    """Return the consensus of each image: the class, or rejection, that more annotators chose than any other.

    A tie is disputed and makes no label. Unsure and skip are no votes; alone they make the image unsure or skipped.
    A final is a reviewer's last word and beats every vote; of several finals the latest event counts.
    """
    of_image: defaultdict[int, list[_Said]] = defaultdict(list)
    for annotation in annotations:
        of_image[annotation.image_id].append(annotation)
    return {image_id: _decide(said) for image_id, said in of_image.items()}


def _decide(said: list[_Said]) -> Consensus:
    votes: dict[str | None, int] = {}  # no Counter: there are many images, most with one vote
    for one in said:
        if one.kind in ("label", "reject"):
            vote = one.label if one.kind == "label" else _REJECTED
            votes[vote] = votes.get(vote, 0) + 1
    written = {name if name is not None else "reject": n for name, n in votes.items()}
    finals = [one for one in said if one.kind == "final"]
    if finals:
        last = max(finals, key=lambda one: one.event_id).label
        return Consensus(last, "labelled" if last is not None else "rejected", written, final=True)
    if not votes:
        return Consensus(None, "unsure" if any(one.kind == "unsure" for one in said) else "skipped", written)
    most = max(votes.values())
    first, *others = [vote for vote, n in votes.items() if n == most]
    if others:
        return Consensus(None, "disputed", written)
    return Consensus(first, "labelled" if first is not None else "rejected", written)
