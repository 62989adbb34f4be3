#include "stages/error_analysis/worse.h"

#include <math.h>

#include "stages/evaluate/distributions.h"

static double log_choose(double n, double k)
{
    return fw_ln_gamma(n + 1) - fw_ln_gamma(k + 1) - fw_ln_gamma(n - k + 1);
}

/* The tail is summed from its first term on. Each term is the one before it times a ratio that only
 * falls; once below the mode the rest is soon nothing. */
double fw_worse_errors(size_t errors, size_t n, size_t errors_all, size_t n_all)
{
    double x = (double)errors, s = (double)n, k = (double)errors_all, all = (double)n_all;
    double most = fmin(s, k), least = fmax(0, s + k - all);
    if (!n || n >= n_all || x > most || k > all)
        return NAN;
    if (x <= least)
        return 1;
    double term = 1, sum = 0;
    double first = log_choose(k, x) + log_choose(all - k, s - x) - log_choose(all, s);
    for (double i = x; i <= most; i++) {
        sum += term;
        double ratio = (k - i) * (s - i) / ((i + 1) * (all - k - s + i + 1));
        term *= ratio;
        if (ratio < 1 && term < 1e-17 * sum)
            break;
        if (sum > 1e250) { /* far below the mode: keep the numbers in range */
            sum *= 1e-250;
            term *= 1e-250;
            first += 250 * log(10);
        }
    }
    return fmin(1, exp(first + log(sum)));
}

double fw_worse_losses(size_t n, double sum, double square, size_t n_all, double sum_all,
                       double square_all)
{
    double a = (double)n, b = (double)n_all - a;
    if (n < 2 || n_all < n + 2)
        return NAN;
    double mean_a = sum / a, mean_b = (sum_all - sum) / b;
    double va = fmax(0, square - a * mean_a * mean_a) / (a - 1) / a;
    double vb = fmax(0, square_all - square - b * mean_b * mean_b) / (b - 1) / b;
    if (!(va + vb > 1e-24 * (square_all / (a + b))))
        return NAN;
    double t = (mean_a - mean_b) / sqrt(va + vb);
    double df = (va + vb) * (va + vb) / (va * va / (a - 1) + vb * vb / (b - 1));
    double two = fw_student_tail2(t, df);
    return t > 0 ? two / 2 : 1 - two / 2;
}
