"""A network of the user's own as an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from annotate_select.errors import FeaturesError, first_line
from annotate_select.features.backbones.extras import needed
from annotate_select.features.backbones.sessions import open_session, run_session
from annotate_select.features.encoder import Measured, loading
from annotate_select.features.images import Images
from annotate_select.files import digest, write_whole
from annotate_select.pool.decode import DECODING
from annotate_select.words import counted

__all__ = ["OnnxFile"]

BATCH = 16  # images run at once, unless the file says how many
SIZE = 224  # pixels, where the file leaves it open
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of ImageNet, where the file says nothing
FILE = "model.onnx"  # its name in an encoder's folder


class OnnxFile(Measured):
    """An ONNX network (b, 3, H, W) float32 to features, as an encoder.

    Its first output counts, flattened, or averaged over the image where it is (b, d, h, w). Images come as RGB in 0..1,
    less `mean` and divided by `std`, which the file's metadata may give as three numbers each: "0.5,0.5,0.5".
    """

    def __init__(self, path: str | Path, image_size: int | None = None) -> None:
        """Open an .onnx file; `image_size` (pixels) is for files that leave it open.

        Raises FeaturesError when onnx or onnxruntime is not installed, or the file is missing, is no ONNX file, takes
        anything but such images, or cannot take them at this size.
        """
        self._path = Path(path)
        self._parts = _parts(self._path)
        self._file = digest([[name, digest(part.read_bytes(), size=16)] for name, part in self._parts.items()], size=16)
        self._session = _opened(self._path)
        self._rows, size = _expected(self._session, self._path)
        if size is not None and image_size not in (None, size):
            raise FeaturesError(f"{path} takes images of {size} x {size} pixels only, asked for {image_size}")
        self._size = size or image_size or SIZE
        notes = self._session.get_modelmeta().custom_metadata_map
        self._mean, self._std = (_three(notes, *one, self._path) for one in (("mean", MEAN), ("std", STD)))
        self._dim = self._measured()

    def definition(self) -> dict[str, object]:
        """Return all that decides the features: the file's bytes, the size and the preprocessing."""
        preprocessing = {
            "crop": DECODING,
            "mean": self._mean,
            "std": self._std,
        }
        return {"kind": "onnx", "file": self._file, "image_size": self._size, "preprocessing": preprocessing}

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Return features (b, dim) float32 of images (b, H, W, 3) uint8."""
        found = Images(images, self._size)
        step = self._rows or BATCH
        parts = [self._encode(found, np.arange(i, min(i + step, len(found)))) for i in range(0, len(found), step)]
        return np.concatenate(parts) if parts else np.empty((0, self._dim), np.float32)

    def save(self, folder: Path) -> None:
        """Copy the file, and those it keeps its weights in, into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in self._parts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part, folder / name)
        write_whole(folder / "onnx.json", json.dumps({"image_size": self._size}) + "\n")

    @classmethod
    def load(cls, folder: Path) -> OnnxFile:
        """Read what `save` wrote; raises FeaturesError when files are missing or damaged."""
        with loading("network", folder):
            about = json.loads((folder / "onnx.json").read_text(encoding="utf-8"))
            return cls(folder / FILE, int(about["image_size"]))

    def _encode(self, images: Images, rows: np.ndarray) -> np.ndarray:
        x = images.batch(rows).numpy()  # (b, 3, H, W) in 0..1
        mean, std = (np.array(values, np.float32).reshape(1, 3, 1, 1) for values in (self._mean, self._std))
        x = (x - mean) / std
        missing = (self._rows or len(x)) - len(x)
        x = np.concatenate([x, np.zeros((missing, *x.shape[1:]), np.float32)]) if missing else x
        features = np.asarray(run_session(self._session, x))
        if features.ndim < 2 or len(features) != len(x) or features.size == 0:
            raise FeaturesError(
                f"{self._path} makes of {counted(len(x))} an output of shape {features.shape}; its first output must "
                f"be ({len(x)}, d) or ({len(x)}, d, h, w)"
            )
        features = features[: len(rows)]
        pooled = features.mean(axis=(2, 3)) if features.ndim == 4 else features.reshape(len(features), -1)
        return pooled.astype(np.float32, copy=False)

    def _measured(self) -> int:
        """Return the width of the features of two black images."""
        black = np.zeros((2, self._size, self._size, 3), np.uint8)
        try:
            return int(self.encode(black).shape[1])
        except FeaturesError:
            raise
        except Exception as error:  # ONNX Runtime's errors share no parent of their own
            raise FeaturesError(
                f"{self._path} cannot take images of {self._size} x {self._size} pixels ({first_line(error)}); "
                "give the size it was made for with --image-size"
            ) from error


def _parts(path: Path) -> dict[str, Path]:
    """Return every file of the network by the name it is saved under: its own, and those that hold its weights."""
    if not path.is_file():
        raise FeaturesError(f"there is no file {path}; name an ONNX file as onnx:FILE")
    onnx = needed("onnx", "onnx")
    try:
        model = onnx.load(str(path), load_external_data=False)
        tensors = [one for one in model.graph.initializer if one.data_location == onnx.TensorProto.EXTERNAL]
        names = sorted({entry.value for one in tensors for entry in one.external_data if entry.key == "location"})
    except Exception as error:  # protobuf's errors share no parent with Python's
        raise FeaturesError(
            f"{path} is no ONNX file ({first_line(error)}); write one with torch.onnx.export"
        ) from error
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or name == FILE:
            raise FeaturesError(f"{path} keeps weights in {name!r}; they must lie beside it, in a file of another name")
        if not (path.parent / name).is_file():
            raise FeaturesError(f"{path} keeps weights in {name!r}, which is not there; put it beside the file")
    return {FILE: path} | {name: path.parent / name for name in names}


def _opened(path: Path) -> Any:
    needed("onnxruntime", "onnx")
    try:
        return open_session(str(path))
    except Exception as error:  # ONNX Runtime's errors share no parent of their own
        raise FeaturesError(f"ONNX Runtime cannot run {path} ({first_line(error)}); export it anew") from error


def _expected(session: Any, path: Path) -> tuple[int | None, int | None]:
    """Return how many images the network takes at once and their side in pixels, None where it leaves that open."""
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs) or "no input"
        raise FeaturesError(f"{path} takes {found}; it must take images only, float of shape (b, 3, H, W)")
    rows, channels, height, width = (one if isinstance(one, int) else None for one in shape)
    if channels not in (3, None) or (height and width and height != width):
        raise FeaturesError(f"{path} takes images of shape {shape}; it must take squares, (b, 3, H, W)")
    return rows, height or width


def _three(notes: Mapping[str, str], name: str, default: list[float], path: Path) -> list[float]:
    """Read three numbers of the file's metadata: `[0.5, 0.5, 0.5]`, or the same without brackets."""
    if (text := notes.get(name)) is None:
        return default
    try:
        values = [float(one) for one in text.strip().strip("[]()").replace(",", " ").split()]
    except ValueError:
        values = []
    if len(values) != 3 or not all(map(math.isfinite, values)) or (name == "std" and min(values) <= 0):
        raise FeaturesError(f"the metadata of {path} say {name}={text!r}; it must be three numbers, as 0.5,0.5,0.5")
    return values
