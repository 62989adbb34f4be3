/*
 * The trusted part of a train split: the samples whose labels do not look wrong. The model trained
 * on it tells what the labels that do look wrong cost (exchange.h).
 */
#ifndef FW_STAGES_TRUSTED_H
#define FW_STAGES_TRUSTED_H

#include "stages/contract.h"

/*
 * Copies the train view `dataset` (a folder with samples.jsonl and files) to `out`, a new folder,
 * without the labels that confident learning flags on the out-of-fold predictions (prune by noise
 * rate: Northcutt, Jiang and Chuang 2021, arXiv:1911.00068, section 3.2; without probabilities:
 * those predicted otherwise). A label that people have found right (`history`, see
 * relabel/candidates.h; may be NULL) stays, and so do rows without a label or a prediction, and at
 * least one sample of each class. Rows keep their bytes and order; files become hard links, or
 * copies where that is not possible.
 *
 * FW_EINVAL: regression, or files that cannot be read; FW_EIO, FW_ENOMEM.
 */
int fw_trusted_write(const char *dataset, const char *out_of_fold, const char *history,
                     const struct fw_task_info *task, const char *out, struct fw_err *err);

#endif
