#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "stages/evaluate/calibration.h"
#include "stages/evaluate/metrics.h"
#include "stages/evaluate/ranking.h"

/* Cases and values: reference/metrics.py (scikit-learn 1.2.1). */

static double *numbers(const json_t *array)
{
    size_t n = json_array_size(array);
    double *v = calloc(n + 1, sizeof *v);
    for (size_t i = 0; i < n; i++)
        v[i] = json_number_value(json_array_get(array, i));
    return v;
}

static void check_case(const json_t *c)
{
    static const char *const names[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6"};
    size_t k = (size_t)json_integer_value(json_object_get(c, "k"));
    size_t n = json_array_size(json_object_get(c, "truth"));
    struct fw_task_info task = {k ? FW_CLASSIFICATION : FW_REGRESSION, k ? names : NULL, k};
    double *truth = numbers(json_object_get(c, "truth")),
           *pred = numbers(json_object_get(c, "pred")),
           *wide = numbers(json_object_get(c, "probs")),
           *weight = numbers(json_object_get(c, "weight"));
    int *t = calloc(n, sizeof *t), *p = calloc(n, sizeof *p);
    float *probs = calloc(n * k + 1, sizeof *probs);
    for (size_t i = 0; i < n; i++) {
        t[i] = (int)truth[i];
        p[i] = (int)pred[i];
    }
    for (size_t i = 0; i < n * k; i++)
        probs[i] = (float)wide[i];
    bool weighted = json_is_array(json_object_get(c, "weight"));
    struct fw_metric_data in = {n,     k,     k ? t : NULL, p,
                                probs, truth, pred,         weighted ? weight : NULL};
    const char *name;
    json_t *want;
    json_object_foreach (json_object_get(c, "values"), name, want) {
        struct fw_metric m;
        double got = 0, value = json_is_null(want) ? NAN : json_number_value(want);
        assert_int_equal(fw_metric_parse(name, &task, &m, NULL), FW_OK);
        assert_int_equal(fw_metric_measure(&m, &in, &got, NULL), FW_OK);
        if (isnan(value) ? !isnan(got) : !(fabs(got - value) < 1e-9 * fmax(1, fabs(value))))
            fail_msg("%s: %s is %.17g, want %.17g", json_string_value(json_object_get(c, "name")),
                     name, got, value);
    }
    free(truth);
    free(pred);
    free(wide);
    free(weight);
    free(t);
    free(p);
    free(probs);
}

static void test_against_scikit_learn(void **state)
{
    (void)state;
    json_t *all = json_load_file(FW_TEST_DIR "/unit/stages/reference/metrics.json", 0, NULL), *c;
    size_t i;
    assert_true(json_array_size(all) >= 20);
    json_array_foreach (all, i, c)
        check_case(c);
    json_decref(all);
}

static void test_rank_order(void **state)
{
    (void)state;
    const float score[] = {.5f, -0.f, 1e-30f, -2, 0, .5f, 7, -1e-30f, INFINITY, -INFINITY};
    const unsigned want[] = {8, 6, 0, 5, 2, 1, 4, 7, 3, 9}, last[] = {1, 1, 0, 1, 1, 0, 1, 1, 1, 1};
    uint32_t order[10];
    uint64_t scratch[20];
    fw_rank_sort(score, 1, 10, order, scratch);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(order[i] & FW_RANK_MAX, want[i]);
        assert_int_equal(order[i] >> 31, last[i]);
    }
    fw_rank_sort(score + 1, 4, 3, order, scratch); /* every fourth: −0, .5, −inf */
    assert_true((order[0] & FW_RANK_MAX) == 1 && (order[1] & FW_RANK_MAX) == 0);
}

static void test_reliability(void **state)
{
    (void)state;
    /* confidences .5 .6 .6 .6 .9 1, right: no yes no yes yes no */
    const float p[] = {.5f, .5f, .6f, .4f, .4f, .6f, .6f, .4f, .1f, .9f, 1, 0};
    const int y[] = {1, 0, 0, 0, 1, 1};
    struct fw_reliability_bin t[5];
    struct fw_calibration c;
    assert_int_equal(fw_reliability(p, y, NULL, 6, 2, 5, false, t, &c, NULL), FW_OK);
    /* bins of a fifth: (.4, .6] holds .5 (.6 as a float is above .6), (.6, .8] three, (.8, 1] two */
    assert_int_equal(c.n, 6);
    assert_true(t[2].n == 1 && t[3].n == 3 && t[4].n == 2 && t[0].n == 0 && isnan(t[0].accuracy));
    assert_true(fabs(t[3].confidence - .6) < 1e-6 && fabs(t[3].accuracy - 2. / 3) < 1e-12);
    assert_true(fabs(c.ece - (.5 + .2 + .9) / 6) < 1e-6);
    assert_true(fabs(c.mce - .5) < 1e-6);
    assert_true(fw_confidence_bin(.5, 4) == 1 && fw_confidence_bin(.51, 4) == 2); /* (1/4, 1/2] */
    assert_true(fw_confidence_bin(0, 4) == 0 && fw_confidence_bin(1, 4) == 3);
    /* three bins of equal mass: .5 .6 .6 .6 | .9 1, because equal confidences stay together */
    assert_int_equal(fw_reliability(p, y, NULL, 6, 2, 3, true, t, &c, NULL), FW_OK);
    assert_true(t[0].n == 4 && t[1].n == 0 && t[2].n == 2);
    assert_true(t[0].low == .5 && t[2].high == 1 && isnan(t[1].low));
    /* weights: the sample of weight 3 is three */
    const double w[] = {1, 1, 1, 1, 3, 0};
    assert_int_equal(fw_reliability(p, y, w, 6, 2, 5, false, t, &c, NULL), FW_OK);
    assert_true(c.n == 5 && fabs(t[4].weight - 3) < 1e-12);
    assert_true(fabs(c.ece - (.5 + .2 + .3) / 7) < 1e-6);
    struct fw_err err = {0};
    const float bad[] = {NAN, 1};
    assert_int_equal(fw_reliability(bad, y, NULL, 1, 2, 5, false, t, &c, &err), FW_EINVAL);
    assert_int_equal(fw_reliability(p, y, NULL, 6, 2, 0, false, t, &c, &err), FW_EINVAL);
    assert_true(c.n == 5);
    assert_int_equal(fw_reliability(p, y, NULL, 0, 2, 5, true, t, &c, &err), FW_OK);
    assert_true(isnan(c.ece) && c.n == 0);
}

static void test_bad_input(void **state)
{
    (void)state;
    const int y[] = {0, 1, -1}, p[] = {0, 1, 9}, out_of_range[] = {0, 2, 0};
    float probs[] = {.4f, .6f, .3f, .7f, NAN, 9};
    const double w[] = {1, 2, 0}, negative[] = {1, -1, 1}, v[] = {1, 2, NAN},
                 inf[] = {1, INFINITY, 0};
    struct fw_metric_data in = {3, 2, y, p, probs, NULL, NULL, w};
    struct fw_metric accuracy = {FW_ACCURACY, -1, 0}, loss = {FW_LOG_LOSS, -1, 0},
                     auc = {FW_MACRO_ROC_AUC, -1, 0}, mae = {FW_MAE, -1, 0};
    struct fw_err err = {0};
    double got = 5;
    /* what belongs to an unlabelled sample is not looked at */
    assert_int_equal(fw_metric_measure(&accuracy, &in, &got, &err), FW_OK);
    assert_true(got == 1);
    assert_int_equal(fw_metric_measure(&loss, &in, &got, &err), FW_OK);
    got = 5;
    assert_int_equal(fw_metric_measure(&mae, &in, &got, &err), FW_EINVAL);
    in.weight = negative;
    assert_int_equal(fw_metric_measure(&accuracy, &in, &got, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "weight of sample 2"));
    in.weight = NULL;
    in.truth = out_of_range;
    assert_int_equal(fw_metric_measure(&accuracy, &in, &got, &err), FW_EINVAL);
    in.truth = y;
    in.pred = out_of_range;
    assert_int_equal(fw_metric_measure(&accuracy, &in, &got, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "predicted class of sample 2"));
    assert_int_equal(fw_metric_measure(&auc, &in, &got, &err), FW_OK);
    got = 5;
    probs[3] = NAN;
    assert_int_equal(fw_metric_measure(&auc, &in, &got, &err), FW_EINVAL);
    probs[3] = 1.5f;
    assert_int_equal(fw_metric_measure(&loss, &in, &got, &err), FW_EINVAL);
    in.probs = NULL;
    assert_int_equal(fw_metric_measure(&auc, &in, &got, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "probabilities"));
    in = (struct fw_metric_data){3, 0, NULL, NULL, NULL, v, inf, NULL};
    assert_int_equal(fw_metric_measure(&mae, &in, &got, &err), FW_EINVAL);
    assert_true(got == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_scikit_learn),
        cmocka_unit_test(test_rank_order),
        cmocka_unit_test(test_reliability),
        cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
