/*
 * Tail probabilities of the distributions that tests refer to. Pure, double precision (relative error
 * about 1e-12 unless said otherwise). NaN for parameters outside their range.
 */
#ifndef FW_STAGES_DISTRIBUTIONS_H
#define FW_STAGES_DISTRIBUTIONS_H

/* ln Γ(x), x > 0; any thread. */
double fw_ln_gamma(double x);
/* P(Z > z), standard normal. The quantile is fw_normal_quantile() in compare.h. */
double fw_normal_tail(double z);
/* P(X > x), chi-squared with df > 0 degrees of freedom: Q(df/2, x/2). */
double fw_chi2_tail(double x, double df);
/* P(|T| > |t|), Student's t with df > 0 degrees of freedom. */
double fw_student_tail2(double t, double df);
/* The regularised incomplete gamma function Q(a, x) = Γ(a, x)/Γ(a): series below a + 1, continued
 * fraction above (Abramowitz and Stegun 6.5.29, 6.5.31; Lentz's method). */
double fw_gamma_q(double a, double x);
/* The regularised incomplete beta function I_x(a, b): continued fraction (DLMF 8.17.22). */
double fw_beta_i(double x, double a, double b);
/* Kolmogorov's limit distribution: P(√n D > x) = 2 Σ (−1)^(k−1) e^(−2 k² x²), and the equal theta
 * series for small x (Kolmogorov 1933). */
double fw_kolmogorov_tail(double x);

#endif
