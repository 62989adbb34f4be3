#include <math.h>
#include <stdlib.h>

#include "stages/error_analysis/box_suspects.h"
#include "stages/evaluate/detection.h"
#include "stages/examine/examine.h"
#include "stages/examine/other_tasks.h"

struct scored {
    size_t image;
    double score;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->image < y->image ? -1 : 1;
}

static json_t *metrics_json(const struct fw_detection_scores *d)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "ap",
                     fw_examine_number(d->ap), "ap50", fw_examine_number(d->ap50), "ap75",
                     fw_examine_number(d->ap75), "ap_small", fw_examine_number(d->ap_small),
                     "ap_medium", fw_examine_number(d->ap_medium), "ap_large",
                     fw_examine_number(d->ap_large), "ar1", fw_examine_number(d->ar1), "ar10",
                     fw_examine_number(d->ar10), "ar100", fw_examine_number(d->ar100), "ar_small",
                     fw_examine_number(d->ar_small), "ar_medium", fw_examine_number(d->ar_medium),
                     "ar_large", fw_examine_number(d->ar_large));
}

static json_t *classes_json(const struct fw_box_sets *s, const double *ap)
{
    json_t *list = json_array();
    size_t *count = calloc(2 * s->k + 1, sizeof *count);
    for (size_t b = 0; count && b < s->given.start[s->n]; b++)
        count[s->given.v[b].klass]++;
    for (size_t b = 0; count && b < s->predicted.start[s->n]; b++)
        count[s->k + (size_t)s->predicted.v[b].klass]++;
    for (size_t c = 0; list && count && c < s->k; c++)
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:o}", "class", s->classes[c],
                                              "given", (json_int_t)count[c], "predicted",
                                              (json_int_t)count[s->k + c], "ap",
                                              ap ? fw_examine_number(ap[c]) : json_null()));
    free(count);
    return list;
}

static json_t *suspects_json(const struct fw_box_sets *s, const struct fw_box_suspect *v, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < n; i++) {
        const struct fw_boxes *of = v[i].error == FW_BOX_MISSING ? &s->predicted : &s->given;
        const struct fw_box *b = &of->v[v[i].box];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:[f, f, f, f], s:f}", "error",
                                        fw_box_error_name(v[i].error), "image", s->ids[v[i].image],
                                        "class", s->classes[b->klass], "box", (double)b->x0,
                                        (double)b->y0, (double)b->x1 - (double)b->x0,
                                        (double)b->y1 - (double)b->y0, "score", v[i].score));
    }
    return list;
}

/* Images with a suspect, the lowest score first. */
static json_t *images_json(const struct fw_box_sets *s, const struct fw_box_suspect *v, size_t n,
                           const double *score)
{
    struct scored *images = calloc(s->n + 1, sizeof *images);
    bool *has = calloc(s->n + 1, sizeof *has);
    json_t *list = images && has ? json_array() : NULL;
    size_t found = 0;
    for (size_t i = 0; list && i < n; i++)
        has[v[i].image] = true;
    for (size_t i = 0; list && i < s->n; i++)
        if (has[i])
            images[found++] = (struct scored){i, score[i]};
    if (list)
        qsort(images, found, sizeof *images, by_score);
    for (size_t i = 0; list && i < found; i++)
        json_array_append_new(list, json_pack("{s:s, s:f}", "image", s->ids[images[i].image],
                                              "score", images[i].score));
    free(images);
    free(has);
    return list;
}

int fw_examine_boxes(const struct fw_box_sets *s, bool predicted, json_t **out, struct fw_err *err)
{
    struct fw_detection_scores d;
    struct fw_box_params params;
    struct fw_box_suspect *v = NULL;
    size_t n = 0, given = s->given.start[s->n];
    double *ap = predicted ? calloc(s->k + 1, sizeof *ap) : NULL;
    double *score = calloc(s->n + 1, sizeof *score);
    int rc = score && (ap || !predicted) ? FW_OK : fw_err_nomem(err);
    fw_box_defaults(&params);
    if (rc == FW_OK && predicted)
        rc = fw_detection_score(&s->given, &s->predicted, s->k, &d, ap, err);
    if (rc == FW_OK && predicted)
        rc = fw_box_suspects(&s->given, &s->predicted, &params, &v, &n, score, err);
    if (rc == FW_OK) {
        json_t *figures =
            predicted
                ? json_pack("{s:o, s:o, s:o, s:o, s:o}", "ap", fw_examine_number(d.ap), "ap50",
                            fw_examine_number(d.ap50), "ap75", fw_examine_number(d.ap75), "ar100",
                            fw_examine_number(d.ar100), "box_issues",
                            fw_examine_number(given ? (double)n / (double)given : NAN))
                : json_object();
        *out = json_pack("{s:{s:s, s:I, s:I, s:I, s:I}, s:o, s:o, s:o, s:o, s:o}", "data", "task",
                         "boxes", "images", (json_int_t)s->n, "given", (json_int_t)given,
                         "predicted", (json_int_t)s->predicted.start[s->n], "classes",
                         (json_int_t)s->k, "metrics", predicted ? metrics_json(&d) : json_null(),
                         "by_class", classes_json(s, ap), "suspects", suspects_json(s, v, n),
                         "images", images_json(s, v, n, score), "figures", figures);
        if (!*out)
            rc = fw_err_nomem(err);
    }
    free(ap);
    free(score);
    free(v);
    return rc;
}
