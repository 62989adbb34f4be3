/*
 * The whole way from a dataset to a model and from a model to predictions: extract, fit, train.
 */
#ifndef FW_TRAIN_FIT_H
#define FW_TRAIN_FIT_H

#include "stages/train/linear.h"

/* The rows to learn from: labelled, and not of the dev or test split. malloc'd (free()); *n may be
 * 0. */
int fw_train_rows(const struct fw_dataset *ds, const struct fw_task_info *task, size_t **rows,
                  size_t *n, struct fw_err *err);

/* Trains on the given rows. extract->input AUTO is settled and written back. */
int fw_linear_fit(const struct fw_dataset *ds, const size_t *rows, size_t n,
                  const struct fw_task_info *task, struct fw_extract_params *extract,
                  const struct fw_linear_params *params, fw_extract_progress_fn *progress,
                  struct fw_linear **out, struct fw_err *err);

/* Predictions for every row of ds, with what the model's file says about extraction. Arrays are
 * malloc'd: for classification pred (n) and probs (n × K), else value (n); the others are NULL. */
struct fw_guess {
    int *pred;
    float *probs;
    double *value;
};
int fw_linear_guess(const struct fw_linear *m, const struct fw_dataset *ds,
                    fw_extract_progress_fn *progress, struct fw_guess *out, struct fw_err *err);
void fw_guess_release(struct fw_guess *g);

/* Index of the greatest of k probabilities; ties go to the lower index. */
int fw_argmax(const float *p, size_t k);

/* FW_EINVAL, naming both sides, when the model's task or classes are not those of `task`. */
int fw_linear_check_task(const struct fw_linear *m, const struct fw_task_info *task,
                         struct fw_err *err);

#endif
