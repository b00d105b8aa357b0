"""The stored features: list them, show one, look for damage, remove."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from annotate_select.annotations import images
from annotate_select.annotations.images import PoolTable
from annotate_select.errors import FeaturesError, LearningError, listed
from annotate_select.features.derived import derived_parts
from annotate_select.features.learning_curve import FILE_NAME
from annotate_select.features.rows import compare, read_rows
from annotate_select.features.saved import verify_encoder
from annotate_select.features.store import FeatureStore
from annotate_select.features.verify import Damage, mend, verify
from annotate_select.files import storage_errors
from annotate_select.steps.home import Home
from annotate_select.steps.models import TrainedModel, newest_model
from annotate_select.words import counted

__all__ = ["FeaturesInfo", "Verified", "features_list", "features_remove", "features_show", "features_verify"]


@dataclass(frozen=True)
class FeaturesInfo:
    """A folder of features; of several of one name the others were replaced, or never finished."""

    name: str
    digest: str
    current: bool
    encoder: str  # its kind, or a backbone's name
    images: int  # of the pool, that have a row made of their present bytes
    pool: int
    rows: int  # images of earlier pools included
    dim: int
    dtype: str
    bytes: int
    made_at: str | None  # ISO 8601, UTC
    problem: str | None  # why its files cannot be read
    learning_curve: str | None  # a picture of how its encoder was trained, where it was
    definition: dict[str, object] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    def line(self) -> str:
        """Say in one line what is there."""
        if self.problem:
            return f"{self.name}-{self.digest}  {self.problem}"
        made = f", made {self.made_at[:16].replace('T', ' ')}" if self.made_at else ""
        old = "" if self.current else ", replaced" if self.made_at else ", never finished"
        return (
            f"{self.name}-{self.digest}  {self.encoder}, {self.images:,} of {counted(self.pool)} x {self.dim} "
            f"{self.dtype}, {_size(self.bytes)}{made}{old}"
        )


@dataclass(frozen=True)
class Verified:
    """What was looked through, what is wrong with it, and how many rows were forgotten to be encoded again."""

    checked: list[str]
    damaged: list[Damage]
    forgotten: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Say it, a line a damaged file."""
        lines = [f"{one.path}: {one.problem}; {one.remedy}" for one in self.damaged]
        if self.forgotten:
            lines.append(
                f"forgot {counted(self.forgotten, 'row')}; run `annotate-select embed` again to encode "
                f"{'it' if self.forgotten == 1 else 'them'} anew"
            )
        return "\n".join(lines) or f"all is as it was written: {', '.join(self.checked) or 'there are no features yet'}"


def features_list(home: Home) -> list[FeaturesInfo]:
    """Describe every folder of features there is, by name, of each name the current one first."""
    store, table = home.store(), images.pool_table(home.db)
    found = []
    for name in store.names():
        found += [_info(store, table, name, folder, at == 0) for at, folder in enumerate(_newest_first(store, name))]
    return found


def features_show(home: Home, name: str) -> FeaturesInfo:
    """Describe the current features of a name. Raises FeaturesError when it is unknown."""
    store = home.store()
    return _info(store, images.pool_table(home.db), name, store.folders(name)[-1], True)


def features_verify(home: Home, name: str | None = None, *, mend_rows: bool = False) -> Verified:
    """Compare features with their checksums, by default all that are in use; look for numbers that are not finite.

    The encoder beside them must still be the one that made them. With `mend_rows` damaged rows are forgotten, so that
    the next embedding encodes them again.
    Raises FeaturesError when the name is unknown, BusyError when it is to mend what is being computed.
    """
    store = home.store()
    folders = [store.folders(one)[-1] for one in ([name] if name is not None else store.names())]
    encoders = [damage for folder in folders for damage in verify_encoder(folder)]
    damaged = [damage for folder in folders for damage in verify(folder)]
    if not mend_rows or not damaged:
        return Verified([folder.name for folder in folders], damaged + encoders)
    with home.lock("computing features"), storage_errors(store.folder):
        forgotten = sum(mend(folder) for folder in folders)
    left = [damage for folder in folders for damage in verify(folder)]
    return Verified([folder.name for folder in folders], left + encoders, forgotten)


def features_remove(home: Home, name: str) -> list[str]:
    """Remove all folders of a name, and return theirs; the current one goes last, so that no older one comes back.

    Raises FeaturesError when the name is unknown, or in use: as project.toml's default, as the only features, as a part
    of others, or by the newest model; BusyError while features are being computed.
    """
    with home.lock("computing features"):
        store = home.store()
        folders = store.folders(name)
        _require_unused(home, store, name)
        for folder in folders:
            with storage_errors(folder):
                (folder / "ids.npy").unlink(missing_ok=True)  # first: what is half removed is unfinished, not corrupt
                shutil.rmtree(folder)
        return [folder.name for folder in folders]


def _require_unused(home: Home, store: FeatureStore, name: str) -> None:
    if home.config.select.features == name:
        raise FeaturesError(
            f"features {name!r} are the project's default; set select.features in project.toml to others first"
        )
    others = [one for one in store.names() if one != name]
    made = [one for one in others if any(part.name == name for part in derived_parts(store.definition(one)))]
    if made:
        raise FeaturesError(f"features {listed(made)} are made of features {name!r}; remove those first")
    if not others:
        raise FeaturesError(
            f"features {name!r} are the only ones here; embed with another --encoder first, "
            "or replace them with `annotate-select embed --retrain`"
        )
    model = _newest_model(home)
    if model is not None and (store.folder / f"{name}-{model.features_digest}").exists() and model.features == name:
        raise FeaturesError(
            f"model {model.number} was trained on features {name!r}, and predicts from nothing else; train the next "
            f"one on others first: `annotate-select train --features {others[0]}`"
        )


def _newest_model(home: Home) -> TrainedModel | None:
    with suppress(LearningError):  # a model that cannot be read needs no features
        return newest_model(home)
    return None


def _newest_first(store: FeatureStore, name: str) -> list[Path]:
    try:
        return store.folders(name)[::-1]
    except FeaturesError:  # a damaged definition.json: which is the newest cannot be told
        return sorted(store.folder.glob(f"{name}-{'?' * 16}"))


def _info(store: FeatureStore, table: PoolTable, name: str, folder: Path, current: bool) -> FeaturesInfo:
    problem, made, definition = None, None, dict[str, object]()
    count, covered, dim, dtype = 0, 0, 0, "float32"
    try:
        made = store.made_at(folder)
        if made is not None:
            definition = store.stored_definition(name, folder.name.rpartition("-")[2]) or {}
        rows, array = read_rows(folder)
        _, same = compare(rows, table.ids, np.array(table.fingerprints, "S32"))
        count, covered, dim, dtype = len(rows), int(same.sum()), array.shape[1], str(array.dtype)
    except FeaturesError as error:
        problem = str(error)
    curve = folder / "encoder" / FILE_NAME
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    encoder = str(definition.get("model") or definition.get("kind") or "unknown")
    return FeaturesInfo(
        name,
        folder.name.rpartition("-")[2],
        current,
        encoder,
        covered,
        len(table.ids),
        count,
        dim,
        dtype,
        size,
        made,
        problem,
        str(curve) if curve.exists() else None,
        definition,
    )


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    for unit, size in (("KB", 1e3), ("MB", 1e6)):
        if count < 1000 * size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"
