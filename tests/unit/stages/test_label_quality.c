#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/error_analysis/label_quality.h"

/* The eight samples of test_confident.c: joint [[3, 1], [2, 2]], already calibrated. */
static const double small[] = {.9, .1, .8, .2, .7, .3, .1, .9, .1, .9, .2, .8, .7, .3, .8, .2};
static const int given[] = {0, 0, 0, 0, 1, 1, 1, 1};

static void near(double have, double want)
{
    if (!(fabs(have - want) < 1e-12))
        fail_msg("%.15g is not %.15g", have, want);
}

static void test_by_hand(void **state)
{
    (void)state;
    struct fw_probs p = {8, 2, NULL, small};
    struct fw_label_quality q;
    assert_int_equal(fw_label_quality(&p, given, FW_CL_BOTH, FW_CL_SELF_CONFIDENCE, 1, &q, NULL),
                     FW_OK);
    const uint64_t joint[] = {3, 1, 2, 2};
    assert_memory_equal(q.joint, joint, sizeof joint);
    assert_int_equal(q.labelled, 8);
    near(q.thresholds[0], .625);
    near(q.given_prior[0], .5);
    near(q.true_prior[0], 5. / 8);
    near(q.true_prior[1], 3. / 8);
    near(q.noise[0], 3. / 5); /* given 0, truly 0 */
    near(q.noise[2], 2. / 5); /* given 1, truly 0 */
    near(q.noise[1], 1. / 3); /* given 0, truly 1 */
    near(q.inverse[1], 1. / 4);
    near(q.inverse[2], 2. / 4);
    near(q.noise_rate, 3. / 8);
    near(q.health, 5. / 8);
    assert_int_equal(q.n_issues, 3);
    /* p(given): sample 3 .1, sample 6 .3, sample 7 .2 */
    assert_int_equal(q.order[0], 3);
    assert_int_equal(q.order[1], 7);
    assert_int_equal(q.order[2], 6);
    near(q.score[7], .2);
    fw_label_quality_release(&q);
}

static void test_unlabelled_and_one_class(void **state)
{
    (void)state;
    struct fw_probs p = {8, 2, NULL, small};
    struct fw_label_quality q;
    int some[8] = {0, 0, 0, 0, -1, -1, -1, -1};
    assert_int_equal(
        fw_label_quality(&p, some, FW_CL_PRUNE_BY_NOISE_RATE, FW_CL_NORMALIZED_MARGIN, 1, &q, NULL),
        FW_OK);
    assert_int_equal(q.labelled, 4);
    assert_true(isinf(q.thresholds[1]));
    near(q.given_prior[0], 1);
    near(q.given_prior[1], 0);
    near(q.noise_rate, 0); /* no class but 0 can be reached */
    assert_int_equal(q.n_issues, 0);
    assert_true(isnan(q.score[5]));
    assert_true(isnan(q.inverse[2]));
    fw_label_quality_release(&q);

    const double ones[] = {1, 1, 1};
    const int zero[] = {0, 0, 0};
    struct fw_probs single = {3, 1, NULL, ones};
    for (int f = 0; f < FW_CL_FILTERS; f++) {
        assert_int_equal(fw_label_quality(&single, zero, (enum fw_cl_filter)f,
                                          FW_CL_CONFIDENCE_WEIGHTED_ENTROPY, 1, &q, NULL),
                         FW_OK);
        assert_int_equal(q.n_issues, 0);
        near(q.health, 1);
        fw_label_quality_release(&q);
    }
}

/* Every refusal says where, and leaves the output as it was. */
static void refused(const struct fw_probs *p, const int *labels, const char *said)
{
    struct fw_label_quality q, before;
    struct fw_err err = {0};
    memset(&q, 7, sizeof q);
    memset(&before, 7, sizeof before);
    assert_int_equal(fw_label_quality(p, labels, FW_CL_BOTH, FW_CL_SELF_CONFIDENCE, 1, &q, &err),
                     FW_EINVAL);
    assert_memory_equal(&q, &before, sizeof q);
    if (!strstr(err.msg, said))
        fail_msg("'%s' does not say '%s'", err.msg, said);
}

static void test_bad_input(void **state)
{
    (void)state;
    double v[16];
    int y[8];
    struct fw_probs p = {8, 2, NULL, v};
    const double bad[] = {NAN, INFINITY, -INFINITY, -.5, 1.5};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(v, small, sizeof v);
        v[2 * 5 + 1] = bad[i];
        refused(&p, given, "row 5, column 1");
    }
    memcpy(v, small, sizeof v);
    v[6] = .2; /* row 3: .2 + .9 */
    refused(&p, given, "row 3: the probabilities sum to 1.1");
    v[6] = v[7] = 0;
    refused(&p, given, "row 3: the probabilities sum to 0");
    memcpy(v, small, sizeof v);
    v[6] = .1 + 9e-4; /* within the tolerance of 1e-3 */
    struct fw_label_quality q;
    assert_int_equal(fw_label_quality(&p, given, FW_CL_BOTH, FW_CL_SELF_CONFIDENCE, 1, &q, NULL),
                     FW_OK);
    fw_label_quality_release(&q);
    memcpy(v, small, sizeof v);
    memcpy(y, given, sizeof y);
    y[6] = 2;
    refused(&p, y, "row 6: label 2 is not one of the 2 classes");
    for (int i = 0; i < 8; i++)
        y[i] = -1;
    refused(&p, y, "none of the 8 samples has a label");
    struct fw_probs none = {0, 2, NULL, v}, classless = {8, 0, NULL, v};
    refused(&none, given, "none of the 0 samples");
    refused(&classless, given, "no classes");
    struct fw_probs many = {UINT32_MAX, 2, NULL, v};
    refused(&many, given, "4294967295 samples are more");
    struct fw_err err = {0}; /* the filter alone checks the size as well */
    assert_int_equal(fw_cl_issues(&many, given, FW_CL_BOTH, 1, NULL, NULL, &err), FW_EINVAL);
}

/* Enough rows for many chunks; float32, one label in five is another class, many ties at 0. */
static void test_any_number_of_threads(void **state)
{
    (void)state;
    enum { N = 40000, K = 7 };
    float *v = malloc(sizeof(float) * N * K);
    int *y = malloc(sizeof(int) * N);
    struct fw_rng rng;
    fw_rng_seed(&rng, 11);
    for (size_t i = 0; i < N; i++) {
        size_t truth = (size_t)(fw_rng_double(&rng) * K), next = (truth + 1 + i % 2) % K;
        float own = (float)(.3 + .7 * fw_rng_double(&rng));
        memset(v + i * K, 0, sizeof(float) * K);
        v[i * K + truth] = own;
        v[i * K + next] = 1 - own;
        y[i] = fw_rng_double(&rng) < .2 ? (int)((truth + 1) % K) : (int)truth;
        y[i] = i % 97 ? y[i] : -1;
    }
    struct fw_probs p = {N, K, v, NULL};
    for (int f = 0; f < FW_CL_FILTERS; f++) {
        struct fw_label_quality first, q;
        const char *threads[] = {"1", "2", "3"};
        for (int t = 0; t < 3; t++) {
            setenv("FLYWHEEL_THREADS", threads[t], 1);
            assert_int_equal(fw_label_quality(&p, y, (enum fw_cl_filter)f, FW_CL_SELF_CONFIDENCE, 1,
                                              t ? &q : &first, NULL),
                             FW_OK);
            if (!t)
                continue;
            assert_true(first.n_issues > 1000);
            assert_int_equal(q.n_issues, first.n_issues);
            assert_memory_equal(q.thresholds, first.thresholds, K * sizeof(double));
            assert_memory_equal(q.joint, first.joint, K * K * sizeof(uint64_t));
            assert_memory_equal(q.issue, first.issue, N);
            assert_memory_equal(q.order, first.order, first.n_issues * sizeof(uint32_t));
            fw_label_quality_release(&q);
        }
        fw_label_quality_release(&first);
    }
    unsetenv("FLYWHEEL_THREADS");
    free(v);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_unlabelled_and_one_class),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
