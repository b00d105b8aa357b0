"""The loop's machine half on many real images: seconds and peak memory of each step, each a process of its own.

Called by features.py: `python benchmarks/features.py --rows scale [--images 100000] [--folder FOLDER]`. The images are
those of datasets.py's folder, of elpv-dataset and of Fashion-MNIST (28 pixels, every other one as JPEG), each once, in
random order. `embed` is asked again for one per cent more images, and again for none: what that takes is fixed cost.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import numpy as np
import psutil

SHARE = 0.01  # of the images come later
PICKS = 500
SAMPLED = 0.05  # seconds between two looks at memory


def scale(data: Path, n: int, folder: Path | None, encoder: str) -> None:
    """Print the table for n images, which stay in `folder` for another time if one is given."""
    with tempfile.TemporaryDirectory() as temporary:
        source = folder or Path(temporary) / "source"
        later = write_images(data, source, n)
        pool, project = Path(temporary) / "pool", Path(temporary) / "project"
        shutil.copytree(source, pool, copy_function=os.link if folder is None else shutil.copyfile)
        held = [(pool / one.name, Path(temporary) / one.name) for one in later]
        for inside, outside in held:
            inside.rename(outside)
        print(f"| {n:,} images, {encoder} | seconds | peak MB | of that, seconds |\n|---|---|---|---|")
        run("create", project)
        run("add", project, pool)
        first = run("embed", project, encoder)
        run("select", project, PICKS)
        for inside, outside in held:
            outside.rename(inside)
        run("add 1 % more", project, pool)
        second = run("embed 1 % more", project, encoder)
        nothing = run("embed nothing more", project, encoder)
        run("select again", project, PICKS)
        print(f"\n1 % more takes {second / first:.2%}; without the fixed {nothing:.1f} s, ", end="")
        print(f"{(second - nothing) / (first - nothing):.2%}")


def run(name: str, *given: object) -> float:
    """Run a step in a process of its own, print its row, and return its seconds."""
    command = [sys.executable, __file__, name.split()[0], *map(str, given)]
    start, peak = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            peak = max(peak, memory(child.pid))
            time.sleep(SAMPLED)
        seconds = time.monotonic() - start
        if child.returncode:
            raise SystemExit(f"{name} failed")
        assert child.stdout is not None
        stages = json.loads(child.stdout.read())
    told = ", ".join(f"{stage} {spent:.1f}" for stage, spent in stages.items())
    print(f"| {name} | {seconds:.1f} | {peak / 1e6:.0f} | {told} |", flush=True)
    return seconds


def memory(pid: int) -> int:
    """Return the resident bytes of a process and all its children."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def write_images(data: Path, folder: Path, n: int) -> list[Path]:
    """Write n images and one per cent more, if they are not there yet; return the names of these."""
    later = round(n * SHARE)
    if not folder.is_dir():
        beside = folder.with_name(folder.name + ".part")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        chosen = list(_sources(data))
        if len(chosen) < n + later:
            raise SystemExit(f"there are {len(chosen):,} images, not {n + later:,}; ask for fewer with --images")
        for number, at in enumerate(np.random.default_rng(0).permutation(len(chosen))[: n + later].tolist()):
            suffix, write = chosen[at]
            (beside / f"{number:06d}{suffix}").write_bytes(write())
        beside.rename(folder)
    files = sorted(folder.iterdir())
    if len(files) != n + later:
        raise SystemExit(f"{folder} holds {len(files):,} images, not {n + later:,}; name another --folder")
    return files[n:]


def _sources(data: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield every image there is as (suffix, what reads or encodes it)."""
    files = [one for name in sorted(data.glob("*/images")) for one in sorted(name.rglob("*")) if one.is_file()]
    if "elpv" in datasets.names(data):
        files += datasets.load("elpv", data).images
    for file in files:
        yield file.suffix.lower(), file.read_bytes
    for part in ("train", "t10k"):
        found = datasets.FASHION / f"{part}-images-idx3-ubyte.gz"
        pixels = np.frombuffer(gzip.decompress(found.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)
        for number, image in enumerate(pixels):
            kind = ("PNG", "JPEG")[number % 2]
            yield {"PNG": ".png", "JPEG": ".jpg"}[kind], lambda image=image, kind=kind: _encoded(image, kind)


def _encoded(image: np.ndarray, kind: str) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, quality=95)
    return file.getvalue()


def child() -> None:
    """Do one step of a project and print the seconds of its stages as JSON."""
    step, folder, *given = sys.argv[1:]
    from annotate_select import Project

    stages: dict[str, float] = {}
    last = time.monotonic()

    def listen(stage: str, done: int, total: int, note: str) -> None:
        nonlocal last
        stages[stage] = stages.get(stage, 0.0) + time.monotonic() - last
        last = time.monotonic()

    if step == "create":
        Project.create(folder, classes=["a", "b"]).close()
    else:
        with Project.open(folder) as project:
            last = time.monotonic()
            if step == "add":
                project.add(given[0], progress=listen)
            elif step == "embed":
                project.embed(given[0], progress=listen)
            else:
                project.select(int(given[0]))
    print(json.dumps(stages))


if __name__ == "__main__":
    child()
