"""How an older database becomes today's: steps in order, each in the transaction that also writes its version."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

__all__ = ["MIGRATIONS", "Migration", "migrate"]

# (version it leads to, what to do)
Migration = tuple[int, Callable[[Connection], None]]

MIGRATIONS: list[Migration] = []


def migrate(connection: Connection, version: int, steps: Sequence[Migration] = MIGRATIONS) -> int:
    """Run the steps that lead beyond `version`, in order; return the version reached."""
    for target, step in sorted(steps, key=lambda one: one[0]):
        if target > version:
            step(connection)
            version = target
    return version
