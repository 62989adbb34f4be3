#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/drift/label_shift.h"

static const struct fw_label_shift_options plain = {.level = 0.95, .max_condition = 100},
                                           full = {.resamples = 500,
                                                   .level = 0.95,
                                                   .max_condition = 100,
                                                   .seed = 3};

static void near_to(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

/* numpy.linalg.solve(C, mu), numpy.linalg.cond, scipy.stats.chi2_contingency. */
static void test_solved(void **state)
{
    (void)state;
    const double confusion[] = {80, 15, 5, 10, 60, 10, 4, 6, 110}, seen[] = {300, 500, 200};
    const double weight[] = {0.8270142180094786, 2.26303317535545, 0.30213270142180104},
                 after[] = {0.2756714060031596, 0.60347551342812, 0.12085308056872043};
    struct fw_label_shift s;
    assert_int_equal(fw_label_shift(confusion, seen, 3, &full, &s, NULL), 0);
    assert_false(s.regularised);
    near_to(s.condition, 2.103192103681457, 1e-9);
    near_to(s.chi2, 70.78367130596352, 1e-12);
    near_to(s.p, 4.2610935743139913e-16, 1e-9);
    near_to(s.psi, 0.2997217267044538, 1e-12);
    for (size_t i = 0; i < 3; i++) {
        near_to(s.weight[i], weight[i], 1e-12);
        near_to(s.after[i], after[i], 1e-12);
        assert_true(s.low[i] < s.after[i] && s.after[i] < s.high[i]);
        assert_true(s.high[i] - s.low[i] < 0.3);
    }
    near_to(s.before[0], 1.0 / 3, 1e-12);
    fw_label_shift_release(&s);
}

/* scipy.optimize.minimize of the unsquared objective: two classes that the model cannot tell apart. */
static void test_regularised(void **state)
{
    (void)state;
    const double confusion[] = {40, 40, 20, 40, 40, 20, 20, 20, 160}, seen[] = {20, 20, 60};
    const double weight[] = {2 / 3.0, 2 / 3.0, 4 / 3.0};
    struct fw_label_shift s;
    assert_int_equal(fw_label_shift(confusion, seen, 3, &full, &s, NULL), 0);
    assert_true(s.regularised && isinf(s.condition));
    for (size_t i = 0; i < 3; i++)
        near_to(s.weight[i], weight[i], 1e-6);
    fw_label_shift_release(&s);
}

/* No shift at all, and a class that the labelled samples do not have. */
static void test_edges(void **state)
{
    (void)state;
    const double same[] = {8, 2, 1, 9}, seen[] = {90, 110};
    const double lacks[] = {50, 5, 0, 5, 40, 0, 0, 0, 0}, three[] = {50, 50, 7};
    const double none[] = {0, 0, 0, 0}, bad[] = {1, NAN};
    struct fw_label_shift s = {.k = 77};
    struct fw_err err;
    assert_int_equal(fw_label_shift(same, seen, 2, &plain, &s, NULL), 0);
    near_to(s.weight[0], 1, 1e-12);
    near_to(s.after[1], 0.5, 1e-12);
    assert_null(s.low);
    fw_label_shift_release(&s);
    assert_int_equal(fw_label_shift(lacks, three, 3, &plain, &s, NULL), 0);
    assert_true(s.regularised && s.weight[2] == 1 && s.after[2] == 0);
    fw_label_shift_release(&s);
    s.k = 77;
    assert_int_equal(fw_label_shift(none, seen, 2, &plain, &s, &err), FW_EINVAL);
    assert_int_equal(fw_label_shift(same, none, 2, &plain, &s, &err), FW_EINVAL);
    assert_int_equal(fw_label_shift(same, bad, 2, &plain, &s, &err), FW_EINVAL);
    assert_int_equal(fw_label_shift(same, seen, 1, &plain, &s, &err), FW_EINVAL);
    assert_int_equal(s.k, 77);
}

static void test_threads(void **state)
{
    (void)state;
    const double confusion[] = {80, 15, 5, 10, 60, 10, 4, 6, 110}, seen[] = {300, 500, 200};
    struct fw_label_shift one, three;
    setenv("FLYWHEEL_THREADS", "1", 1);
    assert_int_equal(fw_label_shift(confusion, seen, 3, &full, &one, NULL), 0);
    setenv("FLYWHEEL_THREADS", "3", 1);
    assert_int_equal(fw_label_shift(confusion, seen, 3, &full, &three, NULL), 0);
    unsetenv("FLYWHEEL_THREADS");
    assert_memory_equal(one.weight, three.weight, 5 * 3 * sizeof(double));
    fw_label_shift_release(&one);
    fw_label_shift_release(&three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solved),
        cmocka_unit_test(test_regularised),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
