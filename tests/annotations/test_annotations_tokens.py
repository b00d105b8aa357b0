from __future__ import annotations

from pathlib import Path

import pytest

from annotate_select.annotations.database import Database
from annotate_select.annotations.tokens import annotator_of, issue, project_id


@pytest.mark.parametrize("name", ["ana", "José Müller", "名前", "a.b|c d", "🙂"])
def test_a_token_gives_its_name_back(empty: Database, name: str) -> None:
    token = issue(empty, name)
    assert token.isascii()
    assert annotator_of(empty, token) == name


def test_changed_tokens_are_nobodys(empty: Database) -> None:
    token = issue(empty, "ana")
    name, _, signature = token.partition(".")
    other = issue(empty, "bob").partition(".")[0]
    flipped = signature[:-1] + ("0" if signature[-1] != "0" else "1")
    for forged in (
        "",
        ".",
        name,
        f"{name}.",
        f"{name}.{flipped}",
        f"{other}.{signature}",
        token + "0",
        "é." + signature,
        name + ".\ud800",
        token[1:],
    ):
        assert annotator_of(empty, forged) is None, forged


def test_tokens_outlive_the_process_and_belong_to_one_project(empty: Database, tmp_path: Path) -> None:
    token = issue(empty, "ana")
    empty.close()
    again = Database.open(empty.path)
    assert annotator_of(again, token) == "ana"
    again.close()
    other = Database.create(tmp_path / "other.db")
    assert annotator_of(other, token) is None
    assert project_id(other) != project_id(again)
    for database in (other, again):
        database.close()
