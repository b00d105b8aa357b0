"""How alike two images' features must be to count as one picture: cosines of directions from the pool's mean.

Pairs of real photos looked at: above .995 nearly all are the same picture or one shot twice; at .99 many are different
things on the same background, and at .98 most.
"""

from __future__ import annotations

__all__ = ["MAYBE_SAME_PICTURE", "SAME_PICTURE", "likeness_limit"]

SAME_PICTURE = 0.995  # two of these do not share a batch: to suspect wrongly would keep a picture from being picked
MAYBE_SAME_PICTURE = 0.98  # an image of the exam and one to train on: to suspect too little would flatter the model
FEWEST_DIMENSIONS = 8  # in very few, strangers point the same way: in one, half of all images have cosine 1


def likeness_limit(limit: float, dimensions: int) -> float:
    """Return the limit, or 1, which no cosine is above, where there are too few dimensions for it to say anything."""
    return limit if dimensions >= FEWEST_DIMENSIONS else 1.0
