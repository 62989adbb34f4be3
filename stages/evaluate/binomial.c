#include <math.h>

#include "stages/evaluate/bootstrap.h"

/* For n·p < 10: walk the distribution from 0 with one uniform number. */
static uint64_t by_inversion(struct fw_rng *rng, uint64_t n, double p)
{
    double odds = p / (1 - p), first = exp((double)n * log1p(-p));
    for (;;) {
        double mass = first, u = fw_rng_double(rng);
        for (uint64_t x = 0; x <= n; x++) {
            if (u < mass)
                return x;
            u -= mass;
            mass *= odds * (double)(n - x) / (double)(x + 1);
        }
        /* rounding left a sliver of u behind the last value: draw again */
    }
}

/* ln k! minus Stirling's k ln k − k + ln(2πk)/2, with its argument shifted by one as BTRS wants. */
static double tail(double k)
{
    static const double known[] = {0.08106146679532726, 0.04134069595540929, 0.02767792568499834,
                                   0.02079067210376509, 0.01664469118982119, 0.01387612882307075,
                                   0.01189670994589177, 0.01041126526197209, 0.009255462182712733,
                                   0.008330563433362871};
    if (k <= 9)
        return known[(int)k];
    double k1 = 1 / (k + 1), k2 = k1 * k1;
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 * k2) * k2) * k1;
}

/* BTRS: n·p ≥ 10 and p ≤ 1/2. */
static uint64_t by_rejection(struct fw_rng *rng, double n, double p)
{
    double q = 1 - p, spq = sqrt(n * p * q);
    double b = 1.15 + 2.53 * spq, a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5;
    double vr = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spq, r = p / q;
    double m = floor((n + 1) * p);
    for (;;) {
        double u = fw_rng_double(rng) - 0.5, v = fw_rng_double(rng), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + c);
        if (us >= 0.07 && v <= vr)
            return (uint64_t)k;
        if (!(k >= 0 && k <= n))
            continue;
        v = log(v * alpha / (a / (us * us) + b));
        double bound = (m + 0.5) * log((m + 1) / (r * (n - m + 1))) +
                       (n + 1) * log((n - m + 1) / (n - k + 1)) +
                       (k + 0.5) * log(r * (n - k + 1) / (k + 1)) + tail(m) + tail(n - m) -
                       tail(k) - tail(n - k);
        if (v <= bound)
            return (uint64_t)k;
    }
}

uint64_t fw_binomial(struct fw_rng *rng, uint64_t n, double p)
{
    if (n == 0 || p <= 0)
        return 0;
    if (p >= 1)
        return n;
    double small = p > 0.5 ? 1 - p : p;
    uint64_t x =
        (double)n * small < 10 ? by_inversion(rng, n, small) : by_rejection(rng, (double)n, small);
    return p > 0.5 ? n - x : x;
}
