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

/* One label in five is another class; float32, with many ties at 0; some are unlabelled. */
static void make(size_t n, size_t k, float *v, int *y)
{
    struct fw_rng rng;
    fw_rng_seed(&rng, 11);
    memset(v, 0, n * k * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        size_t truth = (size_t)fw_rng_below(&rng, k);
        float own = (float)(.3 + .7 * fw_rng_double(&rng));
        v[i * k + truth] = own;
        v[i * k + (truth + 1 + i % 2) % k] = 1 - own;
        y[i] = (int)(fw_rng_double(&rng) < .2 ? (truth + 1) % k : truth);
        y[i] = i % 97 ? y[i] : -1;
    }
}

static int greatest_first(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* prune_by_noise_rate by its definition: for each pair all margins, sorted. */
static void by_definition(const struct fw_probs *p, const int *y, const uint64_t *joint,
                          bool *issue)
{
    double *margin = malloc(p->n * sizeof *margin);
    memset(issue, 0, p->n);
    for (size_t c = 0; c < p->k; c++) {
        for (size_t j = 0; j < p->k; j++) {
            size_t n = 0, take = (size_t)joint[c * p->k + j];
            for (size_t i = 0; i < p->n && take && j != c; i++) {
                if (y[i] != (int)c)
                    continue;
                double sum = fw_cl_row_sum(p, i);
                margin[n++] = (double)p->f[i * p->k + j] / sum - (double)p->f[i * p->k + c] / sum;
            }
            if (n < 2)
                continue;
            qsort(margin, n, sizeof *margin, greatest_first);
            double cut = margin[(take < n ? take : n) - 1];
            for (size_t i = 0; i < p->n; i++) {
                if (y[i] != (int)c || fw_cl_predicted(p, i) == y[i])
                    continue;
                double sum = fw_cl_row_sum(p, i);
                if ((double)p->f[i * p->k + j] / sum - (double)p->f[i * p->k + c] / sum >= cut)
                    issue[i] = true;
            }
        }
    }
    free(margin);
}

/* The first filters beside their definition, and every filter with 1, 2 and 3 threads. */
static void check_size(size_t n, size_t k)
{
    float *v = malloc(n * k * sizeof *v);
    int *y = malloc(n * sizeof *y);
    bool *want = malloc(n), *class_only = malloc(n);
    make(n, k, v, y);
    struct fw_probs p = {n, k, v, NULL};
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
            assert_int_equal(q.n_issues, first.n_issues);
            assert_memory_equal(q.thresholds, first.thresholds, k * sizeof(double));
            assert_memory_equal(q.joint, first.joint, k * k * sizeof(uint64_t));
            assert_memory_equal(q.issue, first.issue, n);
            assert_memory_equal(q.order, first.order, first.n_issues * sizeof(uint32_t));
            fw_label_quality_release(&q);
        }
        assert_true(first.n_issues > n / 20);
        if (f == FW_CL_PRUNE_BY_NOISE_RATE) {
            by_definition(&p, y, first.joint, want);
            assert_memory_equal(first.issue, want, n);
        } else if (f == FW_CL_PRUNE_BY_CLASS) {
            memcpy(class_only, first.issue, n);
        } else if (f == FW_CL_BOTH) {
            for (size_t i = 0; i < n; i++)
                want[i] = want[i] && class_only[i];
            assert_memory_equal(first.issue, want, n);
        }
        fw_label_quality_release(&first);
    }
    unsetenv("FLYWHEEL_THREADS");
    free(v);
    free(y);
    free(want);
    free(class_only);
}

static void test_many_samples(void **state)
{
    (void)state;
    check_size(40000, 7);
}

static void test_many_classes(void **state) /* so many that the threads share their counts */
{
    (void)state;
    check_size(9000, 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),      cmocka_unit_test(test_unlabelled_and_one_class),
        cmocka_unit_test(test_bad_input),    cmocka_unit_test(test_many_samples),
        cmocka_unit_test(test_many_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
