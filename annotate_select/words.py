"""How counts and names are written in everything that people read."""

from __future__ import annotations

import json
from collections.abc import Iterable

from annotate_select.errors import listed

__all__ = ["counted", "named", "plain"]


def counted(number: int, noun: str = "image", verbs: tuple[str, str] | None = None) -> str:
    """Write a count with its noun, and with the verb for one or for several, where there is one.

    >>> counted(1), counted(1320), counted(2, "class"), counted(0, "near copy")
    ('1 image', '1,320 images', '2 classes', '0 near copies')
    >>> counted(1, "label", ("is", "are"))
    '1 label is'
    """
    said = f"{number:,} {noun if number == 1 else _plural(noun)}"
    return said if verbs is None else f"{said} {verbs[number != 1]}"


def named(names: Iterable[str], most: int = 10) -> str:
    """List names of classes or images so that nobody can take one for two, and say how many were left out.

    >>> named(["ok", "dent, small"])
    'ok, "dent, small"'
    """
    return listed((plain(name) for name in names), most)


def plain(name: str) -> str:
    """Write a name on one line: in quotes where it has a comma, is empty or has what cannot be printed.

    >>> print(plain("a.jpg"), plain("new\\nline.jpg"))
    a.jpg "new\\nline.jpg"
    """
    if name and "," not in name and name.isprintable() and name == name.strip():
        return name
    quoted = json.dumps(name, ensure_ascii=False)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in quoted)


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")) and not noun.endswith("och"):  # epochs
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
