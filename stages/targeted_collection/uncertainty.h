/*
 * How unsure one model is about one sample: 0 (sure) to 1 (no idea). Settles, Active Learning
 * Literature Survey (2009), section 3.1; each scaled by its greatest value. Pure.
 */
#ifndef FW_TARGETED_COLLECTION_UNCERTAINTY_H
#define FW_TARGETED_COLLECTION_UNCERTAINTY_H

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

enum fw_uncertainty {
    FW_MARGIN,
    FW_LEAST_CONFIDENT,
    FW_ENTROPY,
    FW_VOTE_ENTROPY,       /* of a committee, see committee.h */
    FW_MUTUAL_INFORMATION, /* of a committee */
};

/* "margin", "least-confident", "entropy", "vote-entropy", "mutual-information". */
int fw_uncertainty_parse(const char *name, enum fw_uncertainty *out, struct fw_err *err);
const char *fw_uncertainty_name(enum fw_uncertainty how);
/* Does it need the predictions of several models? */
bool fw_uncertainty_of_committee(enum fw_uncertainty how);

/* Of k probabilities that sum to 1: margin 1 − (p₁ − p₂); least confident (1 − p₁) · k/(k−1);
 * entropy H/ln k. 0 when k < 2. `how` is one of these three. */
double fw_uncertainty(enum fw_uncertainty how, const float *p, size_t k);

/* out[i] (n) for the samples i, by any of the measures. members: m matrices n × k. What is asked of
 * one model is asked of the mean of the members. FW_EINVAL: no member, a committee's measure with
 * fewer than two, or a probability that is not a number within 0..1. The same for any number of
 * threads. */
int fw_uncertainties(enum fw_uncertainty how, const float *const *members, size_t m, size_t n,
                     size_t k, double *out, struct fw_err *err);

#endif
