/*
 * How healthy the labels of a dataset are, class by class, from a calibrated confident joint (confident.h):
 * Q = joint / sum estimates the joint distribution of given and true labels (Northcutt, Jiang, Chuang 2021,
 * JAIR 70, eq. 4). Pure.
 */
#ifndef FW_STAGES_HEALTH_H
#define FW_STAGES_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

struct fw_class_health {
    size_t klass;
    size_t given, truly;   /* samples with the label; estimated to belong to the class */
    size_t wrong, missing; /* estimated: given it, but of another class; of it, but given another */
    double noise;          /* P(true ≠ c | given c) = wrong / given; NaN when none is given it */
    double inverse_noise;  /* P(given ≠ c | true c) = missing / truly; NaN when none is of it */
};

struct fw_class_overlap {
    size_t a, b;  /* a < b */
    size_t n;     /* estimated samples of one that are given the other, both ways */
    double share; /* of all samples */
};

/* joint: K × K, calibrated, rows = given. out: K entries, the noisiest first (ties: more wrong labels, then
 * the order of the classes; classes that nothing is given come last). */
void fw_class_health(const uint64_t *joint, size_t k, struct fw_class_health *out);
/* Pairs of classes with n > 0, most overlapping first. *out: malloc'd (free()), *n_out of them. */
int fw_class_overlaps(const uint64_t *joint, size_t k, struct fw_class_overlap **out, size_t *n_out,
                      struct fw_err *err);
/* P(given j | true i) as out[j * K + i], columns sum to 1 (the noise matrix), and P(true j | given i) as
 * inverse[i * K + j], rows sum to 1; NaN where the condition has probability 0. K × K each. */
void fw_noise_matrices(const uint64_t *joint, size_t k, double *out, double *inverse);

#endif
