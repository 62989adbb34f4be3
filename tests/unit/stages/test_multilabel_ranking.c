#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stages/evaluate/multilabel_ranking.h"

enum { N = 14, K = 3 };
static const unsigned char given[N * K] = {1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0,
                                           0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 0, 0,
                                           1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
static const float probs[N * K] = {.5f, .4f, .4f, .5f, .3f, .1f, .5f, .2f, .5f, .3f, .5f,
                                   .6f, .2f, .6f, .4f, .5f, .2f, .1f, .3f, .2f, .7f, .1f,
                                   0,   .5f, .3f, .3f, .3f, .4f, .5f, .8f, .8f, .3f, .4f,
                                   .3f, .6f, .1f, .4f, .3f, 0,   .2f, .6f, .5f};
static const double weight[N] = {2.57, 1.74, 2.48, 1.32, 3.02, 1.92, 3.0,
                                 .23,  2.75, 1.78, 2.24, .68,  1.75, .97};

static void near_to(double got, double want)
{
    if (!(fabs(got - want) < 1e-8))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* roc_auc_score and average_precision_score of scikit-learn 1.2.1 */
static void test_against_scikit_learn(void **state)
{
    (void)state;
    struct fw_multilabel_ranking r;
    double auc[K], ap[K];
    assert_int_equal(fw_multilabel_rank(N, K, given, probs, NULL, &r, auc, ap, NULL), FW_OK);
    near_to(r.macro_roc_auc, 0.7215277777777778);
    near_to(r.weighted_roc_auc, 0.7330357142857142);
    near_to(r.macro_average_precision, 0.6507770007770007);
    near_to(r.weighted_average_precision, 0.6647352647352646);
    near_to(auc[1], 0.3875);
    near_to(ap[2], 0.91666667);
    assert_int_equal(fw_multilabel_rank(N, K, given, probs, weight, &r, auc, ap, NULL), FW_OK);
    near_to(r.macro_roc_auc, 0.689207276883506);
    near_to(r.weighted_roc_auc, 0.6865148463724016);
    near_to(r.macro_average_precision, 0.7046912046645559);
    near_to(r.weighted_average_precision, 0.7074889326473279);
}

static void test_edges(void **state)
{
    (void)state;
    /* the first label nobody has, the second all */
    const unsigned char y[] = {0, 1, 0, 0, 1, 1};
    float p[] = {.1f, .2f, .3f, .4f, .5f, .6f};
    const double bad[] = {1, -1};
    struct fw_multilabel_ranking r = {.macro_roc_auc = 9};
    struct fw_err err = {0};
    double auc[3], ap[3];
    assert_int_equal(fw_multilabel_rank(2, 3, y, p, NULL, &r, auc, ap, NULL), FW_OK);
    assert_true(isnan(auc[0]) && isnan(ap[0]) && isnan(auc[1]) && ap[1] == 1);
    near_to(r.macro_roc_auc, 1); /* of the third alone */
    near_to(r.macro_average_precision, 1);
    assert_int_equal(fw_multilabel_rank(0, 3, y, p, NULL, &r, auc, NULL, NULL), FW_OK);
    assert_true(isnan(r.macro_roc_auc) && isnan(auc[2]));
    r.macro_roc_auc = 9;
    assert_int_equal(fw_multilabel_rank(2, 0, y, p, NULL, &r, NULL, NULL, &err), FW_EINVAL);
    assert_int_equal(fw_multilabel_rank(2, 3, y, p, bad, &r, NULL, NULL, &err), FW_EINVAL);
    p[4] = NAN;
    assert_int_equal(fw_multilabel_rank(2, 3, y, p, NULL, &r, NULL, NULL, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "label 2 of sample 2"));
    assert_true(r.macro_roc_auc == 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_scikit_learn),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
