"""Which features are used where none are named; reading that loads no torch."""

from __future__ import annotations

from contextlib import suppress

from annotate_select.errors import FeaturesError
from annotate_select.features.store import FeatureStore
from annotate_select.steps.home import Home

__all__ = ["default_features"]


def default_features(home: Home) -> str:
    """Return the name that project.toml has under select.features, or that of the only features there are.

    Raises FeaturesError when there are none, or several and none of them is the autoencoder's.
    """
    return home.config.select.features or _only(home.store())


def _only(store: FeatureStore) -> str:
    names = store.kept_names() or store.names()  # what failed before its first row is nobody's choice
    names = [one for one in names if len(names) == 1 or not _tuned(store, one)] or names
    if not names:
        raise FeaturesError("there are no features yet; make them with `annotate-select embed`")
    if len(names) > 1 and "autoencoder" not in names:
        raise FeaturesError(f"there are several features ({', '.join(names)}); name one with --features")
    return "autoencoder" if "autoencoder" in names else names[0]


def _tuned(store: FeatureStore, name: str) -> bool:
    """Say whether training made these features, of others: nobody has to choose between the two then."""
    with suppress(FeaturesError):  # a damaged definition.json is no matter for who uses other features
        return bool(store.definition(name).get("started_from"))
    return False
