from __future__ import annotations

import inspect

import pytest

from annotate_select import errors
from annotate_select.errors import AnnotateSelectError, did_you_mean, listed

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__]


def test_every_error_is_public_and_one_of_ours() -> None:
    names = {cls.__name__ for cls in CLASSES}
    assert names == set(errors.__all__)
    assert len(names) == 19
    assert all(issubclass(cls, AnnotateSelectError) for cls in CLASSES)
    assert errors.__all__ == sorted(errors.__all__)


def test_the_tree_is_drawn_as_it_is() -> None:
    """Read the drawing: four characters of it are one step down the tree."""
    assert errors.__doc__ is not None
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        name = line.lstrip("│├└─ ").split(" ")[0]
        if name not in errors.__all__:
            continue
        depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
        path = [*path[:depth], name]
        if depth:
            parents[name] = path[depth - 1]
    assert parents == {cls.__name__: cls.__bases__[0].__name__ for cls in CLASSES if cls is not AnnotateSelectError}


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_says_what_it_is_and_keeps_its_message(cls: type[AnnotateSelectError]) -> None:
    assert cls.__doc__ is not None
    assert cls.__doc__.endswith(".")
    assert str(cls("what to do")) == "what to do"


@pytest.mark.parametrize(
    ("values", "most", "text"),
    [
        ([], 10, ""),
        (["a"], 10, "a"),
        ([1, None], 10, "1, None"),
        (range(10), 10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        (range(12), 10, "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"),
        (iter("xyz"), 2, "x, y and 1 more"),
    ],
)
def test_listed(values: object, most: int, text: str) -> None:
    assert listed(values, most=most) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("kmean", ["kmeans", "margin"], " (did you mean kmeans?)"),
        ("catt", ["cat", "cats", "dog"], " (did you mean cat or cats?)"),
        ("zebra", ["kmeans", "margin"], ""),
        ("", ["kmeans"], ""),
        ("kmeans", [], ""),
    ],
)
def test_did_you_mean(name: str, known: list[str], text: str) -> None:
    assert did_you_mean(name, known) == text
