/*
 * Samples of one class whose predictions are the same (in all that the metric sees of them) are one
 * pattern. A resample draws how often each pattern occurs: frequent patterns by a chain of binomials, the
 * rare rest sample by sample. That is the multinomial which drawing indices would give, at a cost that
 * goes with the number of different patterns and not with N.
 *   linear   accuracy, balanced accuracy, recall, top-k: a sum over patterns (class sizes are fixed)
 *   margins  F, precision, MCC, and all with weights: the margins of each model's confusion matrix
 */
#include <stdlib.h>

#include "stages/evaluate/bootstrap_parts.h"

/* A binomial costs about as much as this many single draws. */
enum { BINOMIAL_FROM = 24 };

struct fw_boot_pattern {
    int truth;
    size_t count; /* samples */
    size_t first; /* one of them */
    double value; /* linear: what each occurrence adds; with weights: the weight of each */
};

/* One model's error on a pattern: cells of J × K tables. Hits need no entry: a resample starts from
 * "all right", and few predictions are wrong. */
struct fw_boot_miss {
    uint32_t of, as; /* model j, true class; model j, predicted class */
};

static bool is_linear(const struct fw_boot *b)
{
    const struct fw_metric *m = b->m;
    return !b->truth->weight && (fw_metric_is_accuracy(m) || m->id == FW_BALANCED_ACCURACY ||
                                 m->id == FW_RECALL || m->id == FW_TOP_K);
}

/* What the metric sees of a prediction: of one class's F or precision only "this class or not" matters, so
 * other predictions are one; of top-k only the hit. */
static int as_seen(const struct fw_boot *b, const struct fw_boot_model *model, size_t i)
{
    int c = b->m->klass, truth = b->truth->klass[i];
    if (b->kind->way == FW_WAY_TOP_K) {
        bool hit = fw_top_k_hit(model->probs + i * b->k, b->k, truth, (size_t)b->m->param);
        return hit ? truth : truth ? 0 : (int)b->k - 1;
    }
    int pred = model->pred[i];
    if (b->kind->average != FW_OF_CLASS || b->m->id == FW_RECALL)
        return pred;
    return pred == c ? c : truth != c ? truth : c ? 0 : (int)b->k - 1;
}

/* What a hit on a sample of class t adds to a linear metric. */
static double hit_worth(const struct fw_boot *b, int t, double classes)
{
    if (b->m->id == FW_BALANCED_ACCURACY)
        return 1 / (b->row[t] * classes);
    if (b->m->id == FW_RECALL)
        return t == b->m->klass ? 1 / b->row[t] : 0;
    return 1 / (double)b->n;
}

static int compare_patterns(const void *x, const void *y, void *ctx)
{
    const struct fw_boot *b = ctx;
    size_t p = *(const size_t *)x, q = *(const size_t *)y;
    int s = b->truth->klass[p], t = b->truth->klass[q];
    if (s != t)
        return s < t ? -1 : 1;
    if (b->value[p] != b->value[q])
        return b->value[p] < b->value[q] ? -1 : 1;
    for (size_t j = 0; j < b->j && !b->linear; j++)
        if (b->seen[p * b->j + j] != b->seen[q * b->j + j])
            return b->seen[p * b->j + j] < b->seen[q * b->j + j] ? -1 : 1;
    return 0;
}

/* A stable order makes the draws reproducible: ties by sample index. */
static int compare_stable(const void *x, const void *y, void *ctx)
{
    int d = compare_patterns(x, y, ctx);
    size_t p = *(const size_t *)x, q = *(const size_t *)y;
    return d ? d : p < q ? -1 : p > q;
}

static int by_count(const void *x, const void *y)
{
    const struct fw_boot_pattern *p = x, *q = y;
    if (p->truth != q->truth)
        return p->truth < q->truth ? -1 : 1;
    if (p->count != q->count)
        return p->count > q->count ? -1 : 1;
    return p->first < q->first ? -1 : p->first > q->first;
}

static int see(struct fw_boot *b, struct fw_err *err)
{
    const int *klass = b->truth->klass;
    double classes = 0;
    size_t cells;
    for (size_t c = 0; c < b->k; c++)
        classes += b->row[c] > 0;
    if (__builtin_mul_overflow(b->truth->n + 1, b->j * sizeof *b->seen, &cells))
        return fw_err_nomem(err);
    b->seen = malloc(cells);
    b->value = calloc(b->truth->n + 1, sizeof *b->value);
    if (!b->seen || !b->value)
        return fw_err_nomem(err);
    for (size_t u = 0; u < b->n; u++) {
        size_t i = b->order[u];
        double hits = 0;
        for (size_t j = 0; j < b->j; j++) {
            int seen = b->seen[i * b->j + j] = as_seen(b, &b->models[j], i);
            hits += seen == klass[i] ? b->models[j].weight : 0;
        }
        b->value[i] = b->linear ? hits * hit_worth(b, klass[i], classes) : fw_boot_weight(b, i);
    }
    return FW_OK;
}

static int find_patterns(struct fw_boot *b, struct fw_err *err)
{
    b->patterns = calloc(b->n, sizeof *b->patterns);
    b->tail = malloc(b->n * sizeof *b->tail);
    if (!b->patterns || !b->tail)
        return fw_err_nomem(err);
    qsort_r(b->order, b->n, sizeof *b->order, compare_stable, b);
    for (size_t u = 0; u < b->n; u++) {
        size_t i = b->order[u];
        if (u && compare_patterns(&b->order[u - 1], &i, b) == 0) {
            b->patterns[b->n_patterns - 1].count++;
            continue;
        }
        b->patterns[b->n_patterns++] =
            (struct fw_boot_pattern){b->truth->klass[i], 1, i, b->value[i]};
    }
    qsort(b->patterns, b->n_patterns, sizeof *b->patterns, by_count);
    size_t tail = 0;
    for (size_t p = 0; p < b->n_patterns;) {
        struct fw_boot_stratum *s = &b->strata[b->n_strata++];
        int t = b->patterns[p].truth;
        s->start = s->rare = p;
        s->tail_start = tail;
        for (; p < b->n_patterns && b->patterns[p].truth == t; p++) {
            s->n += b->patterns[p].count;
            if (b->patterns[p].count >= BINOMIAL_FROM) {
                s->rare = p + 1;
                continue;
            }
            for (size_t i = 0; i < b->patterns[p].count; i++)
                b->tail[tail++] = (uint32_t)p;
        }
        s->end = p;
        s->tail_n = tail - s->tail_start;
    }
    return FW_OK;
}

/* Which models err on each pattern, and how. */
static int list_misses(struct fw_boot *b, struct fw_err *err)
{
    size_t n = 0, at = 0;
    if (b->j * b->k > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "too many classes to compare");
    for (size_t p = 0; p < b->n_patterns; p++)
        for (size_t j = 0; j < b->j; j++)
            n += b->seen[b->patterns[p].first * b->j + j] != b->patterns[p].truth;
    b->misses = malloc((n + 1) * sizeof *b->misses);
    b->miss_start = malloc((b->n_patterns + 1) * sizeof *b->miss_start);
    if (!b->misses || !b->miss_start)
        return fw_err_nomem(err);
    for (size_t p = 0; p < b->n_patterns; p++) {
        const int *seen = b->seen + b->patterns[p].first * b->j;
        int t = b->patterns[p].truth;
        b->miss_start[p] = at;
        for (size_t j = 0; j < b->j; j++)
            if (seen[j] != t)
                b->misses[at++] = (struct fw_boot_miss){(uint32_t)(j * b->k + (size_t)t),
                                                        (uint32_t)(j * b->k + (size_t)seen[j])};
    }
    b->miss_start[b->n_patterns] = at;
    return FW_OK;
}

int fw_boot_group(struct fw_boot *b, struct fw_err *err)
{
    b->linear = is_linear(b);
    int rc = see(b, err);
    if (rc == FW_OK)
        rc = find_patterns(b, err);
    if (rc == FW_OK && !b->linear)
        rc = list_misses(b, err);
    return rc;
}

/* times[p]: how often pattern p occurs in one resample. */
static void draw_patterns(const struct fw_boot *b, struct fw_draws *d, uint32_t *times)
{
    for (size_t i = 0; i < b->n_strata; i++) {
        const struct fw_boot_stratum *s = &b->strata[i];
        uint64_t left = s->n, among = s->n;
        for (size_t p = s->start; p < s->rare; p++) {
            uint64_t count = b->patterns[p].count;
            uint64_t x =
                count == among ? left : fw_binomial(&d->rng, left, (double)count / (double)among);
            times[p] = (uint32_t)x;
            left -= x;
            among -= count;
        }
        if (s->rare < s->end)
            memset(times + s->rare, 0, (s->end - s->rare) * sizeof *times);
        for (; left && s->tail_n; left--)
            times[b->tail[s->tail_start + fw_draws_below(d, (uint32_t)s->tail_n)]]++;
    }
}

/* Top-k with weights: the hits are the diagonal. */
static double margins_value(const struct fw_boot *b, const double *diag, const double *row,
                            const double *col)
{
    static const struct fw_metric accuracy = {FW_ACCURACY, -1, 0};
    return fw_metric_of_margins(b->m->id == FW_TOP_K ? &accuracy : b->m, diag, row, col, b->k);
}

double fw_boot_grouped_value(const struct fw_boot *b, struct fw_draws *d, struct fw_boot_scratch *s)
{
    double value = 0;
    const double *row = b->row;
    draw_patterns(b, d, s->times);
    if (b->linear) {
        for (size_t p = 0; p < b->n_patterns; p++)
            value += s->times[p] * b->patterns[p].value;
        return value;
    }
    size_t cells = b->j * b->k;
    memset(s->missed, 0, cells * sizeof *s->missed);
    memset(s->taken, 0, cells * sizeof *s->taken);
    if (b->truth->weight) { /* class sizes hold for samples, not for their weights */
        memset(s->row, 0, b->k * sizeof *s->row);
        for (size_t p = 0; p < b->n_patterns; p++)
            s->row[b->patterns[p].truth] += s->times[p] * b->patterns[p].value;
        row = s->row;
    }
    for (size_t p = 0; p < b->n_patterns; p++) {
        double times = b->truth->weight ? s->times[p] * b->patterns[p].value : s->times[p];
        for (size_t i = b->miss_start[p]; times > 0 && i < b->miss_start[p + 1]; i++) {
            s->missed[b->misses[i].of] += times;
            s->taken[b->misses[i].as] += times;
        }
    }
    for (size_t j = 0; j < b->j; j++) {
        double *diag = s->missed + j * b->k, *col = s->taken + j * b->k;
        for (size_t c = 0; c < b->k; c++) {
            diag[c] = row[c] - diag[c];
            col[c] += diag[c];
        }
        value += b->models[j].weight * margins_value(b, diag, row, col);
    }
    return value;
}
