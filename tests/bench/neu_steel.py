"""Label cleaning on the NEU steel-surface images.

20 % of the train labels are made wrong. Simulated labellers (two a sample, each wrong 5 % of the
time, a third on disagreement) are asked about 1.5 × as many samples as there are wrong labels, in
four steps: once the most suspicious samples first, once in random order. How much of the accuracy
that the noise took is regained?

Target: at least 90 %, asking at most 1.5 × as many samples as there are wrong labels.
"""
import csv
import shutil
import sys

import bench

LEAST, MOST_ASKED = 0.90, 1.5


def clean_accuracy(work, noisy):
    """The same model on the same train samples with the right labels: dev and test accuracy."""
    import json
    clean = work / "clean"
    shutil.copytree(noisy / "data", clean / "data")
    with open(noisy / "truth.csv", newline="") as file:
        truth = {row["id"]: row["label"] for row in csv.DictReader(file)}
    samples = clean / "data" / "samples.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    for row in rows:
        row["label"] = truth.get(row["id"], row["label"])
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (clean / "flywheel.yaml").write_text(bench.baseline_only((noisy / "flywheel.yaml").read_text()))
    record = bench.run(clean)
    return record["iterations"][0]["score"]["value"], bench.score(record["test"]["champion"])


def curve(record, wrong, clean):
    """[(asked / wrong, share regained)] after each iteration, on dev."""
    noisy = record["iterations"][0]["score"]["value"]
    points, total = [], 0
    for iteration in record["iterations"]:
        total += bench.asked(iteration)
        if iteration["score"]:
            points.append((total / wrong,
                           (iteration["score"]["value"] - noisy) / (clean - noisy)))
    return points


def main():
    source = bench.find_data("neu-steel", "neu-det")
    if source.is_dir():
        source = next(iter(sorted(source.glob("*.tar.gz"))), source)
    results = {"suspects": [], "random": []}
    with bench.Work() as work:
        for seed in range(1, bench.SEEDS + 1):
            home = work / f"seed{seed}"
            bench.prepare("neu-steel", source, home / "suspects", "--seed", seed)
            shutil.copytree(home / "suspects", home / "random")
            wrong = len((home / "suspects" / "planted.csv").read_text().splitlines()) - 1
            clean_dev, clean_test = clean_accuracy(home, home / "suspects")
            for order in results:
                record = bench.run(home / order, f"stages.relabel.with.order={order}",
                                   f"stages.relabel.with.seed={seed}")
                test = record["test"]
                before, after = bench.score(test["baseline"]), bench.score(test["champion"])
                results[order].append({
                    "curve": curve(record, wrong, clean_dev),
                    "dev": (record["iterations"][0]["score"]["value"],
                            record["champion"]["score"]["value"], clean_dev),
                    "test": (before, after, clean_test)})
                print(f"  seed {seed}, {order}: dev {results[order][-1]['dev']}, "
                      f"test {results[order][-1]['test']}", file=sys.stderr)
    print(f"\n### NEU steel: accuracy regained by asking labellers, mean of {bench.SEEDS} seeds\n")
    steps = max(len(r["curve"]) for runs in results.values() for r in runs)
    rows = []
    for step in range(steps):
        row = []
        for order in results:
            at = [r["curve"][step] for r in results[order] if step < len(r["curve"])]
            if not row:
                row.append(f"{bench.mean([x for x, _ in at]):.2f}" if at else "–")
            row.append(bench.percent(bench.mean([y for _, y in at])))
        rows.append(row)
    bench.table(["asked / wrong labels", "regained (dev), suspects first", "random order"], rows)
    print()
    rows, share = [], {}
    for order, runs in results.items():
        for split in ("dev", "test"):
            noisy, after, clean = (bench.mean([r[split][i] for r in runs]) for i in range(3))
            share[order, split] = (after - noisy) / (clean - noisy)
            rows.append([order, split, bench.percent(noisy), bench.percent(after),
                         bench.percent(clean), bench.percent(share[order, split])])
    bench.table(["order", "split", "noisy", "champion", "clean labels", "regained"], rows)
    most = max(x for r in results["suspects"] for x, _ in r["curve"])
    print("\nMade by: sh tests/bench/run.sh neu_steel")
    both = (share["suspects", "dev"] + share["suspects", "test"]) / 2
    return bench.verdict(both >= LEAST and most <= MOST_ASKED + 1e-9,
                         f"{bench.percent(both)} regained (mean of dev and test; target "
                         f"{bench.percent(LEAST)}), asked {most:.2f} × the wrong labels "
                         f"(target at most {MOST_ASKED})")


if __name__ == "__main__":
    sys.exit(main())
