"""`check duplicates`: groups of images that are all but the same."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from PIL import Image

from annotate_select.cli import cli
from annotate_select.project import Project


def test_copies_are_one_group_whatever_their_number(tmp_path: Path, photos: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, path in enumerate(sorted(photos.iterdir())[:24]):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        for copy in range({3: 12, 5: 2}.get(number, 1)):
            image.putpixel((copy, 0), (255, 0, 255))
            image.save(folder / f"{number:02}-{copy:02}.png")
    with Project.create(tmp_path / "project", ["a", "b"], images=folder) as project:
        project.embed("efficientnet_lite0", image_size=32)
        project.annotate({"05-00.png": "a", "05-01.png": "b", "03-00.png": "a", "03-01.png": "a"})
        found = project.check.duplicates()
        assert (found.images, found.groups, found.spare, found.contradicting) == (36, 2, 12, 1)
        twelve, two = found.largest
        assert sorted(twelve.keys) == [f"03-{copy:02}.png" for copy in range(12)]
        assert (sorted(two.keys), two.labels) == (["05-00.png", "05-01.png"], ["a", "b"])
        assert "12 of 36 images could be left out" in found.text()
        assert "labels differ in 1 group:" in found.text()
        arguments = ["-p", str(project.root), "check", "duplicates", "--json"]
        said = json.loads(CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False).stdout)
        assert said["duplicates"]["groups"] == 2


def test_without_look_alikes_it_says_so(tmp_path: Path, photos: Path) -> None:
    manifest = tmp_path / "few.csv"
    manifest.write_text("image\n" + "\n".join(str(path) for path in sorted(photos.iterdir())[:5]))
    with Project.create(tmp_path / "project", ["a", "b"], images=manifest) as project:
        project.embed("efficientnet_lite0", image_size=32)
        assert project.check.duplicates().text() == "no two of the 5 images are all but the same"
