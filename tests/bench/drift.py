"""Drift of fields: time, memory and values beside SciPy on a million rows a side, then false and missed
alarms by simulation. Data are made; nothing is downloaded."""
import json
import os
import statistics
import subprocess
import sys
import time

from bench import FLYWHEEL, Work, percent, table, verdict

ROWS = int(os.environ.get("FLYWHEEL_ROWS", "1000000"))
RUNS = int(os.environ.get("FLYWHEEL_RUNS", "200"))
NUMBERS, CATEGORIES = 8, 2

PEER = r'''
import json, sys
import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon
def load(path):
    try:
        import pandas  # reads faster, where it is installed
        frame = pandas.read_csv(path)
        return {c: frame[c].to_numpy() for c in frame.columns}
    except ImportError:
        import csv
        with open(path) as f:
            rows = csv.reader(f)
            names = next(rows)
            columns = list(zip(*rows))
        return {n: np.array(c, dtype=float) if n[0] == "n" else np.array(c) for n, c in zip(names, columns)}
a, b = load(sys.argv[1]), load(sys.argv[2])
out = {}
for name in a:
    x, y = a[name], b[name]
    if name[0] == "n":
        edges = np.quantile(x, np.arange(1, 10) / 10, method="inverted_cdf")
        p, q = (np.bincount(np.searchsorted(edges, v), minlength=10) for v in (x, y))
        ks = stats.ks_2samp(x, y, mode="asymp")
        one = {"ks": ks.statistic, "wasserstein": stats.wasserstein_distance(x, y)}
    else:
        names = np.union1d(np.unique(x), np.unique(y))
        p, q = (np.array([(v == n).sum() for n in names]) for v in (x, y))
        one = {"chi2": stats.chi2_contingency([p, q], correction=False)[0]}
    one["js"] = jensenshannon(p, q, base=2) ** 2
    p, q = ((v + .5) / (v.sum() + len(v) / 2) for v in (p, q))
    one["value"] = ((q - p) * np.log(q / p)).sum()
    out[name] = one
json.dump({k: {s: float(v) for s, v in d.items()} for k, d in out.items()}, sys.stdout)
'''


def need_numpy():
    try:
        import numpy
        import scipy.stats  # noqa: F401
        return numpy
    except ImportError:
        system = "/usr/bin/python3"
        if os.path.realpath(sys.executable) != os.path.realpath(system) and \
                subprocess.run([system, "-c", "import scipy.stats"], check=False,
                               stderr=subprocess.DEVNULL).returncode == 0:
            os.execv(system, [system, *sys.argv])
        print("skipped: NumPy and SciPy are not installed")
        sys.exit(77)


np = need_numpy()


BLOCK = 50000  # rows in memory at a time: a child's peak counts what its parent held when it began


def write(path, rng, rows, shift=0.0, night=None):
    form = ",".join(["%.6g"] * NUMBERS + ["v%d"] * CATEGORIES) + "\n"
    with open(path, "w") as out:
        out.write(",".join([f"n{i}" for i in range(NUMBERS)] + [f"c{i}" for i in range(CATEGORIES)]) + "\n")
        for start in range(0, rows, BLOCK):
            n = min(BLOCK, rows - start)
            numbers = rng.normal(size=(n, NUMBERS))
            numbers[:, 0] += shift
            groups = rng.integers(0, 20, size=(n, CATEGORIES))
            if night is not None:
                groups[:, 0] = np.where(rng.random(n) < night, 19, groups[:, 0] % 19)
            for row, group in zip(numbers.tolist(), groups.tolist()):
                out.write(form % (*row, *group))


def measured(command):
    """Seconds, peak megabytes of this child, its JSON."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(map(str, command[:2]))} ended with {child.returncode}")
    return time.monotonic() - start, usage.ru_maxrss / 1024, json.loads(text)


def beside_scipy(work):
    rng = np.random.default_rng(1)
    write(work / "a.csv", rng, ROWS)
    write(work / "b.csv", rng, ROWS, shift=0.05, night=0.06)
    ours = [measured([FLYWHEEL, "drift", work / "b.csv", "--reference", work / "a.csv", "--json"])
            for _ in range(3)]
    theirs = [measured([sys.executable, "-c", PEER, work / "a.csv", work / "b.csv"])
              for _ in range(1)]
    worst = 0.0
    for field in ours[0][2]["fields"]:
        for name, value in theirs[0][2][field["field"]].items():
            # Edges are written with few digits, so a value between two of the reference may fall
            # on the other side.
            scale = max(abs(value), 1e-3)
            worst = max(worst, abs(field[name] - value) / scale)
    seconds = [statistics.median(r[0] for r in side) for side in (ours, theirs)]
    memory = [max(r[1] for r in side) for side in (ours, theirs)]
    print(f"{ROWS} rows a side, {NUMBERS} numbers and {CATEGORIES} categories, from CSV\n")
    table(["", "flywheel drift", "NumPy and SciPy", "ratio"],
          [["seconds (median), reading included", *(f"{s:.2f}" for s in seconds),
            f"{seconds[1] / seconds[0]:.1f} ×"],
           ["peak memory, MB", *(f"{m:.0f}" for m in memory), f"{memory[1] / memory[0]:.1f} ×"],
           ["greatest relative difference of KS, W1, PSI, JS, χ²", f"{worst:.1e}", "", ""]])
    return verdict(worst < 1e-3 and seconds[0] < seconds[1],
                   "the same statistics as SciPy's, in less time")


def alarms(work):
    rows = []
    rates = {}
    for name, n, m, shift, night in (("no drift", 2000, 1000, 0, None), ("no drift", 200, 100, 0, None),
                                     ("n0 moved by 0.6 deviations", 2000, 1000, 0.6, None),
                                     ("n0 moved by 0.6 deviations", 200, 100, 0.6, None),
                                     ("n0 moved by 0.05 deviations", 200000, 100000, 0.05, None),
                                     ("one value of c0 from 5 % to 20 %", 2000, 1000, 0, 0.2)):
        hits, wrong, unknown = 0, 0, 0
        runs = RUNS if n < 100000 else 5
        for seed in range(runs):
            rng = np.random.default_rng([seed, n, int(100 * shift)])
            write(work / "a.csv", rng, n)
            write(work / "b.csv", rng, m, shift=shift, night=night)
            done = subprocess.run([FLYWHEEL, "drift", work / "b.csv", "--reference", work / "a.csv",
                                   "--json"], check=True, stdout=subprocess.PIPE)
            fields = json.loads(done.stdout)["fields"]
            planted = "n0" if shift else "c0" if night is not None else None
            found = [f["field"] for f in fields if f["severity"] in ("minor", "major")]
            hits += planted in found
            wrong += any(f != planted for f in found)
            unknown += any(f["severity"] == "unknown" for f in fields)
        rates[name, n] = hits / runs, wrong / runs
        rows.append([name, n, m, percent(hits / runs) if shift or night else "–", percent(wrong / runs),
                     percent(unknown / runs)])
    print(f"alarms in {RUNS} runs each (5 of the largest)\n")
    table(["what is true", "reference", "production", "planted field found", "runs with a false alarm",
           "runs with 'too few to tell'"], rows)
    return verdict(rates["no drift", 2000][1] <= 0.05 and rates["no drift", 200][1] <= 0.05 and
                   rates["n0 moved by 0.6 deviations", 2000][0] >= 0.95 and
                   rates["n0 moved by 0.05 deviations", 200000][0] == 0 and
                   rates["one value of c0 from 5 % to 20 %", 2000][0] >= 0.95,
                   "false alarms in at most 5 % of the runs, planted drift found in 95 %, and a "
                   "significant but small shift is no alarm")


with Work() as folder:
    failed = beside_scipy(folder)
    failed |= alarms(folder)
sys.exit(failed)
