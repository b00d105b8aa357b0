"""Pretrained networks whose weights lie on this machine already; looking for them downloads nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlparse

import torch

from annotate_select.features.backbones.extras import installed

__all__ = ["networks_on_disk"]

TIMM = "models--timm--"  # begins the folder of one of timm's models in the cache of Hugging Face's hub
FILE = "model.safetensors"  # older formats are left alone: they may be pickled


def networks_on_disk(most: int) -> list[tuple[str, Path]]:
    """Return at most `most` networks (torchvision:NAME, timm:NAME) and their weights, those fetched last first."""
    found = sorted([*_torchvision(), *_timm()], reverse=True)
    return [(name, path) for _, name, path in found[:most]]


def _torchvision() -> Iterator[tuple[float, str, Path]]:
    files = {path.name: path for path in (Path(torch.hub.get_dir()) / "checkpoints").glob("*.pth")}
    if not files:
        return
    from torchvision import models

    for name in models.list_models(module=models):
        default = models.get_model_weights(name).DEFAULT
        if path := files.get(Path(urlparse(default.url).path).name):
            yield path.stat().st_mtime, f"torchvision:{name}", path


def _timm() -> Iterator[tuple[float, str, Path]]:
    for folder in _hub().glob(f"{TIMM}*") if installed("timm") else ():
        files = list(folder.glob(f"snapshots/*/{FILE}"))
        with suppress(OSError):  # a link to what was cleared away
            if files:
                newest = max(files, key=lambda path: path.stat().st_mtime)
                yield newest.stat().st_mtime, f"timm:{folder.name.removeprefix(TIMM)}", newest


def _hub() -> Path:
    """Return where Hugging Face's hub keeps files, by the same settings as its own client."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()
