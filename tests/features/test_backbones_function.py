"""A function of the user's own as an encoder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from annotate_select.errors import FeaturesError
from annotate_select.features.backbones import load_backbone, open_backbone
from annotate_select.features.backbones.function import Function

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module with a function `encode` of that body into the current folder, and return its encoder's name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def one(body: str) -> str:
        (tmp_path / "own_encoder.py").write_text(
            f"import numpy as np\nimport torch\n\n\ndef encode(images):\n    {body}\n\n\nnumber = 3\n"
        )
        sys.modules.pop("own_encoder", None)
        return "own_encoder:encode"

    path = list(sys.path)
    yield one
    assert sys.path == path
    sys.modules.pop("own_encoder", None)


def pictures(n: int = 3, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "body",
    [
        "return images.mean(axis=(1, 2))",
        "return torch.from_numpy(images).double().mean(dim=(1, 2)).requires_grad_()",
        "return images.mean(axis=(1, 2)).tolist()",
    ],
)
def test_arrays_and_tensors_become_features(write: Write, body: str) -> None:
    encoder = open_backbone(write(body), image_size=16)
    assert (encoder.image_size, encoder.dim) == (16, 3)
    features = encoder.encode(pictures())
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, pictures().mean(axis=(1, 2)), rtol=1e-6)
    assert encoder.encode(pictures(0)).shape == (0, 3)


def test_images_come_at_224_pixels_unless_another_size_is_said(write: Write) -> None:
    assert Function(write("return images[:, 0, 0]")).image_size == 224


def test_saved_and_loaded_until_its_source_changes(write: Write, tmp_path: Path) -> None:
    encoder = Function(write("return images[:, 0, 0]"), 16)
    definition = encoder.definition()
    assert definition["model"] == "own_encoder:encode"
    encoder.save(tmp_path / "encoder")
    assert load_backbone(tmp_path / "encoder", definition).definition() == definition
    changed = Function(write("return images[:, 1, 1]"), 16).definition()
    assert {name for name in definition if definition[name] != changed[name]} == {"source"}
    with pytest.raises(FeaturesError, match="changed since its features were made"):
        load_backbone(tmp_path / "encoder", definition)
    (tmp_path / "encoder" / "function.json").write_text("{")
    with pytest.raises(FeaturesError, match="--retrain"):
        load_backbone(tmp_path / "encoder", definition)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return images.mean(axis=(1, 2, 3))", r"returned shape \(2,\) for 2 images; it must return \(2, d\)"),
        ("return images[:1, 0, 0]", r"returned shape \(1, 3\)"),
        ("return images[:, 0, 0, :0]", r"returned shape \(2, 0\)"),
        ("return None", r"returned shape \(\)"),
        ("return [['a'], ['b']]", "it must return numbers"),
        ("return [[1], [2, 3]]", "returned no array"),
        ("return np.full((len(images), 2), np.nan)", "not finite for 2 of 2 images"),
        ("return images / (0 * len(undefined))", "failed on images .*NameError"),
        ("return 1j * images[:, 0, 0]", "it must return numbers"),
        ("raise SystemExit(0)", r"failed on images .*SystemExit: 0"),
    ],
)
def test_what_is_no_features(write: Write, body: str, message: str) -> None:
    with pytest.raises(FeaturesError, match=message):
        Function(write(body), 16)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:encode", "'no_such_module' cannot be imported"),
        ("torchvison:resnet18", r"did you mean torchvision:\?"),
        ("own_encoder:encod", r"has no function 'encod' \(did you mean encode\?\)"),
        ("own_encoder:number", "has no function 'number'"),
        ("sys:exit", "has no source file"),
        (".relative:encode", "cannot be imported"),
    ],
)
def test_names_that_lead_nowhere(write: Write, name: str, message: str) -> None:
    write("return images[:, 0, 0]")
    with pytest.raises(FeaturesError, match=message):
        open_backbone(name)


@pytest.mark.parametrize(("line", "error"), [("1 / 0", "ZeroDivisionError"), ("raise SystemExit", "SystemExit")])
def test_a_module_that_fails_when_it_is_imported(write: Write, tmp_path: Path, line: str, error: str) -> None:
    name = write("return images[:, 0, 0]")
    (tmp_path / "own_encoder.py").write_text(f"{line}\n")
    with pytest.raises(FeaturesError, match=rf"cannot be imported \({error}"):
        open_backbone(name)
