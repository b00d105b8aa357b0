from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate_select import config as module
from annotate_select.config import Config, ExamSettings, SelectSettings, SourceSettings, read, validated, write
from annotate_select.errors import ConfigError, StorageError

BY_HAND = """\
# The cracks of hall 3.
name = "defects"   # shown in the app
classes = ["ok", "crack"]  # ask Ana before adding one

# how a batch is chosen
[select]
n = 50 # one morning
"""


def put(folder: Path, text: str) -> Path:
    path = folder / module.FILE_NAME
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults() -> None:
    config = Config(name="defects", classes=["ok"])
    assert (config.seed, config.sources) == (0, [])
    assert config.select == SelectSettings(n=100, strategy="auto", audit=0.1, features=None)
    assert (config.exam.size, config.queue.overlap, config.queue.lease_seconds) == (100, 1, 600)


def test_defaults_are_not_shared() -> None:
    first, second = Config(name="a", classes=["x"]), Config(name="b", classes=["x"])
    first.sources.append(SourceSettings(name="s", root="."))
    first.select.n = 5
    assert second.sources == []
    assert second.select.n == 100


def test_read_by_hand(tmp_path: Path) -> None:
    put(tmp_path, BY_HAND)
    config = read(tmp_path)
    assert (config.name, config.classes, config.select.n, config.select.strategy) == (
        "defects",
        ["ok", "crack"],
        50,
        "auto",
    )


def test_round_trip_of_everything(tmp_path: Path) -> None:
    config = Config(
        name='the "name"\n',
        classes=["größe", "a/b", "c = [1]", "#d"],
        seed=7,
        sources=[
            SourceSettings(name="one", root="../photos"),
            SourceSettings(name="two", kind="manifest", root="/data", file="/data/m.csv", prefixed=True),
        ],
        select=SelectSettings(n=3, strategy="kmeans", audit=0.0, features="autoencoder"),
        exam=ExamSettings(size=9),
    )
    write(tmp_path, config)
    assert read(tmp_path) == config


class_names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(before=st.lists(class_names, min_size=1, max_size=4), after=st.lists(class_names, min_size=1, max_size=4))
def test_any_classes_come_back(tmp_path: Path, before: list[str], after: list[str]) -> None:
    put(tmp_path, BY_HAND)
    for names in (before, after):
        config = Config(name="x", classes=list(dict.fromkeys(name.strip() for name in names)))
        write(tmp_path, config)
        assert read(tmp_path) == config


def test_writing_what_was_read_changes_no_line(tmp_path: Path) -> None:
    path = put(tmp_path, BY_HAND)
    config = read(tmp_path)
    write(tmp_path, config)
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [line for line in BY_HAND.splitlines() if line not in lines] == []
    assert read(tmp_path) == config
    write(tmp_path, config)
    assert path.read_text(encoding="utf-8") == text


def test_a_changed_value_keeps_comments_and_order(tmp_path: Path) -> None:
    path = put(tmp_path, BY_HAND)
    config = read(tmp_path)
    config.select.n = 200
    config.classes = ["ok", "crack", "dent"]
    write(tmp_path, config)
    text = path.read_text(encoding="utf-8")
    assert text.startswith(
        '# The cracks of hall 3.\nname = "defects"   # shown in the app\n'
        'classes = ["ok", "crack", "dent"]  # ask Ana before adding one\n'
    )
    assert "\n# how a batch is chosen\n" in text
    assert "[select]\nn = 200 # one morning\n" in text
    assert read(tmp_path) == config


def test_a_comment_stays_above_its_table(tmp_path: Path) -> None:
    path = put(tmp_path, BY_HAND)
    write(tmp_path, read(tmp_path))
    assert "# how a batch is chosen\n[select]\n" in path.read_text(encoding="utf-8")


def test_comments_among_the_classes_are_kept(tmp_path: Path) -> None:
    path = put(tmp_path, 'name = "x"\nclasses = [\n  "ok",\n  "crack", # any length\n]\n')
    config = read(tmp_path)
    config.classes = [*config.classes, "dent"]
    write(tmp_path, config)
    assert read(tmp_path) == config
    assert '"crack", # any length' in path.read_text(encoding="utf-8")


def test_comments_among_the_sources_are_kept(tmp_path: Path) -> None:
    source = '[[sources]]\nname = "spring"\nroot = "/photos" # on the second disk\n'
    path = put(tmp_path, 'name = "x"\nclasses = ["a"]\n' + source)
    config = read(tmp_path)
    write(tmp_path, config)
    assert read(tmp_path) == config
    assert 'root = "/photos" # on the second disk' in path.read_text(encoding="utf-8")


def test_a_file_broken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = put(tmp_path, 'name = "x\n')
    with pytest.raises(ConfigError, match=r"project\.toml is not valid TOML"):
        write(tmp_path, Config(name="y", classes=["b"]))
    assert path.read_text() == 'name = "x\n'


def test_a_byte_order_mark_is_no_harm(tmp_path: Path) -> None:
    put(tmp_path, '\ufeffname = "x"\nclasses = ["a"]\n')
    assert read(tmp_path).name == "x"


def test_a_value_set_back_to_none_goes_away(tmp_path: Path) -> None:
    path = put(tmp_path, BY_HAND + 'features = "autoencoder"\n')
    config = read(tmp_path)
    config.select.features = None
    write(tmp_path, config)
    assert "features" not in path.read_text()
    assert read(tmp_path) == config


def test_sources_are_added_one_after_the_other(tmp_path: Path) -> None:
    put(tmp_path, BY_HAND)
    for name in ("one", "two", "three"):
        config = read(tmp_path)
        config.sources = [*config.sources, SourceSettings(name=name, root=name)]
        write(tmp_path, config)
    assert [source.name for source in read(tmp_path).sources] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nclasses = [\n', r"is not valid TOML: .*line"),
        ('name = "x"\nname = "y"\n', r"is not valid TOML: .*line 2"),
        ('classes = ["a"]\n', "name: is missing; add it"),
        ('name = "x"\n', "classes: is missing; add it"),
        ('name = ""\nclasses = ["a"]\n', "name: must have at least 1 character, got ''"),
        ('name = "x"\nclasses = []\n', r"classes: must have at least 1 entry, got \[\]"),
        ('name = "x"\nclasses = "a,b"\n', r"classes: must be a list, such as \['ok', 'dent'\], got 'a,b'"),
        ('name = "x"\nclasses = ["a", 2]\n', r"classes\.1: must be text in quotes, got 2"),
        ('name = "x"\nclasses = ["a", ""]\n', r"classes\.1: must have at least 1 character, got ''"),
        ('name = "x"\nclasses = ["a", " "]\n', "classes: a class needs a name, got an empty one"),
        ('name = "x"\nclasses = ["a", "b", "a "]\n', "classes: classes must be distinct, got a more than once"),
        (f'name = "x"\nclasses = ["{"a" * 101}"]\n', r"classes\.0: must have at most 100 characters, got 101"),
        ('name = "x"\nclasses = ["a"]\nseed = -1\n', "seed: must be at least 0, got -1"),
        ('name = "x"\nclasses = ["a"]\n[select]\nn = 0\n', r"select\.n: .*got 0"),
        ('name = "x"\nclasses = ["a"]\n[select]\naudit = 1.5\n', r"select\.audit: must be at most 1, got 1\.5"),
        ('name = "x"\nclasses = ["a"]\n[select]\nstrategi = "a"\n', r"strategi: is no setting there is; .*, got 'a'"),
        ('name = "x"\nclasses = ["a"]\n[[sources]]\nname = "s"\n', r"sources\.0\.root: is missing; add it"),
        (
            'name = "x"\nclasses = ["a"]\n[[sources]]\nname = "s"\nroot = "."\nkind = "zip"\n',
            r"sources\.0\.kind: must be 'folder', 'manifest' or 'list', got 'zip'",
        ),
        (
            'name = "x"\nclasses = ["a"]\n' + '[[sources]]\nname = "s"\nroot = "."\n' * 2,
            "sources: sources need distinct names, got s more than once",
        ),
        ('name = "x"\nclasses = ["a"]\nseed = "s"\n', "seed: must be a whole number, got 's'"),
        ('name = "x"\nclasses = ["a"]\n[exam]\nstratify = "maybe"\n', r"stratify: must be true or false, got 'm"),
        ('name = "x"\nclasses = ["a"]\n[exam]\npass_accuracy = 1.2\n', r"pass_accuracy: must be less than 1, got 1\.2"),
        (
            'name = "x"\nclasses = ["a"]\n[exam]\npass_recall = "x"\n',
            r": exam\.pass_recall: must be a share between 0 and 1, .* got 'x'$",
        ),
        ('name = "x"\nclasses = ["a"]\nselect = 3\n', "select: must be a table of settings, got 3"),
        ('name = ""\nclasses = []\n', "name: .*; classes: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    put(tmp_path, text)
    with pytest.raises(ConfigError, match=rf"project\.toml.*{message}"):
        read(tmp_path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no .*project\.toml; make a project with `annotate-select init "):
        read(tmp_path)


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / module.FILE_NAME).write_bytes(b'name = "caf\xe9"\n')
    with pytest.raises(ConfigError, match=r"cannot read .*project\.toml: .*utf-8"):
        read(tmp_path)


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / module.FILE_NAME).mkdir()
    with pytest.raises(ConfigError, match=r"cannot read .*project\.toml"):
        read(tmp_path)


def test_validated_says_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^the options: classes: is missing; add it$"):
        validated({"name": "x"}, "the options")


def test_assignment_is_checked() -> None:
    config = Config(name="x", classes=["a"])
    with pytest.raises(ValueError, match="distinct"):
        config.classes = ["a", "a"]
    assert config.classes == ["a"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, BY_HAND)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match=r"no space left to write .*project\.toml"):
        write(tmp_path, Config(name="y", classes=["b"]))
    assert path.read_text() == BY_HAND
    assert os.listdir(tmp_path) == [module.FILE_NAME]
