/*
 * Metrics from predictions. Pure. Classification metrics are functions of the K × K confusion
 * matrix (rows true, columns predicted, row-major), so they can be resampled cheaply; log loss and
 * Brier need the probabilities; regression metrics need values.
 */
#ifndef FW_STAGES_METRICS_H
#define FW_STAGES_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "stages/contract.h"

enum fw_metric_id {
    FW_ACCURACY,
    FW_BALANCED_ACCURACY,
    FW_MACRO_F1,
    FW_WEIGHTED_F1,
    FW_MCC,
    FW_F1,        /* of one class */
    FW_PRECISION, /* of one class */
    FW_RECALL,    /* of one class */
    FW_LOG_LOSS,
    FW_BRIER,
    FW_MAE,
    FW_RMSE,
    FW_R2,
    FW_METRICS
};

struct fw_metric {
    enum fw_metric_id id;
    int klass; /* for FW_F1, FW_PRECISION, FW_RECALL; else -1 */
};

/* "accuracy", "macro_f1", ..., and "f1:spam", "recall:spam" with a class name. FW_EINVAL lists the
 * names; a metric of the other task is FW_EINVAL. While the classes are not known yet (n_classes 0)
 * the class name is not checked and klass is -1. */
int fw_metric_parse(const char *text, const struct fw_task_info *task, struct fw_metric *out,
                    struct fw_err *err);
/* Writes "f1:spam"; returns out. */
const char *fw_metric_name(const struct fw_metric *m, const struct fw_task_info *task, char *out,
                           size_t size);
bool fw_metric_higher_is_better(const struct fw_metric *m);
/* Is it a function of the confusion matrix alone? */
bool fw_metric_from_confusion(const struct fw_metric *m);

/* Classes without a true sample are left out of balanced accuracy and (as scikit-learn does) count
 * 0 in macro F1 only when they were predicted or are true; 0/0 is 0. */
double fw_metric_of_confusion(const struct fw_metric *m, const double *confusion, size_t k);

/* The same from what these metrics really need: the diagonal, the row sums (true) and the column
 * sums (predicted) of the matrix, K entries each. NaN when there is no sample. Sources: F1 van
 * Rijsbergen 1979; balanced accuracy Brodersen et al. 2010; MCC Gorodkin 2004. */
double fw_metric_of_margins(const struct fw_metric *m, const double *diag, const double *row,
                            const double *col, size_t k);

/* One sample's part of log loss: -ln p(truth), the row scaled to sum 1 and p kept in
 * [1e-15, 1 - 1e-15]. probs: K entries; nats. */
double fw_log_loss_of(const float *probs, size_t k, int truth);
/* One sample's part of the Brier score in its first form (Brier 1950): the squared distance of the
 * probabilities from the one-hot truth, 0 to 2; for two classes twice scikit-learn's. */
double fw_brier_of(const float *probs, size_t k, int truth);

/* confusion[t*k + p] += weight for n samples; entries with truth < 0 are left out. */
void fw_confusion_add(double *confusion, size_t k, const int *truth, const int *pred, size_t n,
                      double weight);

/* One metric over n samples. truth/pred for classification (probs N × K for log loss and Brier),
 * value_true/value_pred for regression; unused ones may be NULL. NaN when n is 0. */
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
