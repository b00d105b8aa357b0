"""Run a network as fast as this machine can: torch, or on a CPU ONNX Runtime where that proves faster.

A small pool is encoded by torch before an export would have paid; after EXPORT_AFTER images the network is exported
once, and takes over when its features are the same and it was faster on the same images.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from annotate_select.errors import first_line
from annotate_select.features.backbones.extras import installed
from annotate_select.features.backbones.sessions import exported, open_session, run_session

__all__ = ["Runner", "alike"]

Run = Callable[[np.ndarray], np.ndarray]  # images (b, 3, H, W) to features (b, d), both float32

EXPORT_AFTER = 32  # images: what an export costs is what torch takes for some dozens of them
MOST_OFF = 0.01  # distance of a row from torch's, as a share of its length: the cosine is then above .9999


class Runner:
    """A network behind one call: (b, 3, H, W) float32 to (b, d) float32."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        """Put the network on its device."""
        self._network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack memory_format
        self._device = device
        self._session: Run | None = None
        self._undecided = device.type == "cpu"
        self._seen, self._fastest = 0, float("inf")  # images, and seconds of one image, under torch
        self.runtime = "torch"  # which of the two runs
        self.reason = "too few images yet to export the network" if self._undecided else f"it runs on {device}"

    def __call__(self, x: Tensor) -> np.ndarray:
        """Return features (b, d) float32 of images (b, 3, H, W) float32 on the CPU."""
        if self._session is not None:
            return self._session(x.numpy())
        start = time.perf_counter()
        features = self._torch(x)
        self._fastest = min(self._fastest, (time.perf_counter() - start) / max(len(x), 1))
        self._seen += len(x)
        if self._undecided and self._seen >= EXPORT_AFTER:
            self._decide(x, features)
        return features

    def _torch(self, x: Tensor) -> np.ndarray:
        x = x.to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            if self._device.type == "cuda":
                with torch.autocast("cuda", dtype=torch.float16):
                    features: np.ndarray = self._network(x).float().cpu().numpy()
                if np.isfinite(features).all():
                    return features  # else half precision was too narrow for these
            features = self._network(x).float().cpu().numpy()
        return features

    def _decide(self, x: Tensor, expected: np.ndarray) -> None:
        """Export the network, and keep the export if it gives the same features of these images, faster."""
        self._undecided = False
        if not installed("onnx", "onnxruntime"):
            self.reason = "onnx and onnxruntime are not installed"
            return
        try:
            session = partial(run_session, open_session(exported(self._network, x[:2])))
            seconds, found = min((_timed(session, x.numpy()) for _ in range(2)), key=lambda one: one[0])
        except Exception as error:  # an exporter fails in many ways, and torch goes on without it
            self.reason = f"the network cannot be exported ({first_line(error)})"
            return
        if not alike(found, expected):
            self.reason = "ONNX Runtime gives other features"
        elif seconds / len(x) > self._fastest:
            self.reason = "ONNX Runtime is slower"
        else:
            self._session, self.runtime = session, "onnxruntime"
            self.reason = f"{self._fastest * len(x) / max(seconds, 1e-9):.1f} times as fast as torch"


def alike(found: np.ndarray, expected: np.ndarray) -> bool:
    """Say whether every row (d,) of two arrays lies within MOST_OFF of what is expected, by its length."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return False
    off = np.linalg.norm(found - expected, axis=1)
    return bool((off <= MOST_OFF * np.linalg.norm(expected, axis=1) + 1e-6).all())


def _timed(run: Run, x: np.ndarray) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    features = run(x)
    return time.perf_counter() - start, features
