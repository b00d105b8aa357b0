"""Close a round and open the next."""

from __future__ import annotations

from contextlib import suppress

from annotate_select.errors import ExamError, SelectionError
from annotate_select.progress import Progress, silent
from annotate_select.steps.embed import embed_new
from annotate_select.steps.evaluate import evaluate
from annotate_select.steps.home import Home
from annotate_select.steps.select import Batch, select
from annotate_select.steps.stop import conclude
from annotate_select.steps.train import train

__all__ = ["next_round"]


def next_round(home: Home, n: int | None = None, strategy: str | None = None, *, progress: Progress = silent) -> Batch:
    """Embed what is new, train, evaluate if there is an exam, select.

    Raises SelectionError where no batch can be chosen; the model that was trained stays.
    """
    embed_new(home, progress=progress)
    model = train(home, progress=progress)
    with suppress(ExamError):  # an exam that is not drawn or labelled yet keeps nobody from labelling on
        conclude(home, evaluate(home))
    try:
        return select(home, n, strategy, progress=progress)
    except SelectionError as error:
        raise SelectionError(f"model {model.number} is trained, but no batch was chosen: {error}") from error
