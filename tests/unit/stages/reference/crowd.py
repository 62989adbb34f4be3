"""Writes crowd.json: small tables of answers, and what NumPy and scikit-learn make of them.

    python3 crowd.py >crowd.json

Every formula is written here a second time, without a look at the C: loops over labellers and classes
as in the papers. Answers are [task, labeller, class]; every labeller, task and class occurs.
"""
import json

import numpy as np
from sklearn.metrics import cohen_kappa_score

rng = np.random.default_rng(7)


def table(tasks, labellers, k, per_task, skew, spammers):
    truth = rng.choice(k, tasks, p=skew)
    skill = np.where(np.arange(labellers) < spammers, 1 / k, rng.uniform(.6, .95, labellers))
    out = []
    for t in range(tasks):
        m = rng.integers(1, per_task + 1)
        for w in rng.choice(labellers, m, replace=False):
            c = truth[t] if rng.uniform() < skill[w] else rng.integers(k)
            out.append((t, int(w), int(c)))
    return np.array(out)


def votes(a, n, k):
    v = np.zeros((n, k))
    for t, _, c in a:
        v[t, c] += 1
    return v


def em(a, n, w, k, steps, smoothing, one_coin):
    v = votes(a, n, k)
    p = v / v.sum(1, keepdims=True)
    for _ in range(steps):
        prior = p.mean(0)
        m = np.zeros((w, k, k))
        for t, j, c in a:
            m[j, :, c] += p[t]
        if one_coin:
            right = np.array([np.trace(x) for x in m])
            acc = (right + smoothing) / (m.sum((1, 2)) + 2 * smoothing)
            m = np.array([np.where(np.eye(k, dtype=bool), x, (1 - x) / (k - 1)) for x in acc])
        else:
            m = (m + smoothing) / (m.sum(2, keepdims=True) + k * smoothing)
        score = np.tile(np.log(prior), (n, 1))
        for t, j, c in a:
            score[t] += np.log(m[j, :, c])
        top = score.max(1, keepdims=True)
        q = np.exp(score - top)
        likelihood = float((top[:, 0] + np.log(q.sum(1))).sum())
        p = q / q.sum(1, keepdims=True)
    return p, likelihood


def crowdlab(a, n, w, k, probs):
    v = votes(a, n, k)
    several = v.sum(1) >= 2
    order = sorted(range(k), key=lambda c: (-(a[:, 2] == c).sum(), c))
    consensus = np.array([max((c for c in range(k) if v[t, c] == v[t].max()),
                              key=lambda c: (probs[t, c], -order.index(c))) for t in range(n)])
    share = v[np.arange(n), consensus] / v.sum(1)
    agree = share[several].mean()
    guess = max(1 - np.bincount(consensus[several], minlength=k).max() / several.sum(), 1e-6)
    s = np.full(w, np.nan)
    for j in range(w):
        same = pairs = 0
        for t, _, c in a[a[:, 1] == j]:
            same += v[t, c] - 1
            pairs += v[t].sum() - 1
        s[j] = same / pairs if pairs else np.nan
    s[np.isnan(s)] = np.nanmean(s)
    weight = np.maximum(1 - (1 - s) / guess, 1e-6)
    wrong = (probs.argmax(1) != consensus)[several].mean()
    model = max(1 - wrong / guess, 1e-6) * np.sqrt(v.sum(1).mean())
    p = model * probs
    for t, j, c in a:
        p[t] += weight[j] * np.where(np.arange(k) == c, agree, (1 - agree) / (k - 1))
    return p / p.sum(1, keepdims=True), model


def alpha(a, n, k, scale):
    """From the pairs themselves (Krippendorff 2011): no coincidence matrix."""
    v = votes(a, n, k)
    v = v[v.sum(1) >= 2]
    total = v.sum(0)
    below = np.concatenate([[0], np.cumsum(total)])
    d = np.zeros((k, k))
    for c in range(k):
        for j in range(k):
            lo, hi = min(c, j), max(c, j)
            d[c, j] = {"nominal": c != j, "interval": (c - j) ** 2,
                       "ordinal": (below[hi + 1] - below[lo] - (total[c] + total[j]) / 2) ** 2}[scale]
    observed = sum((row @ d @ row) / (row.sum() - 1) for row in v) / total.sum()
    expected = (total @ d @ total) / (total.sum() * (total.sum() - 1))
    return float(1 - observed / expected)


def fleiss(a, n, k):
    v = votes(a, n, k)
    v = v[v.sum(1) >= 2]
    m = v.sum(1)
    agree = ((v * (v - 1)).sum(1) / (m * (m - 1))).mean()
    chance = ((v.sum(0) / v.sum()) ** 2).sum()
    return float(agree), float((agree - chance) / (1 - chance))


cases = []
for tasks, labellers, k, per_task, skew, spammers in [
        (60, 8, 3, 5, [.5, .3, .2], 1), (40, 6, 2, 6, [.5, .5], 0),
        (80, 12, 5, 4, [.6, .1, .1, .1, .1], 3)]:
    a = table(tasks, labellers, k, per_task, skew, spammers)
    truth = votes(a, tasks, k).argmax(1)
    probs = rng.dirichlet(np.ones(k), tasks) + 1.5 * np.eye(k)[truth]
    probs /= probs.sum(1, keepdims=True)
    probs = np.round(probs, 6)
    probs[:, 0] += 1 - probs.sum(1)
    ds, ds_likelihood = em(a, tasks, labellers, k, 15, .5, False)
    coin, coin_likelihood = em(a, tasks, labellers, k, 15, .5, True)
    lab, model = crowdlab(a, tasks, labellers, k, probs.astype(np.float32).astype(float))
    percent, kappa = fleiss(a, tasks, k)
    cases.append({"tasks": tasks, "labellers": labellers, "k": k, "answers": a.tolist(),
                  "probs": probs.ravel().tolist(),
                  "percent": percent, "fleiss": kappa,
                  "alpha": [alpha(a, tasks, k, s) for s in ("nominal", "ordinal", "interval")],
                  "dawid_skene": np.round(ds, 7).ravel().tolist(),
                  "dawid_skene_likelihood": ds_likelihood,
                  "one_coin": np.round(coin, 7).ravel().tolist(),
                  "one_coin_likelihood": coin_likelihood,
                  "crowdlab": np.round(lab, 7).ravel().tolist(), "model_weight": model})
x = rng.integers(0, 4, 50)
y = np.where(rng.uniform(size=50) < .6, x, rng.integers(0, 4, 50))
print(json.dumps({"cases": cases, "kappa": {
    "a": x.tolist(), "b": y.tolist(),
    "values": [cohen_kappa_score(x, y, weights=w) for w in (None, "linear", "quadratic")]}}))
