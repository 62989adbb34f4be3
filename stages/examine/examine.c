#include "stages/examine/examine.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct fw_examine_part fw_examine_parts[] = {
    {"metrics", "how good the predictions are, with intervals", fw_examine_metrics},
    {"labels", "labels that are probably wrong, by confident learning", fw_examine_labels},
    {"slices", "where the model is weak: declared and found slices", fw_examine_slices},
    {"duplicates", "copies and near copies, within and across splits", fw_examine_duplicates},
    {"outliers", "samples unlike the others", fw_examine_outliers},
    {"balance", "how unequal the classes are", fw_examine_balance},
    {"order", "whether the order of the rows tells something", fw_examine_order},
    {"images", "pictures that are broken or unlike the others", fw_examine_images},
    {0},
};

/* Parts that look at neighbours. */
static bool wants_neighbours(const bool *chosen)
{
    for (size_t i = 0; fw_examine_parts[i].name; i++) {
        fw_examine_fn *fn = fw_examine_parts[i].fn;
        if (chosen[i] &&
            (fn == fw_examine_duplicates || fn == fw_examine_outliers || fn == fw_examine_order))
            return true;
    }
    return false;
}

json_t *fw_examine_number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

int fw_examine_figure(const struct fw_examine *x, const char *name, double value,
                      struct fw_err *err)
{
    return json_object_set_new(x->figures, name, fw_examine_number(value)) == 0 ? FW_OK
                                                                                : fw_err_nomem(err);
}

int fw_examine_note(const struct fw_examine *x, struct fw_err *err, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return json_array_append_new(x->notes, json_string(text)) == 0 ? FW_OK : fw_err_nomem(err);
}

static int put_data(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    size_t labelled = 0;
    json_t *classes = json_array();
    for (size_t i = 0; l->data && i < l->data->n; i++)
        labelled += l->klass ? l->data->samples[i].klass >= 0 : !isnan(l->data->samples[i].value);
    for (size_t i = 0; !l->data && i < l->n; i++)
        labelled += l->klass[i] >= 0;
    char metric[300];
    for (size_t i = 0; classes && i < l->task.n_classes; i++)
        json_array_append_new(classes, json_string(l->task.classes[i]));
    json_t *data =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:o}", "samples",
                  (json_int_t)(l->n + l->unpredicted), "labelled", (json_int_t)labelled,
                  "predicted", (json_int_t)(l->pred || l->predicted || l->probs.n ? l->n : 0),
                  "unpredicted", (json_int_t)l->unpredicted, "unknown", (json_int_t)l->unknown,
                  "task", l->task.task == FW_REGRESSION ? "regression" : "classification", "metric",
                  fw_metric_name(&x->metric, &l->task, metric, sizeof metric), "classes", classes);
    int rc = json_object_set_new(x->out, "data", data) == 0 ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK && !labelled)
        rc = fw_examine_note(x, err,
                             "No sample is labelled: the class stands in the field or column "
                             "'label'.");
    if (rc == FW_OK && l->unpredicted)
        rc = fw_examine_note(x, err, "%zu samples have no prediction and are left out.",
                             l->unpredicted);
    if (rc == FW_OK && l->unknown)
        rc = fw_examine_note(x, err, "%zu predictions are of samples that are not in the data.",
                             l->unknown);
    return rc;
}

int fw_examine(struct fw_examine *x, const bool *chosen, json_t **out, struct fw_err *err)
{
    x->out = json_object();
    x->figures = json_object();
    x->notes = json_array();
    int rc = x->out && x->figures && x->notes ? put_data(x, err) : fw_err_nomem(err);
    if (rc == FW_OK && wants_neighbours(chosen))
        rc = fw_examine_neighbours(x, err);
    for (size_t i = 0; fw_examine_parts[i].name && rc == FW_OK; i++)
        if (chosen[i])
            rc = fw_examine_parts[i].fn(x, err);
    if (rc == FW_OK && (json_object_set(x->out, "figures", x->figures) != 0 ||
                        json_object_set(x->out, "notes", x->notes) != 0))
        rc = fw_err_nomem(err);
    json_decref(x->figures);
    json_decref(x->notes);
    if (rc == FW_OK)
        *out = x->out;
    else
        json_decref(x->out);
    if (x->neighbours)
        fw_neighbours_release(x->neighbours);
    free(x->neighbours);
    x->neighbours = NULL;
    x->out = x->figures = x->notes = NULL;
    return rc;
}
