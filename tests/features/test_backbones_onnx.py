"""ONNX files of a user's own as encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from annotate_select.errors import FeaturesError
from annotate_select.features.backbones import load_backbone, open_backbone
from annotate_select.features.backbones.onnx_file import OnnxFile

FLAT = helper.make_node("GlobalAveragePool", ["x"], ["y"])
MAPS = helper.make_node("Relu", ["x"], ["y"])


def written(
    path: Path,
    shape: tuple[object, ...] = ("b", 3, "h", "w"),
    node: Any = FLAT,
    kind: int = TensorProto.FLOAT,
    notes: dict[str, str] | None = None,
) -> Path:
    """Write a network of one node."""
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    graph = helper.make_graph([node], "small", inputs, [helper.make_tensor_value_info("y", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if notes:
        helper.set_model_props(model, notes)
    onnx.save(model, path)
    return path


def pictures(n: int = 3, size: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def normalised(images: np.ndarray, mean: object = (0.485, 0.456, 0.406), std: object = (0.229, 0.224, 0.225)) -> Any:
    return (images / 255 - np.array(mean)) / np.array(std)


def test_images_are_normalised_and_maps_averaged(tmp_path: Path) -> None:
    images = pictures(20)  # more than run at once
    encoder = open_backbone(f"onnx:{written(tmp_path / 'a.onnx')}", image_size=16)
    assert (encoder.image_size, encoder.dim) == (16, 3)
    features = encoder.encode(images)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, normalised(images).mean(axis=(1, 2)), atol=1e-5)
    assert encoder.encode(images[:0]).shape == (0, 3)
    maps = OnnxFile(written(tmp_path / "maps.onnx", node=MAPS), 16)
    np.testing.assert_allclose(maps.encode(images), normalised(images).clip(0).mean(axis=(1, 2)), atol=1e-5)


def test_the_file_decides_size_and_preprocessing(tmp_path: Path) -> None:
    notes = {"mean": "[0.5, 0.5, 0.5]", "std": "0.5,0.25 1"}
    encoder = OnnxFile(written(tmp_path / "a.onnx", ("b", 3, 16, 16), notes=notes))
    assert encoder.image_size == 16
    expected = normalised(pictures(), 0.5, (0.5, 0.25, 1)).mean(axis=(1, 2))
    np.testing.assert_allclose(encoder.encode(pictures()), expected, atol=1e-5)
    with pytest.raises(FeaturesError, match=r"16 x 16 pixels only, asked for 32"):
        OnnxFile(tmp_path / "a.onnx", 32)
    assert OnnxFile(written(tmp_path / "open.onnx")).image_size == 224


@pytest.mark.parametrize("rows", [1, 2])
def test_a_file_for_so_many_images_at_once(tmp_path: Path, rows: int) -> None:
    encoder = OnnxFile(written(tmp_path / "a.onnx", (rows, 3, 16, 16)))
    np.testing.assert_allclose(encoder.encode(pictures()), normalised(pictures()).mean(axis=(1, 2)), atol=1e-5)


def test_saved_and_loaded_the_original_may_go(tmp_path: Path) -> None:
    path = written(tmp_path / "a.onnx")
    encoder = OnnxFile(path, 16)
    encoder.save(tmp_path / "encoder")
    definition, features = encoder.definition(), encoder.encode(pictures())
    path.unlink()
    loaded = load_backbone(tmp_path / "encoder", definition)
    assert loaded.definition() == definition
    np.testing.assert_array_equal(loaded.encode(pictures()), features)
    (tmp_path / "encoder" / "model.onnx").write_bytes(b"")
    with pytest.raises(FeaturesError, match="--retrain"):
        load_backbone(tmp_path / "encoder", definition)


def test_the_definition_tells_files_and_sizes_apart_not_paths(tmp_path: Path) -> None:
    one = OnnxFile(written(tmp_path / "a.onnx"), 16).definition()
    assert OnnxFile(written(tmp_path / "b.onnx"), 16).definition() == one
    assert OnnxFile(tmp_path / "a.onnx", 8).definition() != one
    other = OnnxFile(written(tmp_path / "c.onnx", notes={"author": "ana"}), 16).definition()
    assert {name for name in one if one[name] != other[name]} == {"file"}


def with_outside_weights(folder: Path, location: str = "weights.bin") -> Path:
    """Write a 1 x 1 convolution whose weights lie in a file of their own."""
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32).repeat(64, 0).reshape(192, 3, 1, 1), "w")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("b", 3, 8, 8))]
    output = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "outside", inputs, output, [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "a.onnx", save_as_external_data=True, location=location, size_threshold=0)
    return folder / "a.onnx"


def test_weights_in_a_file_of_their_own_come_along(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    path = with_outside_weights(tmp_path / "from")
    encoder = OnnxFile(path)
    encoder.save(tmp_path / "to")
    loaded = OnnxFile.load(tmp_path / "to")
    assert (loaded.dim, loaded.definition()) == (192, encoder.definition())
    bytes_ = bytearray((tmp_path / "from" / "weights.bin").read_bytes())
    bytes_[2] ^= 1
    (tmp_path / "from" / "weights.bin").write_bytes(bytes_)
    assert OnnxFile(path).definition() != encoder.definition()
    (tmp_path / "from" / "weights.bin").unlink()
    with pytest.raises(FeaturesError, match=r"'weights.bin', which is not there"):
        OnnxFile(path)


def test_weights_outside_the_folder_are_refused(tmp_path: Path) -> None:
    path = with_outside_weights(tmp_path)
    model = onnx.load(str(path), load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../weights.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(FeaturesError, match="must lie beside it"):
        OnnxFile(path)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [
        (("b", 1, 16, 16), TensorProto.FLOAT, "must take squares"),
        (("b", 16, 16, 3), TensorProto.FLOAT, "must take squares"),
        (("b", 3, 16, 32), TensorProto.FLOAT, "must take squares"),
        (("b", 3), TensorProto.FLOAT, r"must take images only, float of shape \(b, 3, H, W\)"),
        (("b", 3, 16, 16), TensorProto.DOUBLE, r"takes x tensor\(double\)"),
    ],
)
def test_networks_of_something_else(tmp_path: Path, shape: tuple[object, ...], kind: int, message: str) -> None:
    path = written(tmp_path / "a.onnx", shape, MAPS, kind)
    with pytest.raises(FeaturesError, match=message):
        OnnxFile(path)


def test_files_that_are_no_networks(tmp_path: Path) -> None:
    with pytest.raises(FeaturesError, match=r"there is no file .*missing.onnx"):
        OnnxFile(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(FeaturesError, match="is no ONNX file"):
        OnnxFile(tmp_path / "text.onnx")
    with pytest.raises(FeaturesError, match="ONNX Runtime cannot run"):
        OnnxFile(written(tmp_path / "node.onnx", node=helper.make_node("NoSuchNode", ["x"], ["y"])))
    with pytest.raises(FeaturesError, match=r"of 2 images an output of shape \(\); its first output must be \(2, d\)"):
        OnnxFile(written(tmp_path / "rows.onnx", node=helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)), 16)


def test_sizes_a_file_cannot_take(tmp_path: Path) -> None:
    path = written(tmp_path / "a.onnx", node=helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[32, 32]))
    assert OnnxFile(path, 40).dim == 3
    with pytest.raises(FeaturesError, match="cannot take images of 16 x 16 pixels"):
        OnnxFile(path, 16)
    with pytest.raises(FeaturesError, match=r"images must be \(40, 40, 3\)"):
        OnnxFile(path, 40).encode(pictures())


@pytest.mark.parametrize("notes", [{"mean": "0.5"}, {"std": "1,1,0"}, {"mean": "a,b,c"}, {"std": "1,1,nan"}])
def test_metadata_that_make_no_sense(tmp_path: Path, notes: dict[str, str]) -> None:
    with pytest.raises(FeaturesError, match="must be three numbers"):
        OnnxFile(written(tmp_path / "a.onnx", notes=notes))
