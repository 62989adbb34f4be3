#include "stages/data/labelled.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"

struct fw_labelled_priv {
    struct fw_arena arena; /* class names made here */
    struct fw_npy probs, embeddings;
    float *rows; /* probabilities in the dataset's order; embeddings likewise */
    float *vectors;
};

const char *fw_labelled_id(const struct fw_labelled *l, size_t i, char buf[24])
{
    if (l->data)
        return l->data->samples[l->row[i]].id;
    snprintf(buf, 24, "%zu", i);
    return buf;
}

void fw_labelled_release(struct fw_labelled *l)
{
    free(l->klass);
    free(l->value);
    free(l->pred);
    free(l->predicted);
    free(l->row);
    if (l->priv) {
        fw_arena_release(&l->priv->arena);
        if (l->priv->probs.map)
            fw_npy_close(&l->priv->probs);
        if (l->priv->embeddings.map)
            fw_npy_close(&l->priv->embeddings);
        free(l->priv->rows);
        free(l->priv->vectors);
    }
    free(l->priv);
    memset(l, 0, sizeof *l);
}

static void *array(size_t n, size_t size)
{
    return reallocarray(NULL, n + 1, size);
}

/* Room for n samples with what the predictions have. */
static int reserve(struct fw_labelled *l, size_t n, const struct fw_predictions *p,
                   struct fw_err *err)
{
    bool regression = l->task.task == FW_REGRESSION, bad = false;
    size_t k = l->task.n_classes, cells = 0, vectors = 0;
    if (!(l->priv = calloc(1, sizeof *l->priv)) || !(l->row = array(n, sizeof *l->row)))
        return fw_err_nomem(err);
    if (regression)
        bad = !(l->value = array(n, sizeof *l->value)) ||
              (p && !(l->predicted = array(n, sizeof *l->predicted)));
    else
        bad = !(l->klass = array(n, sizeof *l->klass)) ||
              (p && !(l->pred = array(n, sizeof *l->pred)));
    if (!bad && p && !regression && p->has_probs)
        bad = __builtin_mul_overflow(n, k, &cells) ||
              !(l->priv->rows = array(cells, sizeof *l->priv->rows));
    if (!bad && p && p->embeddings)
        bad = __builtin_mul_overflow(n, p->d, &vectors) ||
              !(l->priv->vectors = array(vectors, sizeof *l->priv->vectors));
    return bad ? fw_err_nomem(err) : FW_OK;
}

static void take(struct fw_labelled *l, size_t i, const struct fw_sample *s,
                 const struct fw_predictions *p, size_t at)
{
    size_t k = l->task.n_classes;
    if (l->klass)
        l->klass[i] = s->klass;
    if (l->value)
        l->value[i] = s->value;
    if (!p)
        return;
    if (l->pred)
        l->pred[i] = p->pred[at];
    if (l->predicted)
        l->predicted[i] = p->value[at];
    if (l->priv->rows)
        memcpy(l->priv->rows + i * k, p->probs + at * k, k * sizeof *p->probs);
    if (l->priv->vectors)
        memcpy(l->priv->vectors + i * p->d, p->embeddings + at * p->d,
               p->d * sizeof *p->embeddings);
}

int fw_labelled_join(const struct fw_dataset *data, const struct fw_task_info *task,
                     const struct fw_predictions *predictions, struct fw_labelled *out,
                     struct fw_err *err)
{
    struct fw_labelled l = {.task = *task, .data = data};
    int rc = reserve(&l, data->n, predictions, err);
    for (size_t i = 0; i < data->n && rc == FW_OK; i++) {
        long at = predictions ? fw_predictions_find(predictions, data->samples[i].id) : 0;
        if (at < 0) {
            l.unpredicted++;
            continue;
        }
        l.row[l.n] = i;
        take(&l, l.n++, &data->samples[i], predictions, (size_t)at);
    }
    if (rc == FW_OK && predictions)
        l.unknown = predictions->n - l.n;
    if (rc == FW_OK && predictions && !l.n) {
        rc = fw_err_set(err, FW_EINVAL, "no sample of the data is predicted");
        fw_err_hint(err,
                    "the ids of the predictions must be those of the data; the first are '%s' "
                    "and '%s'",
                    predictions->n ? predictions->ids[0] : "(none)",
                    data->n ? data->samples[0].id : "(none)");
    }
    if (rc == FW_OK) {
        if (l.priv->rows)
            l.probs = (struct fw_probs){l.n, task->n_classes, l.priv->rows, NULL};
        if (l.priv->vectors) {
            l.embeddings = l.priv->vectors;
            l.d = predictions->d;
        }
        *out = l;
    } else {
        fw_labelled_release(&l);
    }
    return rc;
}

static int read_labels(const char *path, struct fw_labelled *l, struct fw_err *err)
{
    struct fw_npy y;
    size_t k = l->task.n_classes;
    int rc = fw_npy_open(path, &y, err);
    if (rc != FW_OK)
        return rc;
    if (y.ndim != 1)
        rc = fw_err_set(err, FW_EINVAL, "the labels have %zu dimensions, not 1", y.ndim);
    else if (y.n != l->probs.n)
        rc =
            fw_err_set(err, FW_EINVAL, "%zu labels for %zu rows of probabilities", y.n, l->probs.n);
    else if (!(l->klass = array(y.n, sizeof *l->klass)))
        rc = fw_err_nomem(err);
    for (size_t i = 0; i < y.n && rc == FW_OK; i++) {
        double v = fw_npy_at(&y, i);
        if (!(v >= -1 && v < (double)k) || v != floor(v))
            rc = fw_err_set(err, FW_EINVAL, "label %zu is %g, not a class from 0 to %zu", i, v,
                            k - 1);
        else
            l->klass[i] = (int)v;
    }
    if (rc != FW_OK && rc != FW_ENOMEM)
        fw_err_at(err, path, 0, 0);
    fw_npy_close(&y);
    return rc;
}

static int open_probs(const char *path, struct fw_labelled *l, struct fw_err *err)
{
    struct fw_npy *p = &l->priv->probs;
    int rc = fw_npy_open(path, p, err);
    if (rc != FW_OK)
        return rc;
    if (p->ndim == 2 && !p->shape[0])
        rc = fw_err_set(err, FW_EINVAL, "there are no samples");
    else if (p->ndim != 2 || !p->shape[1] || p->shape[1] > INT_MAX)
        rc = fw_err_set(err, FW_EINVAL, "probabilities are an N × K array");
    else if (p->type != FW_NPY_F4 && p->type != FW_NPY_F8)
        rc = fw_err_set(err, FW_EINVAL, "probabilities are float32 or float64");
    else if ((uintptr_t)p->data % p->item)
        rc = fw_err_set(err, FW_EINVAL, "the array is not aligned; save it again with numpy.save");
    if (rc != FW_OK)
        return fw_err_at(err, path, 0, 0);
    l->probs = (struct fw_probs){p->shape[0], p->shape[1], p->type == FW_NPY_F4 ? p->data : NULL,
                                 p->type == FW_NPY_F8 ? p->data : NULL};
    l->n = p->shape[0];
    return FW_OK;
}

static int name_classes(struct fw_labelled *l, const char *const *classes, size_t n_classes,
                        struct fw_err *err)
{
    size_t k = l->probs.k;
    if (classes && n_classes != k)
        return fw_err_set(err, FW_EINVAL, "%zu class names for %zu columns of probabilities",
                          n_classes, k);
    const char **names = fw_arena_array(&l->priv->arena, k, sizeof *names);
    for (size_t i = 0; names && i < k; i++)
        if (!(names[i] = classes ? fw_arena_strdup(&l->priv->arena, classes[i])
                                 : fw_arena_printf(&l->priv->arena, "%zu", i)))
            return fw_err_nomem(err);
    l->task = (struct fw_task_info){FW_CLASSIFICATION, names, k};
    return names ? FW_OK : fw_err_nomem(err);
}

static int open_embeddings(const char *path, struct fw_labelled *l, struct fw_err *err)
{
    struct fw_npy *e = &l->priv->embeddings;
    int rc = fw_npy_open(path, e, err);
    if (rc != FW_OK)
        return rc;
    if (e->ndim != 2 || e->shape[0] != l->n || !e->shape[1])
        fw_err_set(err, FW_EINVAL, "embeddings are an N × D array with a row for each label");
    else if (e->type != FW_NPY_F4 || (uintptr_t)e->data % e->item)
        fw_err_set(err, FW_EINVAL, "embeddings are float32");
    else {
        l->embeddings = e->data;
        l->d = e->shape[1];
        return FW_OK;
    }
    return fw_err_at(err, path, 0, 0);
}

int fw_labelled_predict(struct fw_labelled *l, struct fw_err *err)
{
    if (l->pred || !l->probs.n)
        return FW_OK;
    if (!(l->pred = array(l->n, sizeof *l->pred)))
        return fw_err_nomem(err);
    for (size_t i = 0; i < l->n; i++)
        l->pred[i] = fw_cl_predicted(&l->probs, i);
    return FW_OK;
}

int fw_labelled_arrays(const char *labels, const char *probs, const char *embeddings,
                       const char *const *classes, size_t n_classes, struct fw_labelled *out,
                       struct fw_err *err)
{
    struct fw_labelled l = {.priv = calloc(1, sizeof *l.priv)};
    int rc = l.priv ? open_probs(probs, &l, err) : fw_err_nomem(err);
    if (rc == FW_OK)
        rc = name_classes(&l, classes, n_classes, err);
    if (rc == FW_OK)
        rc = read_labels(labels, &l, err);
    if (rc == FW_OK && embeddings)
        rc = open_embeddings(embeddings, &l, err);
    if (rc == FW_OK)
        *out = l;
    else
        fw_labelled_release(&l);
    return rc;
}
