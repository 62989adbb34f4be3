#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stages/evaluate/distributions.h"
#include "stages/evaluate/multiple.h"

/* Reference values: SciPy 1.10.1. */
static void near_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-11 * fabs(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

static void test_tails(void **state)
{
    (void)state;
    near_to(fw_normal_tail(1.5), 0.06680720126885807);
    near_to(fw_normal_tail(9), 1.1285884059538324e-19);
    near_to(fw_chi2_tail(3.2, 4), 0.5249309467861041);
    near_to(fw_chi2_tail(60, 20), 7.121750862815593e-06);
    near_to(fw_chi2_tail(0.01, 1), 0.920344325445942);
    near_to(fw_student_tail2(-2.1, 7), 0.0738711962129226);
    near_to(fw_student_tail2(0.3, 200), 0.764488730189328);
    near_to(fw_gamma_q(100, 80), 0.98289168696486689); /* exact: SciPy is off by 4e-9 here */
    near_to(fw_beta_i(0.2, 3, 8), 0.3222004736000005);
    near_to(fw_beta_i(0.97, 50, 2), 0.5451634383685184);
    near_to(fw_kolmogorov_tail(0.5), 0.9639452436648751);
    near_to(fw_kolmogorov_tail(1.0), 0.26999967167735456);
    near_to(fw_kolmogorov_tail(1.18), 0.1234538094297657);
    near_to(fw_kolmogorov_tail(2.5), 7.453306344157342e-06);
}

static void test_edges(void **state)
{
    (void)state;
    near_to(fw_chi2_tail(0, 3), 1);
    near_to(fw_chi2_tail(-1, 3), 1);
    near_to(fw_kolmogorov_tail(0), 1);
    near_to(fw_student_tail2(0, 5), 1);
    assert_true(fw_chi2_tail(INFINITY, 2) == 0);
    assert_true(isnan(fw_chi2_tail(1, 0)));
    assert_true(isnan(fw_beta_i(1.1, 1, 1)));
    assert_true(isnan(fw_student_tail2(1, -1)));
}

/* R: p.adjust(c(.01, .04, .03, .5), "holm") and "BH". */
static void test_adjusted(void **state)
{
    (void)state;
    double p[] = {0.01, NAN, 0.04, 0.03, 0.5}, a[5];
    const double holm[] = {0.04, NAN, 0.09, 0.09, 0.5},
                 bh[] = {0.04, NAN, 4 * 0.04 / 3, 4 * 0.04 / 3, 0.5};
    assert_int_equal(fw_holm(p, 5, a, NULL), 0);
    for (size_t i = 0; i < 5; i++)
        if (i != 1)
            near_to(a[i], holm[i]);
    assert_true(isnan(a[1]));
    assert_int_equal(fw_benjamini_hochberg(p, 5, p, NULL), 0);
    for (size_t i = 0; i < 5; i++)
        if (i != 1)
            near_to(p[i], bh[i]);
    assert_true(isnan(p[1]));
    assert_int_equal(fw_holm(p, 0, a, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_adjusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
