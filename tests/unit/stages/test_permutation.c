#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/evaluate/permutation.h"

static void near_to(double got, double want, double within)
{
    if (!(fabs(got - want) <= within))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* scipy.stats.permutation_test((d,), np.mean, permutation_type='samples', n_resamples=np.inf), SciPy 1.10.1. */
static void test_signs_exact(void **state)
{
    (void)state;
    const double d[] = {1.2, -.3, .8, 2.1, 0, -.9, 1.7, .4};
    struct fw_permutation p;
    assert_int_equal(fw_permute_mean(d, NULL, 8, 100, 1, &p, NULL), FW_OK);
    assert_true(p.exact && p.differing == 7 && p.draws == 128);
    near_to(p.gain, .625, 1e-12);
    near_to(p.p, 20. / 128, 1e-12);
    near_to(p.p_improved, 10. / 128, 1e-12);
    near_to(p.p_worse, 121. / 128, 1e-12);
}

static void test_signs_drawn(void **state)
{
    (void)state;
    double d[400];
    struct fw_rng rng;
    fw_rng_seed(&rng, 4);
    double mean = 0, square = 0;
    for (int i = 0; i < 400; i++) {
        d[i] = fw_rng_normal(&rng) + .1;
        mean += d[i] / 400;
        square += d[i] * d[i];
    }
    struct fw_permutation p, again;
    assert_int_equal(fw_permute_mean(d, NULL, 400, 20000, 1, &p, NULL), FW_OK);
    assert_int_equal(fw_permute_mean(d, NULL, 400, 20000, 1, &again, NULL), FW_OK);
    assert_true(!p.exact && p.draws == 20000 && p.p == again.p);
    /* the sum of random signs is nearly normal with variance Σ d² */
    near_to(p.p, erfc(fabs(mean) * 400 / sqrt(square) / M_SQRT2), .012);
    near_to(p.p_improved + p.p_worse, 1, .002);
}

enum { N = 60, K = 3 };
static int truth[N], a[2][N], b[2][N];
static float pa[2][N * K], pb[2][N * K];
static const int *const preds_a[] = {a[0], a[1]}, *const preds_b[] = {b[0], b[1]};
static const float *const probs_a[] = {pa[0], pa[1]}, *const probs_b[] = {pb[0], pb[1]};

/* Two models of two seeds that differ in the first d samples. */
static void make(size_t d)
{
    struct fw_rng rng;
    fw_rng_seed(&rng, 8);
    for (size_t i = 0; i < N; i++) {
        truth[i] = (int)fw_rng_below(&rng, K);
        for (int s = 0; s < 2; s++) {
            a[s][i] = fw_rng_double(&rng) < .6 ? truth[i] : (int)fw_rng_below(&rng, K);
            b[s][i] = i < d && fw_rng_double(&rng) < .8 ? truth[i] : a[s][i];
            for (int c = 0; c < K; c++) {
                pa[s][i * K + c] = .2f + .4f * (c == a[s][i]);
                pb[s][i * K + c] = i < d ? .1f + .7f * (c == b[s][i]) : pa[s][i * K + c];
            }
        }
    }
}

static const double *weights;

static double gain_of(const struct fw_metric *m, uint64_t swap)
{
    static int p[N];
    static float q[N * K];
    double gain = 0;
    for (int side = 0; side < 2; side++)
        for (int s = 0; s < 2; s++) {
            for (int i = 0; i < N; i++) {
                bool first = (side == 0) != (i < 60 && (swap >> i & 1));
                p[i] = first ? a[s][i] : b[s][i];
                memcpy(q + i * K, (first ? pa[s] : pb[s]) + i * K, K * sizeof *q);
            }
            struct fw_metric_data in = {N, K, truth, p, q, NULL, NULL, weights};
            double one;
            assert_int_equal(fw_metric_measure(m, &in, &one, NULL), FW_OK);
            gain += (side ? .5 : -.5) * one;
        }
    return fw_metric_higher_is_better(m) ? gain : -gain;
}

/* Every swap of eight samples by hand. */
static void test_swaps_exact(void **state)
{
    (void)state;
    static double w[N];
    const struct fw_metric metrics[] = {{FW_ACCURACY, -1, 0}, {FW_MACRO_F1, -1, 0},
                                        {FW_F_BETA, 1, 2},    {FW_MCC, -1, 0},
                                        {FW_LOG_LOSS, -1, 0}, {FW_MACRO_ROC_AUC, -1, 0},
                                        {FW_ECE, -1, 0},      {FW_BALANCED_ACCURACY, -1, 0},
                                        {FW_TOP_K, -1, 2},    {FW_AVERAGE_PRECISION, 2, 0}};
    make(8);
    for (int i = 0; i < N; i++)
        w[i] = .5 + i % 3;
    for (size_t k = 0; k < 2 * sizeof metrics / sizeof *metrics; k++) {
        const struct fw_metric *m = &metrics[k / 2];
        weights = k % 2 ? w : NULL;
        struct fw_truth t = {N, K, truth, NULL, weights};
        struct fw_scored before = {2, preds_a, probs_a, NULL}, after = {2, preds_b, probs_b, NULL};
        struct fw_permutation p;
        double seen = gain_of(m, 0), both = 0, up = 0, down = 0;
        for (uint64_t swap = 0; swap < 256; swap++) {
            double g = gain_of(m, swap);
            both += fabs(g) >= fabs(seen) - 1e-10;
            up += g >= seen - 1e-10;
            down += g <= seen + 1e-10;
        }
        assert_int_equal(fw_permute(m, &t, &before, &after, 50, 1, &p, NULL), FW_OK);
        assert_true(p.exact && p.differing <= 8);
        near_to(p.gain, seen, 1e-12);
        near_to(p.p, both / 256, 1e-12);
        near_to(p.p_improved, up / 256, 1e-12);
        near_to(p.p_worse, down / 256, 1e-12);
    }
    weights = NULL;
}

/* Drawn p-values are near the exact ones, and the same for any number of threads. */
static void test_swaps_drawn(void **state)
{
    (void)state;
    const struct fw_metric metrics[] = {
        {FW_MACRO_F1, -1, 0}, {FW_ROC_AUC, 1, 0}, {FW_BRIER, -1, 0}};
    const char *was = getenv("FLYWHEEL_THREADS");
    struct fw_truth t = {N, K, truth, NULL, NULL};
    struct fw_scored before = {2, preds_a, probs_a, NULL}, after = {2, preds_b, probs_b, NULL};
    for (size_t k = 0; k < 3; k++) {
        struct fw_permutation exact, p[3];
        make(k ? 15 : 36);
        memset(p, 0, sizeof p);
        assert_int_equal(fw_permute(&metrics[k], &t, &before, &after, 1 << 16, 1, &exact, NULL),
                         FW_OK);
        assert_true(exact.exact);
        for (int i = 0; i < 3; i++) {
            setenv("FLYWHEEL_THREADS", i == 0 ? "1" : i == 1 ? "2" : "3", 1);
            assert_int_equal(fw_permute(&metrics[k], &t, &before, &after, 6000, 1, &p[i], NULL),
                             FW_OK);
        }
        assert_true(!p[0].exact && p[0].draws == 6000);
        assert_memory_equal(&p[0], &p[1], sizeof *p);
        assert_memory_equal(&p[0], &p[2], sizeof *p);
        near_to(p[0].p_improved, exact.p_improved, .02);
        near_to(p[0].p, exact.p, .02);
    }
    if (was)
        setenv("FLYWHEEL_THREADS", was, 1);
    else
        unsetenv("FLYWHEEL_THREADS");
}

static void test_regression(void **state)
{
    (void)state;
    const double y[] = {1, 2, 3, 4, NAN}, f[] = {1.5, 2.5, 2, 4, 9}, g[] = {1, 2.5, 3, 3.5, 1};
    const double *const before[] = {f}, *const after[] = {g};
    struct fw_truth t = {5, 0, NULL, y, NULL};
    struct fw_scored b4 = {1, NULL, NULL, before}, now = {1, NULL, NULL, after};
    struct fw_metric mae = {FW_MAE, -1, 0}, r2 = {FW_R2, -1, 0};
    struct fw_permutation p;
    assert_int_equal(fw_permute(&mae, &t, &b4, &now, 10, 1, &p, NULL), FW_OK);
    near_to(p.gain, .25, 1e-12); /* .5 + 0 + 1 − .5, over 4 */
    assert_int_equal(p.differing, 3);
    near_to(p.p_improved, 3. / 8, 1e-12); /* + + −, + + +, − + + */
    assert_int_equal(fw_permute(&r2, &t, &b4, &now, 10, 1, &p, NULL), FW_OK);
    near_to(p.gain, (1.5 - .5) / 5, 1e-12);
    assert_true(p.exact && p.draws == 8);
}

static void test_refusals(void **state)
{
    (void)state;
    make(4);
    struct fw_err err = {0};
    struct fw_permutation p = {.p = 7};
    struct fw_truth t = {N, K, truth, NULL, NULL};
    struct fw_scored two = {2, preds_a, NULL, NULL}, one = {1, preds_b, NULL, NULL};
    struct fw_metric f1 = {FW_MACRO_F1, -1, 0}, auc = {FW_ROC_AUC, 0, 0};
    const double bad[] = {NAN};
    assert_int_equal(fw_permute(&f1, &t, &two, &one, 9, 1, &p, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "as many seeds"));
    assert_int_equal(fw_permute(&auc, &t, &two, &two, 9, 1, &p, &err), FW_EINVAL);
    assert_int_equal(fw_permute(&f1, &t, &two, &two, 0, 1, &p, &err), FW_EINVAL);
    assert_int_equal(fw_permute_mean(bad, NULL, 1, 9, 1, &p, &err), FW_EINVAL);
    assert_int_equal(fw_permute_mean(bad, NULL, 0, 9, 1, &p, &err), FW_EINVAL);
    assert_true(p.p == 7);
    /* the same model twice: nothing to swap */
    assert_int_equal(fw_permute(&f1, &t, &two, &two, 9, 1, &p, &err), FW_OK);
    assert_true(p.p == 1 && p.exact && p.gain == 0 && p.differing == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs_exact), cmocka_unit_test(test_signs_drawn),
        cmocka_unit_test(test_swaps_exact), cmocka_unit_test(test_swaps_drawn),
        cmocka_unit_test(test_regression),  cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
