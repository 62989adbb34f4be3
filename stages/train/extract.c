#include "stages/train/extract.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stages/train/hog.h"
#include "stages/train/image.h"

static const char *const input_names[] = {"auto", "image", "text", "features"};

void fw_extract_defaults(struct fw_extract_params *p)
{
    *p = (struct fw_extract_params){
        .input = FW_INPUT_AUTO,
        .image_size = 96,
        .ngrams = {.words = 2, .chars = 5, .hash_bits = 20},
        .min_df = 1,
        .binned = true,
        .bins = 16,
    };
}

int fw_input_parse(const char *name, enum fw_input *out, struct fw_err *err)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(name, input_names[i]) == 0) {
            *out = (enum fw_input)i;
            return FW_OK;
        }
    return fw_err_set(err, FW_EINVAL, "unknown input '%s'; one of auto, image, text, features",
                      name);
}

const char *fw_input_name(enum fw_input input)
{
    return input_names[input];
}

enum fw_input fw_input_of(const struct fw_sample *s)
{
    if (s->features)
        return FW_INPUT_FEATURES;
    if (s->text)
        return FW_INPUT_TEXT;
    return s->file_name ? FW_INPUT_IMAGE : FW_INPUT_AUTO;
}

struct work {
    const struct fw_dataset *ds;
    const struct fw_extract_params *params;
    struct fw_matrix *raw;
    struct fw_ngrams grams;
    size_t cap; /* of raw->col and raw->val when sparse */
};

static int image_row(struct work *w, const struct fw_sample *s, size_t i, struct fw_err *err)
{
    struct fw_buf bytes = {0};
    float *gray = NULL;
    int size = w->params->image_size;
    int rc = fw_image_read_file(w->ds->root, s->file_name, &bytes, err);

    if (rc == FW_OK) {
        rc = fw_image_load(bytes.p ? bytes.p : "", bytes.len, size, size, &gray, err);
        if (rc == FW_OK)
            rc = fw_look(gray, size, size, w->raw->val + i * w->raw->dim, err);
        if (rc != FW_OK)
            fw_err_at(err, s->file_name, 0, 0);
    }
    free(gray);
    fw_buf_release(&bytes);
    return rc;
}

static int features_row(struct work *w, const struct fw_sample *s, size_t i, struct fw_err *err)
{
    if (s->n_features != w->raw->dim)
        return fw_err_set(err, FW_EINVAL, "has %zu features; the first sample has %zu",
                          s->n_features, w->raw->dim);
    for (size_t j = 0; j < s->n_features; j++)
        if (!isfinite(s->features[j]))
            return fw_err_set(err, FW_EINVAL, "feature %zu is not a finite number", j);
    if (s->n_features)
        memcpy(w->raw->val + i * w->raw->dim, s->features, s->n_features * sizeof(float));
    return FW_OK;
}

static int text_row(struct work *w, const struct fw_sample *s, size_t i, struct fw_err *err)
{
    struct fw_matrix *raw = w->raw;
    size_t at = raw->start[i];
    int rc = fw_ngrams_count(s->text, strlen(s->text), &w->params->ngrams, &w->grams, err);

    if (rc != FW_OK)
        return rc;
    if (at + w->grams.n > w->cap) {
        size_t cap = (at + w->grams.n) * 2;
        uint32_t *col = realloc(raw->col, cap * sizeof *col);
        if (col)
            raw->col = col;
        float *val = col ? realloc(raw->val, cap * sizeof *val) : NULL;
        if (!val)
            return fw_err_nomem(err);
        raw->val = val;
        w->cap = cap;
    }
    if (w->grams.n) {
        memcpy(raw->col + at, w->grams.bucket, w->grams.n * sizeof *raw->col);
        memcpy(raw->val + at, w->grams.count, w->grams.n * sizeof *raw->val);
    }
    raw->start[i + 1] = at + w->grams.n;
    return FW_OK;
}

static int one_row(struct work *w, const struct fw_sample *s, size_t i, struct fw_err *err)
{
    enum fw_input is = fw_input_of(s);
    int rc;

    /* A sample may carry several contents (a file and its text); the wanted one must be there. */
    if (w->params->input == FW_INPUT_IMAGE && s->file_name)
        rc = image_row(w, s, i, err);
    else if (w->params->input == FW_INPUT_TEXT && s->text)
        rc = text_row(w, s, i, err);
    else if (w->params->input == FW_INPUT_FEATURES && s->features)
        rc = features_row(w, s, i, err);
    else
        rc = fw_err_set(err, FW_EINVAL, "has no %s%s%s%s", fw_input_name(w->params->input),
                        is == FW_INPUT_AUTO ? "" : " (it has ",
                        is == FW_INPUT_AUTO ? "" : fw_input_name(is),
                        is == FW_INPUT_AUTO ? "" : ")");
    return rc == FW_OK ? rc : fw_err_wrap(err, "sample '%s'", s->id);
}

static int prepare(struct work *w, const size_t *rows, size_t n, struct fw_extract_params *params,
                   struct fw_err *err)
{
    if (params->input == FW_INPUT_AUTO)
        params->input = n ? fw_input_of(&w->ds->samples[rows[0]]) : FW_INPUT_FEATURES;
    if (params->input == FW_INPUT_AUTO)
        return fw_err_set(err, FW_EINVAL,
                          "sample '%s' has neither an image, nor text, nor features to learn from",
                          w->ds->samples[rows[0]].id);
    if (params->input == FW_INPUT_IMAGE &&
        (params->image_size < FW_LOOK_MIN_SIDE || params->image_size > 1024))
        return fw_err_set(err, FW_EINVAL, "image_size is %d; it must be %d to 1024",
                          params->image_size, FW_LOOK_MIN_SIDE);
    if (params->input == FW_INPUT_IMAGE)
        return fw_matrix_dense(w->raw, n, FW_LOOK_DIM, err);
    if (params->input == FW_INPUT_FEATURES) {
        size_t dim = 0;
        for (size_t i = 0; i < n && !dim; i++)
            dim = w->ds->samples[rows[i]].n_features;
        return fw_matrix_dense(w->raw, n, dim, err);
    }
    size_t *start = calloc(n + 1, sizeof *start);
    if (!start)
        return fw_err_nomem(err);
    *w->raw =
        (struct fw_matrix){.n = n, .dim = (size_t)1 << params->ngrams.hash_bits, .start = start};
    return FW_OK;
}

int fw_extract_raw(const struct fw_dataset *ds, const size_t *rows, size_t n,
                   struct fw_extract_params *params, fw_extract_progress_fn *progress, bool *bad,
                   struct fw_err *first_bad, struct fw_matrix *out, struct fw_err *err)
{
    struct fw_matrix raw = {0};
    struct work w = {.ds = ds, .params = params, .raw = &raw};
    bool any_bad = false;
    int rc = prepare(&w, rows, n, params, err);

    for (size_t i = 0; rc == FW_OK && i < n; i++) {
        struct fw_err why = {0};
        rc = one_row(&w, &ds->samples[rows[i]], i, &why);
        if (rc == FW_EINVAL && bad) {
            bad[i] = true;
            if (!raw.start)
                memset(raw.val + i * raw.dim, 0, raw.dim * sizeof *raw.val);
            else
                raw.start[i + 1] = raw.start[i];
            if (!any_bad && first_bad)
                *first_bad = why;
            any_bad = true;
            rc = FW_OK;
        } else if (rc != FW_OK && err) {
            *err = why;
        }
        if (progress)
            progress(i + 1, n);
    }
    fw_ngrams_release(&w.grams);
    if (rc == FW_OK)
        *out = raw;
    else
        fw_matrix_release(&raw);
    return rc;
}

/* idf = ln((1 + N) / (1 + df)) + 1, the smoothed form; buckets below min_df are dropped. */
static int fit_text(struct fw_extractor *ex, const struct fw_matrix *raw, struct fw_err *err)
{
    size_t kept = 0, min_df = ex->params.min_df < 1 ? 1 : (size_t)ex->params.min_df;
    uint32_t *df = calloc(raw->dim, sizeof *df);
    int rc = df ? FW_OK : fw_err_nomem(err);

    for (size_t k = 0; rc == FW_OK && k < raw->start[raw->n]; k++)
        df[raw->col[k]]++;
    for (size_t b = 0; rc == FW_OK && b < raw->dim; b++)
        kept += df[b] >= min_df;
    if (rc == FW_OK) {
        ex->vocab = malloc((kept ? kept : 1) * sizeof *ex->vocab);
        ex->idf = malloc((kept ? kept : 1) * sizeof *ex->idf);
        if (!ex->vocab || !ex->idf)
            rc = fw_err_nomem(err);
    }
    for (size_t b = 0; rc == FW_OK && b < raw->dim; b++) {
        if (df[b] < min_df)
            continue;
        ex->vocab[ex->dim] = (uint32_t)b;
        ex->idf[ex->dim++] = (float)(log((1.0 + (double)raw->n) / (1.0 + df[b])) + 1.0);
    }
    free(df);
    return rc;
}

static int by_float(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static int fit_scales(struct fw_extractor *ex, const struct fw_matrix *raw, struct fw_err *err)
{
    size_t d = raw->dim;

    ex->mean = calloc(d ? d : 1, sizeof *ex->mean);
    ex->scale = calloc(d ? d : 1, sizeof *ex->scale);
    if (!ex->mean || !ex->scale)
        return fw_err_nomem(err);
    ex->dim = (uint32_t)d;
    for (size_t j = 0; j < d; j++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < raw->n; i++)
            sum += raw->val[i * d + j];
        double mean = sum / (double)raw->n;
        for (size_t i = 0; i < raw->n; i++) {
            double v = raw->val[i * d + j] - mean;
            square += v * v;
        }
        double sd = sqrt(square / (double)raw->n);
        ex->mean[j] = (float)mean;
        ex->scale[j] = sd > 1e-6 * fabs(mean) && sd > 1e-30 ? (float)(1 / sd) : 0;
        if (!isfinite(ex->scale[j]))
            ex->scale[j] = 0;
    }
    return FW_OK;
}

/* Edges at the train split's quantiles, equal ones merged; a value v lies in bin #{edges <= v}. */
static int fit_bins(struct fw_extractor *ex, const struct fw_matrix *raw, struct fw_err *err)
{
    size_t d = raw->dim, n = raw->n, bins = (size_t)ex->params.bins, used = 0;
    float *sorted = malloc(n * sizeof *sorted);

    ex->edge_start = calloc(d + 1, sizeof *ex->edge_start);
    ex->edges = calloc(d * bins + 1, sizeof *ex->edges);
    if (!sorted || !ex->edge_start || !ex->edges) {
        free(sorted);
        return fw_err_nomem(err);
    }
    for (size_t j = 0; j < d; j++) {
        for (size_t i = 0; i < n; i++)
            sorted[i] = raw->val[i * d + j];
        qsort(sorted, n, sizeof *sorted, by_float);
        for (size_t b = 1; b < bins; b++) {
            float edge = sorted[b * n / bins];
            if (edge > sorted[0] && (used == ex->edge_start[j] || edge > ex->edges[used - 1]))
                ex->edges[used++] = edge;
        }
        ex->edge_start[j + 1] = (uint32_t)used;
    }
    free(sorted);
    ex->dim = (uint32_t)(d + used + d); /* each column has one bin more than edges */
    return FW_OK;
}

int fw_extractor_fit(const struct fw_matrix *raw, const struct fw_extract_params *params,
                     struct fw_extractor **out, struct fw_err *err)
{
    int rc = FW_OK;

    if (raw->n == 0)
        return fw_err_set(err, FW_EINVAL, "there is no sample to learn from");
    if (params->bins < 2 || params->bins > 256)
        return fw_err_set(err, FW_EINVAL, "bins is %d; it must be 2 to 256", params->bins);
    if (raw->dim > (1u << 24))
        return fw_err_set(err, FW_EINVAL, "%zu features a sample are more than are read here",
                          raw->dim);
    struct fw_extractor *ex = calloc(1, sizeof *ex);
    if (!ex)
        return fw_err_nomem(err);
    ex->params = *params;
    ex->raw_dim = (uint32_t)raw->dim;
    if (raw->start) {
        rc = fit_text(ex, raw, err);
    } else {
        rc = fit_scales(ex, raw, err);
        if (rc == FW_OK && params->input == FW_INPUT_FEATURES && params->binned)
            rc = fit_bins(ex, raw, err);
    }
    if (rc == FW_OK)
        *out = ex;
    else
        fw_extractor_free(ex);
    return rc;
}

void fw_extractor_free(struct fw_extractor *ex)
{
    if (!ex)
        return;
    free(ex->vocab);
    free(ex->idf);
    free(ex->mean);
    free(ex->scale);
    free(ex->edge_start);
    free(ex->edges);
    free(ex);
}
