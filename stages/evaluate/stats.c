/* Small statistics of compare.h: McNemar, Wilson, kappa, the normal quantile. */
#include <math.h>
#include <stdlib.h>

#include "stages/evaluate/compare.h"
#include "stages/evaluate/distributions.h"

double fw_mcnemar_exact(size_t b, size_t c)
{
    double n = (double)(b + c), least = (double)(b < c ? b : c), sum = 0;
    for (double k = 0; k <= least; k++)
        sum += exp(fw_ln_gamma(n + 1) - fw_ln_gamma(k + 1) - fw_ln_gamma(n - k + 1) - n * M_LN2);
    return sum < 0.5 ? 2 * sum : 1;
}

struct fw_mcnemar fw_mcnemar(size_t b, size_t c)
{
    double apart = fabs((double)b - (double)c), n = (double)b + (double)c;
    if (n < FW_MCNEMAR_EXACT)
        return (struct fw_mcnemar){fw_mcnemar_exact(b, c), (double)(b < c ? b : c), true};
    double x = apart > 1 ? (apart - 1) * (apart - 1) / n : 0;
    return (struct fw_mcnemar){fw_chi2_tail(x, 1), x, false};
}

double fw_sign_test(size_t wins, size_t losses)
{
    double n = (double)wins + (double)losses, sum = 0;
    if (!wins)
        return 1;
    for (double k = (double)wins; k <= n; k++)
        sum += exp(fw_ln_gamma(n + 1) - fw_ln_gamma(k + 1) - fw_ln_gamma(n - k + 1) - n * M_LN2);
    return sum < 1 ? sum : 1;
}

static double poly(const double *c, int n, double x)
{
    double v = c[n - 1];
    for (int i = n - 2; i >= 0; i--)
        v = v * x + c[i];
    return v;
}

double fw_normal_quantile(double p)
{
    static const double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                               1.9715909503065514427e+3, 1.3731693765509461125e+4,
                               4.5921953931549871457e+4, 6.7265770927008700853e+4,
                               3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[] = {1.0,
                               4.2313330701600911252e+1,
                               6.8718700749205790830e+2,
                               5.3941960214247511077e+3,
                               2.1213794301586595867e+4,
                               3.9307895800092710610e+4,
                               2.8729085735721942674e+4,
                               5.2264952788528545610e+3};
    static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                               5.76949722146069140550e0,  3.64784832476320460504e0,
                               1.27045825245236838258e0,  2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[] = {1.0,
                               2.05319162663775882187e0,
                               1.67638483018380384940e0,
                               6.89767334985100004550e-1,
                               1.48103976427480074590e-1,
                               1.51986665636164571966e-2,
                               5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
    static const double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                               1.78482653991729133580e0,  2.96560571828504891230e-1,
                               2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[] = {1.0,
                               5.99832206555887937690e-1,
                               1.36929880922735805310e-1,
                               1.48753612908506148525e-2,
                               7.86869131145613259100e-4,
                               1.84631831751005468180e-5,
                               1.42151175831644588870e-7,
                               2.04426310338993978564e-15};
    double q = p - 0.5;
    if (!(p > 0 && p < 1))
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * poly(a, 8, r) / poly(b, 8, r);
    }
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double x =
        r <= 5 ? poly(c, 8, r - 1.6) / poly(d, 8, r - 1.6) : poly(e, 8, r - 5) / poly(f, 8, r - 5);
    return q < 0 ? -x : x;
}

void fw_wilson(double k, double n, double level, double *low, double *high)
{
    if (!(n > 0)) {
        *low = 0;
        *high = 1;
        return;
    }
    double z = fw_normal_quantile((1 + level) / 2), p = k / n, z2 = z * z;
    double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    *low = k <= 0 ? 0 : fmax(0, centre - half);
    *high = k >= n ? 1 : fmin(1, centre + half);
}

double fw_cohen_kappa(const int *a, const int *b, size_t n, size_t k)
{
    double used = 0, agree = 0, chance = 0;
    double *count = calloc(2 * k + 1, sizeof *count);
    if (!count)
        return NAN;
    for (size_t i = 0; i < n; i++) {
        if (a[i] < 0 || b[i] < 0)
            continue;
        used++;
        agree += a[i] == b[i];
        count[a[i]]++;
        count[k + (size_t)b[i]]++;
    }
    for (size_t c = 0; c < k && used > 0; c++)
        chance += count[c] / used * (count[k + c] / used);
    free(count);
    if (used == 0 || 1 - chance < 1e-15)
        return NAN;
    return (agree / used - chance) / (1 - chance);
}
