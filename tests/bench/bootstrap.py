"""The paired bootstrap of a gain: time and memory beside NumPy, and the same interval.

10 000 resamples of 10 000 samples × 3 seeds a side, stratified by class, 10 classes, 90 % right. NumPy does it
two ways: drawing indices, a block of resamples at a time ("indices"), and drawing how often each
different row of predictions occurs, as flywheel does ("patterns").
FLYWHEEL_SIZES="10000x10000" chooses other SAMPLESxRESAMPLES.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import bench

CLASSES, SEEDS, BLOCK = 10, 3, 100


def program():
    folder = pathlib.Path(bench.FLYWHEEL).resolve().parent
    for build in (folder, bench.ROOT / "build-dev", bench.ROOT / "build"):
        if (build / "tests" / "bench_bootstrap").exists():
            return build / "tests" / "bench_bootstrap"
    sys.exit("bench_bootstrap is not built: cmake --preset dev && cmake --build --preset dev")


def make(n, folder):
    """Models that share most of their errors: hard samples are wrong in most seeds."""
    import numpy as np
    rng = np.random.default_rng(n)
    truth = rng.choice(CLASSES, n, p=np.arange(1, CLASSES + 1) / np.arange(1, CLASSES + 1).sum())
    hard = rng.random(n) < 0.18
    rows = [truth]
    for j in range(2 * SEEDS):
        wrong = rng.random(n) < np.where(hard, 0.5 if j < SEEDS else 0.47, 0.012)
        rows.append(np.where(wrong, rng.integers(0, CLASSES, n), truth))
    np.save(folder / "predictions.npy", np.array(rows, np.int32))


def macro_f1(confusion):
    """Of B × K × K tables."""
    import numpy as np
    both = confusion.sum(1) + confusion.sum(2)
    hit = np.einsum("bii->bi", confusion)
    f = np.divide(2 * hit, both, out=np.zeros(hit.shape), where=both > 0)
    return f.sum(1) / (both > 0).sum(1)


def by_indices(rows, metric, resamples, rng):
    import numpy as np
    rows = rows[:, np.argsort(rows[0], kind="stable")]
    truth, n = rows[0], rows.shape[1]
    sizes = np.bincount(truth, minlength=CLASSES)
    ends = sizes.cumsum()
    sign = np.repeat([-1 / SEEDS, 1 / SEEDS], SEEDS)
    gain = (sign[:, None] * (rows[1:] == truth)).sum(0)
    codes = truth * CLASSES + rows[1:]
    out = np.empty(resamples)
    for at in range(0, resamples, BLOCK):
        b = min(BLOCK, resamples - at)
        index = np.concatenate([rng.integers(ends[c] - sizes[c], ends[c], (b, sizes[c]))
                                for c in range(CLASSES)], 1)
        if metric == "accuracy":
            out[at:at + b] = gain[index].mean(1)
            continue
        offset = np.arange(b)[:, None] * CLASSES ** 2
        out[at:at + b] = sum(
            s * macro_f1(np.bincount((code[index] + offset).ravel(), minlength=b * CLASSES ** 2)
                         .reshape(b, CLASSES, CLASSES)) for s, code in zip(sign, codes))
    return out


def by_patterns(rows, metric, resamples, rng):
    import numpy as np
    unique, counts = np.unique(rows.T, axis=0, return_counts=True)
    truth, sign = unique[:, 0], np.repeat([-1 / SEEDS, 1 / SEEDS], SEEDS)
    n = rows.shape[1]
    gain = ((unique[:, 1:] == truth[:, None]) * sign).sum(1) / n
    cells = np.eye(CLASSES * CLASSES)[truth[:, None] * CLASSES + unique[:, 1:]]
    out = np.empty(resamples)
    for at in range(0, resamples, BLOCK):
        b = min(BLOCK, resamples - at)
        times = np.concatenate([rng.multinomial(counts[truth == c].sum(), counts[truth == c] /
                                                counts[truth == c].sum(), b)
                                for c in range(CLASSES)], 1).astype(float)
        if metric == "accuracy":
            out[at:at + b] = times @ gain
            continue
        out[at:at + b] = sum(s * macro_f1((times @ cells[:, j]).reshape(b, CLASSES, CLASSES))
                             for j, s in enumerate(sign))
    return out


def peer(which, path, metric, resamples, seed):
    """Runs in a process of its own, so that its memory is its own."""
    import numpy as np
    rows, rng = np.load(path), np.random.default_rng(seed)
    start = time.perf_counter()
    out = (by_indices if which == "indices" else by_patterns)(rows, metric, resamples, rng)
    low, high = np.quantile(out, [.025, .975])
    seconds = time.perf_counter() - start
    peak = next(int(line.split()[1]) for line in open("/proc/self/status") if "VmHWM" in line)
    print(json.dumps({"seconds": seconds, "low": low, "high": high, "sd": out.std(ddof=1),
                      "peak_kb": peak}))


def measure(command):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main():
    if len(sys.argv) == 6:
        return peer(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("skipped: python3-numpy is not installed")
        return 77
    ours, rows, good = program(), [], True
    for size in os.environ.get("FLYWHEEL_SIZES", "10000x10000").split():
        n, resamples = map(int, size.split("x"))
        with bench.Work() as folder:
            make(n, folder)
            path = folder / "predictions.npy"
            for metric in ("accuracy", "macro_f1"):
                runs = {"flywheel": [], "NumPy, indices": [], "NumPy, patterns": []}
                for seed in range(1, bench.SEEDS + 1):
                    for name, all_runs in runs.items():
                        all_runs.append(measure(
                            [ours, path, CLASSES, metric, resamples, seed] if name == "flywheel" else
                            [sys.executable, __file__, name[7:], path, metric, resamples, seed]))
                base = statistics.median(r["seconds"] for r in runs["flywheel"])
                for name, all_runs in runs.items():
                    seconds = statistics.median(r["seconds"] for r in all_runs)
                    one = all_runs[0]
                    rows.append([size, metric, name, f"{seconds:.3f} s",
                                 "" if name == "flywheel" else f"{seconds / base:.1f} ×",
                                 f"{max(r['peak_kb'] for r in all_runs) / 1024:.0f} MB",
                                 f"{100 * one['low']:.3f} to {100 * one['high']:.3f}",
                                 f"{100 * one['sd']:.4f}"])
                    if name == "NumPy, indices":
                        good &= seconds >= 10 * base
    bench.table(["samples × resamples", "metric", "with", "median", "slower by", "peak",
                 "95 % interval, points", "sd"], rows)
    return bench.verdict(good, "ten times faster than NumPy drawing indices")


if __name__ == "__main__":
    sys.exit(main())
