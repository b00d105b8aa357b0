"""Add images to the pool: list a source, inspect what is new in it, record it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from annotate_select.annotations import images
from annotate_select.config import Config, SourceSettings
from annotate_select.errors import SourceError, listed
from annotate_select.pool.inspect import inspect_many
from annotate_select.pool.sources import Entry, Source, read_source
from annotate_select.progress import Progress, silent
from annotate_select.steps.home import Home
from annotate_select.steps.vanished import require_reachable, still_there, take_out
from annotate_select.words import counted

__all__ = ["AddReport", "add"]

CHUNK = 256  # images recorded in one transaction: what a kill can make us inspect again


@dataclass
class AddReport:
    """What became of the images of a source; names are keys, of what moved the one before and the one now."""

    added: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    moved: list[tuple[str, str]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    unchanged: int = 0
    updated: int = 0
    prefixed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """Say in a few lines what was added, what was not, and why."""
        lines = [f"added {counted(len(self.added))} ({self.unchanged:,} were there already)"]
        if self.updated:
            lines.append(f"updated the group, time or metadata of {self.updated:,}")
        if self.duplicates:
            pairs = listed((f"{key} = {original}" for key, original in self.duplicates), most=5)
            lines.append(f"{counted(len(self.duplicates), 'exact duplicate')} left out: {pairs}")
        if self.replaced:
            names = listed(self.replaced, most=5)
            lines.append(
                f"{counted(len(self.replaced), 'file')} had changed; labels stay with the old content: {names}"
            )
        if self.moved:
            pairs = listed((f"{before} to {now}" for before, now in self.moved), most=5)
            lines.append(f"{counted(len(self.moved))} moved, with all that was said of them: {pairs}")
        if self.gone:
            lines.append(
                f"{counted(len(self.gone))} left the pool, for the files are gone; back with them comes all that was "
                f"said: {listed(self.gone, most=5)}"
            )
        if self.unreadable:
            lines.append(f"{len(self.unreadable):,} unreadable:")
            lines += [f"  {key}: {reason}" for key, reason in self.unreadable[:20]]
            if len(self.unreadable) > 20:
                lines.append(f"  and {len(self.unreadable) - 20:,} more")
        return "\n".join(lines + self.notes)


@dataclass(frozen=True)
class _Found:
    """An entry of a source, under the name the pool knows it by."""

    entry: Entry
    source: str
    path: str
    key: str


def add(home: Home, sources: Sequence[str | Path | Sequence[str | Path]], progress: Progress = silent) -> AddReport:
    """Add every image of the sources that is not in the pool yet; with no sources, look through the known ones again.

    Idempotent: a file whose size and time are unchanged is not opened again. A broken file is reported, never fatal.
    Images of a folder whose files are gone leave the pool, and what was said of them stays.
    Raises SourceError when a source itself cannot be read, or nothing of it reached; images added before stay.
    """
    report = AddReport()
    with home.lock("adding images"):
        for source in [_read(home, one) for one in sources or _known_sources(home)]:
            _add_source(home, source, report, progress)
    return report


def _read(home: Home, source: str | Path | Sequence[str | Path]) -> Source:
    try:
        return read_source(source)
    except SourceError as error:
        if isinstance(source, str | Path):
            path = Path(os.path.realpath(os.path.expanduser(source)))
            for one in home.config.sources:
                own = home.root / one.file if one.file else home.source_root(one)
                if own.resolve() == path and (kept := still_there(home, one)):
                    raise SourceError(f"{str(error).partition(';')[0]}; {kept}") from error
        raise


def _known_sources(home: Home) -> list[Path]:
    again = [home.root / (one.file or one.root) for one in home.config.sources if one.kind != "list"]
    if not again:
        raise SourceError("name a folder, a CSV manifest or image files to add; this project has no source yet")
    return again


def _add_source(home: Home, source: Source, report: AddReport, progress: Progress) -> None:
    found, settings = _name(home, source)
    if settings.prefixed:
        report.prefixed[str(source.root)] = settings.name
        report.notes.append(
            f"keys of {source.root} begin with {settings.name}/, because another source has the same keys"
        )
    if any("label" in one.entry.metadata for one in found[:1]):
        report.notes.append(
            "the column 'label' was kept as metadata; `annotate-select import FILE` makes annotations of it"
        )
    if source.kind != "list":  # of files that somebody names, the others tell nothing
        require_reachable(home, settings, (one.entry.path for one in found))
    if source.kind == "folder":
        report.gone += take_out(home, settings, (one.path for one in found if one.source == settings.name), CHUNK)
    fresh = list(_changed(home, found, report))
    done = 0
    for chunk in _chunks(_records(fresh), CHUNK):
        outcome = images.add_images(home.db, chunk)
        report.added += outcome.added
        report.duplicates += outcome.duplicates
        report.unreadable += outcome.unreadable
        report.replaced += outcome.replaced
        report.moved += outcome.moved
        report.updated += outcome.updated
        done += len(chunk)
        progress("adding images", done, len(fresh), f"{len(report.unreadable)} unreadable" if report.unreadable else "")
    moved = {before for before, _ in report.moved}
    report.gone = [key for key in report.gone if key not in moved]


def _name(home: Home, source: Source) -> tuple[list[_Found], SourceSettings]:
    """Give every entry its source, path and key; write a new source into project.toml before any image carries it."""
    config = home.config
    known = {home.source_root(one): one for one in config.sources}
    settings = known.get(source.root)
    if settings is None:
        elsewhere = _Elsewhere(home, source.root)
        strangers = [entry for entry in source.entries if elsewhere.find(entry) is None]
        settings = _new_settings(home, config, source, strangers)
        if strangers:
            config.sources = [*config.sources, settings]
            home.save_config(config)
        return [elsewhere.find(entry) or _found(entry, settings) for entry in source.entries], settings
    return [_found(entry, settings) for entry in source.entries], settings


def _found(entry: Entry, settings: SourceSettings) -> _Found:
    key = f"{settings.name}/{entry.key}" if settings.prefixed else entry.key
    return _Found(entry, settings.name, entry.key, key)


class _Elsewhere:
    """Images of a new source that the pool already has, through a source whose root lies above or below."""

    def __init__(self, home: Home, root: Path) -> None:
        roots = [(home.source_root(one), one) for one in home.config.sources]
        self._near = [
            (other, one, images.known(home.db, one.name))
            for other, one in roots
            if other.is_relative_to(root) or root.is_relative_to(other)
        ]

    def find(self, entry: Entry) -> _Found | None:
        for root, settings, known in self._near:
            if entry.path.is_relative_to(root):
                relative = entry.path.relative_to(root).as_posix()
                if relative in known:
                    key = f"{settings.name}/{relative}" if settings.prefixed else relative
                    return _Found(entry, settings.name, relative, key)
        return None


def _new_settings(home: Home, config: Config, source: Source, entries: Sequence[Entry]) -> SourceSettings:
    taken = {one.name for one in config.sources}
    name, number = source.name, 2
    while name in taken:
        name, number = f"{source.name}-{number}", number + 1
    clash = bool(images.resolve(home.db, [entry.key for entry in entries]))
    file = _relative(home.root, source.file) if source.file else None
    return SourceSettings(
        name=name, kind=source.kind, root=_relative(home.root, source.root), file=file, prefixed=clash
    )


def _relative(root: Path, path: Path) -> str:
    """Write a path relative to the project when it lies inside it or beside it, so that both can move together."""
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix() or "."
    if path.is_relative_to(root.parent):
        return f"../{path.relative_to(root.parent).as_posix()}"
    return str(path)


def _changed(home: Home, found: Sequence[_Found], report: AddReport) -> Iterator[_Found]:
    """Leave out what the pool has already, judged by size and time as rsync does."""
    known = {source: images.known(home.db, source) for source in {one.source for one in found}}
    for one in found:
        before = known[one.source].get(one.path)
        if before is not None and before.status != "unreadable" and before.matches(one.entry.path, one.entry):
            report.unchanged += 1
        else:
            yield one


def _records(found: Sequence[_Found]) -> Iterator[images.ImageRecord]:
    for position, seen in inspect_many([one.entry.path for one in found]):
        one = found[position]
        yield images.ImageRecord(
            key=one.key,
            source=one.source,
            path=one.path,
            fingerprint=seen.fingerprint,
            size_bytes=seen.size_bytes,
            mtime_ns=seen.mtime_ns,
            width=seen.width,
            height=seen.height,
            group=one.entry.group,
            captured_at=one.entry.captured_at,
            taken_at=seen.captured_at,
            metadata=one.entry.metadata,
            problem=seen.problem,
        )


def _chunks(records: Iterator[images.ImageRecord], size: int) -> Iterator[list[images.ImageRecord]]:
    while chunk := list(islice(records, size)):
        yield chunk
