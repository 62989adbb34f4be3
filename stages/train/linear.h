/*
 * A linear model: an extractor and one weight vector a class.
 *
 * Classification: L2-regularised logistic regression by liblinear (Fan et al., JMLR 2008; dual
 * coordinate descent, Yu, Huang and Lin 2011), one class against the rest. The probability of class
 * c is σ(w_c·x + b_c) divided by the sum of these over the classes; with two classes one vector, p
 * and 1 − p. A class that train does not hold gets probability 0; with a single class in train that
 * class is the answer to everything.
 * Regression: L2-regularised least squares (liblinear's support vector regression with ε = 0) on
 * the standardised target.
 *
 * The seed shuffles the samples and the order of the coordinate steps. The optimum is one, and the
 * steps stop at `tolerance`, so seeds give slightly different models; the same seed the same bytes.
 *
 * liblinear uses rand(): training is not thread-safe. Predicting is.
 */
#ifndef FW_TRAIN_LINEAR_H
#define FW_TRAIN_LINEAR_H

#include "pipeline/base/buf.h"
#include "stages/train/extract.h"

struct fw_linear_params {
    double C;         /* > 0; loss against regularisation, per sample */
    double tolerance; /* > 0; liblinear's stopping tolerance */
    bool balanced;    /* classes weighted by N / (K · n_class) */
    uint64_t seed;
};

struct fw_linear {
    enum fw_task task;
    struct fw_extractor *ex; /* owned */
    uint32_t n_classes, rows;
    char **classes;         /* n_classes names */
    unsigned char *present; /* n_classes: did train hold it? */
    /* rows × (dim + 1), row-major, the last column the bias. Classification: n_classes rows, or 1
     * with two classes present (towards the second of them), or 0 with a single one. Regression: 1.
     */
    float *w;
    double target_mean, target_sd; /* regression */
};

/* x: n × dim from fw_extractor_apply(); klass (n, in 0..n_classes) or value (n). Takes ex over on
 * success only. FW_EINVAL: no sample, label out of range, a value that is not finite. */
int fw_linear_train(const struct fw_matrix *x, const int *klass, const double *value,
                    const struct fw_task_info *task, const struct fw_linear_params *params,
                    struct fw_extractor *ex, struct fw_linear **out, struct fw_err *err);
/* Writes n × n_classes probabilities, or n values. FW_EINVAL when x has another width. */
int fw_linear_probs(const struct fw_linear *m, const struct fw_matrix *x, float *probs,
                    struct fw_err *err);
int fw_linear_values(const struct fw_linear *m, const struct fw_matrix *x, double *value,
                     struct fw_err *err);
void fw_linear_free(struct fw_linear *m);

/* One file: a header with version and checksum, then the settings and the numbers, little-endian.
 * Reading checks everything; FW_EINVAL says what is wrong. */
int fw_linear_encode(const struct fw_linear *m, struct fw_buf *out, struct fw_err *err);
int fw_linear_decode(const void *bytes, size_t n, struct fw_linear **out, struct fw_err *err);

#endif
