"""Nearly equal texts: MinHash with banding, beside the same method in NumPy, in the same run.

Short texts of random words, a fifth of them copies of another with a word or two changed. The peer
is the plain way to write it: a set of shingles a text, signatures with NumPy, a dictionary a band, each
candidate checked by the Jaccard similarity of the sets. Both see the same bands and rows, but draw
other hash functions; groups are compared by the pairs they hold. At a million texts flywheel runs alone.

Target: a million short texts within a minute and a gigabyte; groups as the peer's but for one pair in a
thousand.
"""
import hashlib
import random
import resource
import subprocess
import sys
import time

import bench
from neighbours import program

THRESHOLD, BANDS, ROWS = 0.8, 23, 6  # what fw_minhash_bands() chooses for 0.8
SMALL, LARGE = 10_000, 1_000_000


def write_texts(path, n):
    rng = random.Random(n)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9)))
             for _ in range(20000)]
    texts = []
    for _ in range(n):
        if texts and rng.random() < 0.2:
            text = texts[rng.randrange(len(texts))].split()
            for _ in range(rng.randint(0, 2)):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = rng.choices(words, k=rng.randint(8, 25))
        texts.append(" ".join(text))
    path.write_text("".join(text + "\n" for text in texts))
    return texts


def peer(texts):
    import numpy as np
    rng = np.random.default_rng(1)
    mul = rng.integers(1 << 63, size=BANDS * ROWS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    sets, signatures = [], np.empty((len(texts), BANDS * ROWS), np.uint32)
    for i, text in enumerate(texts):
        sets.append({text[j:j + 5] for j in range(max(1, len(text) - 4))})
        hashes = np.array([int.from_bytes(hashlib.blake2b(s.encode(), digest_size=8).digest(), "little")
                           for s in sets[-1]], np.uint64)
        signatures[i] = (hashes[:, None] * mul >> np.uint64(32)).min(0)
    parent = list(range(len(texts)))

    def find(i):
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i
    for band in range(BANDS):
        buckets = {}
        for i in range(len(texts)):
            key = signatures[i, band * ROWS:(band + 1) * ROWS].tobytes()
            for j in buckets.setdefault(key, []):
                a, b = find(i), find(j)
                if a != b and len(sets[i] & sets[j]) >= THRESHOLD * len(sets[i] | sets[j]):
                    parent[a] = b
            buckets[key].append(i)
    return [find(i) for i in range(len(texts))]


def pairs(groups):
    members = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    return {(a, b) for g in members.values() for k, a in enumerate(g) for b in g[k + 1:]}


def ours(work):
    done = subprocess.check_output([program("near_texts"), work / "texts.txt", str(THRESHOLD),
                                    work / "groups.txt"], text=True)
    seconds, peak = map(float, done.split())
    return seconds, peak / 1024, (work / "groups.txt").read_text().split()


def main():
    try:
        import numpy
    except ImportError as missing:
        print(f"skipped: {missing}")
        return 77
    with bench.Work() as work:
        texts = write_texts(work / "texts.txt", SMALL)
        seconds, peak, groups = ours(work)
        start = time.monotonic()
        want = pairs(peer(texts))
        took = time.monotonic() - start
        peak_peer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        got = pairs(groups)
        differ = len(got ^ want) / len(want)
        del texts
        write_texts(work / "texts.txt", LARGE)
        large = ours(work)
    print(f"nearly equal texts, similarity {THRESHOLD}, peer: the same in NumPy {numpy.__version__}\n")
    bench.table(["texts", "flywheel", "peer", "ratio", "memory", "peer's memory", "pairs that differ"],
                [[SMALL, f"{seconds:.2f} s", f"{took:.1f} s", f"{took / seconds:.0f}", f"{peak:.0f} MB",
                  f"{peak_peer:.0f} MB", f"{100 * differ:.2f} % of {len(want)}"],
                 [LARGE, f"{large[0]:.1f} s", "–", "–", f"{large[1]:.0f} MB", "–", "–"]])
    return bench.verdict(differ <= 0.001 and large[0] <= 60 and large[1] <= 1024,
                         "a million texts within a minute and a gigabyte; the same groups")


if __name__ == "__main__":
    sys.exit(main())
