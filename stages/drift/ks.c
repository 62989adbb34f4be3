#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "stages/drift/two_sample.h"
#include "stages/evaluate/distributions.h"

/* max |i m − j n| over the ends of runs of equal values: D × n × m, a whole number. */
static uint64_t largest(const double *a, size_t n, const double *b, size_t m)
{
    uint64_t most = 0;
    size_t i = 0, j = 0;
    while (i < n && j < m) {
        double x = a[i] < b[j] ? a[i] : b[j];
        while (i < n && a[i] == x)
            i++;
        while (j < m && b[j] == x)
            j++;
        uint64_t p = (uint64_t)i * m, q = (uint64_t)j * n, d = p > q ? p - q : q - p;
        most = d > most ? d : most;
    }
    return most;
}

/* ends[k]: does a run of equal values end with the k-th of the pooled values? ends[0] is false. */
static void find_ends(const double *a, size_t n, const double *b, size_t m, bool *ends)
{
    size_t i = 0, j = 0;
    ends[0] = false;
    for (size_t k = 1; k <= n + m; k++) {
        bool from_a = j == m || (i < n && a[i] <= b[j]);
        double x = from_a ? a[i++] : b[j++];
        ends[k] = (i == n || a[i] != x) && (j == m || b[j] != x);
    }
}

/* at[j] holds, for the row i, the chance that a random path from (0, 0) to (i, j) has met the
 * distance. Its last step came from (i − 1, j) with chance i / (i + j). */
static double path_chance(size_t n, size_t m, uint64_t d, const bool *ends, double *at)
{
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            uint64_t p = (uint64_t)i * m, q = (uint64_t)j * n;
            double up = i ? at[j] : 0, left = j ? at[j - 1] : 0;
            if (ends[i + j] && (p > q ? p - q : q - p) >= d)
                at[j] = 1;
            else
                at[j] = i + j ? ((double)i * up + (double)j * left) / (double)(i + j) : 0;
        }
    }
    return at[m];
}

static int exact_p(const double *a, size_t n, const double *b, size_t m, uint64_t d, double *p,
                   struct fw_err *err)
{
    bool *ends = malloc((n + m + 1) * sizeof *ends);
    double *at = calloc(m + 1, sizeof *at);
    int rc = ends && at ? FW_OK : fw_err_nomem(err);
    if (rc == FW_OK) {
        find_ends(a, n, b, m, ends);
        *p = path_chance(n, m, d, ends, at);
    }
    free(ends);
    free(at);
    return rc;
}

int fw_ks_two_sample(const double *a, size_t n, const double *b, size_t m, struct fw_ks *out,
                     struct fw_err *err)
{
    if (!n || !m)
        return fw_err_set(err, FW_EINVAL, "one of the two samples is empty");
    if (n > UINT32_MAX || m > UINT32_MAX)
        return fw_err_set(err, FW_EINVAL, "a sample holds more than %u values", UINT32_MAX);
    uint64_t d = largest(a, n, b, m);
    struct fw_ks ks = {.d = (double)d / ((double)n * (double)m), .p = 1};
    int rc = FW_OK;
    ks.exact = (double)n * (double)m <= FW_KS_EXACT;
    if (d && ks.exact) {
        rc = exact_p(a, n, b, m, d, &ks.p, err);
    } else if (d) {
        double e = sqrt((double)n * (double)m / ((double)n + (double)m));
        ks.p = fw_kolmogorov_tail((e + 0.12 + 0.11 / e) * ks.d);
    }
    if (rc == FW_OK)
        *out = ks;
    return rc;
}
