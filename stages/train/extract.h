/*
 * From samples to feature vectors, in two steps:
 *
 *     fw_extract_raw(ds, rows, n, &params, &raw, &err);  // what the content alone says
 *     fw_extractor_fit(&raw, &params, &ex, &err);        // on the train split: scales, idf, bins
 *     fw_extractor_apply(ex, &raw, &x, &err);            // any samples, with what was learned
 *
 *   - image: fw_look() of the grey image at image_size × image_size; columns standardised
 *   - text: hashed n-grams; (1 + ln tf) · idf with idf = ln((1 + N) / (1 + df)) + 1; rows of length 1
 *   - features: numbers standardised (and clipped at 8 deviations); with `binned` each number also
 *     says in which of up to `bins` equally filled intervals of the train split it lies, so that a
 *     linear model can follow curves
 *
 * Standardised dense rows are divided by the root of their width, so that the same C fits all
 * kinds.
 */
#ifndef FW_TRAIN_EXTRACT_H
#define FW_TRAIN_EXTRACT_H

#include <stdbool.h>

#include "stages/data/dataset.h"
#include "stages/train/matrix.h"
#include "stages/train/ngrams.h"

enum fw_input { FW_INPUT_AUTO, FW_INPUT_IMAGE, FW_INPUT_TEXT, FW_INPUT_FEATURES };

struct fw_extract_params {
    enum fw_input input;
    int image_size; /* pixels a side, FW_LOOK_MIN_SIDE..1024 */
    struct fw_ngram_params ngrams;
    int min_df; /* an n-gram in fewer train samples is dropped */
    bool binned;
    int bins; /* 2..256 */
};

/* The defaults of the plugins. */
void fw_extract_defaults(struct fw_extract_params *p);
/* "auto", "image", "text", "features". */
int fw_input_parse(const char *name, enum fw_input *out, struct fw_err *err);
const char *fw_input_name(enum fw_input input);
/* What the sample is; FW_INPUT_AUTO when it has no content that can be read here. */
enum fw_input fw_input_of(const struct fw_sample *s);

/* Called after each sample that took reading. */
typedef void fw_extract_progress_fn(size_t done, size_t total);

/* Raw vectors of the samples rows[0..n) of ds. params->input AUTO is settled by the first sample
 * and written back. FW_EINVAL names the sample (and file) that is broken, of another kind or width,
 * or holds NaN or infinity. With `bad` (n flags) a broken sample is flagged, gets a zero row, and
 * the rest goes on; *first_bad then says why the first one was (may be NULL). */
int fw_extract_raw(const struct fw_dataset *ds, const size_t *rows, size_t n,
                   struct fw_extract_params *params, fw_extract_progress_fn *progress, bool *bad,
                   struct fw_err *first_bad, struct fw_matrix *raw, struct fw_err *err);

/* What was learned on train. Arrays of `raw_dim` (the width of raw) unless said otherwise. */
struct fw_extractor {
    struct fw_extract_params params;
    uint32_t raw_dim, dim; /* width of what apply() gives */
    /* text: the kept buckets, ascending (dim of them), and their idf */
    uint32_t *vocab;
    float *idf;
    /* image, features */
    float *mean, *scale; /* scale 0 = the column was constant and is left out */
    /* features, binned: column j has edges[edge_start[j] .. edge_start[j + 1]), ascending */
    uint32_t *edge_start; /* raw_dim + 1 */
    float *edges;
};

int fw_extractor_fit(const struct fw_matrix *raw, const struct fw_extract_params *params,
                     struct fw_extractor **out, struct fw_err *err);
/* FW_EINVAL when raw is of another width than what was fitted. */
int fw_extractor_apply(const struct fw_extractor *ex, const struct fw_matrix *raw,
                       struct fw_matrix *out, struct fw_err *err);
void fw_extractor_free(struct fw_extractor *ex);

#endif
