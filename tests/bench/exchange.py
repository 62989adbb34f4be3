"""Clean or collect: is the advice of the measured exchange rate right?

On 500 train samples of which a share has wrong labels (drawn at random), one run measures the rate
and gives its advice. Then the same budget is really spent in both ways: on true labels for the
first BUDGET suspects, and on BUDGET new samples from the same source, their labels as noisy. Both
datasets are measured on a large clean test set that the advice has not seen. Data: synthetic
(Gaussian classes in 40 dimensions) and, below FLYWHEEL_DATA, SMS spam (half of the set is the test).
"""
import json
import os
import pathlib
import random
import sys

from bench import SEEDS, Work, mean, run, table, verdict

TRAIN, DEV, BUDGET = 500, 500, 100
NOISE = (0, 9, 20, 40)

YAML = """flywheel: 1
name: exchange
dataset: {import: data/, near_copies: false}
metric: {name: METRIC}
stages:
  train: {kind: train, plugin: linear, with: {PARAMS}, folds: 5}
  evaluate: {kind: evaluate, plugin: linear}
  analyse: {kind: error-analysis, plugin: analyse, with: {suspects: 100000}}
loop: {max_iterations: 0, sanity: false}
"""


def gaussian(rng, classes=4, dimensions=40, total=6000):
    centres = [[rng.gauss(0, 1) for _ in range(dimensions)] for _ in range(classes)]
    for i in range(total):
        k = rng.randrange(classes)
        yield f"c{k}", {"features": [round(rng.gauss(c * 0.45, 1), 4) for c in centres[k]]}


def spam(rng):
    base = os.environ.get("FLYWHEEL_DATA")
    path = pathlib.Path(base or "/nonexistent") / "sms-spam" / "sms.tsv"
    if not path.exists():
        return None
    rows = {line.split("\t", 1)[1]: line.split("\t", 1)[0]
            for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line}
    rows = [(label, {"text": text}) for text, label in rows.items()]
    rng.shuffle(rows)
    return rows


def measure(folder, rows, metric, params):
    """One baseline run: the score on test, the exchange rate, and the suspects in their order."""
    (folder / "data").mkdir(parents=True)
    with open(folder / "data" / "samples.jsonl", "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row) + "\n")
    (folder / "flywheel.yaml").write_text(YAML.replace("METRIC", metric).replace("PARAMS", params))
    record = run(folder)
    found = list((folder / ".flywheel" / "cache").rglob("analysis.json"))
    analysis = json.loads(found[0].read_text())
    test = record["test"]["champion"]
    return test.get("score", test)["value"], analysis["exchange"], analysis["suspects"]


def one(folder, rows, noise, rng, metric, params):
    classes = sorted({label for label, _ in rows})

    def named(prefix, part, split, noisy):
        for i, (label, content) in enumerate(part):
            given = label
            if noisy and rng.random() * 100 < noise:
                given = rng.choice([c for c in classes if c != label])
            yield {"id": f"{prefix}{i}", "split": split, "label": given, **content}, label

    # Clean dev and test; train and what could be collected come from one noisy source.
    train = list(named("t", rows[:TRAIN], "train", True))
    more = list(named("n", rows[TRAIN:TRAIN + BUDGET], "train", True))
    at = TRAIN + BUDGET
    held = [r for r, _ in named("d", rows[at:at + DEV], "dev", False)]
    held += [r for r, _ in named("e", rows[at + DEV:at + DEV + 3000], "test", False)]
    truth = {r["id"]: label for r, label in train}
    before, exchange, suspects = measure(folder / "before", [r for r, _ in train] + held, metric,
                                         params)
    asked = {s["id"] for s in suspects[:BUDGET]}
    cleaned = [dict(r, label=truth[r["id"]]) if r["id"] in asked else r for r, _ in train]
    clean, _, _ = measure(folder / "clean", cleaned + held, metric, params)
    collect, _, _ = measure(folder / "collect", [r for r, _ in train + more] + held, metric, params)
    # Fewer suspects than the budget: what a label brought, as if the rest could be spent alike.
    return exchange, clean - before, collect - before, len(asked)


def main():
    lines, followed, clear, right = [], [], 0, 0
    for data, make, metric, params in (
            ("gaussian", gaussian, "accuracy", "C: 1.0, input: features, features: raw"),
            ("sms", spam, "balanced_accuracy", "input: text")):
        for noise in NOISE:
            results = []
            for seed in range(SEEDS):
                rng = random.Random(f"{data} {noise} {seed}")
                rows = make(rng)
                if rows is None:
                    break
                with Work() as work:
                    results.append(one(work, list(rows), noise, rng, metric, params))
            if not results:
                print(f"skipped: {data}: no sms-spam/sms.tsv below FLYWHEEL_DATA")
                break
            said = [e["advice"] for e, _, _, _ in results]
            hits = decided = 0
            for e, clean, collect, asked in results:
                followed.append(clean * e["share_to_clean"] + collect * (1 - e["share_to_clean"]))
                if e["advice"] in ("clean", "collect"):
                    decided += 1
                    hits += (clean > collect) == (e["advice"] == "clean")
            clear += decided
            right += hits
            rates = [e["rate"]["value"] for e, _, _, _ in results if e["rate"]]
            lines.append((data, f"{noise} %",
                          ", ".join(f"{said.count(a)} {a}" for a in
                                    ("clean", "collect", "either", "neither") if a in said),
                          f"{mean(rates):.2f}" if rates else "–",
                          f"{mean(e['share_to_clean'] for e, _, _, _ in results):.2f}",
                          f"{mean(a for _, _, _, a in results):.0f}",
                          f"{100 * mean(c for _, c, _, _ in results):+.2f}",
                          f"{100 * mean(c for _, _, c, _ in results):+.2f}",
                          sum(c > n for _, c, n, _ in results), f"{hits} of {decided}"))
    print(f"{TRAIN} train samples, {DEV} dev samples, a budget of {BUDGET}, {SEEDS} seeds; gains in "
          "points on the test set\n")
    table(("data", "noise", "advice", "mean rate", "share to clean", "labels asked", "gain clean",
           "gain collect", "cleaning won", "advice right"), lines)
    return verdict(clear > 0 and right >= 0.8 * clear,
                   f"where the advice is clean or collect, it is right {right} of {clear} times "
                   f"(wanted: 80 %); following the share gains {100 * mean(followed):.2f} points on "
                   "average")


if __name__ == "__main__":
    sys.exit(main())
