"""What every step needs of a project: its folder, its settings, its database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from annotate_select import config as settings
from annotate_select import files
from annotate_select.annotations.database import Database
from annotate_select.config import Config, SourceSettings
from annotate_select.errors import SourceError

if TYPE_CHECKING:
    from annotate_select.features.store import FeatureStore

__all__ = ["DATABASE_NAME", "Home", "now"]

DATABASE_NAME = "annotations.db"


class Home:
    """A project's folder, opened."""

    def __init__(self, root: Path, db: Database) -> None:
        self.root = root
        self.db = db
        self._config: tuple[int, Config] | None = None

    @property
    def config(self) -> Config:
        """The settings as project.toml has them now: a change made by hand or by another process counts at once."""
        path = self.root / settings.FILE_NAME
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if self._config is None or self._config[0] != stamp:
            self._config = (stamp, settings.read(self.root))
        return self._config[1]

    def save_config(self, config: Config) -> None:
        """Write project.toml, keeping comments."""
        settings.write(self.root, config)
        self._config = None

    def store(self) -> FeatureStore:
        """Return the project's feature store."""
        from annotate_select.features.shared_place import place_of
        from annotate_select.features.store import FeatureStore

        chosen = self.config.features
        shared = place_of(chosen.shared, self.root) if chosen.shared is not None else None
        return FeatureStore(self.root / "features", chosen.dtype, shared)

    def lock(self, doing: str) -> AbstractContextManager[None]:
        """Keep other processes from doing the same to this project; `doing` completes "another process is ..."."""
        return files.lock(self.root / f".{doing.split()[0]}.lock", doing)

    def source_root(self, source: SourceSettings) -> Path:
        """Return the absolute folder a source's paths are relative to."""
        return (self.root / source.root).resolve()

    def path_of(self, source: str, relative: str) -> Path:
        """Return where an image's file is.

        Raises SourceError when project.toml no longer has the image's source.
        """
        for settings_of in self.config.sources:
            if settings_of.name == source:
                return self.source_root(settings_of) / relative
        raise SourceError(f"project.toml has no source {source!r}; put its [[sources]] entry back")


def now() -> str:
    """Return the time as ISO 8601 text, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
