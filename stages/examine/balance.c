/* How unequal the classes are, and whether the order of the rows tells something. */
#include <math.h>
#include <stdlib.h>

#include "stages/examine/examine.h"
#include "stages/quality/imbalance.h"
#include "stages/quality/order.h"

static const double rare_below = 0.1; /* of the equal share */

/* The classes of all samples, also of those that nothing predicts; *own is to be freed. */
static int all_classes(const struct fw_labelled *l, int **own, const int **klass, size_t *n,
                       struct fw_err *err)
{
    *own = NULL;
    *klass = l->klass;
    *n = l->n;
    if (!l->data || l->n == l->data->n)
        return FW_OK;
    *n = l->data->n;
    if (!(*own = reallocarray(NULL, *n + 1, sizeof **own)))
        return fw_err_nomem(err);
    for (size_t i = 0; i < *n; i++)
        (*own)[i] = l->data->samples[i].klass;
    *klass = *own;
    return FW_OK;
}

int fw_examine_balance(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    struct fw_imbalance im;
    if (!l->klass || !l->task.n_classes)
        return FW_OK; /* numbers have no classes */
    int *own;
    const int *klass;
    size_t n;
    int rc = all_classes(l, &own, &klass, &n, err);
    if (rc == FW_OK)
        rc = fw_imbalance_of(klass, n, l->task.n_classes, rare_below, &im, err);
    free(own);
    if (rc != FW_OK)
        return rc;
    json_t *classes = json_array();
    for (size_t c = 0; c < im.k; c++)
        json_array_append_new(classes, json_pack("{s:s, s:I, s:f, s:b}", "class",
                                                 l->task.classes[c], "n", (json_int_t)im.count[c],
                                                 "share", im.share[c], "rare", im.rare[c]));
    json_t *part =
        json_pack("{s:o, s:f, s:I, s:o}", "ratio", fw_examine_number(im.ratio), "effective_classes",
                  im.effective, "rare", (json_int_t)im.n_rare, "classes", classes);
    if (json_object_set_new(x->out, "balance", part) != 0)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "rare_classes", (double)im.n_rare, err);
    fw_imbalance_release(&im);
    return rc;
}

static json_t *order_json(const struct fw_order *o)
{
    return json_pack("{s:I, s:f, s:o, s:f}", "n", (json_int_t)o->n, "statistic", o->statistic,
                     "expected", fw_examine_number(o->expected), "p", o->p);
}

int fw_examine_order(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    const double steps = 1e8; /* rows shuffled in all */
    struct fw_order o;
    int *own = NULL;
    const int *klass = NULL;
    size_t n = 0;
    json_t *part = json_object();
    int rc = part ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && l->klass)
        rc = all_classes(l, &own, &klass, &n, err);
    double wish = steps / (double)(n ? n : 1);
    size_t permutations = wish < 199 ? 199 : wish > 999 ? 999 : (size_t)wish;
    if (rc == FW_OK && klass) {
        rc = fw_order_by_labels(klass, n, permutations, x->seed, &o, err);
        if (rc == FW_OK) {
            json_object_set_new(part, "labels", order_json(&o));
            rc = fw_examine_figure(x, "order_p", o.p, err);
        }
    }
    if (rc == FW_OK && x->neighbours) {
        rc = fw_order_by_neighbours(x->neighbours, 199, x->seed, &o, err);
        if (rc == FW_OK)
            json_object_set_new(part, "vectors", order_json(&o));
    }
    if (rc == FW_OK && json_object_set(x->out, "order", part) != 0)
        rc = fw_err_nomem(err);
    json_decref(part);
    free(own);
    return rc;
}
