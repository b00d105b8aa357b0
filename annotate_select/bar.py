"""Progress drawn on stderr: one bar a stage, with rate and time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn

from tqdm import tqdm

__all__ = ["Bar"]


class Bar:
    """A Progress listener that draws; closes the bar of a stage when the next begins."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: tqdm[NoReturn] | None = None

    def __enter__(self) -> Bar:
        """Return the listener itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last bar on the screen as it is."""
        self._close()

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Move the bar of `stage`."""
        bar = self._bar
        if bar is None or stage != self._stage:
            self._close()
            bar = tqdm(total=total, desc=f"{stage:<22}", file=sys.stderr, dynamic_ncols=True, mininterval=0.2)
            self._stage, self._bar = stage, bar
        bar.total = total
        if note:
            bar.set_postfix_str(note, refresh=False)
        bar.update(done - bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
