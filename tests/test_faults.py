"""Killed, crowded, full, read-only: what was acknowledged stays, and the command can be run again."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from annotate_select import Project, files
from annotate_select.annotations.events import Event
from annotate_select.errors import AnnotateSelectError, StorageError
from annotate_select.steps import jobs

COMMAND = [sys.executable, "-m", "annotate_select", "--quiet", "--project"]


def start(root: Path, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start a command that hears Ctrl-C, also when the tests run in the background and are deaf to it."""
    return subprocess.Popen(
        [*COMMAND, str(root), *map(str, arguments)],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def kill_when(process: subprocess.Popen[bytes], ready: Callable[[], bool], seconds: float = 120) -> None:
    """Kill -9 as soon as `ready`; fail when that never happens, or the command ended before it could be killed."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def count(root: Path) -> int:
    with Project.open(root) as project:
        return project.status().images


def again(root: Path, *arguments: str | Path) -> None:
    done = subprocess.run([*COMMAND, str(root), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A folder of 2,400 images, a few photos with other bytes behind them: something that takes seconds to add."""
    folder = tmp_path_factory.mktemp("big")
    for number in range(20):
        for photo in photos.iterdir():
            (folder / f"{number:02}-{photo.name}").write_bytes(photo.read_bytes() + bytes([number + 1]))
    return folder


def test_killed_while_adding(tmp_path: Path, big: Path) -> None:
    root = tmp_path / "p"
    Project.create(root, ["a", "b"]).close()
    database = root / "annotations.db-wal"
    before = database.stat().st_size if database.exists() else 0
    kill_when(start(root, "add", big), lambda: database.exists() and database.stat().st_size > before + 100_000)
    assert 0 < count(root) < 2400
    again(root, "add", big)
    assert count(root) == 2400


def test_killed_while_training_the_encoder_and_while_encoding(tmp_path: Path, photos: Path) -> None:
    root = tmp_path / "p"
    Project.create(root, ["a", "b"], images=photos).close()
    kill_when(start(root, "embed", "--image-size", "16"), lambda: any((root / "features").glob(".training-*/*")))
    with Project.open(root) as project, pytest.raises(AnnotateSelectError, match="embed"):
        project.features()
    again(root, "embed", "--image-size", "16")
    with Project.open(root) as project:
        assert len(project.features().array) == 120
        assert not list((root / "features").glob(".training-*/*"))


def test_killed_while_training(project_root: Path) -> None:
    process = start(project_root, "train")
    kill_when(process, (project_root / ".training.lock").exists)
    with Project.open(project_root) as project:
        assert [one.model for one in project.rounds()] in ([1], [1, 2])
    again(project_root, "train")
    with Project.open(project_root) as project:
        assert len(project.rounds()) >= 2
    assert not [
        path for path in (project_root / "models").iterdir() if not path.name.isdigit() and path.suffix != ".tmp"
    ]


def test_killed_while_importing(project_root: Path, tmp_path: Path) -> None:
    with Project.open(project_root) as project:
        keys = list(project.features().keys)
    rows = [f"{key},Hat,person{number},2026-01-01T00:00:00" for number in range(60) for key in keys]
    (tmp_path / "labels.csv").write_text("image,label,annotator,at\n" + "\n".join(rows) + "\n")
    wal = project_root / "annotations.db-wal"
    kill_when(
        start(project_root, "import", tmp_path / "labels.csv"), lambda: wal.exists() and wal.stat().st_size > 300_000
    )
    export = tmp_path / "out.jsonl"
    with Project.open(project_root) as project:
        some = project.export(export)
    assert 54 < some < 7254
    again(project_root, "import", tmp_path / "labels.csv")
    with Project.open(project_root) as project:
        assert project.export(export) == 7254


LABELLER = """
import sys, uuid
from annotate_select import Project
from annotate_select.annotations.events import Event
root, annotator, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Project.open(root) as project:
    ids = project.features().ids.tolist()
    for number in range(n):
        uid = f"{annotator}-{number}"
        outcome = project.record([Event(uid, ids[number % len(ids)], annotator, "label", label="Hat")])
        print(*outcome.acked, flush=True)
"""


def labeller(root: Path, annotator: str, n: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", LABELLER, str(root), annotator, str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stored(root: Path) -> list[str]:
    with Project.open(root) as project:
        project.export(root / "all.jsonl")
    return [json.loads(line)["uid"] for line in (root / "all.jsonl").read_text().splitlines()]


def test_two_processes_label_at_once(project_root: Path) -> None:
    both = [labeller(project_root, name, 300) for name in ("ana", "ben")]
    for process in both:
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        assert len(out.split()) == 300
    uids = [uid for uid in stored(project_root) if uid.startswith(("ana-", "ben-"))]
    assert len(uids) == len(set(uids)) == 600


def test_killed_while_labelling_keeps_every_acknowledged_label(project_root: Path) -> None:
    process = labeller(project_root, "ana", 100_000)
    assert process.stdout is not None
    acked = [process.stdout.readline().strip() for _ in range(200)]
    process.kill()
    acked += process.stdout.read().split()
    process.communicate()
    assert set(acked) <= set(stored(project_root))


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file(project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "labels.csv"
    old.write_text("precious")
    features = sorted((project_root / "features").rglob("*"))
    with Project.open(project_root) as project:
        monkeypatch.setattr(files, "_sync", full_disk)
        with pytest.raises(StorageError, match="no space left"):
            project.export(old)
        with pytest.raises(StorageError, match="no space left"):
            project.train()
        with pytest.raises(AnnotateSelectError, match="no space left"):
            project.embed(retrain=True, dim=4, image_size=16)
        monkeypatch.undo()
        assert old.read_text() == "precious"
        assert len(project.rounds()) == 1
        assert len(project.features().array) == 120
    assert [path for path in features if not path.exists()] == []


# root may write anything, so the commands run as nobody; whose modules have to be loaded before, as root
AS_NOBODY = """
import importlib, json, os, pkgutil, sys
import annotate_select
from click.testing import CliRunner
for module in pkgutil.walk_packages(annotate_select.__path__, "annotate_select."):
    if not module.name.endswith("__main__") and ".app" not in module.name:
        importlib.import_module(module.name)
import encodings.utf_8_sig
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
results = []
for command in sys.argv[2:]:
    done = CliRunner().invoke(annotate_select.cli.cli, ["--project", sys.argv[1], *command.split()])
    results.append(f"{type(done.exception).__name__}: {done.exception}" if done.exception else done.output)
print(json.dumps(results))
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_read_only_project_can_be_read_and_says_why_not_written(project_root: Path, tmp_path: Path) -> None:
    for path in [project_root, *project_root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    commands = ["status", "select -n 3", "train", "exam --size 30"]
    child = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(project_root), *commands], capture_output=True, text=True
    )
    assert child.returncode == 0, child.stderr
    done = dict(zip(commands, json.loads(child.stdout), strict=True))
    for path in [project_root, *project_root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert "120" in done["status"]
    for name in commands[1:]:
        assert done[name].startswith("StorageError: cannot write"), done
        assert "read-only" in done[name], done


def test_interrupted_is_130_and_can_be_run_again(tmp_path: Path, big: Path) -> None:
    root = tmp_path / "p"
    Project.create(root, ["a", "b"]).close()
    process = start(root, "add", big)
    lock = root / ".adding.lock"
    while not lock.exists():
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert b"nothing" in errors
    assert b"Traceback" not in errors
    again(root, "add", big)
    assert count(root) == 2400


def test_a_job_that_was_killed_says_so(project_root: Path) -> None:
    with Project.open(project_root) as project:
        project.start("train")
        deadline = time.monotonic() + 60
        while (job := project.job()) is None or job.pid == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(job.pid, signal.SIGKILL)
        while (job := project.job()) is not None and job.state == "running":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert job is not None
        assert job.state == "failed" or project.rounds()[-1].model == 2


def test_a_job_runs_and_tells(project_root: Path) -> None:
    with Project.open(project_root) as project:
        job = project.start("train")
        assert job.state == "running"
        with pytest.raises(AnnotateSelectError, match="train"):
            project.start("embed")
        deadline = time.monotonic() + 120
        while (now := project.job()) is not None and now.state == "running":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert now is not None
        assert (now.state, now.message) == ("done", "")
        assert len(project.rounds()) == 2
        project.start("evaluate", "--model", "9")
        while (now := project.job()) is not None and now.state == "running":
            time.sleep(0.05)
        assert now is not None
        assert now.state == "failed"
        assert "no model 9" in now.message
    deadline = time.monotonic() + 120
    while any(child.returncode is None for child in jobs._children.values()):  # nobody has to ask for the job again
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_threads_label_at_once(project_root: Path) -> None:
    with Project.open(project_root) as project:
        ids = project.features().ids.tolist()
        acked: list[str] = []

        def work(name: str) -> None:
            for number in range(100):
                event = Event(f"{name}{number}", ids[number], name, "label", label="Hat")
                acked.extend(project.record([event]).acked)

        threads = [threading.Thread(target=work, args=(f"t{i}-",)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(acked) == 600
    assert set(acked) <= set(stored(project_root))


def test_a_project_moved_with_its_images_still_works(trained_root: Path, photos: Path, tmp_path: Path) -> None:
    place = tmp_path / "usb"
    shutil.copytree(photos, place / "photos")
    with Project.create(place / "p", ["a", "b"], images=place / "photos") as project:
        assert project.config.sources[0].root == "../photos"
    shutil.move(place, tmp_path / "other")
    with Project.open(tmp_path / "other" / "p") as project:
        assert project.add().unchanged == 120
        image = project.queue("ana", 1)
        assert image == []
