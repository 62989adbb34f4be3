#include "stages/error_analysis/curve.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/fs.h"
#include "pipeline/base/rows.h"

enum { MOST_POINTS = 1000 };

static const char *const kinds[] = {"subset", "full", "trusted"};

static int kind_of(const char *name)
{
    return !strcmp(name, "full")      ? FW_CURVE_FULL
           : !strcmp(name, "trusted") ? FW_CURVE_TRUSTED
                                      : FW_CURVE_SUBSET;
}

static int count_labelled(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    const struct fw_field *label = fw_row_get(row, "label");
    (void)line;
    (void)err;
    if (label && label->type != FW_NULL)
        ++*(size_t *)ctx;
    return FW_OK;
}

static int write_point(const struct fw_curve_source *s, size_t i, const struct fw_task_info *task,
                       const char *out, json_t *points, struct fw_err *err)
{
    char folder[24];
    size_t n = 0;
    snprintf(folder, sizeof folder, "%zu", i);
    char *rows = fw_fs_join(s->dataset, "samples.jsonl"), *to = fw_fs_join(out, folder);
    int rc = rows && to ? fw_rows_each(rows, count_labelled, &n, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_predictions_merge(&s->predictions, 1, task, to, err);
    if (rc == FW_OK &&
        json_array_append_new(points, json_pack("{s:s, s:s, s:I, s:s}", "name", s->name, "kind",
                                                kinds[kind_of(s->name)], "n", (json_int_t)n,
                                                "predictions", folder)) != 0)
        rc = fw_err_nomem(err);
    free(rows);
    free(to);
    return rc;
}

int fw_curve_write(const struct fw_curve_source *v, size_t n, const struct fw_task_info *task,
                   const char *out, struct fw_err *err)
{
    json_t *points = json_array();
    char *path = fw_fs_join(out, "curve.json"), *text = NULL;
    int rc = points && path ? fw_fs_mkdirs(out, err) : fw_err_nomem(err);
    for (size_t i = 0; i < n && rc == FW_OK; i++)
        rc = write_point(&v[i], i, task, out, points, err);
    json_t *root = rc == FW_OK ? json_pack("{s:i, s:O}", "version", 1, "points", points) : NULL;
    if (rc == FW_OK && !(text = json_dumps(root, JSON_INDENT(1))))
        rc = fw_err_nomem(err);
    if (rc == FW_OK)
        rc = fw_fs_write_atomic(path, text, strlen(text), err);
    json_decref(root);
    json_decref(points);
    free(text);
    free(path);
    return rc;
}

static int load_point(const char *path, const json_t *o, const struct fw_task_info *task,
                      struct fw_curve_point *p, struct fw_err *err)
{
    const char *kind = json_string_value(json_object_get(o, "kind"));
    const char *folder = json_string_value(json_object_get(o, "predictions"));
    const json_t *n = json_object_get(o, "n");
    size_t k = 0;
    while (kind && k < 3 && strcmp(kinds[k], kind) != 0)
        k++;
    if (!kind || k == 3 || !folder || !fw_fs_rel_is_safe(folder) || !json_is_integer(n) ||
        json_integer_value(n) < 0)
        return fw_err_set(err, FW_EINVAL,
                          "%s/curve.json: a point needs 'kind' (subset, full or trusted), 'n' and "
                          "'predictions', a folder beside it",
                          path);
    p->kind = (enum fw_curve_kind)k;
    p->n = (size_t)json_integer_value(n);
    char *at = fw_fs_join(path, folder);
    int rc = at ? fw_predictions_load(at, task, &p->dev, err) : fw_err_nomem(err);
    free(at);
    return rc;
}

static int by_kind(const void *a, const void *b)
{
    const struct fw_curve_point *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->n < y->n ? -1 : x->n > y->n;
}

static int load_points(const char *path, const json_t *points, const struct fw_task_info *task,
                       struct fw_curve *c, struct fw_err *err)
{
    size_t i, full = 0, trusted = 0;
    const json_t *o;
    if (!json_is_array(points) || json_array_size(points) > MOST_POINTS)
        return fw_err_set(err, FW_EINVAL,
                          "%s/curve.json: 'points' is missing or not a list of at "
                          "most %d",
                          path, MOST_POINTS);
    if (!(c->points = calloc(json_array_size(points) + 1, sizeof *c->points)))
        return fw_err_nomem(err);
    json_array_foreach (points, i, o) {
        int rc = load_point(path, o, task, &c->points[i], err);
        if (rc != FW_OK)
            return rc;
        c->n++;
        full += c->points[i].kind == FW_CURVE_FULL;
        trusted += c->points[i].kind == FW_CURVE_TRUSTED;
    }
    if (full != 1 || trusted > 1)
        return fw_err_set(err, FW_EINVAL,
                          "%s/curve.json: there must be one point of kind full and at most one of "
                          "kind trusted",
                          path);
    qsort(c->points, c->n, sizeof *c->points, by_kind);
    return FW_OK;
}

int fw_curve_load(const char *path, const struct fw_task_info *task, struct fw_curve **out,
                  struct fw_err *err)
{
    struct fw_buf text = {0};
    json_error_t why;
    json_t *root = NULL;
    struct fw_curve *c = calloc(1, sizeof *c);
    char *file = fw_fs_join(path, "curve.json");
    int rc = c && file ? fw_fs_read(file, 1 << 20, &text, err) : fw_err_nomem(err);
    if (rc == FW_OK &&
        !(root = json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, &why))) {
        rc = fw_err_set(err, FW_EINVAL, "not valid JSON: %s", why.text);
        fw_err_at(err, file, why.line > 0 ? why.line : 0, 0);
    }
    if (rc == FW_OK)
        rc = load_points(path, json_object_get(root, "points"), task, c, err);
    if (rc == FW_OK)
        *out = c;
    else
        fw_curve_free(c);
    json_decref(root);
    fw_buf_release(&text);
    free(file);
    return rc;
}

void fw_curve_free(struct fw_curve *curve)
{
    if (!curve)
        return;
    for (size_t i = 0; curve->points && i < curve->n + 1; i++)
        fw_predictions_free(curve->points[i].dev); /* the one after the last: begun and failed */
    free(curve->points);
    free(curve);
}
