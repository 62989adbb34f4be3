#include "stages/augment/numbers.h"

#include <math.h>
#include <stdlib.h>

static const double JITTER = 0.1; /* of a column's standard deviation */

const char *fw_numbers_change_name(enum fw_numbers_change c)
{
    static const char *const names[] = {"interpolate", "jitter"};
    return names[c];
}

int fw_columns_measure(const struct fw_matrix *x, struct fw_columns *out, struct fw_err *err)
{
    size_t room = x->dim ? x->dim : 1;
    struct fw_columns c = {
        .dim = x->dim, .sd = calloc(room, sizeof *c.sd), .whole = calloc(room, sizeof *c.whole)};
    if (x->start) {
        fw_columns_release(&c);
        return fw_err_set(err, FW_EINVAL, "columns of a sparse table are not measured");
    }
    if (!c.sd || !c.whole) {
        fw_columns_release(&c);
        return fw_err_nomem(err);
    }
    for (size_t k = 0; k < x->dim; k++) {
        double mean = 0, m2 = 0; /* Welford 1962 */
        c.whole[k] = true;
        for (size_t i = 0; i < x->n; i++) {
            double v = x->val[i * x->dim + k], d = v - mean;
            mean += d / (double)(i + 1);
            m2 += d * (v - mean);
            c.whole[k] = c.whole[k] && v == rint(v);
        }
        c.sd[k] = x->n ? sqrt(m2 / (double)x->n) : 0;
    }
    *out = c;
    return FW_OK;
}

void fw_columns_release(struct fw_columns *c)
{
    free(c->sd);
    free(c->whole);
    *c = (struct fw_columns){0};
}

static float kept(const struct fw_columns *c, size_t k, double v)
{
    return (float)(c->whole[k] ? rint(v) : v);
}

void fw_numbers_interpolate(const struct fw_columns *c, const float *x, const float *y,
                            struct fw_rng *rng, float *out)
{
    double u = fw_rng_double(rng);
    for (size_t k = 0; k < c->dim; k++)
        out[k] = kept(c, k, x[k] + u * ((double)y[k] - x[k]));
}

void fw_numbers_jitter(const struct fw_columns *c, const float *x, struct fw_rng *rng, float *out)
{
    for (size_t k = 0; k < c->dim; k++) {
        double noise = fw_rng_normal(rng) * JITTER * c->sd[k];
        out[k] = c->sd[k] > 0 ? kept(c, k, x[k] + noise) : x[k];
    }
}
