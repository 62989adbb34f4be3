/*
 * Labels and predictions of the same samples side by side, as arrays: what the analyses take.
 *
 * Either from a dataset and predictions that name its ids, or from NumPy arrays whose rows belong
 * together. Large arrays of probabilities are mapped, not copied.
 */
#ifndef FW_STAGES_LABELLED_H
#define FW_STAGES_LABELLED_H

#include "pipeline/base/npy.h"
#include "stages/data/dataset.h"
#include "stages/data/predictions.h"
#include "stages/error_analysis/confident.h"

struct fw_labelled {
    struct fw_task_info task; /* borrowed names */
    size_t n;
    int *klass;              /* N; -1 = unlabelled. NULL for regression */
    double *value;           /* N; NaN = unlabelled. NULL for classification */
    int *pred;               /* N; NULL without predictions, or for regression, or from arrays until
                             fw_labelled_predict() */
    double *predicted;       /* N; regression with predictions */
    struct fw_probs probs;   /* n = 0 when the predictions have none */
    const float *embeddings; /* N × D, or NULL */
    size_t d;
    /* From a dataset: sample i is data->samples[row[i]]. NULL from arrays. */
    const struct fw_dataset *data; /* borrowed */
    size_t *row;
    size_t unpredicted; /* samples of the dataset left out because nothing predicts them */
    size_t unknown;     /* predictions of ids that the dataset does not hold */
    struct fw_labelled_priv *priv;
};

/* predictions NULL: all samples, without predictions. Otherwise those that have one, in the dataset's
 * order; FW_EINVAL when there is none. data and predictions must live as long as *out. */
int fw_labelled_join(const struct fw_dataset *data, const struct fw_task_info *task,
                     const struct fw_predictions *predictions, struct fw_labelled *out,
                     struct fw_err *err);
/*
 * labels: N whole numbers, the class of each sample (-1: unlabelled); probs: N × K float32 or float64.
 * With one class name too few or many, a label out of range, N that differ: FW_EINVAL with the file.
 * embeddings (N × D) may be NULL. classes: K names, or NULL: "0", "1", ...
 */
int fw_labelled_arrays(const char *labels, const char *probs, const char *embeddings,
                       const char *const *classes, size_t n_classes, struct fw_labelled *out,
                       struct fw_err *err);
/* Fills pred from the probabilities where it is missing: what needs no predicted classes saves the memory.
 * FW_ENOMEM. */
int fw_labelled_predict(struct fw_labelled *l, struct fw_err *err);
/* The id of sample i: the dataset's, or its number (from 0) written to buf. */
const char *fw_labelled_id(const struct fw_labelled *l, size_t i, char buf[24]);
void fw_labelled_release(struct fw_labelled *l);

#endif
