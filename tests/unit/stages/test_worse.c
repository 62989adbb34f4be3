#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stages/error_analysis/worse.h"

/* scipy.stats.hypergeom.sf(errors - 1, n_all, errors_all, n), SciPy 1.10 */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        size_t errors, n, errors_all, n_all;
        double p;
    } cases[] = {
        {3, 10, 5, 40, 0.08928766823503669},
        {20, 100, 150, 2000, 2.6615951390308e-05},
        {1, 5, 1, 5, NAN}, /* there is no rest */
        {0, 5, 3, 20, 1},
        {700, 5000, 12000, 100000, 6.687049648404994e-06},
        {130000, 1000000, 250000, 2000001, 9.926814275892853e-102},
        {5, 5, 5, 20, 6.449948400412798e-05},
        {0, 0, 3, 20, NAN},
        {5, 18, 5, 20, 0.5526315789473684},
        {100, 400, 300, 1000, 0.9981650411335945},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double p =
            fw_worse_errors(cases[i].errors, cases[i].n, cases[i].errors_all, cases[i].n_all);
        if (isnan(cases[i].p) ? !isnan(p) : !(fabs(p / cases[i].p - 1) < 1e-7))
            fail_msg("case %zu: %.15g, not %.15g", i, p, cases[i].p);
    }
}

/* scipy.stats.ttest_ind(slice, rest, equal_var=False, alternative="greater"), SciPy 1.10 */
static void test_losses(void **state)
{
    (void)state;
    static const double v[] = {0.5, 1.25, 2.0, 0.75, 0.25, 0.5, 1.0, 0.125, 0.75, 0.0};
    double sum[2] = {0}, square[2] = {0};
    for (size_t i = 0; i < 10; i++) {
        sum[i >= 4] += v[i];
        square[i >= 4] += v[i] * v[i];
    }
    double all = sum[0] + sum[1], all2 = square[0] + square[1];
    assert_true(fabs(fw_worse_losses(4, sum[0], square[0], 10, all, all2) - 0.06376604534041956) <
                1e-12);
    assert_true(fabs(fw_worse_losses(6, sum[1], square[1], 10, all, all2) - 0.9362339546595804) <
                1e-12);
    assert_true(isnan(fw_worse_losses(1, 0.5, 0.25, 10, all, all2)));
    assert_true(isnan(fw_worse_losses(9, 0.5, 0.25, 10, all, all2)));
    assert_true(isnan(fw_worse_losses(4, 2, 1, 10, 5, 2.5))); /* all the same */
    assert_true(isnan(fw_worse_losses(0, 0, 0, 0, 0, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_losses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
