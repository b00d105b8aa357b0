from __future__ import annotations

from dataclasses import dataclass

import pytest

from annotate_select.annotations.consensus import Consensus, consensus


@dataclass(frozen=True)
class Said:
    image_id: int
    kind: str
    label: str | None = None
    event_id: int = 0


def label(name: str, image_id: int = 1) -> Said:
    return Said(image_id, "label", name)


REJECT, UNSURE, SKIP = Said(1, "reject"), Said(1, "unsure"), Said(1, "skip")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([label("a")], Consensus("a", "labelled", {"a": 1})),
        ([label("a"), label("b"), label("a")], Consensus("a", "labelled", {"a": 2, "b": 1})),
        ([label("a"), label("b")], Consensus(None, "disputed", {"a": 1, "b": 1})),
        (
            [label("a"), label("a"), label("b"), label("b"), label("c")],
            Consensus(None, "disputed", {"a": 2, "b": 2, "c": 1}),
        ),
        ([label("a"), REJECT], Consensus(None, "disputed", {"a": 1, "reject": 1})),
        ([label("a"), REJECT, REJECT], Consensus(None, "rejected", {"a": 1, "reject": 2})),
        ([label("a"), UNSURE, UNSURE, SKIP], Consensus("a", "labelled", {"a": 1})),
        ([REJECT], Consensus(None, "rejected", {"reject": 1})),
        ([UNSURE], Consensus(None, "unsure", {})),
        ([SKIP, UNSURE], Consensus(None, "unsure", {})),
        ([SKIP], Consensus(None, "skipped", {})),
    ],
)
def test_what_votes_come_to(said: list[Said], expected: Consensus) -> None:
    assert consensus(said) == {1: expected}
    assert consensus(reversed(said)) == {1: expected}


def test_images_are_kept_apart() -> None:
    found = consensus([label("a", 1), label("b", 2), label("b", 1), label("b", 1)])
    assert {image_id: one.label for image_id, one in found.items()} == {1: "b", 2: "b"}
    assert consensus([]) == {}
