"""Features made of other features: several side by side, what a trained model says of them, or compressed ones.

To the store these are encoders like any other, but what they encode are rows of their parts' features side by side,
(b, D), in place of images.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from annotate_select.errors import FeaturesError, LearningError
from annotate_select.files import digest
from annotate_select.learning.head import Head

__all__ = [
    "OUTPUTS",
    "Concatenation",
    "Derived",
    "ModelOutput",
    "Part",
    "derived_parts",
    "load_derived",
    "require_output",
]

PENULTIMATE = "penultimate"
OUTPUTS = ("probabilities", "logits", PENULTIMATE)  # the first where nothing else is asked for
LEAST = 1e-7  # probability whose logarithm is taken: float32 tells no smaller one from 0


@dataclass(frozen=True)
class Part:
    """Some features that others are made of."""

    name: str
    digest: str
    dim: int


class Derived(ABC):
    """What all kinds have in common; `parts` say which columns of (b, D) are whose, in their order."""

    image_size = 0  # there are no images

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)

    @property
    @abstractmethod
    def dim(self) -> int:
        """Return the width of the features."""

    @abstractmethod
    def definition(self) -> dict[str, object]:
        """Return everything that decides the features, as JSON values."""

    @abstractmethod
    def encode(self, images: np.ndarray) -> np.ndarray:
        """Encode rows (b, D) of the parts side by side as features (b, dim) float32."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into `folder`, which exists, what loading needs."""

    def _definition(self, kind: str) -> dict[str, object]:
        return {
            "kind": kind,
            "format": 1,
            "order": [part.name for part in self.parts],
            "parts": {part.name: part.digest for part in self.parts},
            "widths": [part.dim for part in self.parts],
        }


class Concatenation(Derived):
    """Rows of several features side by side, each part scaled so that all of them weigh the same."""

    @property
    def dim(self) -> int:
        """Return the width of all parts together."""
        return sum(part.dim for part in self.parts)

    def definition(self) -> dict[str, object]:
        """Return the parts' names, order and digests."""
        return self._definition("concatenation")

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Scale each part's columns of (b, D) to rows of length 1 / sqrt(parts), float32; a row of zeros stays zero."""
        pieces = np.split(np.asarray(images, np.float64), np.cumsum([part.dim for part in self.parts])[:-1], axis=1)
        lengths = [np.linalg.norm(piece, axis=1, keepdims=True) * np.sqrt(len(pieces)) for piece in pieces]
        scaled = [piece / np.where(length > 0, length, 1.0) for piece, length in zip(pieces, lengths, strict=True)]
        return np.hstack(scaled).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write nothing: the definition says it all."""


class ModelOutput(Derived):
    """What a trained model says of the features it was trained on: a column a class that it knows, or a hidden unit."""

    def __init__(self, part: Part, head: Head, classes: Sequence[str], output: str) -> None:
        super().__init__([part])
        self.head, self.classes, self.output = head, list(classes), require_output(output, head)

    @property
    def dim(self) -> int:
        """Return how many classes the model knows, or hidden units it has."""
        return self.head.hidden_units if self.output == PENULTIMATE else int(self.head.classes_seen.sum())

    def definition(self) -> dict[str, object]:
        """Return the digests of the model and of its features, and what is taken of it."""
        weights = digest(self.head.to_bytes(), size=16)
        return {**self._definition("model"), "output": self.output, "weights": weights, "classes": self.classes}

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities (b, classes), float32, or their logarithms less the mean of each row.

        Of the layer before these, return what it says (b, units), 0 or more.
        """
        if self.output == PENULTIMATE:
            return self.head.penultimate(images)
        found = self.head.probabilities(images)[:, self.head.classes_seen]
        if self.output == "logits":
            logs = np.log(np.maximum(found, LEAST))
            found = logs - logs.mean(axis=1, keepdims=True)
        return np.asarray(found, np.float32)

    def save(self, folder: Path) -> None:
        """Write the model's weights."""
        (folder / "weights.safetensors").write_bytes(self.head.to_bytes())


def require_output(output: str, head: Head) -> str:
    """Return what is to be taken of a model. Raises FeaturesError where it gives no such thing."""
    given = [one for one in OUTPUTS if one != PENULTIMATE or head.hidden_units]
    if output in given:
        return output
    why = ": it has no layer before its last; train one with `annotate-select train --head mlp`"
    raise FeaturesError(
        f"a model of the head {head.kind} gives {' or '.join(given)}, got {output!r}{why * (output == PENULTIMATE)}"
    )


def derived_parts(definition: Mapping[str, object]) -> list[Part]:
    """Return the parts that a definition names, none for an encoder of images."""
    if definition.get("kind") not in ("concatenation", "model", "compressed"):
        return []
    content = json.loads(json.dumps(definition))
    widths = zip(content["order"], content["widths"], strict=True)
    return [Part(name, content["parts"][name], int(width)) for name, width in widths]


def load_derived(folder: Path, definition: Mapping[str, object]) -> Concatenation | ModelOutput:
    """Load what `save` wrote. Raises FeaturesError when it is damaged."""
    parts = derived_parts(definition)
    if definition.get("kind") == "concatenation":
        return Concatenation(parts)
    try:
        head = Head.from_bytes((folder / "weights.safetensors").read_bytes())
    except (OSError, LearningError) as error:
        raise FeaturesError(f"{folder} is damaged ({error}); make the features again with --retrain") from error
    classes = json.loads(json.dumps(definition["classes"]))
    return ModelOutput(parts[0], head, classes, str(definition["output"]))
