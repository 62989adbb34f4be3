#include "stages/train/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int fw_train_rows(const struct fw_dataset *ds, const struct fw_task_info *task, size_t **rows,
                  size_t *n, struct fw_err *err)
{
    size_t used = 0, *v = malloc((ds->n ? ds->n : 1) * sizeof *v);

    if (!v)
        return fw_err_nomem(err);
    for (size_t i = 0; i < ds->n; i++) {
        const struct fw_sample *s = &ds->samples[i];
        bool labelled = task->task == FW_CLASSIFICATION ? s->klass >= 0 : isfinite(s->value);
        if (labelled && strcmp(s->split, "dev") != 0 && strcmp(s->split, "test") != 0)
            v[used++] = i;
    }
    *rows = v;
    *n = used;
    return FW_OK;
}

int fw_linear_fit(const struct fw_dataset *ds, const size_t *rows, size_t n,
                  const struct fw_task_info *task, struct fw_extract_params *extract,
                  const struct fw_linear_params *params, fw_extract_progress_fn *progress,
                  struct fw_linear **out, struct fw_err *err)
{
    struct fw_matrix raw = {0}, x = {0};
    struct fw_extractor *ex = NULL;
    int *klass = malloc((n ? n : 1) * sizeof *klass);
    double *value = malloc((n ? n : 1) * sizeof *value);
    int rc = klass && value ? FW_OK : fw_err_nomem(err);

    if (rc == FW_OK && n == 0)
        rc = fw_err_set(err, FW_EINVAL, "the train split holds no labelled sample");
    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        klass[i] = ds->samples[rows[i]].klass;
        value[i] = ds->samples[rows[i]].value;
    }
    if (rc == FW_OK)
        rc = fw_extract_raw(ds, rows, n, extract, progress, NULL, NULL, &raw, err);
    if (rc == FW_OK)
        rc = fw_extractor_fit(&raw, extract, &ex, err);
    if (rc == FW_OK)
        rc = fw_extractor_apply(ex, &raw, &x, err);
    if (rc == FW_OK)
        rc = fw_linear_train(&x, klass, value, task, params, ex, out, err);
    if (rc != FW_OK)
        fw_extractor_free(ex);
    fw_matrix_release(&raw);
    fw_matrix_release(&x);
    free(klass);
    free(value);
    return rc;
}

int fw_argmax(const float *p, size_t k)
{
    size_t best = 0;

    for (size_t c = 1; c < k; c++)
        if (p[c] > p[best])
            best = c;
    return (int)best;
}

void fw_guess_release(struct fw_guess *g)
{
    free(g->pred);
    free(g->probs);
    free(g->value);
    *g = (struct fw_guess){0};
}

/* Room for n answers, not yet filled. */
static int guess_alloc(const struct fw_linear *m, size_t n, struct fw_guess *g, struct fw_err *err)
{
    size_t room = n ? n : 1;

    if (m->task == FW_REGRESSION) {
        g->value = calloc(room, sizeof *g->value);
        return g->value ? FW_OK : fw_err_nomem(err);
    }
    g->pred = calloc(room, sizeof *g->pred);
    g->probs = calloc(room * m->n_classes, sizeof *g->probs);
    return g->pred && g->probs ? FW_OK : fw_err_nomem(err);
}

int fw_linear_guess(const struct fw_linear *m, const struct fw_dataset *ds,
                    fw_extract_progress_fn *progress, struct fw_guess *out, struct fw_err *err)
{
    struct fw_extract_params extract = m->ex->params;
    struct fw_matrix raw = {0}, x = {0};
    struct fw_guess g = {0};
    size_t *rows = malloc((ds->n ? ds->n : 1) * sizeof *rows);
    int rc = rows ? guess_alloc(m, ds->n, &g, err) : fw_err_nomem(err);

    for (size_t i = 0; rows && i < ds->n; i++)
        rows[i] = i;
    if (rc == FW_OK && ds->n) {
        rc = fw_extract_raw(ds, rows, ds->n, &extract, progress, NULL, NULL, &raw, err);
        if (rc == FW_OK)
            rc = fw_extractor_apply(m->ex, &raw, &x, err);
        if (rc == FW_OK)
            rc = m->task == FW_REGRESSION ? fw_linear_values(m, &x, g.value, err)
                                          : fw_linear_probs(m, &x, g.probs, err);
    }
    for (size_t i = 0; rc == FW_OK && g.pred && i < ds->n; i++)
        g.pred[i] = fw_argmax(g.probs + i * m->n_classes, m->n_classes);
    fw_matrix_release(&raw);
    fw_matrix_release(&x);
    free(rows);
    if (rc == FW_OK)
        *out = g;
    else
        fw_guess_release(&g);
    return rc;
}

int fw_linear_check_task(const struct fw_linear *m, const struct fw_task_info *task,
                         struct fw_err *err)
{
    if (m->task != task->task)
        return fw_err_set(err, FW_EINVAL, "the model is for %s, the task is %s",
                          m->task == FW_REGRESSION ? "regression" : "classification",
                          task->task == FW_REGRESSION ? "regression" : "classification");
    if (m->task == FW_REGRESSION)
        return FW_OK;
    if (m->n_classes != task->n_classes)
        return fw_err_set(err, FW_EINVAL, "the model knows %u classes, the dataset has %zu",
                          m->n_classes, task->n_classes);
    for (uint32_t c = 0; c < m->n_classes; c++)
        if (strcmp(m->classes[c], task->classes[c]) != 0)
            return fw_err_set(err, FW_EINVAL,
                              "class %u is '%s' in the model and '%s' in the dataset", c + 1,
                              m->classes[c], task->classes[c]);
    return FW_OK;
}
