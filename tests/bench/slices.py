"""SliceLine over 1 M rows x 20 features of 10 values: ours against the paper's enumeration in NumPy and
SciPy sparse matrices (indicator matrices, a self-join for pairs, counts by matrix products), on the same
rows. Both must find the same slices. FLYWHEEL_ROWS changes the number of rows."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import bench

ROWS = int(os.environ.get("FLYWHEEL_ROWS", "1000000"))
FEATURES, VALUES, LEVEL, K, ALPHA = 20, 10, 3, 10, 0.95
SUPPORT = max(32, -(-ROWS // 100))


def make(numpy, path):
    rng = numpy.random.default_rng(1)
    # skewed values, as in real tables, so that deeper levels have something to look at
    weights = numpy.arange(VALUES, 0, -1.0)
    code = rng.choice(numpy.arange(1, VALUES + 1, dtype=numpy.uint8), (FEATURES, ROWS),
                      p=weights / weights.sum())
    risk = numpy.full(ROWS, 0.08)
    risk[(code[0] == 1) & (code[3] == 2)] = 0.2
    risk[(code[5] == 1) & (code[7] == 1) & (code[11] == 1)] = 0.3
    wrong = (rng.random(ROWS) < risk).astype(numpy.uint8)
    with open(path, "wb") as f:
        f.write(code.tobytes())
        f.write(wrong.tobytes())


def peer(path):
    """Algorithm 1 of Sagadeeva and Boehm (2021): X one-hot (sparse), slices as rows of S (sparse)."""
    import numpy as np
    from scipy import sparse
    raw = np.fromfile(path, np.uint8)
    code, wrong = raw[:FEATURES * ROWS].reshape(FEATURES, ROWS), raw[FEATURES * ROWS:].astype(float)
    start = time.perf_counter()
    cols = (code.astype(np.int32) - 1 + VALUES * np.arange(FEATURES, dtype=np.int32)[:, None]).T
    X = sparse.csr_matrix((np.ones(ROWS * FEATURES, np.float32), cols.ravel(),
                           np.arange(0, ROWS * FEATURES + 1, FEATURES)),
                          shape=(ROWS, FEATURES * VALUES))
    total = wrong.sum()

    def score(n, e):
        return ALPHA * ((e / n) / (total / ROWS) - 1) - (1 - ALPHA) * (ROWS / n - 1)

    def bound(n, e, most):
        sizes = np.stack([np.full_like(n, SUPPORT), np.clip(e / most, SUPPORT, n), n])
        return score(sizes, np.minimum(e, sizes * most)).max(0)

    def top(best, n, e):
        s = score(n, e)
        keep = (s > 0) & (n >= SUPPORT)
        rows = best + list(zip(s[keep].tolist(), n[keep].astype(int).tolist(), e[keep].tolist()))
        return sorted(rows, key=lambda r: (-r[0], -r[1]))[:K]

    n = np.asarray(X.sum(0)).ravel().astype(float)
    e = np.asarray(X.T @ wrong).ravel().astype(float)
    alive = np.flatnonzero((n >= SUPPORT) & (e > 0))
    X = X[:, alive].tocsc()
    feature = alive // VALUES
    slices = np.arange(len(alive))[:, None]  # each row: the values of one slice, ascending
    n, e, best = n[alive], e[alive], []
    best = top(best, n, e)
    looks = len(alive)
    for level in range(2, LEVEL + 1):
        threshold = best[-1][0] if len(best) == K else 0
        ok = bound(n, e, np.ones_like(n)) >= threshold
        slices, n, e = slices[ok], n[ok], e[ok]
        S = sparse.csr_matrix((np.ones(slices.size, np.float32), slices.ravel(),
                               np.arange(0, slices.size + 1, level - 1)),
                              shape=(len(slices), len(alive)))
        overlap = sparse.triu(S @ S.T, 1).tocoo()
        if level == 2:
            a, b = np.triu_indices(len(slices), 1)
        else:
            pairs = overlap.data == level - 2
            a, b = overlap.row[pairs], overlap.col[pairs]
        merged = np.sort(np.concatenate([slices[a], slices[b]], 1), 1)
        keep = np.ones(merged.shape, bool)
        keep[:, 1:] = merged[:, 1:] != merged[:, :-1]
        merged = merged[keep].reshape(len(a), level)
        distinct = (np.diff(np.sort(feature[merged], 1), axis=1) > 0).all(1)
        merged, a, b = merged[distinct], a[distinct], b[distinct]
        merged, where = np.unique(merged, axis=0, return_inverse=True)
        upper_n = np.full(len(merged), np.inf)
        upper_e = np.full(len(merged), np.inf)
        count = np.zeros(len(merged))
        for parent in (a, b):
            np.minimum.at(upper_n, where, n[parent])
            np.minimum.at(upper_e, where, e[parent])
            np.add.at(count, where, 1)
        # each of the `level` parents is in level - 1 of the pairs
        ok = (count == level * (level - 1)) & (upper_n >= SUPPORT)
        ok[ok] &= bound(upper_n[ok], upper_e[ok], np.ones(ok.sum())) >= threshold
        slices = merged[ok]
        n, e = np.zeros(len(slices)), np.zeros(len(slices))
        for at in range(0, len(slices), 64):  # blocks of slices, as in section 4.4 of the paper
            block = slices[at:at + 64]
            S = sparse.csc_matrix((np.ones(block.size, np.float32), block.ravel(),
                                   np.arange(0, block.size + 1, level)),
                                  shape=(len(alive), len(block)))
            inside = X @ S
            inside = inside.tocsc()
            inside.data = (inside.data == level).astype(np.float32)
            n[at:at + 64] = np.asarray(inside.sum(0)).ravel()
            e[at:at + 64] = np.asarray(inside.T @ wrong).ravel()
        looks += len(slices)
        best = top(best, n, e)
        live = (n >= SUPPORT) & (e > 0)
        slices, n, e = slices[live], n[live], e[live]
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "looks": looks, "slices": best,
                      "kilobytes": peak_kilobytes()}))


def peak_kilobytes():
    return int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def build_of(name):
    for build in (pathlib.Path(bench.FLYWHEEL).parent, bench.ROOT / "build-dev", bench.ROOT / "build"):
        if (build / "tests" / name).exists():
            return build / "tests" / name
    sys.exit(f"{name} is not built")


def alike(a, b):
    return len(a) == len(b) and all(abs(x[0] - y[0]) < 1e-9 and x[1:] == y[1:] for x, y in zip(a, b))


def main():
    if len(sys.argv) > 1:
        return peer(sys.argv[1])
    try:
        import numpy
        import scipy.sparse  # noqa: F401
    except ImportError:
        print("skipped: NumPy and SciPy are not installed for this python3")
        return 77
    program = build_of("bench_slices")
    ours, theirs = [], []
    with bench.Work() as work:
        path = work / "rows"
        make(numpy, path)
        args = [ROWS, FEATURES, VALUES, LEVEL, K, SUPPORT]
        for _ in range(bench.SEEDS):
            ours.append(json.loads(subprocess.check_output([program, path, *map(str, args)])))
            theirs.append(json.loads(subprocess.check_output([sys.executable, __file__, path])))
    rows = []
    for name, runs in (("fw_sliceline", ours), ("NumPy and SciPy", theirs)):
        rows.append([name, f"{statistics.median(r['seconds'] for r in runs):.2f} s",
                     f"{max(r['kilobytes'] for r in runs) / 1024:.0f} MB", runs[0]["looks"]])
    print(f"SliceLine, {ROWS} rows x {FEATURES} features of {VALUES} values, up to {LEVEL} values a "
          f"slice, top {K}, support {SUPPORT}; median of {len(ours)}\n")
    bench.table(["who", "time", "peak memory", "slices counted"], rows)
    same = all(alike(ours[0]["slices"], r["slices"]) for r in ours + theirs)
    ratio = statistics.median(r["seconds"] for r in theirs) / statistics.median(
        r["seconds"] for r in ours)
    return bench.verdict(same, f"{'the same slices' if same else 'OTHER slices'}, {ratio:.1f} times as "
                               "fast")


sys.exit(main())
