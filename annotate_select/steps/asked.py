"""What may be asked of an encoder besides its name, and of which: an option that would do nothing is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from annotate_select.errors import FeaturesError, listed
from annotate_select.features.backbones import is_pretrained
from annotate_select.steps.derived import COMPRESSED, is_derived

__all__ = ["Asked", "is_autoencoder"]

OPTIONS = {"dim": "--dim", "image_size": "--image-size", "weights": "--weights"}


@dataclass(frozen=True)
class Asked:
    """What was asked of an encoder besides its name; None: as it is, or as it is by default."""

    dim: int | None = None
    image_size: int | None = None
    weights: Path | None = None
    retrain: bool = False
    labels: bool = False
    views: str | None = None

    def require_possible(self, encoder: str) -> None:
        """Refuse what this encoder cannot heed. Raises FeaturesError that names the options."""
        if (self.labels or self.views) and not is_autoencoder(encoder):
            raise FeaturesError(f"labels and views are for the autoencoder to learn from, got encoder {encoder!r}")
        if encoder == "auto":  # Project.embed has sent it elsewhere unless more was asked for
            raise FeaturesError("encoder auto decides dim, image size and weights itself; name an encoder to give them")
        heeded = _heeded(encoder)
        useless = [option for name, option in OPTIONS.items() if getattr(self, name) is not None and name not in heeded]
        if useless:
            takes = listed(OPTIONS[name] for name in heeded) or "none of these options"
            raise FeaturesError(
                f"encoder {encoder!r} takes {takes}, not {listed(useless)}; leave {listed(useless)} out"
            )


def is_autoencoder(encoder: str) -> bool:
    """Tell whether an encoder's name asks for the autoencoder, of whatever kind."""
    return encoder.partition(":")[0] == "autoencoder"


def _heeded(encoder: str) -> tuple[str, ...]:
    """Return the names of the options that decide what this encoder is."""
    if is_autoencoder(encoder):
        return ("dim", "image_size")
    if encoder.startswith(COMPRESSED):
        return ("dim",)
    if is_derived(encoder):
        return ()
    return ("image_size", "weights") if is_pretrained(encoder) else ("image_size",)
