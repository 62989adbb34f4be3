#include "stages/error_analysis/box_suspects.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/base/parallel.h"
#include "stages/evaluate/detection.h"

static const double centre_factor = 0.1; /* per pixel */
enum { GRAIN = 64 };                     /* images */

const char *fw_box_error_name(enum fw_box_error e)
{
    static const char *const names[] = {"missing", "badly placed", "swapped"};
    return names[e];
}

void fw_box_defaults(struct fw_box_params *p)
{
    *p = (struct fw_box_params){
        .alpha = 0.9, .low = 0.5, .high = 0.95, .threshold = 0.3, .temperature = 0.1};
}

struct work {
    const struct fw_boxes *given, *predicted;
    const struct fw_box_params *params;
    double *least; /* chunks: the least similarity above 0 */
    double floor;  /* of all */
    /* scores of predicted and of given boxes; NaN: none */
    double *missing, *placed, *swapped;
};

static double similarity(const struct work *w, const struct fw_box *a, const struct fw_box *b,
                         bool crowd)
{
    double x = ((double)a->x0 + (double)a->x1 - (double)b->x0 - (double)b->x1) / 2;
    double y = ((double)a->y0 + (double)a->y1 - (double)b->y0 - (double)b->y1) / 2;
    return w->params->alpha * fw_box_iou(a, b, crowd) +
           (1 - w->params->alpha) * exp(-centre_factor * hypot(x, y));
}

static int least_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    struct work *w = ctx;
    double least = 1;
    (void)err;
    for (size_t i = c->from; i < c->to; i++)
        for (size_t g = w->given->start[i]; g < w->given->start[i + 1]; g++)
            for (size_t p = w->predicted->start[i]; p < w->predicted->start[i + 1]; p++) {
                double s = similarity(w, &w->given->v[g], &w->predicted->v[p], false);
                if (s > 0 && s < least)
                    least = s;
            }
    w->least[c->index] = least;
    return FW_OK;
}

static double missing_score(const struct work *w, size_t image, const struct fw_box *found)
{
    const struct fw_boxes *g = w->given;
    double nearest = -1;
    if ((double)found->score < w->params->high)
        return NAN;
    for (size_t b = g->start[image]; b < g->start[image + 1]; b++) {
        if (fw_box_iou(found, &g->v[b], g->v[b].crowd) > 0.5 &&
            (g->v[b].crowd || g->v[b].klass != found->klass))
            return NAN; /* there, but a crowd, or of another class: swapped */
        if (!g->v[b].crowd && g->v[b].klass == found->klass)
            nearest = fmax(nearest, similarity(w, &g->v[b], found, false));
    }
    return nearest >= 0 ? nearest : w->floor * (1 - (double)found->score);
}

static void given_scores(const struct work *w, size_t image, size_t at)
{
    const struct fw_boxes *p = w->predicted;
    const struct fw_box *box = &w->given->v[at];
    double same = -1, other = -1;
    w->placed[at] = w->swapped[at] = NAN;
    if (box->crowd)
        return;
    for (size_t b = p->start[image]; b < p->start[image + 1]; b++) {
        const struct fw_box *found = &p->v[b];
        bool mine = found->klass == box->klass;
        if ((double)found->score <= (mine ? w->params->low : w->params->high))
            continue;
        double s = similarity(w, box, found, false);
        if (mine)
            same = fmax(same, s);
        else
            other = fmax(other, s);
    }
    w->placed[at] = same < 0 ? 1 : same;
    w->swapped[at] = other < 0 ? 1 : fmax(w->floor, 1 - other);
}

static int score_work(void *ctx, const struct fw_chunk *c, struct fw_err *err)
{
    const struct work *w = ctx;
    (void)err;
    for (size_t i = c->from; i < c->to; i++) {
        for (size_t p = w->predicted->start[i]; p < w->predicted->start[i + 1]; p++)
            w->missing[p] = missing_score(w, i, &w->predicted->v[p]);
        for (size_t g = w->given->start[i]; g < w->given->start[i + 1]; g++)
            given_scores(w, i, g);
    }
    return FW_OK;
}

/* Σ s softmax((1 − s) / t): near the least of them; 1 when there is none. */
static double soft_minimum(const double *s, size_t from, size_t to, double t)
{
    double sum = 0, all = 0, least = INFINITY;
    for (size_t i = from; i < to; i++)
        least = fmin(least, s[i]); /* passes over NaN */
    for (size_t i = from; i < to; i++) {
        if (isnan(s[i]))
            continue;
        double e = exp((least - s[i]) / t); /* the least counts 1, so that none vanish */
        sum += e * s[i];
        all += e;
    }
    return all > 0 ? sum / all : 1;
}

static double image_score_of(const struct work *w, size_t i)
{
    double t = w->params->temperature;
    const size_t *g = w->given->start + i, *p = w->predicted->start + i;
    return cbrt(soft_minimum(w->missing, p[0], p[1], t) * soft_minimum(w->placed, g[0], g[1], t) *
                soft_minimum(w->swapped, g[0], g[1], t));
}

static int by_score(const void *a, const void *b)
{
    const struct fw_box_suspect *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    if (x->error != y->error)
        return x->error < y->error ? -1 : 1;
    return x->box < y->box ? -1 : 1;
}

static size_t list(const struct work *w, struct fw_box_suspect *out)
{
    const struct {
        enum fw_box_error error;
        const struct fw_boxes *of;
        const double *score;
    } kinds[] = {{FW_BOX_MISSING, w->predicted, w->missing},
                 {FW_BOX_BADLY_PLACED, w->given, w->placed},
                 {FW_BOX_SWAPPED, w->given, w->swapped}};
    size_t n = 0;
    for (size_t k = 0; k < FW_BOX_ERRORS; k++)
        for (size_t i = 0; i < kinds[k].of->n; i++)
            for (size_t b = kinds[k].of->start[i]; b < kinds[k].of->start[i + 1]; b++) {
                if (!(kinds[k].score[b] < w->params->threshold))
                    continue;
                if (out)
                    out[n] = (struct fw_box_suspect){kinds[k].error, i, b, kinds[k].score[b]};
                n++;
            }
    return n;
}

int fw_box_suspects(const struct fw_boxes *given, const struct fw_boxes *predicted,
                    const struct fw_box_params *params, struct fw_box_suspect **out, size_t *n,
                    double *image_score, struct fw_err *err)
{
    struct work w = {.given = given, .predicted = predicted, .params = params, .floor = 1};
    size_t images = given->n, chunks = fw_parallel_chunks(images, GRAIN);
    struct fw_box_suspect *v = NULL;
    if (images != predicted->n)
        return fw_err_set(err, FW_EINVAL, "%zu images with given boxes and %zu with predicted ones",
                          images, predicted->n);
    w.least = calloc(chunks + 1, sizeof *w.least);
    w.missing = calloc(predicted->start[images] + 1, sizeof *w.missing);
    w.placed = calloc(given->start[images] + 1, sizeof *w.placed);
    w.swapped = calloc(given->start[images] + 1, sizeof *w.swapped);
    int rc = w.least && w.missing && w.placed && w.swapped
                 ? fw_parallel(images, GRAIN, least_work, &w, err)
                 : fw_err_nomem(err);
    for (size_t c = 0; c < chunks && rc == FW_OK; c++)
        w.floor = fmin(w.floor, w.least[c]);
    if (rc == FW_OK)
        rc = fw_parallel(images, GRAIN, score_work, &w, err);
    size_t found = rc == FW_OK ? list(&w, NULL) : 0;
    if (rc == FW_OK && !(v = calloc(found + 1, sizeof *v)))
        rc = fw_err_nomem(err);
    if (rc == FW_OK) {
        list(&w, v);
        qsort(v, found, sizeof *v, by_score);
        for (size_t i = 0; image_score && i < images; i++)
            image_score[i] = image_score_of(&w, i);
        *out = v;
        *n = found;
    }
    free(w.least);
    free(w.missing);
    free(w.placed);
    free(w.swapped);
    return rc;
}
