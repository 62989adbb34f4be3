#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stages/evaluate/compare.h"
#include "stages/evaluate/metrics.h"

/* Reference values: scikit-learn 1.2.1, SciPy 1.10.1. */

static const char *const names[] = {"a", "b", "c", "d"};
static const struct fw_task_info four = {FW_CLASSIFICATION, names, 4};
static const int truth[] = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2};
static const int pred[] = {0, 0, 0, 1, 2, 1, 1, 0, 2, 2, 1, 2};

static void near_to(double got, double want)
{
    if (!(fabs(got - want) < 1e-12))
        fail_msg("got %.17g, want %.17g", got, want);
}

static double value_of(const char *name)
{
    struct fw_metric m;
    assert_int_equal(fw_metric_parse(name, &four, &m, NULL), FW_OK);
    return fw_metric_value(&m, 12, 4, truth, pred, NULL, NULL, NULL);
}

static void test_classification(void **state)
{
    (void)state;
    near_to(value_of("accuracy"), 2.0 / 3);
    near_to(value_of("balanced_accuracy"), 0.6722222222222222);
    near_to(value_of("macro_f1"), 0.6626984126984127); /* class d: neither true nor predicted */
    near_to(value_of("weighted_f1"), 0.6706349206349206);
    near_to(value_of("mcc"), 0.5052911526399114);
    near_to(value_of("f1:b"), 4.0 / 7);
    near_to(value_of("precision:a"), 0.75);
    near_to(value_of("recall:a"), 0.6);
    near_to(value_of("f1:d"), 0);
}

static void test_predicted_only_class(void **state)
{
    (void)state;
    const int t[] = {0, 0, 1, 1, -1}, p[] = {0, 3, 1, 1, 2};
    struct fw_metric m = {FW_MACRO_F1, -1, 0};
    near_to(fw_metric_value(&m, 5, 4, t, p, NULL, NULL, NULL), 0.5555555555555555);
    m.id = FW_BALANCED_ACCURACY;
    near_to(fw_metric_value(&m, 5, 4, t, p, NULL, NULL, NULL), 0.75);
    m.id = FW_MCC;
    near_to(fw_metric_value(&m, 5, 4, t, p, NULL, NULL, NULL), 0.6708203932499369);
}

static void test_confusion_agrees(void **state)
{
    (void)state;
    double confusion[16] = {0};
    fw_confusion_add(confusion, 4, truth, pred, 12, 1);
    assert_true(confusion[0] == 3 && confusion[2] == 1 && confusion[2 * 4 + 1] == 1);
    for (int id = FW_ACCURACY; id <= FW_WEIGHTED_F_BETA; id++) {
        struct fw_metric m = {(enum fw_metric_id)id, 1, .5};
        near_to(fw_metric_of_confusion(&m, confusion, 4),
                fw_metric_value(&m, 12, 4, truth, pred, NULL, NULL, NULL));
    }
    struct fw_class_score s[4];
    fw_class_scores(confusion, 4, s);
    assert_int_equal(s[1].n, 3);
    near_to(s[1].precision, 0.5);
    near_to(s[1].recall, 2.0 / 3);
    near_to(s[2].f1, 0.75);
}

static void test_probabilities(void **state)
{
    (void)state;
    const float p[] = {.7f, .2f, .1f, .1f, .8f, .1f, .3f, .3f, .4f, .5f, .25f, .25f};
    const int y[] = {0, 1, 0, 2};
    struct fw_metric m = {FW_LOG_LOSS, -1, 0};
    assert_true(fabs(fw_metric_value(&m, 4, 3, y, NULL, p, NULL, NULL) - 0.7925214151746922) <
                1e-7);
    m.id = FW_BRIER;
    assert_true(fabs(fw_metric_value(&m, 4, 3, y, NULL, p, NULL, NULL) - 0.45375) < 1e-7);
    assert_true(isnan(fw_metric_value(&m, 4, 3, y, NULL, NULL, NULL, NULL)));
    assert_false(fw_metric_higher_is_better(&m));
    assert_false(fw_metric_from_confusion(&m));
}

static void test_regression(void **state)
{
    (void)state;
    const double t[] = {3, -0.5, 2, 7, NAN}, p[] = {2.5, 0, 2, 8, 1};
    struct fw_metric m = {FW_MAE, -1, 0};
    near_to(fw_metric_value(&m, 5, 0, NULL, NULL, NULL, t, p), 0.5);
    m.id = FW_RMSE;
    near_to(fw_metric_value(&m, 5, 0, NULL, NULL, NULL, t, p), 0.6123724356957945);
    m.id = FW_R2;
    near_to(fw_metric_value(&m, 5, 0, NULL, NULL, NULL, t, p), 0.9486081370449679);
    assert_true(fw_metric_higher_is_better(&m));
    assert_true(isnan(fw_metric_value(&m, 0, 0, NULL, NULL, NULL, t, p)));
}

static void test_names(void **state)
{
    (void)state;
    struct fw_metric m;
    struct fw_err err = {0};
    char name[64];
    const struct fw_task_info later = {FW_CLASSIFICATION, NULL, 0},
                              number = {FW_REGRESSION, NULL, 0};
    assert_int_equal(fw_metric_parse("recall:c", &four, &m, NULL), FW_OK);
    assert_string_equal(fw_metric_name(&m, &four, name, sizeof name), "recall:c");
    assert_int_equal(fw_metric_parse("f1:unseen", &later, &m, NULL), FW_OK);
    assert_int_equal(m.klass, -1);
    static const char *const good[] = {"accuracy",
                                       "micro_precision",
                                       "f2:b",
                                       "macro_f0.5",
                                       "weighted_f1",
                                       "top_3",
                                       "roc_auc:d",
                                       "macro_roc_auc",
                                       "ece",
                                       "recall:a",
                                       "weighted_average_precision",
                                       "macro_f1",
                                       "average_precision:b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(fw_metric_parse(good[i], &four, &m, NULL), FW_OK);
        assert_string_equal(fw_metric_name(&m, &four, name, sizeof name), good[i]);
        assert_int_equal(fw_metric_higher_is_better(&m), strcmp(good[i], "ece") != 0);
    }
    assert_int_equal(fw_metric_parse("f1.0:a", &four, &m, NULL), FW_OK);
    assert_true(m.id == FW_F_BETA && m.param == 1);
    static const char *const bad[][2] = {
        {"top_4", "always 1"},
        {"top_0", "whole number"},
        {"top_2.5", "whole number"},
        {"top_", "unknown metric"},
        {"top_5:a", "of all classes"},
        {"f0:a", "between 0.001"},
        {"f1.2.3:a", "unknown metric"},
        {"f:a", "unknown metric"},
        {"micro_roc_auc", "unknown metric"},
        {"roc_auc", "roc_auc:CLASS"},
        {"acc", "unknown metric 'acc'"},
        {"f1", "f1:CLASS"},
        {"f1:", "f1:CLASS"},
        {"f1:x", "unknown class"},
        {"accuracy:a", "of all classes"},
        {"rmse", "for regression"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(fw_metric_parse(bad[i][0], &four, &m, &err), FW_EINVAL);
        if (!strstr(err.msg, bad[i][1]))
            fail_msg("%s: said '%s'", bad[i][0], err.msg);
    }
    assert_int_equal(fw_metric_parse("nope", &number, &m, &err), FW_EINVAL);
    assert_string_equal(err.hint, "metrics are mae, rmse, r2");
}

static void test_small_statistics(void **state)
{
    (void)state;
    double low, high;
    near_to(fw_mcnemar_exact(3, 10), 0.09228515625);
    near_to(fw_mcnemar_exact(5, 0), 0.0625);
    near_to(fw_mcnemar_exact(0, 0), 1);
    near_to(fw_mcnemar_exact(4, 4), 1);
    struct fw_mcnemar few = fw_mcnemar(9, 15), many = fw_mcnemar(20, 40), even = fw_mcnemar(13, 12);
    assert_true(few.exact && few.statistic == 9 && few.p == fw_mcnemar_exact(9, 15));
    assert_true(!many.exact);
    near_to(many.statistic, 361. / 60);
    near_to(many.p, 0.014171388254012323); /* scipy.stats.chi2.sf(361 / 60, 1) */
    assert_true(!even.exact && even.p == 1);
    near_to(fw_sign_test(10, 3), 378.0 / 8192);
    near_to(fw_sign_test(3, 10), 1 - 92.0 / 8192);
    near_to(fw_sign_test(5, 0), 1.0 / 32);
    near_to(fw_sign_test(0, 5), 1);
    near_to(fw_sign_test(0, 0), 1);
    fw_wilson(8, 10, .95, &low, &high);
    near_to(low, 0.4901624715366418);
    near_to(high, 0.9433178485456248);
    fw_wilson(20, 20, .95, &low, &high);
    near_to(low, 0.8388748419471808);
    assert_true(high == 1);
    fw_wilson(0, 20, .95, &low, &high);
    assert_true(low == 0);
    near_to(high, 0.16112515805281935);
    fw_wilson(0, 0, .95, &low, &high);
    assert_true(low == 0 && high == 1);
    near_to(fw_normal_quantile(.975), 1.959963984540054);
    near_to(fw_normal_quantile(.9), 1.2815515655446004);
    near_to(fw_normal_quantile(1e-6), -4.753424308822899);
    assert_true(isinf(fw_normal_quantile(1)) && isnan(fw_normal_quantile(2)));
    near_to(fw_cohen_kappa(truth, pred, 12, 4), 0.5);
    const int same[] = {1, 1, 1};
    assert_true(isnan(fw_cohen_kappa(same, same, 3, 4)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification),   cmocka_unit_test(test_predicted_only_class),
        cmocka_unit_test(test_confusion_agrees), cmocka_unit_test(test_probabilities),
        cmocka_unit_test(test_regression),       cmocka_unit_test(test_names),
        cmocka_unit_test(test_small_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
