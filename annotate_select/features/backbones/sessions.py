"""ONNX Runtime: networks exported to it, and sessions that use all cores."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from annotate_select.features.backbones.extras import needed

__all__ = ["exported", "open_session", "run_session"]

NOISY = ("torch.onnx", "onnxscript", "onnx_ir")  # loggers that tell of every step of an export
ONLY_ERRORS = 3  # a severity of ONNX Runtime's log


def exported(network: nn.Module, x: Tensor) -> bytes:
    """Return a network as ONNX, for any number of images like x (b, 3, H, W), b > 1; raises what the exporters raise.

    torch's older exporter is asked first: it takes a few seconds, the newer one many.
    """
    x = x.contiguous().clone()
    with _quiet(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        try:
            torch.onnx.export(
                network, (x,), file, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "b"}}
            )
        except Exception:  # it cannot say this network, or is gone from this version of torch
            shapes = ({0: torch.export.Dim("b")},)
            torch.onnx.export(network, (x,), file, dynamo=True, dynamic_shapes=shapes, external_data=False)
        return file.read_bytes()


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
    result: np.ndarray = session.run([session.get_outputs()[0].name], {session.get_inputs()[0].name: x})[0]
    return result


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep an exporter's warnings and log from the user, who did not ask for an export."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
