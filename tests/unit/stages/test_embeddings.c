#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/drift/embeddings.h"

static void near_to(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want)))
        fail_msg("got %.17g, want %.17g", got, want);
}

/* x ← x · 6364136223846793005 + 1442695040888963407 (mod 2^64), the upper 53 bits. */
static void draw(uint64_t x, float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v[i] = (float)((double)(x >> 11) * 0x1.0p-53);
    }
}

/* NumPy: the formula over the whole kernel matrix, and 4999 permutations. */
static void test_mmd(void **state)
{
    (void)state;
    float a[120], b[90];
    struct fw_mmd mmd, again;
    draw(1, a, 120);
    draw(2, b, 90);
    for (size_t i = 0; i < 30; i++)
        b[3 * i] += 0.2f;
    const struct fw_vectors x = {a, 40, 3}, y = {b, 30, 3};
    assert_int_equal(fw_mmd(&x, &y, 1000, 1999, 5, &mmd, NULL), 0);
    near_to(mmd.mmd2, 0.013116667390280723, 1e-4); /* the kernel is float32 */
    near_to(mmd.bandwidth, 0.6684026283122787, 1e-6);
    assert_true(fabs(mmd.p - 0.1666) < 0.03);
    setenv("FLYWHEEL_THREADS", "3", 1);
    assert_int_equal(fw_mmd(&x, &y, 1000, 1999, 5, &again, NULL), 0);
    unsetenv("FLYWHEEL_THREADS");
    assert_memory_equal(&mmd, &again, sizeof mmd);
    for (size_t i = 0; i < 30; i++)
        b[3 * i] += 0.5f;
    assert_int_equal(fw_mmd(&x, &y, 1000, 199, 5, &mmd, NULL), 0);
    near_to(mmd.p, 1 / 200.0, 1e-12);
}

static void test_mmd_edges(void **state)
{
    (void)state;
    float a[8] = {1, 1, 1, 1, 1, 1, 1, 1}, b[8] = {1, 2, NAN, 4, 5, 6, 7, 8};
    const struct fw_vectors x = {a, 4, 2}, y = {b, 4, 2}, one = {a, 1, 2}, thin = {a, 8, 1};
    struct fw_mmd mmd = {.n = 9};
    struct fw_err err;
    assert_int_equal(fw_mmd(&x, &x, 10, 19, 1, &mmd, &err), FW_EINVAL);
    assert_string_equal(err.msg, "all embeddings are equal");
    assert_int_equal(fw_mmd(&x, &y, 10, 19, 1, &mmd, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "row 2 of the embeddings"));
    assert_int_equal(fw_mmd(&one, &y, 10, 19, 1, &mmd, &err), FW_EINVAL);
    assert_int_equal(fw_mmd(&x, &thin, 10, 19, 1, &mmd, &err), FW_EINVAL);
    assert_int_equal(mmd.n, 9);
    b[2] = 3;
    assert_int_equal(fw_mmd(&x, &y, 3, 19, 1, &mmd, NULL), 0);
    assert_true(mmd.n == 3 && mmd.m == 3);
}

/* sklearn roc_auc_score, scipy mannwhitneyu (greater, asymptotic, continuity), DeLong in NumPy. */
static void test_auc(void **state)
{
    (void)state;
    double pos[] = {.9, .8, .8, .4, .3, .7}, neg[] = {.1, .3, .5, .4, .2, .6, .8};
    double auc, variance, p;
    assert_int_equal(fw_auc(pos, 6, neg, 7, &auc, &variance, &p, NULL), 0);
    near_to(auc, 0.7619047619047619, 1e-14);
    near_to(variance, 0.019869614512471656, 1e-12);
    near_to(p, 0.06520111906668705, 1e-10);
    double same[] = {1, 1, 1};
    assert_int_equal(fw_auc(same, 2, same + 2, 1, &auc, &variance, &p, NULL), 0);
    assert_true(auc == 0.5 && p == 1);
    assert_int_equal(fw_auc(pos, 0, neg, 7, &auc, &variance, &p, NULL), FW_EINVAL);
}

/* A change of spread alone: no linear rule on the raw columns would see it. */
static void test_domain(void **state)
{
    (void)state;
    enum { N = 1200, D = 4 };
    static float a[N * D], b[N * D];
    struct fw_rng rng;
    struct fw_domain d;
    fw_rng_seed(&rng, 1);
    for (size_t i = 0; i < N * D; i++) {
        a[i] = (float)fw_rng_normal(&rng);
        b[i] = (float)fw_rng_normal(&rng);
    }
    const struct fw_vectors x = {a, N, D}, y = {b, N / 2, D};
    assert_int_equal(fw_domain_classifier(&x, &y, 1000, 0.95, 1, &d, NULL), 0);
    assert_true(d.n == 500 && d.m == 300);
    assert_true(d.p > 0.01 && d.low < 0.5 && 0.5 < d.high && d.low < d.auc && d.auc < d.high);
    for (size_t i = 0; i < N * D; i += D)
        b[i] *= 2;
    assert_int_equal(fw_domain_classifier(&x, &y, 1000, 0.95, 1, &d, NULL), 0);
    assert_true(d.auc > 0.6 && d.p < 1e-4);
    struct fw_err err;
    const struct fw_vectors few = {a, 7, D};
    assert_int_equal(fw_domain_classifier(&few, &y, 1000, 0.95, 1, &d, &err), FW_EINVAL);
    b[5] = INFINITY;
    const struct fw_vectors bad = {b, 20, D};
    assert_int_equal(fw_domain_classifier(&x, &bad, 1000, 0.95, 1, &d, &err), FW_EINVAL);
}

static void test_subsample(void **state)
{
    (void)state;
    size_t rows[10];
    double mean = 0;
    assert_int_equal(fw_subsample(4, 10, 1, rows), 4);
    assert_true(rows[0] == 0 && rows[3] == 3);
    for (uint64_t s = 0; s < 2000; s++) {
        assert_int_equal(fw_subsample(100, 10, s, rows), 10);
        for (size_t i = 0; i < 10; i++) {
            assert_true(rows[i] < 100 && (!i || rows[i] > rows[i - 1]));
            mean += (double)rows[i] / 20000;
        }
    }
    assert_true(fabs(mean - 49.5) < 0.8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mmd),    cmocka_unit_test(test_mmd_edges), cmocka_unit_test(test_auc),
        cmocka_unit_test(test_domain), cmocka_unit_test(test_subsample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
