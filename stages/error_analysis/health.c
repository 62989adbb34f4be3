#include "stages/error_analysis/health.h"

#include <math.h>
#include <stdlib.h>

static int by_noise(const void *a, const void *b)
{
    const struct fw_class_health *x = a, *y = b;
    if (isnan(x->noise) != isnan(y->noise))
        return isnan(x->noise) ? 1 : -1;
    if (x->noise != y->noise && !isnan(x->noise))
        return x->noise > y->noise ? -1 : 1;
    if (x->wrong != y->wrong)
        return x->wrong > y->wrong ? -1 : 1;
    return x->klass < y->klass ? -1 : 1;
}

void fw_class_health(const uint64_t *joint, size_t k, struct fw_class_health *out)
{
    for (size_t c = 0; c < k; c++) {
        struct fw_class_health h = {.klass = c};
        for (size_t j = 0; j < k; j++) {
            h.given += (size_t)joint[c * k + j];
            h.truly += (size_t)joint[j * k + c];
        }
        h.wrong = h.given - (size_t)joint[c * k + c];
        h.missing = h.truly - (size_t)joint[c * k + c];
        h.noise = h.given ? (double)h.wrong / (double)h.given : NAN;
        h.inverse_noise = h.truly ? (double)h.missing / (double)h.truly : NAN;
        out[c] = h;
    }
    qsort(out, k, sizeof *out, by_noise);
}

static int by_count(const void *a, const void *b)
{
    const struct fw_class_overlap *x = a, *y = b;
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : 1;
}

int fw_class_overlaps(const uint64_t *joint, size_t k, struct fw_class_overlap **out, size_t *n_out,
                      struct fw_err *err)
{
    size_t n = 0, at = 0;
    double all = 0;
    for (size_t a = 0; a < k; a++)
        for (size_t b = 0; b < k; b++) {
            all += (double)joint[a * k + b];
            n += a < b && (joint[a * k + b] || joint[b * k + a]);
        }
    struct fw_class_overlap *v = malloc((n + 1) * sizeof *v);
    if (!v)
        return fw_err_nomem(err);
    for (size_t a = 0; a < k; a++)
        for (size_t b = a + 1; b < k; b++) {
            size_t both = (size_t)(joint[a * k + b] + joint[b * k + a]);
            if (both)
                v[at++] = (struct fw_class_overlap){a, b, both, (double)both / all};
        }
    qsort(v, n, sizeof *v, by_count);
    *out = v;
    *n_out = n;
    return FW_OK;
}

void fw_noise_matrices(const uint64_t *joint, size_t k, double *out, double *inverse)
{
    for (size_t i = 0; i < k; i++) {
        double row = 0, col = 0;
        for (size_t j = 0; j < k; j++) {
            row += (double)joint[i * k + j];
            col += (double)joint[j * k + i];
        }
        for (size_t j = 0; j < k; j++) {
            out[j * k + i] = col > 0 ? (double)joint[j * k + i] / col : NAN;
            inverse[i * k + j] = row > 0 ? (double)joint[i * k + j] / row : NAN;
        }
    }
}
