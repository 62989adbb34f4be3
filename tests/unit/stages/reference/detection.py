"""Makes detection.json: random boxes and what COCO's definition makes of them, written down a second time.

    python3 detection.py > detection.json
"""
import json
import random


def iou(d, g, crowd):
    x = max(0, min(d[2], g[2]) - max(d[0], g[0]))
    y = max(0, min(d[3], g[3]) - max(d[1], g[1]))
    area = lambda b: (b[2] - b[0]) * (b[3] - b[1])
    union = area(d) if crowd else area(d) + area(g) - x * y
    return x * y / union if x * y > 0 else 0.0


RANGES = {"all": (0, 1e10), "small": (0, 1024), "medium": (1024, 9216), "large": (9216, 1e10)}
THRESHOLDS = [0.5 + 0.05 * t for t in range(10)]


def outside(area, r):
    return area < RANGES[r][0] or area > RANGES[r][1]


def match_image(given, found, t, r):
    """For each of the image's detections of a class: "tp", "fp" or "ignored"."""
    truth = [dict(g, ignored=g["crowd"] or outside(g["area"], r), used=False) for g in given]
    out = []
    for d in found:
        free = [g for g in truth if not g["used"] or g["crowd"]]
        best = None
        for pool in ([g for g in free if not g["ignored"]], [g for g in free if g["ignored"]]):
            if best:
                break
            least = min(t, 1 - 1e-10)
            for g in pool:
                o = iou(d["box"], g["box"], g["crowd"])
                if o >= least:
                    least, best = o, g
        if best:
            best["used"] = True
            out.append("ignored" if best["ignored"] else "tp")
        else:
            w = d["box"]
            out.append("ignored" if outside((w[2] - w[0]) * (w[3] - w[1]), r) else "fp")
    return out


def class_score(images, c, t, r, most):
    """Average precision and recall of a class, or None."""
    positives, marks = 0, []
    for i, (given, found) in enumerate(images):
        given = [g for g in given if g["class"] == c]
        found = sorted((d for d in found if d["class"] == c), key=lambda d: -d["score"])[:100]
        positives += sum(not (g["crowd"] or outside(g["area"], r)) for g in given)
        for rank, (d, mark) in enumerate(zip(found, match_image(given, found, t, r))):
            if rank < most:
                marks.append((-d["score"], i, rank, mark))
    if not positives:
        return None
    tp = fp = 0
    points = []
    for _, _, _, mark in sorted(marks):
        if mark == "ignored":
            continue
        tp += mark == "tp"
        fp += mark == "fp"
        points.append((tp / positives, tp / (tp + fp)))
    ap = 0
    for step in range(101):
        reached = [p for recall, p in points if recall >= step / 100]
        ap += max(reached) if reached else 0
    return ap / 101, points[-1][0] if points else 0.0


def mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def score(images, k):
    def over(r, most, which, ts=THRESHOLDS):
        return mean([s[which] if s else None for c in range(k) for t in ts
                     for s in [class_score(images, c, t, r, most)]])
    return {"ap": over("all", 100, 0), "ap50": over("all", 100, 0, THRESHOLDS[:1]),
            "ap75": over("all", 100, 0, THRESHOLDS[5:6]), "ap_small": over("small", 100, 0),
            "ap_medium": over("medium", 100, 0), "ap_large": over("large", 100, 0),
            "ar1": over("all", 1, 1), "ar10": over("all", 10, 1), "ar100": over("all", 100, 1),
            "ar_small": over("small", 100, 1), "ar_medium": over("medium", 100, 1),
            "ar_large": over("large", 100, 1)}


def make(seed, n, k, crowds):
    random.seed(seed)
    images = []
    for _ in range(n):
        given, found = [], []
        for _ in range(random.randrange(0, 5)):
            side = random.choice([12, 40, 150])
            x, y = random.randrange(300), random.randrange(300)
            box = [x, y, x + side, y + side * random.choice([0.5, 1, 2])]
            given.append({"box": box, "class": random.randrange(k - 1 if seed % 2 else k),
                          "crowd": crowds and random.random() < 0.15,
                          "area": (box[2] - box[0]) * (box[3] - box[1]) * random.choice([1, 0.7])})
            for _ in range(random.randrange(0, 3)):
                d = side * random.choice([0, 0.05, 0.15, 0.4])
                moved = [box[0] + d, box[1], box[2] + d * random.random(), box[3]]
                found.append({"box": moved, "class": given[-1]["class"] if random.random() < 0.85
                              else random.randrange(k), "score": random.randrange(1, 100) / 100})
        if random.random() < 0.3:
            x = random.randrange(300)
            found.append({"box": [x, x, x + 30, x + 30], "class": random.randrange(k),
                          "score": random.randrange(1, 100) / 100})
        images.append([given, found])
    # In steps of 1/8, so that float32 holds them exactly.
    for given, found in images:
        for b in given + found:
            b["box"] = [round(8 * v) / 8 for v in b["box"]]
            if "score" in b:
                b["score"] = round(b["score"] * 64) / 64
            else:
                b["area"] = round(b["area"])
    return images


cases = [{"k": k, "images": images, "scores": score(images, k)}
         for k, images in ((k, make(seed, n, k, crowds)) for seed, n, k, crowds in
                           [(1, 6, 3, False), (2, 12, 2, False), (3, 15, 3, True), (4, 1, 1, False)])]
print(json.dumps(cases))
