/* The filters of confident.h: from the confident joint to flagged samples. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"
#include "stages/error_analysis/confident.h"

enum { GRAIN = 8192 }; /* rows a thread takes at once */

/* Of the samples given class c, the `take` with the largest margin p(j) − p(c) are flagged: those whose
 * margin reaches the least of them. All threads put what they see into one list for each pair, so that its
 * size does not grow with the threads; which margins are the largest does not depend on who came first. */
struct pair {
    uint32_t j;
    size_t take, held;
    double *kept;          /* room_of(take) margins; when full, cut down to the `take` largest */
    _Atomic(double) least; /* what a margin must exceed to be kept; only rises */
    double cut;            /* at the end: the least of the `take` largest */
    pthread_mutex_t lock;  /* over held and kept */
};

struct work {
    const struct fw_probs *p;
    const int *labels;
    size_t k, least;
    uint64_t *joint, *keep; /* K × K: as found; with the smallest class sizes kept */
    size_t *counts;         /* K: samples given each class */
    bool *issue;
    bool only_issues; /* FW_CL_BOTH: prune_by_noise_rate clears flags, and sets none */
    /* prune_by_noise_rate */
    size_t *first; /* K + 1: the pairs of class c are pair[first[c] .. first[c + 1]) */
    size_t n_pairs;
    struct pair *pair;
    double *kept; /* of all pairs */
    /* prune_by_class */
    size_t *start;    /* K + 1: members of class i are member[start[i] .. start[i + 1]) */
    uint32_t *member; /* those labelled, by class */
    double *own;      /* N: p(given) */
};

static double at(const struct work *w, size_t i, size_t j)
{
    const struct fw_probs *p = w->p;
    return p->d ? p->d[i * p->k + j] : (double)p->f[i * p->k + j];
}

/* Puts the value of rank r (0 = smallest) at v[r], no greater ones before it and no smaller ones after
 * (Hoare's quickselect, middle as pivot). */
static void select_rank(double *v, size_t n, size_t r)
{
    size_t low = 0, high = n - 1;
    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;;) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            double t = v[i];
            v[i++] = v[j];
            v[j--] = t;
        }
        /* v[low..j] ≤ pivot ≤ v[j+1..high], or i == j stands on the pivot */
        if (r <= j)
            high = j;
        else
            low = j + 1;
    }
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t t = *a;
    *a = *b;
    *b = t;
}

/* Puts order[low .. high] in ascending order of v (quicksort, median of three, short runs by
 * insertion: Sedgewick 1978). Where many values are equal (probability 0 is common), which of them
 * come first decides what is flagged; the reference sorts in this very way, so the same ones do. */
static void sort_by(const double *v, uint32_t *order, size_t low, size_t high)
{
    enum { SHORT = 16 };
    while (high - low > SHORT) {
        size_t mid = low + ((high - low) >> 1), i = low, j = high - 1;
        if (v[order[mid]] < v[order[low]])
            swap(&order[mid], &order[low]);
        if (v[order[high]] < v[order[mid]])
            swap(&order[high], &order[mid]);
        if (v[order[mid]] < v[order[low]])
            swap(&order[mid], &order[low]);
        double pivot = v[order[mid]];
        swap(&order[mid], &order[j]);
        for (;;) {
            while (v[order[++i]] < pivot)
                ;
            while (pivot < v[order[--j]])
                ;
            if (i >= j)
                break;
            swap(&order[i], &order[j]);
        }
        swap(&order[i], &order[high - 1]);
        if (i - low < high - i) { /* recurse into the shorter part: depth stays logarithmic */
            if (i > low)
                sort_by(v, order, low, i - 1);
            low = i + 1;
        } else {
            sort_by(v, order, i + 1, high);
            high = i - 1;
        }
    }
    for (size_t i = low + 1; i <= high; i++) {
        uint32_t one = order[i];
        size_t j = i;
        for (; j > low && v[one] < v[order[j - 1]]; j--)
            order[j] = order[j - 1];
        order[j] = one;
    }
}

static int prepare(struct work *w, struct fw_err *err)
{
    size_t k = w->k;
    double *thresholds = malloc((k + 1) * sizeof *thresholds);
    w->joint = malloc((k * k + 1) * sizeof *w->joint);
    w->keep = malloc((k * k + 1) * sizeof *w->keep);
    w->counts = calloc(k + 1, sizeof *w->counts);
    int rc = thresholds && w->joint && w->keep && w->counts
                 ? fw_cl_thresholds(w->p, w->labels, thresholds, err)
                 : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_cl_joint(w->p, w->labels, thresholds, true, w->joint, err);
    for (size_t i = 0; i < w->p->n && rc == FW_OK; i++)
        if (w->labels[i] >= 0)
            w->counts[w->labels[i]]++;
    free(thresholds);
    return rc;
}

static void work_free(struct work *w)
{
    for (size_t q = 0; q < w->n_pairs; q++)
        pthread_mutex_destroy(&w->pair[q].lock);
    free(w->joint);
    free(w->keep);
    free(w->counts);
    free(w->first);
    free(w->pair);
    free(w->kept);
    free(w->start);
    free(w->member);
    free(w->own);
}

/* What to take from each class so that at least `least` of it stay: where the diagonal is smaller,
 * it is raised, and the class's other entries are lowered by equal parts. Results are whole numbers
 * again because entries are cut towards zero. */
static void keep_least(struct work *w)
{
    size_t k = w->k;
    for (size_t i = 0; i < k; i++) {
        const uint64_t *row = w->joint + i * k;
        uint64_t *out = w->keep + i * k;
        size_t others = 0;
        for (size_t j = 0; j < k; j++)
            others += row[j] > 0;
        others = others > 2 ? others - 1 : 1;
        double raise = row[i] < w->least ? (double)(w->least - row[i]) : 0;
        for (size_t j = 0; j < k; j++) {
            double v = (double)row[j] - raise / (double)others;
            out[j] = j == i ? (row[i] < w->least ? w->least : row[i])
                            : (uint64_t)(v > 0 ? nearbyint(v) : 0);
        }
    }
}

/* A fifth of the room is free after a cut, so that a margin costs a few steps whatever `take` is. */
static size_t room_of(size_t take)
{
    return take + take / 4 + 4;
}

static int list_pairs(struct work *w, struct fw_err *err)
{
    size_t k = w->k, n = 0, held = 0;
    for (size_t i = 0; i < k * k; i++)
        n += i / k != i % k && w->keep[i];
    w->first = calloc(k + 1, sizeof *w->first);
    w->pair = calloc(n + 1, sizeof *w->pair);
    if (!w->first || !w->pair)
        return fw_err_nomem(err);
    for (size_t c = 0; c < k; c++) {
        w->first[c] = w->n_pairs;
        for (size_t j = 0; j < k && w->counts[c] > w->least; j++) {
            size_t take = (size_t)w->keep[c * k + j];
            if (j == c || !take)
                continue;
            struct pair *pair = &w->pair[w->n_pairs];
            if (pthread_mutex_init(&pair->lock, NULL) != 0)
                return fw_err_nomem(err);
            w->n_pairs++;
            pair->j = (uint32_t)j;
            pair->take = take < w->counts[c] ? take : w->counts[c];
            pair->least = -INFINITY;
            held += room_of(pair->take);
        }
    }
    w->first[k] = w->n_pairs;
    w->kept = malloc((held + 1) * sizeof *w->kept);
    if (!w->kept)
        return fw_err_nomem(err);
    held = 0;
    for (size_t q = 0; q < w->n_pairs; q++) {
        w->pair[q].kept = w->kept + held;
        held += room_of(w->pair[q].take);
    }
    return FW_OK;
}

/* Leaves the `take` largest of the margins, the least of them first. */
static void cut_down(struct pair *pair)
{
    size_t over = pair->held - pair->take;
    select_rank(pair->kept, pair->held, over);
    memmove(pair->kept, pair->kept + over, pair->take * sizeof *pair->kept);
    pair->held = pair->take;
}

static void offer(struct pair *pair, double margin)
{
    if (margin <= atomic_load_explicit(&pair->least, memory_order_relaxed))
        return;
    pthread_mutex_lock(&pair->lock);
    pair->kept[pair->held++] = margin;
    if (pair->held == room_of(pair->take)) {
        cut_down(pair);
        atomic_store_explicit(&pair->least, pair->kept[0], memory_order_relaxed);
    }
    pthread_mutex_unlock(&pair->lock);
}

static int margin_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct work *w = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        if (w->labels[i] < 0)
            continue;
        size_t c = (size_t)w->labels[i];
        double sum = fw_cl_row_sum(w->p, i), own = at(w, i, c) / sum;
        for (size_t q = w->first[c]; q < w->first[c + 1]; q++)
            offer(&w->pair[q], at(w, i, w->pair[q].j) / sum - own);
    }
    return FW_OK;
}

/* Each member of a class has offered a margin to each of its pairs: no list holds less than it takes. */
static int cut_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    struct work *w = ctx;
    (void)err;
    for (size_t q = chunk->from; q < chunk->to; q++) {
        cut_down(&w->pair[q]);
        w->pair[q].cut = w->pair[q].kept[0];
    }
    return FW_OK;
}

static int flag_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct work *w = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++) {
        bool reached = false;
        if (w->labels[i] < 0 || (w->only_issues && !w->issue[i]))
            continue;
        size_t c = (size_t)w->labels[i];
        double sum = fw_cl_row_sum(w->p, i), own = at(w, i, c) / sum;
        for (size_t q = w->first[c]; q < w->first[c + 1] && !reached; q++)
            reached = at(w, i, w->pair[q].j) / sum - own >= w->pair[q].cut;
        w->issue[i] = reached;
    }
    return FW_OK;
}

static int prune_by_noise_rate(struct work *w, struct fw_err *err)
{
    int rc = list_pairs(w, err);
    if (rc == FW_OK)
        rc = fw_parallel(w->p->n, GRAIN, margin_work, w, err);
    if (rc == FW_OK)
        rc = fw_parallel(w->n_pairs, 16, cut_work, w, err);
    return rc == FW_OK ? fw_parallel(w->p->n, GRAIN, flag_work, w, err) : rc;
}

static int list_members(struct work *w, struct fw_err *err)
{
    size_t n = w->p->n, k = w->k;
    w->start = calloc(k + 2, sizeof *w->start);
    w->member = malloc((n + 1) * sizeof *w->member);
    w->own = malloc((n + 1) * sizeof *w->own);
    if (!w->start || !w->member || !w->own)
        return fw_err_nomem(err);
    for (size_t c = 0; c < k; c++)
        w->start[c + 2] = w->counts[c];
    for (size_t c = 2; c < k + 2; c++)
        w->start[c] += w->start[c - 1];
    for (size_t i = 0; i < n; i++)
        if (w->labels[i] >= 0)
            w->member[w->start[w->labels[i] + 1]++] = (uint32_t)i;
    return FW_OK;
}

static int class_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct work *w = ctx;
    size_t c = chunk->from, n = w->counts[c], stay = (size_t)w->keep[c * w->k + c];
    uint32_t *m = w->member + w->start[c];
    (void)err;
    if (n <= w->least || stay >= n)
        return FW_OK;
    sort_by(w->own, m, 0, n - 1);
    for (size_t i = 0; i < n - stay; i++)
        w->issue[m[i]] = true;
    return FW_OK;
}

static int prune_by_class(struct work *w, struct fw_err *err)
{
    int rc = list_members(w, err);
    if (rc == FW_OK)
        rc = fw_cl_scores(w->p, w->labels, FW_CL_SELF_CONFIDENCE, w->own, err);
    if (rc == FW_OK)
        rc = fw_parallel(w->k, 1, class_work, w, err);
    free(w->member); /* FW_CL_BOTH goes on to its other half */
    free(w->own);
    w->member = NULL;
    w->own = NULL;
    return rc;
}

/* Counted off the diagonal of the confident joint. */
static int off_diagonal(struct work *w, struct fw_err *err)
{
    size_t n = w->p->n;
    int *found = malloc((n + 1) * sizeof *found);
    double *thresholds = malloc((w->k + 1) * sizeof *thresholds);
    int rc = found && thresholds ? fw_cl_thresholds(w->p, w->labels, thresholds, err)
                                 : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_cl_confident(w->p, w->labels, thresholds, found, err);
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        w->issue[i] = found[i] >= 0 && found[i] != w->labels[i];
    free(found);
    free(thresholds);
    return rc;
}

/* As many as confident learning flags, but the ones with the lowest score. */
static int lowest(struct work *w, enum fw_cl_score score, struct fw_err *err)
{
    size_t n = w->p->n, count = 0, labelled = 0;
    double *v = malloc((n + 1) * sizeof *v);
    uint32_t *order = malloc((n + 1) * sizeof *order); /* the labelled ones */
    int rc = v && order ? fw_cl_scores(w->p, w->labels, score, v, err) : fw_err_nomem(err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < n; i++) {
            count += w->issue[i];
            w->issue[i] = false;
            if (w->labels[i] >= 0)
                order[labelled++] = (uint32_t)i;
        }
        if (labelled)
            sort_by(v, order, 0, labelled - 1);
        for (size_t i = 0; i < count; i++)
            w->issue[order[i]] = true;
    }
    free(v);
    free(order);
    return rc;
}

static int spare_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct work *w = ctx;
    (void)err;
    for (size_t i = chunk->from; i < chunk->to; i++)
        if (w->issue[i] && fw_cl_predicted(w->p, i) == w->labels[i])
            w->issue[i] = false;
    return FW_OK;
}

static int prune_by_both(struct work *w, struct fw_err *err)
{
    int rc = prune_by_class(w, err);
    w->only_issues = true;
    return rc == FW_OK ? prune_by_noise_rate(w, err) : rc;
}

static int flag(struct work *w, enum fw_cl_filter filter, struct fw_err *err)
{
    int rc = FW_OK;
    switch (filter) {
    case FW_CL_PRUNE_BY_NOISE_RATE:
        rc = prune_by_noise_rate(w, err);
        break;
    case FW_CL_PRUNE_BY_CLASS:
        rc = prune_by_class(w, err);
        break;
    case FW_CL_BOTH:
        rc = prune_by_both(w, err);
        break;
    case FW_CL_PREDICTED_NEQ_GIVEN:
        for (size_t i = 0; i < w->p->n; i++)
            w->issue[i] = w->labels[i] >= 0;
        break;
    default:
        rc = off_diagonal(w, err);
        break;
    }
    /* Whatever the counts say, a sample whose given label is also the most probable class stays. */
    if (rc == FW_OK)
        rc = fw_parallel(w->p->n, GRAIN, spare_work, w, err);
    if (rc == FW_OK && filter == FW_CL_LOW_NORMALIZED_MARGIN)
        rc = lowest(w, FW_CL_NORMALIZED_MARGIN, err);
    if (rc == FW_OK && filter == FW_CL_LOW_SELF_CONFIDENCE)
        rc = lowest(w, FW_CL_SELF_CONFIDENCE, err);
    return rc;
}

int fw_cl_issues(const struct fw_probs *p, const int *labels, enum fw_cl_filter filter,
                 size_t min_per_class, bool *issue, size_t *n_issues, struct fw_err *err)
{
    struct work w = {.p = p, .labels = labels, .k = p->k, .least = min_per_class, .issue = issue};
    int rc = FW_OK;
    if (p->n >= UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "%zu samples are more than are possible", p->n);
    for (size_t i = 0; i < p->n; i++)
        issue[i] = false;
    if (filter <= FW_CL_BOTH) {
        rc = prepare(&w, err);
        if (rc == FW_OK)
            keep_least(&w);
    }
    if (rc == FW_OK)
        rc = flag(&w, filter, err);
    if (n_issues && rc == FW_OK) {
        *n_issues = 0;
        for (size_t i = 0; i < p->n; i++)
            *n_issues += issue[i];
    }
    work_free(&w);
    return rc;
}
