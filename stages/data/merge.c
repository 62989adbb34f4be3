/* Predictions of several models, or of several folds, as one. */
#include <stdlib.h>
#include <string.h>

#include "stages/data/ids.h"
#include "stages/data/predictions.h"

struct merge {
    struct fw_predictions **parts;
    size_t n_parts, k;
    bool regression, has_probs;
    struct fw_ids ids; /* of all parts, in order of first appearance */
    size_t *times;     /* how often each id occurs */
    int *pred;
    double *value, *sum; /* N; N × K sums of probabilities */
    float *probs;
};

static int load_parts(struct merge *m, const char *const *paths, const struct fw_task_info *task,
                      struct fw_err *err)
{
    m->has_probs = true;
    for (size_t i = 0; i < m->n_parts; i++) {
        int rc = fw_predictions_load(paths[i], task, &m->parts[i], err);
        if (rc != FW_OK)
            return rc;
        const struct fw_predictions *p = m->parts[i];
        if (p->n && !p->has_probs)
            m->has_probs = false;
        for (size_t r = 0; r < p->n; r++)
            if (fw_ids_add(&m->ids, p->ids[r]) < 0)
                return fw_err_nomem(err);
    }
    return FW_OK;
}

static int allocate(struct merge *m, struct fw_err *err)
{
    size_t n = m->ids.n, cells;
    if (__builtin_mul_overflow(n + 1, m->k + 1, &cells))
        return fw_err_nomem(err);
    m->times = calloc(n + 1, sizeof *m->times);
    m->pred = calloc(n + 1, sizeof *m->pred);
    m->value = calloc(n + 1, sizeof *m->value);
    m->sum = calloc(cells, sizeof *m->sum);
    m->probs = calloc(cells, sizeof *m->probs);
    if (!m->times || !m->pred || !m->value || !m->sum || !m->probs)
        return fw_err_nomem(err);
    return FW_OK;
}

static void add_part(struct merge *m, const struct fw_predictions *p)
{
    for (size_t r = 0; r < p->n; r++) {
        size_t at = (size_t)fw_ids_find(&m->ids, p->ids[r]);
        m->times[at]++;
        if (m->regression) {
            m->value[at] += p->value[r];
            continue;
        }
        m->pred[at] = p->pred[r];
        for (size_t j = 0; j < m->k; j++)
            m->sum[at * m->k + j] += (double)p->probs[r * m->k + j];
    }
}

static void average(struct merge *m)
{
    for (size_t i = 0; i < m->ids.n; i++) {
        double times = (double)m->times[i];
        if (m->regression) {
            m->value[i] /= times;
            continue;
        }
        const double *sum = m->sum + i * m->k;
        size_t best = 0;
        for (size_t j = 0; j < m->k; j++) {
            m->probs[i * m->k + j] = (float)(sum[j] / times);
            if (sum[j] > sum[best])
                best = j;
        }
        if (m->times[i] > 1)
            m->pred[i] = (int)best;
    }
}

int fw_predictions_merge(const char *const *paths, size_t n, const struct fw_task_info *task,
                         const char *out, struct fw_err *err)
{
    bool regression = task->task == FW_REGRESSION;
    struct merge m = {
        .n_parts = n, .k = regression ? 0 : task->n_classes, .regression = regression};
    int rc = FW_OK;
    m.parts = calloc(n + 1, sizeof(struct fw_predictions *));
    if (!m.parts)
        return fw_err_nomem(err);
    rc = load_parts(&m, paths, task, err);
    if (rc == FW_OK)
        rc = allocate(&m, err);
    if (rc == FW_OK) {
        for (size_t i = 0; i < n; i++)
            add_part(&m, m.parts[i]);
        average(&m);
        rc = fw_predictions_write(out, task, m.ids.n, m.ids.ids, m.pred, m.value,
                                  m.has_probs && !regression ? m.probs : NULL, err);
    }
    for (size_t i = 0; i < n; i++)
        fw_predictions_free(m.parts[i]);
    fw_ids_release(&m.ids);
    free(m.parts);
    free(m.times);
    free(m.pred);
    free(m.value);
    free(m.sum);
    free(m.probs);
    return rc;
}
