#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stages/error_analysis/regression_suspects.h"

static void test_by_hand(void **state)
{
    (void)state;
    /* residuals −1 0 1 2 and 20: median 1, deviations 2 1 0 1 19, MAD 1 */
    const double given[] = {11, 10, NAN, 9, 8, -10}, predicted[] = {10, 10, NAN, 10, 10, 10};
    bool issue[6];
    double score[6];
    struct fw_residuals r;
    assert_int_equal(fw_regression_suspects(given, predicted, 6, 3.5, issue, score, &r, NULL),
                     FW_OK);
    assert_true(r.n == 5 && r.median == 1 && r.scale == 1.4826 && r.issues == 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(issue[i], i == 5);
    assert_true(isnan(score[2]) && score[3] == 1);
    assert_true(fabs(score[0] - 1 / (1 + 2 / 1.4826)) < 1e-15);
    assert_true(fabs(score[5] - 1 / (1 + 19 / 1.4826)) < 1e-15);
    assert_int_equal(fw_regression_suspects(given, predicted, 6, 13, issue, score, &r, NULL),
                     FW_OK);
    assert_int_equal(r.issues, 0); /* 19 / 1.4826 = 12.8 */
}

static void test_no_spread(void **state)
{
    (void)state;
    const double given[] = {1, 1, 1, 9}, predicted[] = {2, 2, 2, 2};
    bool issue[4] = {true, true, true, true};
    double score[4];
    struct fw_residuals r;
    assert_int_equal(fw_regression_suspects(given, predicted, 4, 3.5, issue, score, &r, NULL),
                     FW_OK);
    assert_true(r.scale == 0 && r.issues == 0 && !issue[3] && score[3] == 1);
    assert_int_equal(fw_regression_suspects(given, predicted, 0, 3.5, issue, score, &r, NULL),
                     FW_OK);
    assert_int_equal(r.n, 0);
    assert_int_equal(fw_regression_suspects(given, predicted, 1, 3.5, issue, score, NULL, NULL),
                     FW_OK);
    assert_true(score[0] == 1);
}

static void test_bad_input(void **state)
{
    (void)state;
    double given[] = {1, 2, 3}, predicted[] = {1, 2, NAN}, score[3] = {42};
    bool issue[3];
    struct fw_err err = {0};
    assert_int_equal(fw_regression_suspects(given, predicted, 3, 3.5, issue, score, NULL, &err),
                     FW_EINVAL);
    assert_non_null(strstr(err.msg, "row 2: the prediction nan"));
    predicted[2] = 3;
    given[1] = -INFINITY;
    assert_int_equal(fw_regression_suspects(given, predicted, 3, 3.5, issue, score, NULL, &err),
                     FW_EINVAL);
    assert_non_null(strstr(err.msg, "row 1: the value -inf"));
    given[1] = 2;
    assert_int_equal(fw_regression_suspects(given, predicted, 3, NAN, issue, score, NULL, &err),
                     FW_EINVAL);
    assert_true(score[0] == 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_no_spread),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
