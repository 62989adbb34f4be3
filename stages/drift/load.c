/* drift.json and the predictions of labelled rows, read and checked. */
#include <math.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "stages/data/ids.h"
#include "stages/data/predictions.h"
#include "stages/drift/drift.h"
#include "stages/error_analysis/slice.h"

static const char *const severities[] = {"none", "unknown", "minor", "major"};

const char *fw_severity_name(enum fw_severity s)
{
    return severities[s];
}

int fw_severity_parse(const char *name, enum fw_severity *out)
{
    for (size_t i = 0; i < sizeof severities / sizeof *severities; i++) {
        if (!strcmp(name, severities[i])) {
            *out = (enum fw_severity)i;
            return FW_OK;
        }
    }
    return FW_ENOTFOUND;
}

static int bad(struct fw_err *err, const char *where, size_t at, const char *what)
{
    if (!where)
        return fw_err_set(err, FW_EINVAL, "%s", what);
    return fw_err_set(err, FW_EINVAL, "%s[%zu]: %s", where, at, what);
}

static bool has_severity(const json_t *o)
{
    const char *name = json_string_value(json_object_get(o, "severity"));
    enum fw_severity s;
    return name && fw_severity_parse(name, &s) == FW_OK;
}

static bool is_share(const json_t *v)
{
    return json_is_number(v) && json_number_value(v) >= 0 && json_number_value(v) <= 1;
}

static bool is_share_or_null(const json_t *v)
{
    return !v || json_is_null(v) || is_share(v);
}

static int check_field(const json_t *f, size_t i, struct fw_err *err)
{
    const json_t *value = json_object_get(f, "value"), *p = json_object_get(f, "p");
    static const char *const texts[] = {"field", "type", "statistic"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        if (!json_is_string(json_object_get(f, texts[t])))
            return fw_err_set(err, FW_EINVAL, "fields[%zu]: '%s' is missing or not a text", i,
                              texts[t]);
    if (!json_is_number(value) && !json_is_null(value))
        return bad(err, "fields", i, "'value' is missing or not a number");
    if (!p || !is_share_or_null(p) || !is_share_or_null(json_object_get(f, "p_adjusted")))
        return bad(err, "fields", i, "'p' must lie between 0 and 1, or be null");
    if (!has_severity(f))
        return bad(err, "fields", i, "'severity' must be none, unknown, minor or major");
    return FW_OK;
}

static int check_target(const json_t *t, size_t i, struct fw_err *err)
{
    const char *text = json_string_value(json_object_get(t, "slice"));
    const json_t *missing = json_object_get(t, "missing"), *klass = json_object_get(t, "class");
    struct fw_slice *slice = NULL;
    struct fw_err why = {0};
    if (!text)
        return bad(err, "targets", i, "'slice' is missing or not a text");
    if (fw_slice_parse(text, &slice, &why) != FW_OK)
        return fw_err_set(err, why.code, "targets[%zu]: '%.200s': %.400s", i, text, why.msg);
    fw_slice_free(slice);
    if (!is_share(json_object_get(t, "reference_share")) ||
        !is_share(json_object_get(t, "production_share")) ||
        !is_share(json_object_get(t, "growth")))
        return bad(err, "targets", i,
                   "'reference_share', 'production_share' and 'growth' must lie between 0 and 1");
    if (missing && !(json_number_value(missing) >= 0))
        return bad(err, "targets", i, "'missing' must be 0 or more");
    if (klass && !json_is_null(klass) && !json_is_string(klass))
        return bad(err, "targets", i, "'class' must be a text or null");
    return FW_OK;
}

int fw_drift_check(const json_t *drift, struct fw_err *err)
{
    const json_t *n = json_object_get(drift, "n"), *list, *v;
    static const char *const parts[] = {"labels", "embeddings"}, *const lists[] = {"targets",
                                                                                   "notes"};
    size_t i;
    int rc = FW_OK;
    if (!json_is_object(drift))
        return bad(err, NULL, 0, "not a JSON object");
    if (json_integer_value(json_object_get(drift, "version")) != 1)
        return bad(err, NULL, 0, "'version' must be 1");
    if (!(json_number_value(json_object_get(n, "reference")) >= 0) ||
        !json_is_number(json_object_get(n, "reference")) ||
        !json_is_number(json_object_get(n, "production")) ||
        !(json_number_value(json_object_get(n, "production")) >= 0))
        return bad(err, NULL, 0, "'n' must hold the numbers of rows, 'reference' and 'production'");
    if (!has_severity(drift))
        return bad(err, NULL, 0, "'severity' must be none, unknown, minor or major");
    list = json_object_get(drift, "fields");
    if (!json_is_array(list))
        return bad(err, NULL, 0, "'fields' is missing or not a list");
    json_array_foreach (list, i, v)
        if ((rc = check_field(v, i, err)) != FW_OK)
            return rc;
    for (size_t p = 0; p < 2; p++) {
        v = json_object_get(drift, parts[p]);
        if (v && !json_is_null(v) && !has_severity(v))
            return fw_err_set(err, FW_EINVAL, "'%s' must be null or an object with 'severity'",
                              parts[p]);
        list = json_object_get(drift, lists[p]);
        if (list && !json_is_array(list))
            return fw_err_set(err, FW_EINVAL, "'%s' is not a list", lists[p]);
    }
    json_array_foreach (json_object_get(drift, "targets"), i, v)
        if ((rc = check_target(v, i, err)) != FW_OK)
            return rc;
    json_array_foreach (json_object_get(drift, "notes"), i, v)
        if (!json_is_string(v))
            return bad(err, "notes", i, "not a text");
    return FW_OK;
}

int fw_drift_load(const char *path, json_t **out, struct fw_err *err)
{
    struct fw_buf text = {0};
    json_error_t why;
    json_t *drift = NULL;
    int rc = fw_fs_read(path, 0, &text, err);
    if (rc == FW_OK) {
        drift = json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, &why);
        if (!drift) {
            rc = fw_err_set(err, FW_EINVAL, "not valid JSON: %s", why.text);
            fw_err_at(err, path, why.line, why.column > 0 ? why.column : 0);
        } else if ((rc = fw_drift_check(drift, err)) != FW_OK) {
            fw_err_at(err, path, 0, 0);
        }
    }
    if (rc == FW_OK)
        *out = drift;
    else
        json_decref(drift);
    fw_buf_release(&text);
    return rc;
}

struct truth {
    const char *path;
    const struct fw_predictions *p;
    const struct fw_task_info *task;
    struct fw_ids classes;
    double *counts;
    size_t matched;
};

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct truth *t = ctx;
    const char *id = fw_row_str(row, "id"), *label = fw_row_str(row, "label");
    long at = id && label ? fw_predictions_find(t->p, id) : -1;
    if (at < 0)
        return FW_OK;
    long k = fw_ids_find(&t->classes, label);
    if (k < 0) {
        fw_err_set(err, FW_EINVAL, "label '%.200s' is not one of the %zu classes", label,
                   t->task->n_classes);
        return fw_err_at(err, t->path, line, 0);
    }
    t->counts[(size_t)k * t->task->n_classes + (size_t)t->p->pred[at]]++;
    t->matched++;
    return FW_OK;
}

int fw_drift_confusion(const char *rows, const struct fw_predictions *p,
                       const struct fw_task_info *task, double *counts, size_t *matched,
                       struct fw_err *err)
{
    struct truth t = {.path = rows, .p = p, .task = task, .counts = counts};
    int rc = FW_OK;
    for (size_t i = 0; i < task->n_classes && rc == FW_OK; i++)
        if (fw_ids_add(&t.classes, task->classes[i]) < 0)
            rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_rows_each(rows, on_row, &t, err);
    if (rc == FW_OK)
        *matched = t.matched;
    fw_ids_release(&t.classes);
    return rc;
}
