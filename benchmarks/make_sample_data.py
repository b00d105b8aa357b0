"""Make sample_data/ from the Clothing dataset: a seeded choice of 480 images of 8 classes, small enough to travel.

Usage: python benchmarks/make_sample_data.py SOURCE TARGET [--seed 0]

SOURCE holds images/ and labels.csv (header `image,label`, more columns are ignored); TARGET gets images/ and
labels.csv. Broken images and repeated ones are left out. The same seed makes the same files, with the same Pillow.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import random
import sys
from pathlib import Path

from PIL import Image, ImageOps

COUNTS = {
    "T-Shirt": 110,
    "Shoes": 90,
    "Pants": 75,
    "Longsleeve": 65,
    "Outwear": 45,
    "Dress": 40,
    "Hat": 30,
    "Shorts": 25,
}
LONGEST_SIDE, QUALITY = 112, 80
MOST_BYTES = 2_600_000


def main() -> int:
    """Make the sample, say what was left out and how large it is; exit 1 when it is too large or too few are left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chosen, left_out = choose(arguments.source, random.Random(arguments.seed))
    for reason in left_out:
        print(f"left out {reason}", file=sys.stderr)
    missing = {label: n for label, n in COUNTS.items() if sum(one[1] == label for one in chosen) < n}
    if missing:
        print(f"error: too few images of {', '.join(missing)}", file=sys.stderr)
        return 1
    size = write(arguments.target, chosen)
    print(f"{len(chosen)} images, {size:,} bytes in {arguments.target}")
    return 0 if size <= MOST_BYTES else 1


def choose(source: Path, rng: random.Random) -> tuple[list[tuple[str, str, bytes]], list[str]]:
    """Return (original name, label, JPEG bytes) of the chosen images in random order, and what was left out and why."""
    with (source / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = sorted((row["image"], row["label"]) for row in csv.DictReader(file))
    rng.shuffle(rows)
    wanted, seen = dict(COUNTS), set()
    chosen, left_out = [], []
    for name, label in rows:
        if not wanted.get(label):
            continue
        try:
            content = encode(source / "images" / name)
        except OSError as error:
            left_out.append(f"{name}: {error}")
            continue
        fingerprint = hashlib.blake2b(content).digest()
        if fingerprint in seen:
            left_out.append(f"{name}: the same pixels as another")
            continue
        seen.add(fingerprint)
        wanted[label] -= 1
        chosen.append((name, label, content))
    rng.shuffle(chosen)  # the last ones found are all of the large classes; the number must not tell
    return chosen, left_out


def encode(path: Path) -> bytes:
    """Return the image as an upright RGB JPEG without metadata; raises OSError when it is broken."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()


def write(target: Path, chosen: list[tuple[str, str, bytes]]) -> int:
    """Write images/ and labels.csv; return their size in bytes."""
    images = target / "images"
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("*.jpg"):
        old.unlink()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "label"])
    for number, (name, label, content) in enumerate(chosen, start=1):
        key = f"{number:04}-{Path(name).stem[:8]}.jpg"
        (images / key).write_bytes(content)
        writer.writerow([key, label])
    (target / "labels.csv").write_text(text.getvalue(), encoding="utf-8")
    return sum(len(content) for _, _, content in chosen) + len(text.getvalue())


if __name__ == "__main__":
    sys.exit(main())
