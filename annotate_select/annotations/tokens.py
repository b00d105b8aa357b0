"""Who a browser speaks for: a name, signed with a secret that only this project's database holds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from sqlalchemy import select

from annotate_select.annotations import schema
from annotate_select.annotations.database import Database

__all__ = ["annotator_of", "issue", "project_id"]


def project_id(db: Database) -> str:
    """Return the project's own random name, 32 hex characters."""
    return _setting(db, "project")


def issue(db: Database, annotator: str) -> str:
    """Return a token for an annotator: the name and its HMAC-SHA256, safe in a URL."""
    name = base64.urlsafe_b64encode(annotator.encode()).decode().rstrip("=")
    return f"{name}.{_signature(db, name)}"


def annotator_of(db: Database, token: str) -> str | None:
    """Return whom a token was issued to, None when this project did not issue it."""
    name, _, signature = token.partition(".")
    if not token.isascii() or not hmac.compare_digest(signature, _signature(db, name)):
        return None
    try:
        return base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _signature(db: Database, name: str) -> str:
    return hmac.new(_setting(db, "secret").encode(), name.encode(), hashlib.sha256).hexdigest()


def _setting(db: Database, key: str) -> str:
    table = schema.settings.c
    with db.read() as connection:
        return str(connection.execute(select(table.value).where(table.key == key)).scalar_one())
