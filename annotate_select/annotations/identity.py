"""Which project a database belongs to, so that a copied folder is a project of its own and no label goes astray.

A database knows the folder it was last opened in. Opened elsewhere, it was either moved, and stays what it is, or
copied, which shows in that the other folder still holds the same project: then the copy takes a new id and secret.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database
from annotate_select.errors import DatabaseError

__all__ = ["settle", "share_a_past"]

PLACE = "place"


def settle(db: Database) -> None:
    """Note where a database is, and give a copy an id and a secret of its own; what is read-only stays as it is."""
    if db.read_only:
        return
    here = str(db.path)
    with db.read() as connection:
        values = {row.key: row.value for row in connection.execute(select(schema.settings))}
    if values.get(PLACE) == here:
        return
    copied = PLACE in values and _holds(Path(values[PLACE]), values["project"], db.path)
    with suppress(DatabaseError), db.write() as connection:  # on a full disk the project can still be read
        table = schema.settings
        now = connection.execute(select(table.c.value).where(table.c.key == PLACE)).scalar()
        if now == here:  # another process was here a moment before
            return
        if copied:
            for key in ("project", "secret"):
                connection.execute(update(table).where(table.c.key == key).values(value=secrets.token_hex(16)))
        connection.execute(delete(table).where(table.c.key == PLACE))
        connection.execute(insert(table), {"key": PLACE, "value": here})


def _holds(other: Path, project: str, path: Path) -> bool:
    """Say whether another file is the database of the same project, and not this very file by another path."""
    with suppress(OSError, sqlite3.Error):
        if not other.exists() or other.samefile(path):
            return False
        with closing(sqlite3.connect(f"{other.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            found = connection.execute("SELECT value FROM settings WHERE key = 'project'").fetchone()
        return bool(found and found[0] == project)
    return False


def share_a_past(here: Database, there: Database) -> bool:
    """Say whether the first thing said in either project was said in both, as in two copies of one."""
    first = select(schema.events.c.uid).order_by(schema.events.c.id).limit(1)
    for one, other in ((here, there), (there, here)):
        with one.read() as connection:
            uid = connection.execute(first).scalar()
        with other.read() as connection:
            known = select(schema.events.c.id).where(schema.events.c.uid == uid)
            if uid is not None and connection.execute(known).first() is not None:
                return True
    return False
