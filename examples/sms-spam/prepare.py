#!/usr/bin/env python3
"""Prepares the SMS spam collection for the flywheel.

    prepare.py SOURCE WORK [--noise 0.15] [--seed 1]

SOURCE is your copy of the collection: a file with "ham" or "spam", a tab and the message in each
line, or the folder it is in (sms.tsv or SMSSpamCollection).

WORK gets
    data/samples.jsonl   a quarter of the messages as train, a quarter as dev, a quarter as test
    pool/samples.jsonl   the last quarter: messages that can still be collected
    truth.csv            the right labels of train and pool, for the simulated labellers

A share of the train labels (15 %) is turned to the other class. Messages that occur more than once
are kept once, so that no message is in two splits. The same seed gives the same files.
"""
import argparse
import json
import pathlib
import random
import sys


def main():
    parser = argparse.ArgumentParser(description="Prepares the SMS spam collection.")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--noise", type=float, default=0.15, help="share of wrong train labels")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    source = args.source
    if source.is_dir():
        names = [source / "sms.tsv", source / "SMSSpamCollection"]
        source = next((name for name in names if name.exists()), names[0])
    messages = {}
    try:
        with open(source, encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                label, tab, text = line.rstrip("\r\n").partition("\t")
                if not tab or label not in ("ham", "spam"):
                    sys.exit(f"prepare.py: {source}:{number}: expected ham or spam, a tab, the text")
                messages.setdefault(text.strip(), (f"sms-{number:04d}", label))
    except OSError as error:
        sys.exit(f"prepare.py: cannot read {source}: {error}")

    draw = random.Random(args.seed)
    data, pool, truth, flipped = [], [], [], 0
    for wanted in ("ham", "spam"):
        rows = [(sample, text) for text, (sample, label) in messages.items() if label == wanted]
        draw.shuffle(rows)
        for i, (sample, text) in enumerate(rows):
            split = ("train", "dev", "test", "pool")[4 * i // len(rows)]
            row = {"id": sample, "text": text, "label": wanted, "length": len(text)}
            if split in ("train", "pool"):
                truth.append(f"{sample},{wanted}")
            if split == "train" and draw.random() < args.noise:
                row["label"] = "ham" if wanted == "spam" else "spam"
                flipped += 1
            if split == "pool":
                pool.append(row)
            else:
                data.append({**row, "split": split})
    for name, rows in (("data", data), ("pool", pool)):
        draw.shuffle(rows)
        folder = args.work / name
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "samples.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (args.work / "truth.csv").write_text("id,label\n" + "\n".join(truth) + "\n")
    print(f"{len(data)} messages in the dataset ({flipped} train labels turned), {len(pool)} in the "
          "pool")


if __name__ == "__main__":
    main()
