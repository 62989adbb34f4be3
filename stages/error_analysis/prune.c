/* The filters of confident.h: from the confident joint to flagged samples. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/error_analysis/confident.h"

struct work {
    const struct fw_probs *p;
    const int *labels;
    size_t k, least;
    double *thresholds;
    double *sums;           /* N: what each row sums to */
    uint64_t *joint, *keep; /* K × K: as found; with the smallest class sizes kept */
    size_t *start;          /* K + 1: members of class i are member[start[i] .. start[i + 1]) */
    uint32_t *member;
    uint32_t *order; /* N: scratch for sorting */
    double *v;       /* of one class's members */
    double *cut;     /* the same, being partitioned */
};

static double at(const struct work *w, size_t i, size_t j)
{
    const struct fw_probs *p = w->p;
    return (p->d ? p->d[i * p->k + j] : (double)p->f[i * p->k + j]) / w->sums[i];
}

/* Puts the value of rank r (0 = smallest) at v[r] (Hoare's quickselect, middle as pivot). */
static double select_rank(double *v, size_t n, size_t r)
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
    return v[r];
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

/* order: 0 .. n-1, sorted by v. */
static void sort_all(const double *v, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    if (n > 1)
        sort_by(v, order, 0, n - 1);
}

static int prepare(struct work *w, struct fw_err *err)
{
    size_t n = w->p->n, k = w->k;
    w->thresholds = malloc((k + 1) * sizeof *w->thresholds);
    w->sums = malloc((n + 1) * sizeof *w->sums);
    w->joint = malloc((k * k + 1) * sizeof *w->joint);
    w->keep = malloc((k * k + 1) * sizeof *w->keep);
    w->start = calloc(k + 2, sizeof *w->start);
    w->member = malloc((n + 1) * sizeof *w->member);
    w->order = malloc((n + 1) * sizeof *w->order);
    w->v = malloc((n + 1) * sizeof *w->v);
    w->cut = malloc((n + 1) * sizeof *w->cut);
    if (!w->thresholds || !w->sums || !w->joint || !w->keep || !w->start || !w->member ||
        !w->order || !w->v || !w->cut)
        return fw_err_nomem(err);
    for (size_t i = 0; i < n; i++) {
        w->sums[i] = fw_cl_row_sum(w->p, i);
        if (w->labels[i] >= 0)
            w->start[w->labels[i] + 2]++;
    }
    for (size_t c = 2; c < k + 2; c++)
        w->start[c] += w->start[c - 1];
    for (size_t i = 0; i < n; i++)
        if (w->labels[i] >= 0)
            w->member[w->start[w->labels[i] + 1]++] = (uint32_t)i;
    fw_cl_thresholds(w->p, w->labels, w->thresholds);
    return fw_cl_joint(w->p, w->labels, w->thresholds, true, w->joint, err);
}

static void work_free(struct work *w)
{
    free(w->thresholds);
    free(w->sums);
    free(w->joint);
    free(w->keep);
    free(w->start);
    free(w->member);
    free(w->order);
    free(w->v);
    free(w->cut);
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

static void prune_by_noise_rate(struct work *w, bool *issue)
{
    for (size_t c = 0; c < w->k; c++) {
        const uint32_t *m = w->member + w->start[c];
        size_t n = w->start[c + 1] - w->start[c];
        for (size_t j = 0; j < w->k && n > w->least; j++) {
            size_t take = (size_t)w->keep[c * w->k + j];
            if (j == c || !take)
                continue;
            take = take < n ? take : n;
            for (size_t i = 0; i < n; i++)
                w->v[i] = w->cut[i] = at(w, m[i], j) - at(w, m[i], c);
            double cut = select_rank(w->cut, n, n - take);
            for (size_t i = 0; i < n; i++)
                if (w->v[i] >= cut)
                    issue[m[i]] = true;
        }
    }
}

static void prune_by_class(struct work *w, bool *issue)
{
    for (size_t c = 0; c < w->k; c++) {
        const uint32_t *m = w->member + w->start[c];
        size_t n = w->start[c + 1] - w->start[c], stay = (size_t)w->keep[c * w->k + c];
        if (n <= w->least || stay >= n)
            continue;
        for (size_t i = 0; i < n; i++)
            w->v[i] = at(w, m[i], c);
        sort_all(w->v, w->order, n);
        for (size_t i = 0; i < n - stay; i++)
            issue[m[w->order[i]]] = true;
    }
}

/* Counted off the diagonal of the confident joint. */
static void off_diagonal(struct work *w, bool *issue)
{
    for (size_t i = 0; i < w->p->n; i++) {
        int found = w->labels[i] < 0 ? -1 : fw_cl_confident(w->p, i, w->thresholds);
        issue[i] = found >= 0 && found != w->labels[i];
    }
}

/* As many as confident learning flags, but the ones with the lowest score. */
static void lowest(struct work *w, enum fw_cl_score score, bool *issue)
{
    size_t n = w->p->n, count = 0, labelled = 0;
    fw_cl_scores(w->p, w->labels, score, w->cut);
    for (size_t i = 0; i < n; i++) {
        count += issue[i];
        issue[i] = false;
        if (w->labels[i] >= 0) {
            w->member[labelled] = (uint32_t)i;
            w->v[labelled++] = w->cut[i];
        }
    }
    sort_all(w->v, w->order, labelled);
    for (size_t i = 0; i < count; i++)
        issue[w->member[w->order[i]]] = true;
}

/* Whatever the counts say, a sample whose given label is also the most probable class stays. */
static void spare_predicted(struct work *w, bool *issue)
{
    for (size_t i = 0; i < w->p->n; i++)
        if (issue[i] && fw_cl_predicted(w->p, i) == w->labels[i])
            issue[i] = false;
}

static int flag(struct work *w, enum fw_cl_filter filter, bool *issue, struct fw_err *err)
{
    size_t n = w->p->n;
    bool *other = NULL;
    switch (filter) {
    case FW_CL_PRUNE_BY_NOISE_RATE:
        prune_by_noise_rate(w, issue);
        break;
    case FW_CL_PRUNE_BY_CLASS:
        prune_by_class(w, issue);
        break;
    case FW_CL_BOTH:
        if (!(other = calloc(n + 1, sizeof *other)))
            return fw_err_nomem(err);
        prune_by_noise_rate(w, issue);
        prune_by_class(w, other);
        for (size_t i = 0; i < n; i++)
            issue[i] = issue[i] && other[i];
        free(other);
        break;
    case FW_CL_PREDICTED_NEQ_GIVEN:
        for (size_t i = 0; i < n; i++)
            issue[i] = w->labels[i] >= 0;
        break;
    default:
        off_diagonal(w, issue);
        break;
    }
    spare_predicted(w, issue);
    if (filter == FW_CL_LOW_NORMALIZED_MARGIN)
        lowest(w, FW_CL_NORMALIZED_MARGIN, issue);
    if (filter == FW_CL_LOW_SELF_CONFIDENCE)
        lowest(w, FW_CL_SELF_CONFIDENCE, issue);
    return FW_OK;
}

int fw_cl_issues(const struct fw_probs *p, const int *labels, enum fw_cl_filter filter,
                 size_t min_per_class, bool *issue, size_t *n_issues, struct fw_err *err)
{
    struct work w = {.p = p, .labels = labels, .k = p->k, .least = min_per_class};
    int rc = prepare(&w, err);
    if (rc == FW_OK) {
        keep_least(&w);
        for (size_t i = 0; i < p->n; i++)
            issue[i] = false;
        rc = flag(&w, filter, issue, err);
    }
    if (n_issues && rc == FW_OK) {
        *n_issues = 0;
        for (size_t i = 0; i < p->n; i++)
            *n_issues += issue[i];
    }
    work_free(&w);
    return rc;
}
