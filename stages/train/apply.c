/* Using what was learned on train: the second half of extract.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/train/extract.h"

/* A value far outside what train saw says no more than "far outside". */
#define CLIP 8.0f
/* The squared length of a row of standardised numbers (of a binned one twice that). With it C = 1
 * is near the best for images, tables and texts alike; with rows of length 1 it would be near 5. */
#define LENGTH2 5.0f

static int sparse(struct fw_matrix *m, size_t n, size_t dim, size_t cap, struct fw_err *err)
{
    struct fw_matrix out = {.n = n, .dim = dim};
    out.start = calloc(n + 1, sizeof *out.start);
    out.col = malloc((cap ? cap : 1) * sizeof *out.col);
    out.val = malloc((cap ? cap : 1) * sizeof *out.val);
    if (!out.start || !out.col || !out.val) {
        fw_matrix_release(&out);
        return fw_err_nomem(err);
    }
    *m = out;
    return FW_OK;
}

static int apply_text(const struct fw_extractor *ex, const struct fw_matrix *raw,
                      struct fw_matrix *out, struct fw_err *err)
{
    /* bucket → place in the vocabulary + 1 */
    uint32_t *place = calloc(ex->raw_dim, sizeof *place);
    if (!place)
        return fw_err_nomem(err);
    int rc = sparse(out, raw->n, ex->dim, raw->start[raw->n], err);
    for (uint32_t v = 0; rc == FW_OK && v < ex->dim; v++)
        place[ex->vocab[v]] = v + 1;
    size_t at = 0;
    for (size_t i = 0; rc == FW_OK && i < raw->n; i++) {
        size_t from = at;
        double sum = 0;
        for (size_t k = raw->start[i]; k < raw->start[i + 1]; k++) {
            uint32_t v = place[raw->col[k]];
            if (!v)
                continue;
            float x = (1 + logf(raw->val[k])) * ex->idf[v - 1];
            out->col[at] = v - 1;
            out->val[at++] = x;
            sum += (double)x * x;
        }
        float scale = sum > 0 ? (float)sqrt(LENGTH2 / sum) : 0;
        for (size_t k = from; k < at; k++)
            out->val[k] *= scale;
        out->start[i + 1] = at;
    }
    free(place);
    return rc;
}

static float standard(const struct fw_extractor *ex, size_t j, float v)
{
    float z = (v - ex->mean[j]) * ex->scale[j];
    return z > CLIP ? CLIP : z < -CLIP ? -CLIP : z;
}

static int apply_dense(const struct fw_extractor *ex, const struct fw_matrix *raw,
                       struct fw_matrix *out, struct fw_err *err)
{
    size_t d = raw->dim;
    float share = d ? (float)sqrt(LENGTH2 / (double)d) : 0;
    int rc = fw_matrix_dense(out, raw->n, d, err);

    for (size_t i = 0; rc == FW_OK && i < raw->n; i++)
        for (size_t j = 0; j < d; j++)
            out->val[i * d + j] = share * standard(ex, j, raw->val[i * d + j]);
    return rc;
}

static uint32_t bin_of(const float *edges, uint32_t n, float v)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (edges[mid] <= v)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int apply_binned(const struct fw_extractor *ex, const struct fw_matrix *raw,
                        struct fw_matrix *out, struct fw_err *err)
{
    size_t d = raw->dim, at = 0;
    float share = d ? (float)sqrt(LENGTH2 / (double)d) : 0;
    int rc = sparse(out, raw->n, ex->dim, 2 * d * raw->n, err);

    for (size_t i = 0; rc == FW_OK && i < raw->n; i++) {
        const float *row = raw->val + i * d;
        for (size_t j = 0; j < d; j++, at++) {
            out->col[at] = (uint32_t)j;
            out->val[at] = share * standard(ex, j, row[j]);
        }
        for (size_t j = 0; j < d; j++, at++) {
            uint32_t from = ex->edge_start[j], n = ex->edge_start[j + 1] - from;
            out->col[at] = (uint32_t)(d + from + j) + bin_of(ex->edges + from, n, row[j]);
            out->val[at] = share;
        }
        out->start[i + 1] = at;
    }
    return rc;
}

int fw_extractor_apply(const struct fw_extractor *ex, const struct fw_matrix *raw,
                       struct fw_matrix *out, struct fw_err *err)
{
    bool text = ex->params.input == FW_INPUT_TEXT;

    if (raw->dim != ex->raw_dim || text != (raw->start != NULL))
        return fw_err_set(err, FW_EINVAL,
                          "the samples have %zu numbers each; the model was trained on %u",
                          raw->dim, ex->raw_dim);
    struct fw_matrix m = {0};
    int rc = text        ? apply_text(ex, raw, &m, err)
             : ex->edges ? apply_binned(ex, raw, &m, err)
                         : apply_dense(ex, raw, &m, err);
    if (rc == FW_OK)
        *out = m;
    else
        fw_matrix_release(&m);
    return rc;
}
