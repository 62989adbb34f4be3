"""A skewed class: SMS spam, 13 % positive, judged by the F1 of spam.

First the example as it is shipped. Then a temptation: train labels with 30 % of the ham called
spam, and a relabel stage whose labellers wave most things through as ham. Following them raises
accuracy (most messages are ham) and lowers the F1 of spam. Judged by accuracy alone the step is
accepted; judged by F1, or guarded by it, it must not be.

Target: no accepted step raises accuracy and lowers the F1 of spam beyond its guard.
"""
import csv
import json
import random
import shutil
import sys

import bench

GUARD = 0.01

# Proposes every label that lazy.csv has otherwise, all at once: the simplest relabel plugin.
LAZY = '''#!/usr/bin/env python3
import csv, json, os, sys
if sys.argv[1] == "describe":
    print(json.dumps({"protocol": 1, "name": "lazy", "version": "1", "kind": "relabel",
                      "inputs": ["dataset", "analysis"], "outputs": ["patch"], "params": {},
                      "deterministic": True, "network": False, "code": ["lazy.csv"]}))
    sys.exit(0)
request = json.load(open(os.environ["FLYWHEEL_REQUEST"]))
here = os.path.dirname(os.path.abspath(__file__))
lazy = dict(csv.reader(open(os.path.join(here, "lazy.csv"))))
folder = request["outputs"]["patch"]
os.makedirs(folder, exist_ok=True)
with open(os.path.join(folder, "patch.jsonl"), "w") as out:
    for line in open(os.path.join(request["inputs"]["dataset"], "samples.jsonl")):
        row = json.loads(line)
        to = lazy.get(row["id"], row["label"])
        if row.get("split", "train") == "train" and to != row["label"]:
            out.write(json.dumps({"op": "relabel", "id": row["id"], "from": row["label"], "to": to,
                                  "by": ["lazy"], "cost": {"labels": 1}}) + "\\n")
'''


def f1(iteration):
    return next(c["f1"] for c in iteration["per_class"] if c["class"] == "spam")


def steps(record):
    """(iteration, accuracy, F1 of spam, verdict, was it accepted, is it a bad bargain)."""
    out, champion = [], record["iterations"][0]
    for it in record["iterations"]:
        word = it["gate"]["verdict"]
        accepted = word == "improved"
        bad = (it["metrics"]["accuracy"] > champion["metrics"]["accuracy"]
               and f1(it) < f1(champion) - GUARD)
        out.append((it["iteration"], it["metrics"]["accuracy"], f1(it), word, accepted, bad))
        if accepted:
            champion = it
    return out


def tempt(project):
    """30 % of the ham in train is called spam; lazy.csv calls all ham and most spam ham."""
    draw = random.Random(5)
    with open(project / "truth.csv", newline="") as file:
        truth = {row["id"]: row["label"] for row in csv.DictReader(file)}
    samples = project / "data" / "samples.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    lazy = []
    for row in rows:
        if row["split"] != "train":
            continue
        right = truth[row["id"]]
        row["label"] = "spam" if right == "spam" or draw.random() < 0.3 else "ham"
        lazy.append((row["id"], "spam" if right == "spam" and draw.random() > 0.6 else "ham"))
    samples.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    with open(project / "lazy.csv", "w", newline="") as file:
        csv.writer(file).writerows(lazy)
    (project / "lazy").write_text(LAZY)
    (project / "lazy").chmod(0o755)
    text = bench.baseline_only((project / "flywheel.yaml").read_text())
    lazy_stage = "  relabel: {kind: relabel, plugin: ./lazy}\n"
    analyse = "  analyse: {kind: error-analysis, plugin: analyse}\n"
    text = text.replace("\nloop:", f"{analyse}{lazy_stage}\nloop:", 1)
    (project / "flywheel.yaml").write_text(
        text.replace("max_iterations: 4", "max_iterations: 1\n  ablate: false"))


def main():
    source = bench.find_data("sms-spam/sms.tsv", "sms-spam")
    rows, bad_accepted = [], 0
    with bench.Work() as work:
        for seed in range(1, bench.SEEDS + 1):
            home = work / f"seed{seed}"
            bench.prepare("sms-spam", source, home, "--seed", seed)
            record = bench.run(home)
            for number, accuracy, spam, word, accepted, bad in steps(record):
                bad_accepted += accepted and bad
                rows.append([seed, number, bench.percent(accuracy), f"{spam:.3f}", word])
            test = record["test"]
            rows.append([seed, "test", bench.percent(test["champion"]["metrics"]["accuracy"]),
                         f"{bench.score(test['champion']):.3f}",
                         f"baseline {bench.score(test['baseline']):.3f}"])
        print(f"\n### SMS spam: the shipped example, {bench.SEEDS} seeds\n")
        bench.table(["seed", "iteration", "accuracy", "F1 of spam", "verdict"], rows)

        arms = {"F1 of spam, guarded": [],
                "accuracy, F1 guarded": ["metric.name=accuracy"],
                "accuracy alone": ["metric.name=accuracy", "loop.gate.guard.spam=1"]}
        first = work / "tempt0"
        bench.prepare("sms-spam", source, first)
        tempt(first)
        rows, outcome = [], {}
        for number, (arm, sets) in enumerate(arms.items()):
            home = work / f"tempt{number}"
            if number:
                shutil.copytree(work / "fresh", home)
            else:
                shutil.copytree(first, work / "fresh")
            done = steps(bench.run(home, *sets))
            outcome[arm] = done[-1]
            rows.append([arm, f"{bench.percent(done[0][1])} → {bench.percent(done[-1][1])}",
                         f"{done[0][2]:.3f} → {done[-1][2]:.3f}", done[-1][3]])
        print("\n### SMS spam: a step that raises accuracy and lowers F1\n")
        bench.table(["judged by", "accuracy", "F1 of spam", "verdict"], rows)
    print("\nMade by: sh tests/bench/run.sh sms_spam")
    taken = [arm for arm, step in outcome.items() if step[4] and arm != "accuracy alone"]
    real = outcome["accuracy alone"][5]
    return bench.verdict(not bad_accepted and not taken and real,
                         f"{bad_accepted + len(taken)} bad bargains accepted under F1 or its guard; "
                         f"the temptation {'was real' if real else 'did not come about'}, accuracy "
                         f"alone {'took it' if outcome['accuracy alone'][4] else 'did not take it'}")


if __name__ == "__main__":
    sys.exit(main())
