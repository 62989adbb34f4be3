#include "stages/data/predictions.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/fs.h"
#include "pipeline/base/npy.h"
#include "pipeline/base/rows.h"
#include "stages/data/ids.h"
#include "stages/data/predictions_csv.h"

struct fw_predictions_priv {
    struct fw_arena arena;
    struct fw_ids ids;
    size_t cap;
};

struct load {
    struct fw_predictions *p;
    const struct fw_task_info *task;
    struct fw_ids classes;
    const char *path;
    double *row; /* K probabilities of the row being read */
    bool regression;
};

static int reserve(struct load *l, struct fw_err *err)
{
    struct fw_predictions *p = l->p;
    if (p->n < p->priv->cap)
        return FW_OK;
    size_t cap = p->priv->cap ? p->priv->cap * 2 : 256, cells;
    if (l->regression) {
        double *v = realloc(p->value, cap * sizeof *v);
        if (!v)
            return fw_err_nomem(err);
        p->value = v;
    } else {
        int *pred = realloc(p->pred, cap * sizeof *pred);
        if (!pred)
            return fw_err_nomem(err);
        p->pred = pred;
        if (__builtin_mul_overflow(cap, p->k * sizeof(float), &cells))
            return fw_err_nomem(err);
        float *probs = realloc(p->probs, cells ? cells : 1);
        if (!probs)
            return fw_err_nomem(err);
        p->probs = probs;
    }
    p->priv->cap = cap;
    return FW_OK;
}

/* The one place where an id enters: not empty, no NUL, not seen before. */
static int add_id(struct load *l, const char *id, size_t len, struct fw_err *err)
{
    if (!len)
        return fw_err_set(err, FW_EINVAL, "'id' is missing or empty");
    if (memchr(id, '\0', len))
        return fw_err_set(err, FW_EINVAL, "'id' holds a NUL character");
    char *own = fw_arena_strndup(&l->p->priv->arena, id, len);
    long at = own ? fw_ids_add(&l->p->priv->ids, own) : FW_IDS_NOMEM;
    if (at < 0)
        return fw_err_nomem(err);
    if ((size_t)at != l->p->n)
        return fw_err_set(err, FW_EINVAL, "id '%.200s' appears twice (first as prediction %ld)",
                          own, at + 1);
    return FW_OK;
}

static int check_probs(const double *v, size_t k, struct fw_err *err)
{
    double sum = 0;
    for (size_t j = 0; j < k; j++) {
        if (!(v[j] >= 0 && v[j] <= 1 + 1e-6))
            return fw_err_set(err, FW_EINVAL, "probability %g of class %zu is not in [0, 1]", v[j],
                              j + 1);
        sum += v[j];
    }
    if (fabs(sum - 1) > 1e-3)
        return fw_err_set(err, FW_EINVAL, "the probabilities sum to %.6g, not 1", sum);
    return FW_OK;
}

/* {"class": probability, ...}; classes not named have probability 0. */
static int probs_object(struct load *l, const struct fw_field *f, struct fw_err *err)
{
    json_error_t why;
    const char *key;
    json_t *j = json_loadb(f->raw, f->raw_len, JSON_REJECT_DUPLICATES, &why), *v;
    int rc = FW_OK;
    if (!j)
        return fw_err_set(err, FW_EINVAL, "'probs': %s", why.text);
    memset(l->row, 0, l->p->k * sizeof *l->row);
    json_object_foreach (j, key, v) {
        long at = fw_ids_find(&l->classes, key);
        if (at < 0)
            rc = fw_err_set(err, FW_EINVAL, "'probs' names an unknown class '%.200s'", key);
        else if (!json_is_number(v))
            rc = fw_err_set(err, FW_EINVAL, "'probs' of class '%.200s' is not a number", key);
        else
            l->row[at] = json_number_value(v);
        if (rc != FW_OK)
            break;
    }
    json_decref(j);
    return rc;
}

static int probs_field(struct load *l, const struct fw_field *f, struct fw_err *err)
{
    if (f->type == FW_OBJECT)
        return probs_object(l, f, err);
    double *v = NULL;
    size_t n = 0;
    int rc = fw_field_numbers(f, &v, &n, err);
    if (rc != FW_OK)
        return fw_err_wrap(err, "'probs'");
    if (n != l->p->k)
        rc = fw_err_set(err, FW_EINVAL, "'probs' has %zu numbers for %zu classes", n, l->p->k);
    else if (n)
        memcpy(l->row, v, n * sizeof *v);
    free(v);
    return rc;
}

static int argmax(const float *v, size_t k)
{
    size_t best = 0;
    for (size_t j = 1; j < k; j++)
        if (v[j] > v[best])
            best = j;
    return (int)best;
}

static int class_row(struct load *l, const struct fw_row *row, struct fw_err *err)
{
    struct fw_predictions *p = l->p;
    const struct fw_field *pred = fw_row_get(row, "prediction"), *probs = fw_row_get(row, "probs");
    float *out = p->probs + p->n * p->k;
    bool given = probs && probs->type != FW_NULL;
    if (p->n && given != p->has_probs)
        return fw_err_set(err, FW_EINVAL, "some predictions have 'probs' and some have not");
    p->has_probs = given;
    if (given) {
        int rc = probs_field(l, probs, err);
        if (rc == FW_OK)
            rc = check_probs(l->row, p->k, err);
        if (rc != FW_OK)
            return rc;
        for (size_t j = 0; j < p->k; j++)
            out[j] = (float)l->row[j];
        p->pred[p->n] = argmax(out, p->k);
    }
    if (!pred || pred->type == FW_NULL)
        return given ? FW_OK
                     : fw_err_set(err, FW_EINVAL, "neither 'prediction' nor 'probs' is given");
    if (pred->type != FW_STRING)
        return fw_err_set(err, FW_EINVAL, "'prediction' is not a class name");
    long at = fw_ids_find(&l->classes, pred->str);
    if (at < 0)
        return fw_err_set(err, FW_EINVAL, "'prediction' names an unknown class '%.200s'",
                          pred->str);
    p->pred[p->n] = (int)at;
    if (!given) {
        memset(out, 0, p->k * sizeof *out);
        out[at] = 1;
    }
    return FW_OK;
}

static int on_row(void *ctx, const struct fw_row *row, int line, struct fw_err *err)
{
    struct load *l = ctx;
    const struct fw_field *id = fw_row_get(row, "id");
    bool named = id && id->type == FW_STRING;
    int rc = reserve(l, err);
    if (rc == FW_OK)
        rc = add_id(l, named ? id->str : "", named ? id->str_len : 0, err);
    if (rc == FW_OK && l->regression) {
        const struct fw_field *v = fw_row_get(row, "prediction");
        if (!v || v->type != FW_NUMBER)
            rc = fw_err_set(err, FW_EINVAL, "'prediction' is missing or not a number");
        else
            l->p->value[l->p->n] = v->number;
    } else if (rc == FW_OK) {
        rc = class_row(l, row, err);
    }
    if (rc != FW_OK) {
        fw_err_at(err, l->path, line, 0);
        return rc;
    }
    l->p->n++;
    return FW_OK;
}

/* ids.txt: one id a line, nothing else. */
static int read_ids(struct load *l, const char *path, struct fw_err *err)
{
    struct fw_buf text = {0};
    int rc = fw_fs_read(path, 0, &text, err), line = 0;
    for (size_t at = 0; at < text.len && rc == FW_OK;) {
        const char *nl = memchr(text.p + at, '\n', text.len - at);
        size_t len = nl ? (size_t)(nl - text.p) - at : text.len - at;
        size_t use = len && text.p[at + len - 1] == '\r' ? len - 1 : len;
        line++;
        rc = add_id(l, text.p + at, use, err);
        if (rc != FW_OK)
            fw_err_at(err, path, line, 0);
        else
            l->p->n++;
        at += len + 1;
    }
    fw_buf_release(&text);
    return rc;
}

/* Opens dir/name and checks that it has n rows (and d columns when d > 0; two dimensions or one).
 */
static int open_matrix(const char *path, size_t ndim, size_t n, size_t d, struct fw_npy *out,
                       struct fw_err *err)
{
    int rc = fw_npy_open(path, out, err);
    if (rc != FW_OK)
        return rc;
    if (out->ndim != ndim)
        rc = fw_err_set(err, FW_EINVAL, "%s has %zu dimensions, not %zu", path, out->ndim, ndim);
    else if (out->shape[0] != n)
        rc = fw_err_set(err, FW_EINVAL, "%s has %zu rows for %zu ids", path, out->shape[0], n);
    else if (d && out->shape[1] != d)
        rc = fw_err_set(err, FW_EINVAL, "%s has %zu columns for %zu classes", path, out->shape[1],
                        d);
    if (rc != FW_OK)
        fw_npy_close(out);
    return rc;
}

static int fill_values(struct load *l, const char *path, struct fw_err *err)
{
    struct fw_npy npy = {0};
    struct fw_predictions *p = l->p;
    int rc = open_matrix(path, 1, p->n, 0, &npy, err);
    if (rc != FW_OK)
        return rc;
    p->value = malloc((p->n ? p->n : 1) * sizeof *p->value);
    if (!p->value)
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < p->n && rc == FW_OK; i++) {
        p->value[i] = fw_npy_at(&npy, i);
        if (!isfinite(p->value[i]))
            rc = fw_err_set(err, FW_EINVAL, "%s: the value of sample '%s' (row %zu) is %g", path,
                            p->ids[i], i + 1, p->value[i]);
    }
    fw_npy_close(&npy);
    return rc;
}

static int fill_probs(struct load *l, const char *path, struct fw_err *err)
{
    struct fw_npy npy = {0};
    struct fw_predictions *p = l->p;
    int rc = open_matrix(path, 2, p->n, p->k, &npy, err);
    if (rc != FW_OK)
        return rc;
    size_t cells = npy.n ? npy.n : 1;
    p->probs = malloc(cells * sizeof *p->probs);
    p->pred = malloc((p->n ? p->n : 1) * sizeof *p->pred);
    if (!p->probs || !p->pred) {
        rc = fw_err_nomem(err);
        goto out;
    }
    fw_npy_floats(&npy, p->probs);
    for (size_t i = 0; i < p->n && rc == FW_OK; i++) {
        const float *row = p->probs + i * p->k;
        for (size_t j = 0; j < p->k; j++)
            l->row[j] = row[j];
        rc = check_probs(l->row, p->k, err);
        if (rc != FW_OK)
            fw_err_wrap(err, "%s: sample '%s' (row %zu)", path, p->ids[i], i + 1);
        p->pred[i] = argmax(row, p->k);
    }
    p->has_probs = true;
out:
    fw_npy_close(&npy);
    return rc;
}

static int fill_embeddings(struct load *l, const char *path, struct fw_err *err)
{
    struct fw_npy npy = {0};
    struct fw_predictions *p = l->p;
    int rc = open_matrix(path, 2, p->n, 0, &npy, err);
    if (rc != FW_OK)
        return rc;
    p->embeddings = malloc((npy.n ? npy.n : 1) * sizeof *p->embeddings);
    if (p->embeddings) {
        fw_npy_floats(&npy, p->embeddings);
        p->d = npy.shape[1];
    } else {
        rc = fw_err_nomem(err);
    }
    fw_npy_close(&npy);
    return rc;
}

static int load_folder(struct load *l, const char *dir, struct fw_err *err)
{
    char *rows = fw_fs_join(dir, "predictions.jsonl"), *ids = fw_fs_join(dir, "ids.txt");
    char *probs = fw_fs_join(dir, l->regression ? "values.npy" : "probs.npy");
    char *embeddings = fw_fs_join(dir, "embeddings.npy");
    int rc = FW_OK;
    if (!rows || !ids || !probs || !embeddings) {
        rc = fw_err_nomem(err);
    } else if (fw_fs_exists(rows)) {
        l->path = rows;
        rc = fw_rows_each(rows, on_row, l, err);
        l->p->ids = l->p->priv->ids.ids;
    } else if (fw_fs_exists(ids)) {
        rc = read_ids(l, ids, err);
        l->p->ids = l->p->priv->ids.ids;
        if (rc == FW_OK)
            rc = l->regression ? fill_values(l, probs, err) : fill_probs(l, probs, err);
    } else {
        rc = fw_err_set(err, FW_EINVAL,
                        "the predictions folder %s holds neither predictions.jsonl nor ids.txt",
                        dir);
    }
    if (rc == FW_OK && fw_fs_exists(embeddings))
        rc = fill_embeddings(l, embeddings, err);
    free(rows);
    free(ids);
    free(probs);
    free(embeddings);
    return rc;
}

static int load_csv(struct load *l, const char *path, struct fw_err *err)
{
    struct fw_buf lines = {0};
    int rc = fw_predictions_csv(path, l->task, &lines, err);
    if (rc == FW_OK && lines.len)
        rc = fw_rows_each_mem(path, lines.p, lines.len, on_row, l, err);
    fw_buf_release(&lines);
    return rc;
}

int fw_predictions_load(const char *path, const struct fw_task_info *task,
                        struct fw_predictions **out, struct fw_err *err)
{
    int rc = FW_OK;
    struct fw_predictions *p = calloc(1, sizeof *p);
    struct load l = {p, task, {0}, path, NULL, task->task == FW_REGRESSION};
    l.row = calloc(task->n_classes + 1, sizeof *l.row);
    if (!p || !l.row || !(p->priv = calloc(1, sizeof *p->priv))) {
        rc = fw_err_nomem(err);
        goto out;
    }
    p->k = l.regression ? 0 : task->n_classes;
    if (!l.regression && !p->k) {
        rc = fw_err_set(err, FW_EINVAL, "the classes are not known");
        goto out;
    }
    for (size_t i = 0; i < p->k && rc == FW_OK; i++)
        if (fw_ids_add(&l.classes, task->classes[i]) < 0)
            rc = fw_err_nomem(err);
    size_t len = strlen(path);
    if (rc == FW_OK && fw_fs_is_dir(path))
        rc = load_folder(&l, path, err);
    else if (rc == FW_OK && len > 4 && !strcmp(path + len - 4, ".csv"))
        rc = load_csv(&l, path, err);
    else if (rc == FW_OK)
        rc = fw_rows_each(path, on_row, &l, err);
    p->ids = p->priv->ids.ids;
    if (rc == FW_OK) {
        *out = p;
        p = NULL;
    }
out:
    fw_ids_release(&l.classes);
    free(l.row);
    fw_predictions_free(p);
    return rc;
}

void fw_predictions_free(struct fw_predictions *p)
{
    if (!p)
        return;
    if (p->priv) {
        fw_ids_release(&p->priv->ids);
        fw_arena_release(&p->priv->arena);
    }
    free(p->priv);
    free(p->pred);
    free(p->value);
    free(p->probs);
    free(p->embeddings);
    free(p);
}

long fw_predictions_find(const struct fw_predictions *p, const char *id)
{
    return fw_ids_find(&p->priv->ids, id);
}

int fw_predictions_write(const char *path, const struct fw_task_info *task, size_t n,
                         const char *const *ids, const int *pred, const double *value,
                         const float *probs, struct fw_err *err)
{
    struct fw_buf b = {0};
    size_t k = task->n_classes;
    int e = 0, rc = fw_fs_mkdirs(path, err);
    if (rc != FW_OK)
        return rc;
    char *file = fw_fs_join(path, "predictions.jsonl");
    FILE *out = file ? fopen(file, "we") : NULL;
    if (!out) {
        rc = file ? fw_err_sys(err, errno, "cannot write %s", file) : fw_err_nomem(err);
        free(file);
        return rc;
    }
    for (size_t i = 0; i < n && !e && !b.failed; i++) {
        fw_buf_clear(&b);
        fw_buf_puts(&b, "{\"id\":");
        fw_buf_json_str(&b, ids[i], strlen(ids[i]));
        fw_buf_puts(&b, ",\"prediction\":");
        if (task->task == FW_REGRESSION)
            fw_buf_printf(&b, "%.17g", value[i]);
        else
            fw_buf_json_str(&b, task->classes[pred[i]], strlen(task->classes[pred[i]]));
        for (size_t j = 0; probs && j < k; j++)
            fw_buf_printf(&b, "%s%.6g", j ? "," : ",\"probs\":[", (double)probs[i * k + j]);
        fw_buf_puts(&b, probs && k ? "]}\n" : "}\n");
        if (!b.failed && fwrite(b.p, 1, b.len, out) != b.len)
            e = errno ? errno : EIO;
    }
    if (fclose(out) != 0 && !e)
        e = errno;
    if (b.failed)
        rc = fw_err_nomem(err);
    else if (e)
        rc = fw_err_sys(err, e, "cannot write %s", file);
    fw_buf_release(&b);
    free(file);
    return rc;
}
