#include "stages/evaluate/detection.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/parallel.h"

enum { THRESHOLDS = 10, RECALLS = 101, MAX_DETECTIONS = 100 };
enum range { ALL, SMALL, MEDIUM, LARGE, RANGES };

static const double bounds[RANGES][2] = {
    [ALL] = {0, 1e10}, [SMALL] = {0, 1024}, [MEDIUM] = {1024, 9216}, [LARGE] = {9216, 1e10}};

static double threshold(int t)
{
    return 0.5 + 0.05 * t;
}

static double area_of(const struct fw_box *b)
{
    return ((double)b->x1 - (double)b->x0) * ((double)b->y1 - (double)b->y0);
}

double fw_box_iou(const struct fw_box *a, const struct fw_box *b, bool crowd)
{
    double w = fmin((double)a->x1, (double)b->x1) - fmax((double)a->x0, (double)b->x0);
    double h = fmin((double)a->y1, (double)b->y1) - fmax((double)a->y0, (double)b->y0);
    if (w <= 0 || h <= 0)
        return 0;
    double all = crowd ? area_of(a) : area_of(a) + area_of(b) - w * h;
    return all > 0 ? w * h / all : 0;
}

struct found { /* one detection of the class that is looked at */
    const struct fw_box *box;
    size_t order;              /* by image, and in it by confidence: ties of confidence */
    uint32_t rank;             /* in its image */
    uint16_t matched, ignored; /* a bit for each threshold */
};

struct one {                       /* a class: what it comes to */
    double ap[THRESHOLDS][RANGES]; /* NaN without a given box in the range */
    double ar[RANGES], ar1, ar10;
};

struct job {
    const struct fw_boxes *given, *predicted;
    struct one *out; /* K */
};

struct work { /* of one class */
    const struct fw_boxes *given, *predicted;
    int klass;
    struct found *v;
    size_t n, cap;
    /* of one image */
    const struct fw_box **truth;
    size_t n_truth;
    bool *ignore;
    uint16_t *taken; /* a bit for each threshold */
    double *iou;     /* detections × truth */
    size_t cap_truth, cap_iou;
};

static bool outside(double area, enum range range)
{
    return area < bounds[range][0] || area > bounds[range][1];
}

static int by_confidence(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->box->score != y->box->score)
        return x->box->score > y->box->score ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int by_image(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The class's detections of every image, at most MAX_DETECTIONS of each. */
static int list_found(struct work *w, struct fw_err *err)
{
    const struct fw_boxes *p = w->predicted;
    for (size_t i = 0; i < p->n; i++) {
        size_t from = w->n;
        for (size_t b = p->start[i]; b < p->start[i + 1]; b++) {
            if (p->v[b].klass != w->klass)
                continue;
            if (w->n == w->cap) {
                size_t cap = w->cap ? 2 * w->cap : 64;
                struct found *v = reallocarray(w->v, cap, sizeof *v);
                if (!v)
                    return fw_err_nomem(err);
                w->v = v;
                w->cap = cap;
            }
            w->v[w->n] = (struct found){.box = &p->v[b], .order = w->n};
            w->n++;
        }
        if (w->n - from > 1)
            qsort(w->v + from, w->n - from, sizeof *w->v, by_confidence);
        if (w->n - from > MAX_DETECTIONS)
            w->n = from + MAX_DETECTIONS;
        for (size_t d = from; d < w->n; d++) {
            w->v[d].rank = (uint32_t)(d - from);
            w->v[d].order = d;
        }
    }
    return FW_OK;
}

/* The class's given boxes of image i, those that count first. */
static int list_truth(struct work *w, size_t i, enum range range, struct fw_err *err)
{
    const struct fw_boxes *g = w->given;
    size_t n = g->start[i + 1] - g->start[i];
    if (n > w->cap_truth) {
        const struct fw_box **truth = reallocarray(w->truth, n, sizeof *truth);
        if (truth)
            w->truth = truth;
        bool *ignore = reallocarray(w->ignore, n, sizeof *ignore);
        if (ignore)
            w->ignore = ignore;
        uint16_t *taken = reallocarray(w->taken, n, sizeof *taken);
        if (taken)
            w->taken = taken;
        if (!truth || !ignore || !taken)
            return fw_err_nomem(err);
        w->cap_truth = n;
    }
    w->n_truth = 0;
    for (int ignored = 0; ignored < 2; ignored++)
        for (size_t b = g->start[i]; b < g->start[i + 1]; b++) {
            const struct fw_box *box = &g->v[b];
            bool ignore = box->crowd || outside((double)box->area, range);
            if (box->klass != w->klass || ignore != (ignored == 1))
                continue;
            w->truth[w->n_truth] = box;
            w->ignore[w->n_truth] = ignore;
            w->taken[w->n_truth++] = 0;
        }
    return FW_OK;
}

/* The given box that detection d takes at a threshold, or -1: the one it overlaps most, one that counts
 * before one that is ignored. */
static long match(const struct work *w, const double *iou, int t)
{
    double best = fmin(threshold(t), 1 - 1e-10);
    long found = -1;
    for (size_t g = 0; g < w->n_truth; g++) {
        if ((w->taken[g] >> t & 1) && !w->truth[g]->crowd)
            continue;
        if (found >= 0 && !w->ignore[found] && w->ignore[g])
            break;
        if (iou[g] < best)
            continue;
        best = iou[g];
        found = (long)g;
    }
    return found;
}

static int match_image(struct work *w, struct found *v, size_t n, enum range range,
                       struct fw_err *err)
{
    size_t cells = n * w->n_truth;
    if (cells > w->cap_iou) {
        double *iou = reallocarray(w->iou, cells, sizeof *iou);
        if (!iou)
            return fw_err_nomem(err);
        w->iou = iou;
        w->cap_iou = cells;
    }
    for (size_t d = 0; d < n; d++) {
        double *iou = w->iou + d * w->n_truth;
        v[d].matched = v[d].ignored = 0;
        for (size_t g = 0; g < w->n_truth; g++)
            iou[g] = fw_box_iou(v[d].box, w->truth[g], w->truth[g]->crowd);
        bool out = outside((double)v[d].box->area, range);
        for (int t = 0; t < THRESHOLDS; t++) {
            uint16_t bit = (uint16_t)(1u << t);
            long g = match(w, iou, t);
            if (g >= 0) {
                w->taken[g] |= bit;
                v[d].matched |= bit;
            }
            if (g >= 0 ? w->ignore[g] : out)
                v[d].ignored |= bit;
        }
    }
    return FW_OK;
}

/* Precision at the 101 recalls, averaged, and the recall reached, of detections in order of confidence. */
static double curve(const struct found *v, size_t n, int t, uint32_t most, double positives,
                    double *recall, double *precision /* n */, double *at /* n */)
{
    double right = 0, wrong = 0, sum = 0;
    size_t m = 0;
    for (size_t d = 0; d < n; d++) {
        if (v[d].rank >= most || (v[d].ignored >> t & 1))
            continue;
        right += v[d].matched >> t & 1;
        wrong += !(v[d].matched >> t & 1);
        at[m] = right / positives;
        precision[m++] = right / (right + wrong + 2.220446049250313e-16);
    }
    *recall = m ? at[m - 1] : 0;
    for (size_t d = m; d-- > 1;)
        precision[d - 1] = fmax(precision[d - 1], precision[d]);
    for (size_t r = 0, d = 0; r < RECALLS; r++) {
        while (d < m && at[d] < (double)r / 100)
            d++;
        sum += d < m ? precision[d] : 0;
    }
    return sum / RECALLS;
}

static int score_range(struct work *w, enum range range, struct one *out, struct fw_err *err)
{
    double positives = 0, reached, *scratch;
    size_t d = 0;
    int rc = FW_OK;
    if (w->n > 1)
        qsort(w->v, w->n, sizeof *w->v, by_image);
    for (size_t i = 0; i < w->given->n && rc == FW_OK; i++) {
        size_t from = d;
        while (d < w->n && w->v[d].box < w->predicted->v + w->predicted->start[i + 1])
            d++;
        rc = list_truth(w, i, range, err);
        for (size_t g = 0; rc == FW_OK && g < w->n_truth; g++)
            positives += !w->ignore[g];
        if (rc == FW_OK)
            rc = match_image(w, w->v + from, d - from, range, err);
    }
    if (rc != FW_OK)
        return rc;
    if (!(scratch = reallocarray(NULL, 2 * w->n + 1, sizeof *scratch)))
        return fw_err_nomem(err);
    if (w->n > 1)
        qsort(w->v, w->n, sizeof *w->v, by_confidence);
    double sums[3] = {0, 0, 0};
    static const uint32_t most[] = {1, 10, MAX_DETECTIONS};
    for (int t = 0; t < THRESHOLDS; t++)
        for (int m = 0; m < 3; m++) {
            double ap = curve(w->v, w->n, t, most[m], positives, &reached, scratch, scratch + w->n);
            sums[m] += reached / THRESHOLDS;
            if (m == 2)
                out->ap[t][range] = positives > 0 ? ap : NAN;
        }
    out->ar[range] = positives > 0 ? sums[2] : NAN;
    if (range == ALL) {
        out->ar1 = positives > 0 ? sums[0] : NAN;
        out->ar10 = positives > 0 ? sums[1] : NAN;
    }
    free(scratch);
    return FW_OK;
}

static int class_work(void *ctx, const struct fw_chunk *chunk, struct fw_err *err)
{
    const struct job *job = ctx;
    struct work w = {.given = job->given, .predicted = job->predicted, .klass = (int)chunk->from};
    int rc = list_found(&w, err);
    for (int range = 0; range < RANGES && rc == FW_OK; range++)
        rc = score_range(&w, (enum range)range, &job->out[chunk->from], err);
    free(w.v);
    free(w.truth);
    free(w.ignore);
    free(w.taken);
    free(w.iou);
    return rc;
}

static int check(const struct fw_boxes *boxes, size_t k, const char *what, struct fw_err *err)
{
    for (size_t i = 0; i < boxes->n; i++)
        for (size_t b = boxes->start[i]; b < boxes->start[i + 1]; b++) {
            const struct fw_box *box = &boxes->v[b];
            if (box->klass < 0 || (size_t)box->klass >= k)
                return fw_err_set(err, FW_EINVAL, "%s box %zu of image %zu has no class below %zu",
                                  what, b - boxes->start[i], i, k);
            if (!isfinite(box->x0) || !isfinite(box->y0) || !isfinite(box->x1) ||
                !isfinite(box->y1) || !isfinite(box->score) || !isfinite(box->area) ||
                box->x1 < box->x0 || box->y1 < box->y0)
                return fw_err_set(err, FW_EINVAL, "%s box %zu of image %zu is no box", what,
                                  b - boxes->start[i], i);
        }
    return FW_OK;
}

/* The mean over the classes of a number in struct one; NaN ones are left out. */
static double mean(const struct one *v, size_t k, size_t offset)
{
    double sum = 0, n = 0;
    for (size_t c = 0; c < k; c++) {
        double x;
        memcpy(&x, (const char *)&v[c] + offset, sizeof x);
        sum += isnan(x) ? 0 : x;
        n += !isnan(x);
    }
    return n > 0 ? sum / n : NAN;
}

static double mean_ap(const struct one *v, size_t k, enum range range)
{
    double sum = 0;
    for (int t = 0; t < THRESHOLDS; t++)
        sum += mean(v, k, offsetof(struct one, ap) + sizeof(double) * (size_t)(t * RANGES + range));
    return sum / THRESHOLDS;
}

static double mean_ar(const struct one *v, size_t k, enum range range)
{
    return mean(v, k, offsetof(struct one, ar) + sizeof(double) * (size_t)range);
}

int fw_detection_score(const struct fw_boxes *given, const struct fw_boxes *predicted, size_t k,
                       struct fw_detection_scores *out, double *by_class, struct fw_err *err)
{
    struct one *v = calloc(k + 1, sizeof *v);
    struct job job = {given, predicted, v};
    int rc = v ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && given->n != predicted->n)
        rc = fw_err_set(err, FW_EINVAL, "%zu images with given boxes and %zu with predicted ones",
                        given->n, predicted->n);
    if (rc == FW_OK)
        rc = check(given, k, "given", err);
    if (rc == FW_OK)
        rc = check(predicted, k, "predicted", err);
    if (rc == FW_OK)
        rc = fw_parallel(k, 1, class_work, &job, err);
    if (rc == FW_OK) {
        *out = (struct fw_detection_scores){
            .ap = mean_ap(v, k, ALL),
            .ap50 = mean(v, k, offsetof(struct one, ap[0][ALL])),
            .ap75 = mean(v, k, offsetof(struct one, ap[5][ALL])),
            .ap_small = mean_ap(v, k, SMALL),
            .ap_medium = mean_ap(v, k, MEDIUM),
            .ap_large = mean_ap(v, k, LARGE),
            .ar1 = mean(v, k, offsetof(struct one, ar1)),
            .ar10 = mean(v, k, offsetof(struct one, ar10)),
            .ar100 = mean_ar(v, k, ALL),
            .ar_small = mean_ar(v, k, SMALL),
            .ar_medium = mean_ar(v, k, MEDIUM),
            .ar_large = mean_ar(v, k, LARGE),
        };
        for (size_t c = 0; by_class && c < k; c++)
            by_class[c] = mean_ap(v + c, 1, ALL);
    }
    free(v);
    return rc;
}
