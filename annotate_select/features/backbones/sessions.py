"""ONNX Runtime: networks exported to it, and sessions that use all cores."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from annotate_select.features.backbones.extras import needed, quiet

__all__ = ["exported", "open_session", "run_session"]

NOISY = ("torch.onnx", "onnxscript", "onnx_ir")  # loggers that tell of every step of an export
ONLY_ERRORS = 3  # a severity of ONNX Runtime's log


def exported(network: nn.Module, x: Tensor) -> bytes:
    """Return a network as ONNX, for any number of images like x (b, 3, H, W), b > 1; raises what the exporters raise.

    torch's older exporter is asked first: it takes a few seconds, the newer one many.
    """
    x = x.contiguous().clone()
    fused = torch.backends.mha.get_fastpath_enabled()
    hook = network.register_forward_pre_hook(lambda module, inputs: _stop_printing())
    try:
        torch.backends.mha.set_fastpath_enabled(False)  # the older exporter cannot say attention in one piece
        with quiet(*NOISY), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            return _export(network, x, Path(folder) / "network.onnx")
    finally:
        hook.remove()
        torch.backends.mha.set_fastpath_enabled(fused)


def open_session(source: bytes | str) -> Any:
    """Open an ONNX network, given as bytes or as a path, on all cores; raises what ONNX Runtime raises."""
    runtime = needed("onnxruntime", "onnx")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = ONLY_ERRORS
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # images are decoded on the same cores
    return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, x: np.ndarray) -> np.ndarray:
    """Return the first output of a session for its first input."""
    x = np.ascontiguousarray(x)  # images come with their channels last
    result: np.ndarray = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: x})[0]
    return result


def _export(network: nn.Module, x: Tensor, file: Path) -> bytes:
    try:
        axes = {"x": {0: "b"}}
        torch.onnx.export(network, (x,), file, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes)
    except Exception:  # it cannot say this network, or is gone from this version of torch
        shapes = ({0: torch.export.Dim("b")},)
        torch.onnx.export(network, (x,), file, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False)
    return file.read_bytes()


def _stop_printing() -> None:
    """Keep the older exporter from printing a network it fails on, past Python's own standard output.

    It turns that on as it starts, whatever it is told, so this is called when it runs the network.
    """
    enable = getattr(torch._C, "_jit_set_onnx_log_enabled", None)
    if enable is not None:
        enable(False)
