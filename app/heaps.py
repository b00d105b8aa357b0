"""Keep the server's memory flat over a day of labelling: few heaps for all of its threads."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["few_heaps"]

M_ARENA_MAX = -8  # glibc's number of this setting
HEAPS = 2


def few_heaps() -> None:
    """Let threads share two of glibc's heaps, from now on; to be called before there are threads.

    Otherwise glibc makes up to eight a processor. Requests go from thread to thread, each heap keeps the most it ever
    held, and what is free in one is no use to another: memory grows for hours though nothing is kept. Python lets one
    thread run at a time, so sharing costs no speed.
    """
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, HEAPS)
    except (OSError, AttributeError):
        return  # another C library, which has other ways
