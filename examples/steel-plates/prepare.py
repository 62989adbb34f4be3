#!/usr/bin/env python3
"""Prepares the steel-plates faults table for the flywheel.

    prepare.py SOURCE WORK [--pool 0.5] [--dev 0.2] [--test 0.2] [--seed 1]

SOURCE is your copy of the table (UCI "Steel Plates Faults"): a CSV file with a header whose last
seven columns are the faults, one of them 1 in each row; the columns before are the features.

WORK gets
    data/samples.jsonl   train (half of it), dev and test: 60 : 20 : 20 of the table, by fault
    pool/samples.jsonl   the other half of train: plates that can still be collected
    all/samples.jsonl    the same with nothing held back, to compare with

The labels are left as they are. The same seed gives the same files.
"""
import argparse
import csv
import json
import pathlib
import random
import sys

FAULTS = 7


def main():
    parser = argparse.ArgumentParser(description="Prepares the steel-plates table.")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--pool", type=float, default=0.5, help="share of train held in the pool")
    parser.add_argument("--dev", type=float, default=0.2, help="share of the table that is dev")
    parser.add_argument("--test", type=float, default=0.2, help="share of the table that is test")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    source = args.source / "faults.csv" if args.source.is_dir() else args.source
    try:
        with open(source, newline="", encoding="utf-8") as file:
            header, *table = csv.reader(file)
    except (OSError, ValueError) as error:
        sys.exit(f"prepare.py: cannot read {source}: {error}")
    faults = [name.strip().removesuffix("_Fault").removesuffix("_Faults").lower().replace("_", "-")
              for name in header[-FAULTS:]]
    by_fault = {}
    for number, row in enumerate(table, 2):
        marks = [float(value) for value in row[-FAULTS:]]
        if len(row) != len(header) or sum(marks) != 1 or max(marks) != 1:
            sys.exit(f"prepare.py: {source}:{number}: a row must have exactly one fault")
        sample = {"id": f"plate-{number - 1:04d}",
                  "features": [float(value) for value in row[:-FAULTS]],
                  "label": faults[marks.index(1)],
                  "steel": "A300" if row[header.index("TypeOfSteel_A300")] == "1" else "A400",
                  "thickness": float(row[header.index("Steel_Plate_Thickness")])}
        by_fault.setdefault(sample["label"], []).append(sample)

    draw = random.Random(args.seed)
    data, pool, everything = [], [], []
    for fault in sorted(by_fault):
        rows = by_fault[fault]
        draw.shuffle(rows)
        train = round((1 - args.dev - args.test) * len(rows))
        dev = round(args.dev * len(rows))
        for i, row in enumerate(rows):
            split = "train" if i < train else "dev" if i < train + dev or not args.test else "test"
            everything.append({**row, "split": split})
            if i < round(args.pool * train):
                pool.append(row)
            else:
                data.append({**row, "split": split})
    for name, rows in (("data", data), ("pool", pool), ("all", everything)):
        draw.shuffle(rows)
        folder = args.work / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "samples.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    print(f"{len(data)} plates in the dataset, {len(pool)} in the pool; faults: "
          + ", ".join(f"{fault} {len(by_fault[fault])}" for fault in sorted(by_fault)))


if __name__ == "__main__":
    main()
