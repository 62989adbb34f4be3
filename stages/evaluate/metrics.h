/*
 * Metrics from predictions. Pure. What is counted from hits (accuracy, precision, recall, F, Matthews) is a
 * function of the margins of the K × K confusion matrix (rows true, columns predicted, row-major), so it
 * can be resampled cheaply; top-k, log loss, Brier, calibration error, ROC AUC and average precision need
 * the probabilities; regression metrics need values.
 *
 * With sample weights each sample counts as its weight says, as scikit-learn's sample_weight does; a
 * sample of weight 0 is left out.
 *
 * What is not defined: 0/0 in precision, recall and F is 0. ROC AUC of a class without positives or
 * without negatives and average precision of a class without positives are NaN, and such a class is left
 * out of the macro and weighted mean (NaN when none is left). Every metric of no sample is NaN.
 */
#ifndef FW_STAGES_METRICS_H
#define FW_STAGES_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/contract.h"

/* Of one class, and the class's values averaged over the classes: each class alike (macro), all
 * decisions alike (micro: for one label a sample the accuracy), each class by its samples (weighted). */
enum fw_metric_id {
    FW_ACCURACY,
    FW_BALANCED_ACCURACY,
    FW_MCC,
    FW_F1,
    FW_MACRO_F1,
    FW_MICRO_F1,
    FW_WEIGHTED_F1,
    FW_PRECISION,
    FW_MACRO_PRECISION,
    FW_MICRO_PRECISION,
    FW_WEIGHTED_PRECISION,
    FW_RECALL,
    FW_MACRO_RECALL,
    FW_MICRO_RECALL,
    FW_WEIGHTED_RECALL,
    FW_F_BETA,
    FW_MACRO_F_BETA,
    FW_MICRO_F_BETA,
    FW_WEIGHTED_F_BETA,
    FW_TOP_K,
    FW_LOG_LOSS,
    FW_BRIER,
    FW_ECE,
    FW_ROC_AUC, /* of a class against the rest */
    FW_MACRO_ROC_AUC,
    FW_WEIGHTED_ROC_AUC,
    FW_AVERAGE_PRECISION,
    FW_MACRO_AVERAGE_PRECISION,
    FW_WEIGHTED_AVERAGE_PRECISION,
    FW_MAE,
    FW_RMSE,
    FW_R2,
    FW_METRICS
};

struct fw_metric {
    enum fw_metric_id id;
    int klass;    /* of one class: which; else -1 */
    double param; /* F-beta: beta > 0; top-k: how many guesses; else 0 */
};

/* "accuracy", "macro_f1", ..., with a class name "f1:spam", "roc_auc:spam", with a number "top_5",
 * "f2:spam", "macro_f0.5". FW_EINVAL lists the names; a metric of the other task, and top_N of N
 * classes or fewer, is FW_EINVAL. While the classes are not known yet (n_classes 0) the class name is
 * not checked and klass is -1. */
int fw_metric_parse(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                    struct fw_err *err);
/* Writes "f1:spam"; returns out. */
const char *fw_metric_name(const struct fw_metric *m, const struct fw_task_info *task, char *out,
                           size_t size);
bool fw_metric_higher_is_better(const struct fw_metric *m);
/* Is it a function of the confusion matrix alone? */
bool fw_metric_from_confusion(const struct fw_metric *m);
/* Does it need probabilities? */
bool fw_metric_needs_probs(const struct fw_metric *m);

/* Macro means are over the classes that are true or predicted somewhere, as scikit-learn's are over
 * those it meets; balanced accuracy is over the classes with a true sample. */
double fw_metric_of_confusion(const struct fw_metric *m, const double *confusion, size_t k);

/* The same from what these metrics really need: the diagonal, the row sums (true) and the column
 * sums (predicted) of the matrix, K entries each. NaN when there is no sample, and for a metric that
 * is no function of them. Sources: precision, recall, F and F-beta van Rijsbergen 1979; balanced
 * accuracy Brodersen et al. 2010; MCC Gorodkin 2004. */
double fw_metric_of_margins(const struct fw_metric *m, const double *diag, const double *row,
                            const double *col, size_t k);

/* One sample's part of log loss: -ln p(truth), the row scaled to sum 1 and p kept in
 * [1e-15, 1 - 1e-15]. probs: K entries; nats. */
double fw_log_loss_of(const float *probs, size_t k, int truth);
/* One sample's part of the Brier score in its first form (Brier 1950): the squared distance of the
 * probabilities from the one-hot truth, 0 to 2; for two classes twice scikit-learn's. */
double fw_brier_of(const float *probs, size_t k, int truth);
/* Is the true class among the `top` most probable? Of equal probabilities the lower class index goes
 * first, as in a prediction, so that top-1 is the accuracy of the most probable class (scikit-learn
 * puts the higher one first). */
bool fw_top_k_hit(const float *probs, size_t k, int truth, size_t top);

/* confusion[t*k + p] += weight for n samples; entries with truth < 0 are left out. */
void fw_confusion_add(double *confusion, size_t k, const int *truth, const int *pred, size_t n,
                      double weight);

struct fw_metric_data { /* what is measured: N samples; a metric reads what it needs, others NULL */
    size_t n, k;
    const int *truth;         /* N class indices; < 0 = not labelled, left out */
    const int *pred;          /* N class indices */
    const float *probs;       /* N × K */
    const double *value_true; /* N; NaN = not labelled, left out */
    const double *value_pred; /* N */
    const double *weight;     /* N, finite, not negative; NULL = 1 each */
};

/* One metric. FW_EINVAL when what it needs is missing, a class index is K or more, a weight is negative
 * or not finite, a predicted value is not finite, or a probability is NaN (for log loss, Brier and
 * calibration error: not in [0, 1 + 1e-6]); FW_ENOMEM. Rows that do not sum to 1 are scaled for log
 * loss and taken as they are by the others. */
int fw_metric_measure(const struct fw_metric *m, const struct fw_metric_data *in, double *out,
                      struct fw_err *err);

/* The same without weights; NaN where fw_metric_measure() fails. */
double fw_metric_value(const struct fw_metric *m, size_t n, size_t k, const int *truth,
                       const int *pred, const float *probs, const double *value_true,
                       const double *value_pred);

struct fw_class_score {
    size_t n; /* true samples */
    double precision, recall, f1;
};
/* out: k entries. */
void fw_class_scores(const double *confusion, size_t k, struct fw_class_score *out);

#endif
