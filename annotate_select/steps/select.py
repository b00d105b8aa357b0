"""Choose the next batch: gather where every image stands, ask a strategy, store and write what it chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from annotate_select import __version__
from annotate_select.annotations import batches, images
from annotate_select.errors import SelectionError, did_you_mean
from annotate_select.exchange.picks import PickRow, known_formats, write_picks
from annotate_select.features.store import Features
from annotate_select.progress import Progress, silent
from annotate_select.selection.pool import Picks
from annotate_select.selection.select import Strategy
from annotate_select.selection.select import select as select_rows
from annotate_select.steps.class_map import class_map, said
from annotate_select.steps.crowding import chance_for
from annotate_select.steps.home import Home
from annotate_select.steps.labels import training_rows
from annotate_select.steps.models import TrainedModel, models
from annotate_select.steps.new_ground import Emphasis, emphasis
from annotate_select.steps.second_opinions import REASON, RELABEL, free_rows, second_opinions
from annotate_select.steps.standing import Standing, standing
from annotate_select.steps.stored_features import open_features
from annotate_select.steps.strata import NOT, Strata, strata_of_pool
from annotate_select.words import counted

__all__ = ["Batch", "Pick", "select", "stored_batch"]

MOST_RELABELLED = 0.9  # a batch has new images, too


@dataclass(frozen=True)
class Pick:
    """One chosen image."""

    image: str
    role: str
    score: float
    reason: str


@dataclass(frozen=True)
class Batch:
    """The ordered result of one selection; `note` says in one line how it was decided."""

    number: int
    strategy: str
    note: str
    seed: int
    features: str
    model: int | None
    picks: list[Pick]
    paths: list[Path]

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {**asdict(self), "paths": [str(path) for path in self.paths]}


def select(
    home: Home,
    n: int | None = None,
    strategy: str | Strategy | None = None,
    *,
    features: str | None = None,
    seed: int | None = None,
    audit: float | None = None,
    relabel: float | None = None,
    like: Sequence[str] = (),
    balance: str | None = None,
    output: Path | None = None,
    formats: Sequence[str] = ("csv",),
    progress: Progress = silent,
) -> Batch:
    """Choose the next batch, store it with everything needed to repeat it, and write it.

    Never chosen: what is labelled, settled or still waiting from an earlier batch, the exam, and what the exam
    reserves (its groups and near-duplicates). `like` are keys of images of which `similar_to` and `seals` find more.
    `balance` (default: project.toml's) is a nuisance: usual and unusual get equally many picks, see `steps.strata`.
    With `relabel`, up to that share of the batch (.9 at most) is second opinions on labelled images, where these are
    worth more than new ones (ActiveLab). Without `n` it is project.toml's, or what is left of the pool where that is
    less. Raises SelectionError or FeaturesError; nothing is stored then.
    """
    defaults = home.config.select
    seed = home.config.seed if seed is None else seed
    audit = defaults.audit if audit is None else audit
    relabel = defaults.relabel if relabel is None else relabel
    if not 0 <= relabel <= MOST_RELABELLED:
        raise SelectionError(f"relabel must be a share from 0 to {MOST_RELABELLED}, got {relabel}")
    strategy = strategy or defaults.strategy
    balance = balance or defaults.balance
    known_formats(formats)  # before anything is stored
    with home.lock("selecting a batch"):
        opened = open_features(home, features)
        now = standing(home, opened.ids)
        model, probabilities = _opinion(home, opened)
        rows = _rows_of(now, like)
        strata = strata_of_pool(home, now, balance, probabilities, progress) if balance not in (None, NOT) else None
        progress("choosing", 0, 1, "")
        asked = strategy == "random" or len(rows) > 0  # chance stays chance, and "more like these" stays that
        ground = None if asked else emphasis(home, now)
        labelled, reserved = training_rows(opened, now)
        free = free_rows(now, reserved)
        _require_some(now, reserved, free)
        size = min(defaults.n, len(free)) if n is None else n
        again, note = _again(home, opened, now, model, size, relabel, free)
        new = size - len(again)
        picks = _choose(
            home,
            opened,
            now,
            labelled,
            free,
            new,
            strategy,
            seed,
            audit,
            model,
            probabilities,
            rows,
            ground,
            strata,
            progress,
        )
        end = "these are the last that are left" if new == len(free) else ""
        picks = replace(picks, note="; ".join(one for one in (picks.note, note, end) if one))
        number = _store(home, opened, now, picks, again, model, seed, audit, like, ground, strata)
        progress("choosing", 1, 1, picks.strategy)
    return stored_batch(home, number, output=output, formats=formats)


def stored_batch(home: Home, number: int, *, output: Path | None = None, formats: Sequence[str] = ("csv",)) -> Batch:
    """Read a stored batch and write it to `output`, by default PROJECT/batches/NUMBER.csv."""
    found = next((one for one in batches.batches(home.db) if one.number == number), None)
    if found is None:
        raise SelectionError(f"there is no batch {number}; `annotate-select status` says how many there are")
    picks = batches.picks_of(home.db, number)
    keys = images.keys_of(home.db, [pick.image_id for pick in picks])
    rows = [PickRow(keys[p.image_id], _path(home, p.image_id), p.role, p.score, p.reason, number) for p in picks]
    paths = write_picks(output or home.root / "batches" / f"{number:04}.csv", rows, list(formats))
    return Batch(
        number=number,
        strategy=found.strategy,
        note=found.note or "",
        seed=found.seed,
        features=found.features_name or "",
        model=found.model,
        picks=[Pick(row.image, row.role, row.score, row.reason) for row in rows],
        paths=paths,
    )


def _path(home: Home, image_id: int) -> str:
    image = images.image(home.db, image_id)
    return str(home.path_of(image.source, image.path)) if image else ""


def _opinion(home: Home, features: Features) -> tuple[TrainedModel | None, np.ndarray | None]:
    """Return the newest model of these features and what it thinks of every row."""
    fitting = [model for model in models(home) if model.features_digest == features.digest]
    if not fitting or not class_map(home, fitting[-1]).fits(home.config.classes):
        return None, None
    return fitting[-1], said(home, fitting[-1], features.ids, features.array)


def _again(
    home: Home,
    features: Features,
    now: Standing,
    model: TrainedModel | None,
    n: int,
    share: float,
    free: np.ndarray,
) -> tuple[list[batches.StoredPick], str]:
    """Return the second opinions that are worth more than new images, and what to say of them."""
    if share == 0:
        return [], ""
    found = second_opinions(home, features, now, model, n, free)
    if found is None:
        return [], "no second opinions: it takes a model of these features that labels were held out from"
    most = int(share * n)
    again = [
        batches.StoredPick(int(now.ids[row]), RELABEL, round(1 - float(score), 6), REASON)
        for row, score in list(zip(found.rows.tolist(), found.scores.tolist(), strict=True))[:most]
    ]
    alone = ", which wait for a second annotator" if again and found.people < 2 else ""
    return again, f"{counted(len(again), 'second opinion')}{alone}"


def _require_some(now: Standing, reserved: np.ndarray, free: np.ndarray) -> None:
    """Raise SelectionError, with where the images of the pool are, when none is left to choose."""
    if len(free):
        return
    pool = now.in_pool
    judged, waiting = now.settled & pool, now.waiting & pool
    kept = reserved & pool & ~judged & ~waiting
    said = (
        (judged, "judged already"),
        (waiting, "waiting in the queue"),
        (kept, "kept by the exam (its own, of their groups, or too near to them)"),
    )
    where = ", ".join(f"{int(rows.sum()):,} {what}" for rows, what in said if rows.any())
    raise SelectionError(
        f"nothing is left to choose of {counted(int(pool.sum()))}: {where}; add images: `annotate-select add FOLDER`"
    )


def _choose(
    home: Home,
    features: Features,
    now: Standing,
    labelled: np.ndarray,
    free: np.ndarray,
    n: int,
    strategy: str | Strategy,
    seed: int,
    audit: float,
    model: TrainedModel | None,
    probabilities: np.ndarray | None,
    like: np.ndarray,
    ground: Emphasis | None,
    strata: Strata | None,
    progress: Progress,
) -> Picks:
    exclude = np.ones(len(now.ids), dtype=bool)
    exclude[labelled] = exclude[free] = False
    picks = select_rows(
        features.array,
        n,
        strategy,
        labeled=labelled,
        labels=now.labels[labelled],
        probabilities=probabilities,
        accuracy=model.accuracy if model else None,
        seed=seed,
        exclude=np.flatnonzero(exclude),
        chance=chance_for(home, features, now) if strategy == "auto" else 0.0,
        weights=ground.weights if ground is not None else None,
        groups=now.groups,
        audit=audit,
        class_names=tuple(home.config.classes),
        n_classes=len(home.config.classes),
        tokens=now.tokens,
        like=like,
        audits=_of_role(now, labelled, "audit"),
        chosen=_of_role(now, labelled, "pick"),
        strata=strata.number if strata else None,
        strata_names=strata.names if strata else (),
        progress=progress,
    )
    return ground.told(picks) if ground is not None else picks


def _of_role(now: Standing, rows: np.ndarray, role: str) -> np.ndarray:
    """Return the rows that were in a batch as audits, or as picks; imported labels were in none."""
    return np.array([row for row in rows.tolist() if now.roles[row] == role], dtype=np.int64)


def _rows_of(now: Standing, keys: Sequence[str]) -> np.ndarray:
    """Return the rows of some images, by key."""
    place = {key: row for row, key in enumerate(now.keys)}
    for key in keys:
        if key not in place:
            raise SelectionError(
                f"like: there is no image {key!r} among these features{did_you_mean(key, list(place))}; name images by "
                "their keys, as they stand in a batch's file"
            )
    return np.array([place[key] for key in keys], dtype=np.int64)


def _store(
    home: Home,
    features: Features,
    now: Standing,
    picks: Picks,
    again: list[batches.StoredPick],
    model: TrainedModel | None,
    seed: int,
    audit: float,
    like: Sequence[str],
    ground: Emphasis | None,
    strata: Strata | None,
) -> int:
    chosen = zip(picks.rows.tolist(), picks.roles, picks.scores.tolist(), picks.reasons, strict=True)
    new = [batches.StoredPick(int(now.ids[row]), role, score, reason) for row, role, score, reason in chosen]
    return batches.store_batch(
        home.db,
        strategy=picks.strategy,
        seed=seed,
        audit=audit,
        features_name=features.name,
        features_digest=features.digest,
        model=model.number if model else None,
        settings={
            "version": __version__,
            "rows": len(now.ids),
            "labelled": len(now.labelled),
            **({"like": list(like)} if like else {}),
            **({"ground": int(ground.ground.sum()), "weight": ground.times} if ground is not None else {}),
            **({"balance": strata.name} if strata else {}),
        },
        note=picks.note + (f"; {strata.note}" if strata else ""),
        picks=new + again,
    )
