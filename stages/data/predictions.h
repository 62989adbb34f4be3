/*
 * Predictions of one model on one set of samples: N rows, K classes.
 *
 * On disk, one of
 *   - a file of JSON lines {"id", "prediction", "probs"?} ("probs" an array in the order of the
 *     classes, or an object class → probability)
 *   - a .csv file with the columns id, prediction, and one a class with its probability
 *   - a folder with predictions.jsonl
 *   - a folder with ids.txt and probs.npy (float32 or float64, N × K, C order; values.npy, N, for
 *     regression)
 * A folder may add embeddings.npy (N × D). Without probs the row is one-hot and `has_probs` is
 * false. For regression "prediction" is a number.
 */
#ifndef FW_STAGES_PREDICTIONS_H
#define FW_STAGES_PREDICTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/contract.h"

struct fw_predictions {
    size_t n, k;
    const char **ids;
    int *pred;     /* N class indices; NULL for regression */
    double *value; /* N values for regression; NULL otherwise */
    float *probs;  /* N × K, row-major; NULL for regression */
    bool has_probs;
    float *embeddings; /* N × D or NULL */
    size_t d;
    struct fw_predictions_priv *priv;
};

int fw_predictions_load(const char *path, const struct fw_task_info *task,
                        struct fw_predictions **out, struct fw_err *err);
void fw_predictions_free(struct fw_predictions *p);
/* Index of an id, or -1. */
long fw_predictions_find(const struct fw_predictions *p, const char *id);
/* Writes path (a folder, created) with predictions.jsonl; probs with 6 significant digits. */
int fw_predictions_write(const char *path, const struct fw_task_info *task, size_t n,
                         const char *const *ids, const int *pred, const double *value,
                         const float *probs, struct fw_err *err);
/* Merges the predictions of n parts into one, written to out (a folder). Ids that occur in several
 * parts (seeds) get the mean of their probabilities (argmax is the prediction; ties to the lower
 * class index) or of their values; ids that occur once (folds) are taken as they are. */
int fw_predictions_merge(const char *const *paths, size_t n, const struct fw_task_info *task,
                         const char *out, struct fw_err *err);

#endif
