"""Of all these unlabelled images, which should a person label next - and when is it enough?

`Project` runs the loop on a folder; `select` chooses rows of an array. Names are loaded when they are first used, so
`import annotate_select` costs no torch and no faiss.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotate_select.errors import AnnotateSelectError
    from annotate_select.features.autoencoder import Autoencoder, AutoencoderConfig
    from annotate_select.features.backbones.backbone import Backbone
    from annotate_select.features.store import Features
    from annotate_select.project import Project
    from annotate_select.selection.pool import Picks, Pool
    from annotate_select.selection.select import select, strategies
    from annotate_select.simulate import replay
    from annotate_select.steps.add import AddReport
    from annotate_select.steps.select import Batch, Pick
    from annotate_select.steps.train import TrainedModel
    from annotate_select.trust.exam import ExamReport

__version__ = "0.1.0"

__all__ = [
    "AddReport",
    "AnnotateSelectError",
    "Autoencoder",
    "AutoencoderConfig",
    "Backbone",
    "Batch",
    "ExamReport",
    "Features",
    "Pick",
    "Picks",
    "Pool",
    "Project",
    "TrainedModel",
    "replay",
    "select",
    "strategies",
]

_HOMES = {
    "AddReport": "steps.add",
    "AnnotateSelectError": "errors",
    "Autoencoder": "features.autoencoder",
    "AutoencoderConfig": "features.autoencoder",
    "Backbone": "features.backbones.backbone",
    "Batch": "steps.select",
    "ExamReport": "trust.exam",
    "Features": "features.store",
    "Pick": "steps.select",
    "Picks": "selection.pool",
    "Pool": "selection.pool",
    "Project": "project",
    "TrainedModel": "steps.train",
    "replay": "simulate",
    "select": "selection.select",
    "strategies": "selection.select",
}


def __getattr__(name: str) -> object:
    """Load a public name from the room it lives in (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
