#include "stages/evaluate/distributions.h"

#include <math.h>

static const double tiny = 1e-300, epsilon = 1e-16;
enum { MAX_TERMS = 100000 };

double fw_ln_gamma(double x)
{
    int sign; /* lgamma() writes it to a global, which threads share */
    return lgamma_r(x, &sign);
}

double fw_normal_tail(double z)
{
    return 0.5 * erfc(z / M_SQRT2);
}

/* P(a, x) by its series; x < a + 1. */
static double gamma_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int i = 1; i < MAX_TERMS && fabs(term) > fabs(sum) * epsilon; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return sum * exp(a * log(x) - x - fw_ln_gamma(a));
}

static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int i = 1; i < MAX_TERMS; i++) {
        double an = -i * (i - a);
        b += 2;
        d = an * d + b;
        c = b + an / c;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1) < epsilon)
            break;
    }
    return h * exp(a * log(x) - x - fw_ln_gamma(a));
}

double fw_gamma_q(double a, double x)
{
    if (!(a > 0) || !(x >= 0))
        return NAN;
    if (x == 0)
        return 1;
    if (isinf(x))
        return 0;
    return x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
}

double fw_chi2_tail(double x, double df)
{
    return x <= 0 && df > 0 ? 1 : fw_gamma_q(df / 2, x / 2);
}

static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m < MAX_TERMS; m++) {
        double before = h, n = m;
        double even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n));
        double odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1));
        for (int i = 0; i < 2; i++) {
            double an = i ? odd : even;
            d = 1 + an * d;
            c = 1 + an / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            h *= d * c;
        }
        if (fabs(h - before) <= fabs(h) * epsilon)
            break;
    }
    return h;
}

double fw_beta_i(double x, double a, double b)
{
    if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1))
        return NAN;
    if (x == 0 || x == 1)
        return x;
    double front =
        exp(fw_ln_gamma(a + b) - fw_ln_gamma(a) - fw_ln_gamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a
                                     : 1 - front * beta_fraction(1 - x, b, a) / b;
}

double fw_student_tail2(double t, double df)
{
    return df > 0 && !isnan(t) ? fw_beta_i(df / (df + t * t), df / 2, 0.5) : NAN;
}

double fw_kolmogorov_tail(double x)
{
    double sum = 0, v = x * x;
    if (isnan(x))
        return NAN;
    if (x < 0.04) /* the rest is below 1e-300 */
        return 1;
    if (x < 1.18) {
        for (int k = 1; k <= 20; k += 2)
            sum += exp(-k * k * M_PI * M_PI / (8 * v));
        return 1 - sqrt(2 * M_PI) / x * sum;
    }
    for (int k = 1; k <= 20; k++)
        sum += (k % 2 ? 2 : -2) * exp(-2 * k * k * v);
    return sum < 0 ? 0 : sum;
}
