"""How long work tells whoever waits for it how far it is.

Rooms call `progress(stage, done, total, note)`; who listens - a bar on a terminal, a job's file, nobody - is decided
at the edge, so no room knows about terminals.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

# (stage in a few words, units done, units in all, optional note such as "loss 0.0123")
Progress = Callable[[str, int, int, str], None]


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Listen to nothing."""
