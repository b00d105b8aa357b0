"""What images look like to a machine: the features of a project. Project has it all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home

if TYPE_CHECKING:
    from annotate_select.features.health import Health
    from annotate_select.features.store import Features
    from annotate_select.steps.choose import Choice
    from annotate_select.steps.features import FeaturesInfo, Verified

__all__ = ["Spaces"]


class Spaces:
    """The part of `Project` that makes and keeps features."""

    _home: Home

    def embed(
        self,
        encoder: str | None = None,
        *,
        name: str | None = None,
        dim: int | None = None,
        image_size: int | None = None,
        weights: str | Path | None = None,
        retrain: bool = False,
        labels: bool = False,
        views: str | None = None,
        progress: Progress = silent,
    ) -> Features:
        """Train the autoencoder, or load another encoder, and store features (n, d) of every image that has none yet.

        With nothing asked for, it makes what is missing of the features in use; without any, the autoencoder's.
        `auto` is `embed_best`, which decides width, size and weights itself. With `labels`, the autoencoder learns from
        the labels outside the exam, too; `views` is what about an image does not matter: `objects` (left and right),
        `any_orientation`, or `oriented` (nothing is turned or mirrored). Images that cannot be read any more leave the
        pool, with a warning; `left_out` of the answer says why, by key.
        """
        from annotate_select.steps.embed import embed

        if encoder == "auto" and (dim, image_size, weights, labels, views) == (None, None, None, False, None):
            return self.embed_best(name=name, retrain=retrain, progress=progress)[0]
        return embed(
            self._home,
            encoder,
            name=name,
            dim=dim,
            image_size=image_size,
            weights=Path(weights) if weights is not None else None,
            retrain=retrain,
            labels=labels,
            views=views,
            progress=progress,
        )

    def embed_best(
        self,
        *,
        name: str | None = None,
        retrain: bool = False,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> tuple[Features, Choice]:
        """Embed with the encoder of `choose_encoder`, and let the project select on it from now on."""
        from annotate_select.steps.choose import SECONDS, embed_best

        within = SECONDS if seconds is None else seconds
        return embed_best(self._home, name=name, retrain=retrain, seconds=within, progress=progress)

    def choose_encoder(self, *, seconds: float | None = None, progress: Progress = silent) -> Choice:
        """Try the encoders that are installed on a sample of the pool; returns which is best here, and why.

        `seconds` is what embedding the whole pool may take, by default a quarter of an hour.
        """
        from annotate_select.steps.choose import SECONDS, choose

        return choose(self._home, seconds=SECONDS if seconds is None else seconds, progress=progress)

    def features(self, name: str | None = None) -> Features:
        """Open stored features, memory-mapped; `keys[i]` is the image of row i."""
        from annotate_select.steps.stored_features import open_features

        return open_features(self._home, name)

    def features_health(self, name: str | None = None, *, progress: Progress = silent) -> tuple[Health, list[Path]]:
        """Measure whether the space is worth selecting in; returns the figures and the files written beside it."""
        from annotate_select.steps.health import health

        return health(self._home, name, progress=progress)

    def features_list(self) -> list[FeaturesInfo]:
        """Describe all stored features, those that were replaced included."""
        from annotate_select.steps.features import features_list

        return features_list(self._home)

    def features_show(self, name: str) -> FeaturesInfo:
        """Describe stored features, with the definition of their encoder."""
        from annotate_select.steps.features import features_show

        return features_show(self._home, name)

    def features_verify(self, name: str | None = None, *, mend: bool = False) -> Verified:
        """Look for damage in stored features, by default in all; with `mend`, forget rows that are damaged."""
        from annotate_select.steps.features import features_verify

        return features_verify(self._home, name, mend_rows=mend)

    def features_remove(self, name: str) -> list[str]:
        """Remove stored features and those they replaced; return the folders that are gone."""
        from annotate_select.steps.features import features_remove

        return features_remove(self._home, name)
