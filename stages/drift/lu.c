/* Small dense linear systems. */
#include <float.h>
#include <math.h>

#include "stages/drift/label_shift.h"

bool fw_lu_factor(double *a, size_t k, size_t *pivot)
{
    double scale = 0;
    for (size_t i = 0; i < k * k; i++)
        scale = fmax(scale, fabs(a[i]));
    for (size_t c = 0; c < k; c++) {
        size_t best = c;
        for (size_t r = c + 1; r < k; r++)
            if (fabs(a[r * k + c]) > fabs(a[best * k + c]))
                best = r;
        if (!(fabs(a[best * k + c]) > scale * (double)k * DBL_EPSILON))
            return false;
        pivot[c] = best;
        for (size_t i = 0; i < k && best != c; i++) {
            double t = a[c * k + i];
            a[c * k + i] = a[best * k + i];
            a[best * k + i] = t;
        }
        for (size_t r = c + 1; r < k; r++) {
            double f = a[r * k + c] /= a[c * k + c];
            for (size_t i = c + 1; f != 0 && i < k; i++)
                a[r * k + i] -= f * a[c * k + i];
        }
    }
    return true;
}

static void swap(double *x, size_t i, size_t j)
{
    double t = x[i];
    x[i] = x[j];
    x[j] = t;
}

void fw_lu_solve(const double *lu, size_t k, const size_t *pivot, bool transposed, double *x)
{
    if (!transposed) {
        for (size_t i = 0; i < k; i++)
            swap(x, i, pivot[i]);
        for (size_t r = 0; r < k; r++)
            for (size_t c = 0; c < r; c++)
                x[r] -= lu[r * k + c] * x[c];
        for (size_t r = k; r-- > 0;) {
            for (size_t c = r + 1; c < k; c++)
                x[r] -= lu[r * k + c] * x[c];
            x[r] /= lu[r * k + r];
        }
        return;
    }
    for (size_t r = 0; r < k; r++) {
        for (size_t c = 0; c < r; c++)
            x[r] -= lu[c * k + r] * x[c];
        x[r] /= lu[r * k + r];
    }
    for (size_t r = k; r-- > 0;)
        for (size_t c = r + 1; c < k; c++)
            x[r] -= lu[c * k + r] * x[c];
    for (size_t i = k; i-- > 0;)
        swap(x, i, pivot[i]);
}
