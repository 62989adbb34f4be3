/* Where the model is weak: classes, declared slices, and slices that are found. */
#include <string.h>

#include "stages/error_analysis/analysis.h"
#include "stages/examine/examine.h"

static int put_notes(const struct fw_examine *x, const json_t *analysis, struct fw_err *err)
{
    size_t i;
    json_t *note;
    json_array_foreach (json_object_get(analysis, "notes"), i, note) {
        /* Of the pipeline's own words only those that hold here. */
        const char *text = json_string_value(note);
        if (strstr(text, "out-of-fold") || strstr(text, "dev samples") ||
            strstr(text, "human level"))
            continue;
        if (json_array_append(x->notes, note) != 0)
            return fw_err_nomem(err);
    }
    return FW_OK;
}

int fw_examine_slices(const struct fw_examine *x, struct fw_err *err)
{
    const struct fw_labelled *l = x->l;
    size_t weak = 0, i;
    json_t *analysis = NULL, *slice;
    if (!l->data)
        return fw_examine_note(x, err, "Arrays have no fields, so no slices are looked for.");
    if (!x->predictions)
        return fw_examine_note(x, err, "Without predictions no slice is judged.");
    struct fw_analysis_input in = {.task = &l->task,
                                   .data = l->data,
                                   .judge_all = true,
                                   .dev = x->predictions,
                                   .metric = x->metric,
                                   .n_slices = x->n_slices,
                                   .slices = x->slices,
                                   .max_found = x->max_found,
                                   .seed = x->seed};
    int rc = fw_analysis_build(&in, &analysis, err);
    if (rc != FW_OK)
        return rc;
    json_array_foreach (json_object_get(analysis, "slices"), i, slice)
        weak += json_is_true(json_object_get(slice, "weak"));
    if (json_object_set(x->out, "slices", json_object_get(analysis, "slices")) != 0)
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_examine_figure(x, "weak_slices", (double)weak, err);
    if (rc == FW_OK)
        rc = put_notes(x, analysis, err);
    json_decref(analysis);
    return rc;
}
