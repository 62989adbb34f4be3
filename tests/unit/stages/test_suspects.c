/* Suspect boxes and suspect label sets, on cases in which the mistake is known. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/error_analysis/box_suspects.h"
#include "stages/error_analysis/multilabel_suspects.h"

static void near_to(double got, double want)
{
    if (!(fabs(got - want) < 1e-6))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* Three images. 0: right. 1: a given box is moved, and one is left out. 2: a box has another class. */
static void test_boxes(void **state)
{
    (void)state;
    struct fw_box g[] = {{0, 0, 40, 40, 0, 1, 1600, false},
                         {60, 0, 100, 40, 0, 1, 1600, false},
                         {0, 0, 40, 40, 1, 1, 1600, false},
                         {100, 100, 140, 140, 0, 1, 1600, true}};
    struct fw_box p[] = {
        {0, 0, 40, 40, 0, 0.99f, 0, false},       {0, 0, 40, 40, 0, 0.97f, 0, false},
        {0, 60, 40, 100, 1, 0.96f, 0, false},     {0, 0, 40, 40, 0, 0.98f, 0, false},
        {110, 110, 120, 120, 0, 0.99f, 0, false}, {0, 200, 9, 209, 0, 0.6f, 0, false}};
    size_t gs[] = {0, 1, 2, 4}, ps[] = {0, 1, 3, 6};
    struct fw_boxes given = {3, gs, g}, predicted = {3, ps, p};
    struct fw_box_params params;
    struct fw_box_suspect *s;
    size_t n;
    double image[3];
    fw_box_defaults(&params);
    assert_int_equal(fw_box_suspects(&given, &predicted, &params, &s, &n, image, NULL), FW_OK);
    assert_int_equal(n, 4);
    size_t seen[FW_BOX_ERRORS] = {0};
    for (size_t i = 0; i < n; i++) {
        seen[s[i].error]++;
        assert_true(s[i].image != 0);
        assert_true(!i || s[i].score >= s[i - 1].score);
        if (s[i].error == FW_BOX_SWAPPED) {
            assert_int_equal(s[i].image, 2);
            assert_int_equal(s[i].box, 2);
        }
        if (s[i].error == FW_BOX_BADLY_PLACED) {
            assert_int_equal(s[i].box, 1);
            near_to(s[i].score, 0.1 * exp(-6.0)); /* no overlap, centres 60 pixels apart */
        }
        if (s[i].error == FW_BOX_MISSING && s[i].box == 2) /* no box of its class in the image */
            assert_true(s[i].score < 1e-3);
    }
    assert_int_equal(seen[FW_BOX_SWAPPED], 1);
    assert_int_equal(seen[FW_BOX_BADLY_PLACED], 1);
    assert_int_equal(seen[FW_BOX_MISSING], 2); /* both of image 1 */
    near_to(image[0], 1);
    assert_true(image[1] < 0.1 && image[2] < 0.1);
    free(s);
    struct fw_boxes fewer = {2, ps, p};
    assert_int_equal(fw_box_suspects(&given, &fewer, &params, &s, &n, NULL, NULL), FW_EINVAL);
}

static void test_pools(void **state)
{
    (void)state;
    const float scores[] = {0.9f, 0.2f, 0.5f};
    float s[3];
    const double want[] = {[FW_ML_EMA] = 0.8 * 0.2 + 0.2 * (0.8 * 0.5 + 0.2 * 0.9),
                           [FW_ML_SOFTMIN] = (0.9 * exp(-9.0) + 0.2 * exp(-2.0) + 0.5 * exp(-5.0)) /
                                             (exp(-9.0) + exp(-2.0) + exp(-5.0)),
                           [FW_ML_MIN] = 0.2,
                           [FW_ML_MEAN] = 1.6 / 3};
    for (int how = FW_ML_EMA; how <= FW_ML_MEAN; how++) {
        memcpy(s, scores, sizeof s);
        near_to(fw_ml_pool((enum fw_ml_pool)how, s, 3), want[how]);
    }
}

/* Labels of three classes, a twentieth of them turned round: what is turned round is found. */
static void test_label_sets(void **state)
{
    (void)state;
    enum { N = 600, K = 3 };
    static unsigned char given[N * K];
    static float probs[N * K], score[N * K];
    static bool wrong[N * K], issue[N * K];
    struct fw_rng rng;
    size_t hit = 0, flagged = 0, planted = 0;
    fw_rng_seed(&rng, 3);
    for (size_t i = 0; i < N * K; i++) {
        bool truth = fw_rng_below(&rng, 3) == 0;
        probs[i] = (float)(truth ? 0.8 + 0.2 * fw_rng_double(&rng) : 0.2 * fw_rng_double(&rng));
        wrong[i] = fw_rng_below(&rng, 20) == 0;
        given[i] = truth != wrong[i];
        planted += wrong[i];
    }
    assert_int_equal(fw_ml_issues(N, K, given, probs, FW_CL_PRUNE_BY_NOISE_RATE, issue, NULL),
                     FW_OK);
    for (size_t i = 0; i < N * K; i++) {
        flagged += issue[i];
        hit += issue[i] && wrong[i];
    }
    assert_true(hit == flagged);
    assert_true(hit > planted / 2); /* what is confidently of the other kind */
    assert_int_equal(fw_ml_issues(N, K, given, probs, FW_CL_PREDICTED_NEQ_GIVEN, issue, NULL),
                     FW_OK);
    assert_memory_equal(issue, wrong, sizeof issue);
    fw_ml_class_scores(N, K, given, probs, score);
    for (size_t i = 0; i < N * K; i++)
        assert_true(wrong[i] ? score[i] < 0.5f : score[i] > 0.5f);
    probs[4] = NAN;
    struct fw_err err;
    assert_int_equal(fw_ml_issues(N, K, given, probs, FW_CL_BOTH, issue, &err), FW_EINVAL);
    assert_string_equal(err.msg, "row 1, column 1: nan is no probability from 0 to 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_boxes), cmocka_unit_test(test_pools),
                                       cmocka_unit_test(test_label_sets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
