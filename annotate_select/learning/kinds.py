"""The heads that can be trained, a phrase each: read by whoever offers or refuses one, so it loads nothing else."""

from __future__ import annotations

__all__ = ["HEADS"]

HEADS = {
    "linear": "the quickest, and as good with few labels",
    "mlp": "with a hidden layer",
}
