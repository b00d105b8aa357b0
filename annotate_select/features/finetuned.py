"""A fine-tuned network as an encoder, which says what it started from and which images' labels it has learned."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from annotate_select.errors import FeaturesError
from annotate_select.features.backbones.backbone import Backbone
from annotate_select.features.encoder import loading
from annotate_select.files import write_whole

__all__ = ["FILE", "FineTuned", "learned_from"]

FILE = "finetuned.json"  # in an encoder's folder


class FineTuned(Backbone):
    """A backbone with weights of its own; `learned` are the fingerprints of the images whose labels it has seen."""

    about: Mapping[str, object]  # what it is made of: `started_from` and `labels` at least
    learned: Sequence[str]

    @classmethod
    def of(cls, backbone: Backbone, about: Mapping[str, object], learned: Sequence[str]) -> FineTuned:
        """Make the encoder of a backbone whose network has learned since it was loaded."""
        with tempfile.TemporaryDirectory() as folder:
            backbone.save(Path(folder))
            _write(Path(folder), about, learned)
            return cls.load(Path(folder))

    def definition(self) -> dict[str, object]:
        """Return all that decides the features, and what they rest on."""
        return {**super().definition(), **self.about}

    def save(self, folder: Path) -> None:
        """Write what a backbone does, and finetuned.json."""
        super().save(folder)
        _write(folder, self.about, self.learned)

    @classmethod
    def load(cls, folder: Path) -> FineTuned:
        """Read what `save` wrote; raises FeaturesError as a backbone does."""
        found = super().load(folder)
        assert isinstance(found, FineTuned)
        with loading("fine-tuned network", folder):
            said = json.loads((folder / FILE).read_text(encoding="utf-8"))
            found.about, found.learned = dict(said["about"]), [str(one) for one in said["learned"]]
        return found


def learned_from(folder: Path) -> set[str]:
    """Return the fingerprints of the images whose labels the network in an encoder's folder has learned.

    Raises FeaturesError when it cannot be read.
    """
    try:
        return {str(one) for one in json.loads((folder / FILE).read_text(encoding="utf-8"))["learned"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FeaturesError(f"{folder / FILE} is damaged ({error}); fine-tune again") from error


def _write(folder: Path, about: Mapping[str, object], learned: Sequence[str]) -> None:
    write_whole(folder / FILE, json.dumps({"about": dict(about), "learned": list(learned)}) + "\n")
