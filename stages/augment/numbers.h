/*
 * New rows of a table made from old ones. Pure; reproducible from the generator.
 *
 * interpolate   SMOTE (Chawla, Bowyer, Hall and Kegelmeyer, JAIR 16, 2002, section 4.2): a point on
 *               the line to a near row of the same class, x + u (y − x), one u in 0..1 for all columns
 * jitter        Gaussian noise on each column, standard deviation a tenth of the column's
 *
 * A column that holds whole numbers alone (a count, a code, a flag) keeps them: what comes out is
 * rounded. A column that never varies is not touched.
 */
#ifndef FW_AUGMENT_NUMBERS_H
#define FW_AUGMENT_NUMBERS_H

#include <stdbool.h>

#include "pipeline/base/rng.h"
#include "stages/train/matrix.h"

enum fw_numbers_change { FW_NUMBERS_INTERPOLATE, FW_NUMBERS_JITTER, FW_NUMBERS_CHANGES };

const char *fw_numbers_change_name(enum fw_numbers_change c);

/* What a table says about its columns; zero-initialise, release with fw_columns_release(). */
struct fw_columns {
    size_t dim;
    double *sd;  /* dim */
    bool *whole; /* dim */
};

/* x: n × dim, dense. FW_EINVAL when it is sparse, FW_ENOMEM. */
int fw_columns_measure(const struct fw_matrix *x, struct fw_columns *out, struct fw_err *err);
void fw_columns_release(struct fw_columns *c);
/* out: dim numbers. x and y: rows of dim. */
void fw_numbers_interpolate(const struct fw_columns *c, const float *x, const float *y,
                            struct fw_rng *rng, float *out);
void fw_numbers_jitter(const struct fw_columns *c, const float *x, struct fw_rng *rng, float *out);

#endif
