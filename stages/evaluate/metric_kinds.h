/* What the metrics are, as a table for the files of this folder: see metrics.h. */
#ifndef FW_STAGES_METRIC_KINDS_H
#define FW_STAGES_METRIC_KINDS_H

#include "stages/evaluate/metrics.h"

/* How it is computed, and so how it is resampled (bootstrap.c). */
enum fw_metric_way {
    FW_WAY_MARGINS, /* of the confusion matrix */
    FW_WAY_TOP_K,   /* hits, but of the probabilities */
    FW_WAY_MEAN,    /* a mean over samples */
    FW_WAY_SQUARES, /* sums of squares */
    FW_WAY_BINS,    /* sums in bins of confidence */
    FW_WAY_RANKING  /* of the order of the scores */
};
enum fw_average { FW_OF_ALL, FW_OF_CLASS, FW_MACRO, FW_MICRO, FW_WEIGHTED };

struct fw_metric_kind {
    const char *name; /* '*' stands for the number in `param` */
    enum fw_metric_way way;
    enum fw_average average;
    bool lower_is_better;
};

const struct fw_metric_kind *fw_metric_kind(const struct fw_metric *m);
enum fw_task fw_metric_task(const struct fw_metric *m);
/* Is it accuracy by whatever name: the mean of "is it right"? */
bool fw_metric_is_accuracy(const struct fw_metric *m);
/* F-beta's beta: 1 for F1, 0 for precision, infinity for recall. */
double fw_metric_beta(const struct fw_metric *m);

#endif
