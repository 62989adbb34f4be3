#!/usr/bin/env python3
"""Prepares the NEU steel-surface images for the flywheel.

    prepare.py SOURCE WORK [--noise 0.2] [--seed 1]

SOURCE is your copy of the NEU surface-defect database: its folder, or the .tar.gz or .zip it came
in. Only the pictures are read; the class is the first part of a picture's name (scratches_12.jpg).

WORK gets
    data/samples.jsonl, data/images/   60 % train, 20 % dev, 20 % test, each class alike
    truth.csv                          the right labels of train, for the simulated labellers
    planted.csv                        the labels that were made wrong, to check the result with

A share of the train labels (20 %) is replaced by another class, drawn evenly. Dev and test keep
their labels. The same seed gives the same files.
"""
import argparse
import json
import pathlib
import random
import re
import sys
import tarfile
import zipfile

NAME = re.compile(r"^([a-z-]+(?:_[a-z]+)*)_(\d+)\.(jpg|jpeg|png|bmp)$", re.IGNORECASE)


def pictures(source):
    """name → bytes, whatever the source is; the same name twice counts once."""
    found = {}
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if NAME.match(path.name) and path.is_file():
                found.setdefault(path.name, path.read_bytes())
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for entry in archive.infolist():
                name = pathlib.PurePosixPath(entry.filename).name
                if NAME.match(name):
                    found.setdefault(name, archive.read(entry))
    else:
        with tarfile.open(source) as archive:
            for entry in archive:
                name = pathlib.PurePosixPath(entry.name).name
                if NAME.match(name) and entry.isfile():
                    found.setdefault(name, archive.extractfile(entry).read())
    return found


def main():
    parser = argparse.ArgumentParser(description="Prepares the NEU images for the flywheel.")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--noise", type=float, default=0.2, help="share of wrong train labels")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        found = pictures(args.source)
    except (OSError, tarfile.TarError) as error:
        sys.exit(f"prepare.py: cannot read {args.source}: {error}")
    by_class = {}
    for name in sorted(found, key=lambda n: (NAME.match(n)[1].lower(), int(NAME.match(n)[2]))):
        by_class.setdefault(NAME.match(name)[1].lower(), []).append(name)
    if len(by_class) < 2:
        sys.exit(f"prepare.py: {args.source} holds no pictures named like scratches_12.jpg")

    images = args.work / "data" / "images"
    images.mkdir(parents=True, exist_ok=True)
    draw = random.Random(args.seed)
    rows, truth, planted = [], [], []
    classes = sorted(by_class)
    for label in classes:
        names = by_class[label]
        draw.shuffle(names)
        for i, name in enumerate(names):
            share = i / len(names)
            split = "train" if share < 0.6 else "dev" if share < 0.8 else "test"
            rows.append([pathlib.PurePath(name).stem, name, label, split])
    train = [row for row in rows if row[3] == "train"]
    wrong = set(draw.sample(range(len(train)), round(args.noise * len(train))))
    for i, row in enumerate(train):
        truth.append(f"{row[0]},{row[2]}")
        if i in wrong:
            flipped = draw.choice([c for c in classes if c != row[2]])
            planted.append(f"{row[0]},{row[2]},{flipped}")
            row[2] = flipped
    draw.shuffle(rows)
    with open(args.work / "data" / "samples.jsonl", "w", encoding="utf-8") as out:
        for sample, name, label, split in rows:
            (images / name).write_bytes(found[name])
            out.write(json.dumps({"id": sample, "file_name": f"images/{name}", "label": label,
                                  "split": split}) + "\n")
    (args.work / "truth.csv").write_text("id,label\n" + "\n".join(truth) + "\n")
    (args.work / "planted.csv").write_text("id,right,planted\n" + "\n".join(planted) + "\n")
    print(f"{len(rows)} pictures of {len(classes)} classes; {len(wrong)} of the {len(train)} train "
          "labels were made wrong")


if __name__ == "__main__":
    main()
