"""Label new images with a model, and say how new they look."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from annotate_select.errors import ImageError, LearningError
from annotate_select.features.compressed import Compressed
from annotate_select.features.derived import Derived
from annotate_select.features.encoder import Encoder
from annotate_select.features.store import Features
from annotate_select.files import write_whole
from annotate_select.pool.decode import decode_many
from annotate_select.pool.looks import SIDE, looks, looks_of_files
from annotate_select.pool.sources import Entry, read_source
from annotate_select.progress import Progress, silent
from annotate_select.steps.appearance import Appearance
from annotate_select.steps.class_map import class_map
from annotate_select.steps.embed import load_encoder
from annotate_select.steps.home import Home
from annotate_select.steps.models import models
from annotate_select.steps.pictures import BATCH
from annotate_select.steps.rules import correct_new
from annotate_select.steps.stored_features import open_features
from annotate_select.trust.novelty import Reference

__all__ = ["Prediction", "encoded", "predict"]


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image; `novelty` in 0..1: the share of the pool that looks less new than it.

    By what it shows, and by its light, colour and detail; on compressed features, by how far the image is from what
    they can rebuild of the pool.
    """

    image: str
    label: str | None
    probabilities: dict[str, float]
    novelty: float | None
    problem: str | None = None


def predict(
    home: Home, source: str | Path | Sequence[str | Path], *, output: Path | None = None, progress: Progress = silent
) -> list[Prediction]:
    """Predict every image of a source with the newest model; broken images are reported, not fatal.

    With `output` (.csv or .jsonl) the predictions are written, whole or not at all; the column of a class is called
    p(CLASS), so that none can have the name of another column. What rules.toml says of the columns
    of a manifest, and of the classes' frequencies, corrects the probabilities. Classes are those of today; what the
    model learned of a class that was merged counts for the one it became, and of a class that was taken out of
    project.toml it goes on speaking, as `evaluate` hears it.
    Raises LearningError when there is no model, or its encoder was replaced since it was trained.
    """
    trained = models(home)
    if not trained:
        raise LearningError("there is no model yet; train one with `annotate-select train`")
    model = trained[-1]
    features = open_features(home, model.features)
    if features.digest != model.features_digest:
        raise LearningError(f"model {model.number} was trained on features that were replaced since; train a new one")
    entries, today = read_source(source).entries, class_map(home, model)
    predictions: list[Prediction] = []
    encoder = load_encoder(home, model.features)
    novelty_of = _novelty(home, encoder, features, progress)
    paths = [entry.path for entry in entries]
    for positions, inputs, problems in _inputs(home, encoder, paths):
        encoded = _features(encoder, inputs)
        known = _columns([entries[position] for position in positions])
        probabilities = correct_new(home, known, today.of(model.head.probabilities(encoded)), today.classes, today.held)
        novelty = novelty_of(inputs, encoded, [paths[position] for position in positions])
        found = {
            position: _prediction(entries[position].key, today.classes, probabilities[i], float(novelty[i]))
            for i, position in enumerate(positions)
        }
        found |= {p: Prediction(entries[p].key, None, {}, None, problem) for p, problem in problems}
        predictions += [found[position] for position in sorted(found)]
        progress("predicting", len(predictions), len(entries), "")
    if output is not None:
        write_whole(output, _jsonl(predictions) if output.suffix == ".jsonl" else _csv(predictions, today.classes))
    return predictions


def _novelty(
    home: Home, encoder: Encoder, features: Features, progress: Progress
) -> Callable[[np.ndarray, np.ndarray, Sequence[Path]], np.ndarray]:
    """Return what tells how new (b,) images are by what the encoder takes of them, their features and their files."""
    if isinstance(encoder, Compressed):
        return lambda inputs, encoded, paths: encoder.novelty(inputs)
    pictures = not isinstance(encoder, Derived)
    side = encoder.image_size if pictures else SIDE
    reference = Reference.of(
        features.array, Appearance(home, features.ids, side=side, progress=progress), seed=home.config.seed
    )
    return lambda inputs, encoded, paths: reference.novelty(
        encoded, looks(inputs) if pictures else looks_of_files(paths, side)
    )


def _columns(entries: Sequence[Entry]) -> dict[str, list[str | None]]:
    """Return what a manifest says of images, for the rules of the project."""
    names = {name for one in entries for name in one.metadata}
    columns: dict[str, list[str | None]] = {name: [one.metadata.get(name) for one in entries] for name in names}
    return columns | {"group": [one.group for one in entries]}


Inputs = tuple[list[int], np.ndarray, list[tuple[int, str]]]


def _inputs(home: Home, encoder: Encoder, paths: Sequence[Path]) -> Iterator[Inputs]:
    """Yield (positions of the good images (g,), what the encoder takes of each, positions and reasons of the broken).

    It takes images (g, H, W, 3) uint8, or where it is made of other features, rows (g, D) of these side by side.
    """
    if isinstance(encoder, Derived):
        parts = [encoded(home, load_encoder(home, part.name), paths) for part in encoder.parts]
        for pieces in zip(*parts, strict=True):
            yield _side_by_side(pieces)
        return
    size = encoder.image_size
    decoded = decode_many(paths, size)
    while chunk := list(islice(decoded, BATCH)):
        good = [(i, image) for i, image in chunk if not isinstance(image, ImageError)]
        broken = [(i, str(image)) for i, image in chunk if isinstance(image, ImageError)]
        images = np.stack([image for _, image in good]) if good else np.empty((0, size, size, 3), dtype=np.uint8)
        yield [i for i, _ in good], images, broken


def encoded(home: Home, encoder: Encoder, paths: Sequence[Path]) -> Iterator[Inputs]:
    """Yield (positions of the good images (g,), their features (g, d), positions and reasons of the broken).

    The encoder is one of the project `home`; the images need not be.
    """
    for positions, inputs, broken in _inputs(home, encoder, paths):
        yield positions, _features(encoder, inputs), broken


def _features(encoder: Encoder, inputs: np.ndarray) -> np.ndarray:
    return encoder.encode(inputs) if len(inputs) else np.empty((0, encoder.dim), np.float32)


def _side_by_side(pieces: Sequence[Inputs]) -> Inputs:
    """Put each part's features side by side; an image that one part cannot see is broken."""
    broken = dict(problem for _, _, problems in pieces for problem in problems)
    good = [position for position in pieces[0][0] if position not in broken]
    rows = [features[[place not in broken for place in places]] for places, features, _ in pieces]
    return good, np.hstack(rows), sorted(broken.items())


def _prediction(key: str, classes: Sequence[str], probabilities: np.ndarray, novelty: float) -> Prediction:
    named = {name: round(float(p), 6) for name, p in zip(classes, probabilities, strict=True)}
    return Prediction(key, classes[int(probabilities.argmax())], named, round(novelty, 4))


def _csv(predictions: Sequence[Prediction], classes: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label", "novelty", "problem", *(f"p({name})" for name in classes)])
    for one in predictions:
        shares = [one.probabilities.get(name, "") for name in classes]
        writer.writerow(
            [one.image, one.label or "", "" if one.novelty is None else one.novelty, one.problem or "", *shares]
        )
    return text.getvalue()


def _jsonl(predictions: Sequence[Prediction]) -> str:
    return "".join(json.dumps(vars(one)) + "\n" for one in predictions)
