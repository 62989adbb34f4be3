"""Label issues by confident learning: time and memory beside cleanlab and plain NumPy, and the same flags;
memory and flags of the filters that differ in what they hold, with 1 and with 32 threads.

Sizes are rows × classes of float32; FLYWHEEL_SIZES="1000000x10 100000x1000" chooses others. With
FLYWHEEL_DATA the flags of all filters are compared with the reference on three real sets.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import bench

FILTERS = ["prune_by_noise_rate", "prune_by_class", "both", "confident_learning",
           "predicted_neq_given", "low_normalized_margin", "low_self_confidence"]


def program():
    folder = pathlib.Path(bench.FLYWHEEL).resolve().parent
    for build in (folder, bench.ROOT / "build-dev", bench.ROOT / "build"):
        if (build / "tests" / "bench_label_issues").exists():
            return build / "tests" / "bench_label_issues"
    sys.exit("bench_label_issues is not built: cmake --preset dev && cmake --build --preset dev")


def make(n, k, folder):
    """Random probabilities that are right most of the time, and labels of which a tenth are wrong."""
    import numpy as np
    rng = np.random.default_rng(n + k)
    truth = rng.integers(0, k, n)
    probs = np.empty((n, k), np.float32)
    for at in range(0, n, 100000):
        part = rng.standard_normal((min(100000, n - at), k), np.float32)
        rows = np.arange(len(part))
        part[rows, truth[at:at + len(part)]] += 3 + np.log(k / 10)
        part = np.exp(part - part.max(1, keepdims=True))
        probs[at:at + len(part)] = part / part.sum(1, keepdims=True)
    wrong = rng.random(n) < 0.1
    labels = np.where(wrong, rng.integers(0, k, n), truth).astype(np.int32)
    np.save(folder / "probs.npy", probs)
    np.save(folder / "labels.npy", labels)
    return probs.nbytes


def numpy_issues(labels, probs):
    """prune_by_noise_rate as the paper has it, one array operation after another."""
    import numpy as np
    n, k = probs.shape
    probs = probs / probs.sum(1, keepdims=True)
    counts = np.bincount(labels, minlength=k)
    own = probs[np.arange(n), labels]
    thresholds = np.bincount(labels, own, k) / np.maximum(counts, 1)
    thresholds[counts == 0] = np.inf
    reached = probs >= thresholds - 1e-6
    many = reached.sum(1)
    guess = np.where(many == 1, reached.argmax(1), probs.argmax(1))
    joint = np.zeros((k, k))
    np.add.at(joint, (labels[many > 0], guess[many > 0]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    scaled = joint / np.maximum(joint.sum(1, keepdims=True), 1) * counts[:, None]
    joint = np.round(scaled)
    for i in range(k):  # rows keep their sums
        while joint[i].sum() != counts[i]:
            step = 1 if joint[i].sum() < counts[i] else -1
            at = (scaled[i] - joint[i]).argmax() if step > 0 else (scaled[i] - joint[i]).argmin()
            joint[i, at] += step
    issue = np.zeros(n, bool)
    for c in range(k):
        members = np.flatnonzero(labels == c)
        for j in np.flatnonzero(joint[c]):
            if j == c or len(members) <= 1:
                continue
            margin = probs[members, j] - own[members]
            take = min(int(joint[c, j]), len(members))
            cut = -np.partition(-margin, take - 1)[take - 1]
            issue[members[margin >= cut]] = True
    issue[probs.argmax(1) == labels] = False
    return issue


def peer(which, folder):
    """Runs in a process of its own, so that its memory is its own."""
    import numpy as np
    labels, probs = np.load(folder / "labels.npy"), np.load(folder / "probs.npy")
    if which == "cleanlab":
        from cleanlab.filter import find_label_issues
    start = time.perf_counter()
    issue = numpy_issues(labels, probs) if which == "numpy" else \
        find_label_issues(labels, probs, filter_by="prune_by_noise_rate")
    seconds = time.perf_counter() - start
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
    np.save(folder / f"{which}.npy", issue)
    print(json.dumps({"seconds": seconds, "flagged": int(issue.sum()), "peak_kb": peak}))


def measure(command, **environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                          env={**os.environ, **environment})
    return json.loads(done.stdout)


def has_cleanlab():
    return subprocess.run([sys.executable, "-c", "import cleanlab"], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def threads(ours, folder, size, matrix, rows):
    """What each filter holds must not grow with the threads, nor its flags change."""
    good = True
    for f in ("prune_by_noise_rate", "prune_by_class", "both", "low_self_confidence"):
        seen = []
        for n in ("1", "32"):
            out = folder / f"threads-{n}.npy"
            run = measure([ours, folder / "labels.npy", folder / "probs.npy", f, out],
                          FLYWHEEL_THREADS=n)
            seen.append((run["peak_kb"] * 1024 / matrix, out.read_bytes()))
        same = seen[0][1] == seen[1][1]
        good &= same and seen[1][0] <= 1.5 + 16e6 / matrix
        rows.append([size, f, f"{seen[0][0]:.2f}", f"{seen[1][0]:.2f}", "same" if same else "DIFFER"])
    return good


def speed(ours):
    import numpy as np
    peers = ["cleanlab", "numpy"] if has_cleanlab() else ["numpy"]
    if "cleanlab" not in peers:
        print("cleanlab: not installed, skipped\n")
    rows, by_threads, good = [], [], True
    for size in os.environ.get("FLYWHEEL_SIZES", "1000000x10 100000x1000 10000000x10").split():
        n, k = map(int, size.split("x"))
        with bench.Work() as folder:
            matrix = measure([sys.executable, __file__, "make", str(n), str(k), folder])
            runs = {name: [] for name in ["flywheel", *peers]}
            for _ in range(bench.SEEDS):
                for name in runs:
                    if name == "flywheel":
                        runs[name].append(measure([ours, folder / "labels.npy", folder / "probs.npy",
                                                   "prune_by_noise_rate", folder / "ours.npy"]))
                    else:
                        runs[name].append(measure([sys.executable, __file__, name, folder]))
            good &= threads(ours, folder, f"{n} × {k}", matrix, by_threads)
            mine = np.load(folder / "ours.npy") > 0
            base = statistics.median(r["seconds"] for r in runs["flywheel"])
            for name, all_runs in runs.items():
                seconds = statistics.median(r["seconds"] for r in all_runs)
                peak = max(r["peak_kb"] for r in all_runs)
                differ = 0 if name == "flywheel" else \
                    int((np.load(folder / f"{name}.npy") != mine).sum())
                rows.append([f"{n} × {k}", name, f"{seconds:.3f} s",
                             "" if name == "flywheel" else f"{seconds / base:.1f} ×",
                             f"{peak / 1024:.0f} MB", f"{peak * 1024 / matrix:.2f}",
                             all_runs[0]["flagged"], differ])
                if name == "flywheel":
                    good &= peak * 1024 <= 1.5 * matrix + 16e6
                elif name == "cleanlab":
                    good &= seconds >= 10 * base
    bench.table(["matrix", "with", "median", "slower by", "peak", "peak / matrix", "flagged",
                 "other flags"], rows)
    print("\nNumPy works in the matrix's float32, flywheel in float64: a few flags differ by rounding.\n")
    print("peak / matrix with 1 and with 32 threads (labels, flags and the predicted classes included)\n")
    bench.table(["matrix", "filter", "1 thread", "32 threads", "flags"], by_threads)
    return good


def parity(ours):
    import numpy as np
    base = os.environ.get("FLYWHEEL_DATA")
    if not base or not (pathlib.Path(base) / "reference" / "label_issues.json").exists():
        print("\nskipped: no reference/label_issues.json below FLYWHEEL_DATA")
        return True
    base = pathlib.Path(base)
    reference = json.loads((base / "reference" / "label_issues.json").read_text())
    rows, good = [], True
    with bench.Work() as folder:
        for name, of in reference.items():
            row = [name]
            for f in FILTERS:
                measure([ours, base / "label-errors" / f"{name}_original_labels.npy",
                         base / "label-errors" / f"{name}_pyx.npy", f, folder / "f.npy"])
                mine = set(np.flatnonzero(np.load(folder / "f.npy")).tolist())
                same = mine == set(of[f])
                good &= same
                row.append(f"{len(mine)} {'same' if same else 'DIFFER'}")
            rows.append(row)
    print("\nflags of each filter beside the reference's\n")
    bench.table(["set", *FILTERS], rows)
    return good


def main():
    if sys.argv[1:2] == ["make"]:
        print(json.dumps(make(int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4]))))
        return 0
    if len(sys.argv) == 3:
        return peer(sys.argv[1], pathlib.Path(sys.argv[2]))
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("skipped: python3-numpy is not installed")
        return 77
    ours = program()
    good = speed(ours)
    good &= parity(ours)
    return bench.verdict(good, "at most 1.5 × the matrix in memory, ten times faster than cleanlab "
                               "(where it is), the reference's flags")


if __name__ == "__main__":
    sys.exit(main())
