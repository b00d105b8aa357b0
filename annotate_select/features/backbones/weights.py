"""Files of weights: read without running what is in them, and checked against the model they are for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from annotate_select.errors import FeaturesError, first_line

__all__ = ["fill", "misfit", "read_weights"]

WRAPPERS = ("state_dict", "model")  # keys under which training scripts keep the tensors, beside their own notes


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read tensors by name from a .safetensors, .pt or .pth file.

    Raises FeaturesError when it is not there, cannot be read, holds anything but tensors, or would run code.
    """
    if not path.is_file():
        raise FeaturesError(f"there is no weights file {path}; name a .safetensors, .pt or .pth file")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except Exception as error:  # torch raises what pickle raises, and no file here imports pickle
        # Torch's own words are not quoted: they tell how to load such a file all the same, running what is in it.
        why = f" ({first_line(error)})" if isinstance(error, OSError | SafetensorError) else ""
        raise FeaturesError(
            f"cannot read weights from {path}{why}: it is neither a .safetensors file, nor a .pt/.pth that holds "
            "nothing but tensors; write one with torch.save(model.state_dict(), file)"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise FeaturesError(f"{path} holds no tensors by name; save it as torch.save(model.state_dict(), file)")
    return state


def fill(network: nn.Module, state: Mapping[str, Tensor], source: str, name: str) -> None:
    """Load the state into the network; tensors of the classifier may be there or not.

    Raises FeaturesError, which names the first difference, for the weights of another architecture.
    """
    if what := misfit(network, state):
        raise FeaturesError(f"the weights in {source} are not of {name}: {what}; name the model they were made for")
    network.load_state_dict({key: state[key] for key in network.state_dict()})


def misfit(network: nn.Module, state: Mapping[str, Tensor]) -> str:
    """Return the first thing the state lacks, or has in another shape; nothing when it fits."""
    for key, wanted in network.state_dict().items():
        if key not in state:
            return f"it has no {key}"
        if state[key].shape != wanted.shape:
            return f"its {key} has shape {tuple(state[key].shape)}"
    return ""


def _torch_file(path: Path) -> object:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(state, dict):
        return next((state[key] for key in WRAPPERS if isinstance(state.get(key), dict)), state)
    return state
