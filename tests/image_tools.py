"""Images for tests that look at what is said of them, not at what is on them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def flat_images(folder: Path, n: int) -> Path:
    """Make a folder of n images 8 x 8, `0.png` and so on, each of a red of its own (n up to 4)."""
    folder.mkdir()
    for number in range(n):
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(folder / f"{number}.png")
    return folder
