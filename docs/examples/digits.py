"""Reads handwritten digits by their nearest neighbours: prepares images, tries settings, merges what came out."""

import argparse
import json
from collections import Counter
from math import dist
from pathlib import Path


def prepare(images: Path, out: Path) -> None:
    """Divide the images into those that are known, and those that are to be read."""
    labelled = json.loads((images / "digits.json").read_text())
    (out / "known.json").write_text(json.dumps(labelled[:900]))
    (out / "unread.json").write_text(json.dumps(labelled[900:1100]))


def train(data: Path, out: Path, neighbours: int, levels: int) -> None:
    """Read each digit as most of the images do that are next to it, with so many levels of grey."""
    known, unread = (
        [([pixel * levels // 17 for pixel in pixels], digit) for pixels, digit in json.loads((data / name).read_text())]
        for name in ("known.json", "unread.json")
    )
    right = 0
    for pixels, digit in unread:
        nearest = sorted((dist(pixels, others), read) for others, read in known)[:neighbours]
        right += Counter(read for _, read in nearest).most_common(1)[0][0] == digit
    (out / "metrics.json").write_text(json.dumps({"accuracy": right / len(unread)}))
    print(f"{right} of {len(unread)} digits are read right")


def merge(trained: Path, out: Path) -> None:
    """Put what all jobs of the sweep have found into one table."""
    lines = [
        f"{folder.name} {json.loads((folder / 'metrics.json').read_text())['accuracy']}"
        for folder in sorted(trained.iterdir())
    ]
    (out / "table.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} results are merged")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=["prepare", "train", "merge"])
    parser.add_argument("given", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--neighbours", type=int)
    parser.add_argument("--levels", type=int)
    arguments = parser.parse_args()
    if arguments.step == "prepare":
        prepare(arguments.given, arguments.out)
    elif arguments.step == "train":
        train(arguments.given, arguments.out, arguments.neighbours, arguments.levels)
    else:
        merge(arguments.given, arguments.out)
