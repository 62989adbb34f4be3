#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/quality/imbalance.h"
#include "stages/quality/order.h"
#include "stages/quality/outliers.h"
#include "stages/quality/robust.h"

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
        fail_msg("got %.17g, want %.17g", got, want);
}

/* NumPy 1.24: exp(-a / exp(median(log a))) with a the row means. */
static void test_outliers_by_distance(void **state)
{
    (void)state;
    float far[] = {1, 3, 2, 2, 1, 1, 9, 11, 2, 4};
    const double want[] = {0.3678794411714424, 0.3678794411714424, 0.6065306597126334,
                           0.006737946999085467, 0.22313016014842982};
    struct fw_neighbours nb = {.n = 5, .k = 2, .distance = far};
    struct fw_outliers o;
    struct fw_err err = {0};
    assert_int_equal(fw_outliers_by_distance(&nb, 3.5, &o, &err), 0);
    assert_int_equal(o.n_outliers, 0); /* 2.68 spreads */
    fw_outliers_release(&o);
    assert_int_equal(fw_outliers_by_distance(&nb, 2.6, &o, &err), 0);
    for (size_t i = 0; i < 5; i++) {
        close_to(o.score[i], want[i]);
        assert_int_equal(o.outlier[i], i == 3);
    }
    fw_outliers_release(&o);
    far[4] = NAN;
    assert_int_equal(fw_outliers_by_distance(&nb, 3.5, &o, &err), FW_EINVAL);
    assert_int_equal(fw_outliers_by_distance(&nb, 0, &o, &err), FW_EINVAL);
}

static void test_outliers_planted(void **state)
{
    (void)state;
    enum { N = 500, D = 8 };
    static float x[N * D];
    struct fw_rng rng;
    struct fw_neighbours nb;
    struct fw_outliers o;
    fw_rng_seed(&rng, 1);
    for (size_t i = 0; i < N * D; i++)
        x[i] = (float)fw_rng_normal(&rng);
    for (size_t i = 0; i < 5; i++)
        x[(i * 90 + 3) * D + i] = 15;
    assert_int_equal(fw_neighbours(x, N, D, FW_OUTLIER_K, FW_EUCLIDEAN, &nb, NULL), 0);
    assert_int_equal(fw_outliers_by_distance(&nb, 3.5, &o, NULL), 0);
    for (size_t i = 0; i < 5; i++)
        assert_true(o.outlier[i * 90 + 3]);
    assert_true(o.n_outliers <= 7);
    fw_outliers_release(&o);
    fw_neighbours_release(&nb);
}

static void test_outliers_without_distance(void **state)
{
    (void)state;
    float x[40] = {0}, one[] = {1};
    struct fw_neighbours nb;
    struct fw_outliers o;
    /* constant features */
    assert_int_equal(fw_neighbours(x, 40, 1, 10, FW_EUCLIDEAN, &nb, NULL), 0);
    assert_int_equal(fw_outliers_by_distance(&nb, 3.5, &o, NULL), 0);
    assert_int_equal(o.n_outliers, 0);
    close_to(o.score[7], 1);
    fw_outliers_release(&o);
    fw_neighbours_release(&nb);
    /* copies, and one apart */
    x[3] = 5;
    assert_int_equal(fw_neighbours(x, 40, 1, 10, FW_EUCLIDEAN, &nb, NULL), 0);
    assert_int_equal(fw_outliers_by_distance(&nb, 3.5, &o, NULL), 0);
    assert_true(o.score[3] < o.score[4]);
    close_to(o.score[4], 1);
    fw_outliers_release(&o);
    fw_neighbours_release(&nb);
    /* most equally far from each other, one farther: the spread is 0 */
    float even[] = {1, 1, 1, 1, 1, 3};
    struct fw_neighbours grid = {.n = 6, .k = 1, .distance = even};
    assert_int_equal(fw_outliers_by_distance(&grid, 3.5, &o, NULL), 0);
    assert_int_equal(o.n_outliers, 1);
    assert_true(o.outlier[5]);
    fw_outliers_release(&o);
    /* one row */
    assert_int_equal(fw_neighbours(one, 1, 1, 10, FW_EUCLIDEAN, &nb, NULL), 0);
    assert_int_equal(fw_outliers_by_distance(&nb, 3.5, &o, NULL), 0);
    assert_int_equal(o.n_outliers, 0);
    close_to(o.score[0], 1);
    fw_outliers_release(&o);
    fw_neighbours_release(&nb);
}

/* SciPy 1.10: 1 - entropy(q) / log(3), q = p, and p - t + max(t) over its sum. */
static void test_outliers_by_probability(void **state)
{
    (void)state;
    double p[] = {.7, .2, .1, .34, .33, .33, .1, .8, .1, .05, .05, .9};
    const int labels[] = {0, 0, 1, 2}, wrong[] = {0, 0, 1, 3};
    const double plain[] = {0.27015330083790234, 9.072501592977122e-05, 0.41832813428211313,
                            0.6410037503534696},
                 adjusted[] = {0.3305099980375298, 0.04946976315294449, 0.2265362302783952,
                               0.18661398984295907};
    struct fw_probs probs = {.n = 4, .k = 3, .d = p}, single = {.n = 4, .k = 1, .d = p};
    struct fw_outliers o;
    struct fw_err err = {0};
    assert_int_equal(fw_outliers_by_probability(&probs, NULL, 0.18, &o, &err), 0);
    for (size_t i = 0; i < 4; i++) {
        close_to(o.score[i], plain[i]);
        assert_int_equal(o.outlier[i], i == 1);
    }
    fw_outliers_release(&o);
    assert_int_equal(fw_outliers_by_probability(&probs, labels, 0.18, &o, &err), 0);
    for (size_t i = 0; i < 4; i++)
        close_to(o.score[i], adjusted[i]);
    fw_outliers_release(&o);
    assert_int_equal(fw_outliers_by_probability(&single, NULL, 0.18, &o, &err), FW_EINVAL);
    assert_int_equal(fw_outliers_by_probability(&probs, wrong, 0.18, &o, &err), FW_EINVAL);
    p[4] = -0.1;
    assert_int_equal(fw_outliers_by_probability(&probs, NULL, 0.18, &o, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "row 1"));
    memset(p + 3, 0, 3 * sizeof *p);
    assert_int_equal(fw_outliers_by_probability(&probs, NULL, 0.18, &o, &err), FW_EINVAL);
}

static void test_imbalance(void **state)
{
    (void)state;
    int labels[110];
    struct fw_imbalance im;
    struct fw_err err = {0};
    for (int i = 0; i < 110; i++)
        labels[i] = i < 50 ? 1 : i < 80 ? 0 : i < 95 ? 3 : i < 100 ? 2 : -1;
    assert_int_equal(fw_imbalance_of(labels, 110, 4, 0.25, &im, &err), 0);
    assert_int_equal(im.n, 100);
    assert_int_equal(im.unlabelled, 10);
    assert_int_equal(im.largest, 1);
    assert_int_equal(im.smallest, 2);
    close_to(im.ratio, 10);
    close_to(im.effective, 3.1334042802620585); /* SciPy: exp(entropy([.5, .3, .15, .05])) */
    assert_int_equal(im.n_rare, 1);
    assert_true(im.rare[2]);
    fw_imbalance_release(&im);
    assert_int_equal(fw_imbalance_of(labels, 110, 5, 0.1, &im, &err), 0);
    assert_true(isinf(im.ratio) && im.rare[4] && im.n_rare == 1);
    fw_imbalance_release(&im);
    assert_int_equal(fw_imbalance_of(labels + 100, 10, 2, 0.1, &im, &err), 0);
    assert_true(isnan(im.ratio) && im.effective == 0 && im.n_rare == 0);
    fw_imbalance_release(&im);
    assert_int_equal(fw_imbalance_of(labels, 110, 3, 0.1, &im, &err), FW_EINVAL);
    assert_int_equal(fw_imbalance_of(labels, 0, 0, 0.1, &im, &err), FW_EINVAL);
    assert_int_equal(fw_imbalance_of(labels, 0, 1, 0.1, &im, &err), FW_OK);
    fw_imbalance_release(&im);
}

static double order_p(const float *x, size_t n, size_t d, const char *threads)
{
    struct fw_neighbours nb;
    struct fw_order o;
    setenv("FLYWHEEL_THREADS", threads, 1);
    assert_int_equal(fw_neighbours(x, n, d, 10, FW_EUCLIDEAN, &nb, NULL), 0);
    assert_int_equal(fw_order_by_neighbours(&nb, 99, 5, &o, NULL), 0);
    fw_neighbours_release(&nb);
    unsetenv("FLYWHEEL_THREADS");
    return o.p;
}

static void test_order_of_features(void **state)
{
    (void)state;
    enum { N = 300, D = 3 };
    static float x[N * D];
    int low = 0;
    for (uint64_t seed = 0; seed < 40; seed++) { /* independent rows: p is uniform */
        struct fw_rng rng;
        fw_rng_seed(&rng, seed);
        for (size_t i = 0; i < N * D; i++)
            x[i] = (float)fw_rng_normal(&rng);
        low += order_p(x, N, D, "2") <= 0.1;
    }
    assert_in_range(low, 0, 10);
    double p = order_p(x, N, D, "1");
    close_to(order_p(x, N, D, "3"), p);
    for (size_t i = 0; i < N; i++)
        x[i * D] += 4.0f * (float)i / N; /* drift */
    close_to(order_p(x, N, D, "2"), 0.01);
}

static void test_gap_by_hand(void **state)
{
    (void)state;
    /* 0 ↔ 1, 2 ↔ 3: every neighbour is one row away; of all pairs of 4 rows half are. */
    uint32_t index[] = {1, 0, 3, 2};
    struct fw_neighbours nb = {.n = 4, .k = 1, .index = index},
                         two = {.n = 2, .k = 1, .index = index};
    struct fw_order o;
    struct fw_err err = {0};
    assert_int_equal(fw_order_by_neighbours(&nb, 19, 1, &o, &err), 0);
    close_to(o.statistic, 0.5);
    assert_int_equal(fw_order_by_neighbours(&nb, 0, 1, &o, &err), FW_EINVAL);
    assert_int_equal(fw_order_by_neighbours(&two, 19, 1, &o, &err), 0);
    close_to(o.p, 1);
}

static void test_order_of_labels(void **state)
{
    (void)state;
    enum { N = 200 };
    int v[N];
    size_t place[N];
    struct fw_order o;
    struct fw_rng rng;
    struct fw_err err = {0};
    for (int i = 0; i < N; i++)
        v[i] = i / 50; /* sorted */
    assert_int_equal(fw_order_by_labels(v, N, 199, 1, &o, &err), 0);
    close_to(o.statistic, 4);
    close_to(o.expected, 151);
    close_to(o.p, 1 / 200.0);
    for (int i = 0; i < N; i++)
        v[i] = i % 4; /* in turn */
    assert_int_equal(fw_order_by_labels(v, N, 199, 1, &o, &err), 0);
    close_to(o.statistic, 200);
    close_to(o.p, 1 / 200.0);
    int low = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        fw_rng_seed(&rng, seed);
        for (size_t i = 0; i < N; i++)
            place[i] = i;
        fw_rng_shuffle(&rng, place, N);
        for (size_t i = 0; i < N; i++)
            v[i] = (int)place[i] / 50;
        assert_int_equal(fw_order_by_labels(v, N, 99, seed, &o, &err), 0);
        low += o.p <= 0.1;
    }
    assert_in_range(low, 0, 10);
    for (int i = 0; i < N; i++)
        v[i] = i % 3 ? -1 : 2; /* one class */
    assert_int_equal(fw_order_by_labels(v, N, 99, 1, &o, &err), 0);
    assert_int_equal(o.n, 67);
    close_to(o.p, 1);
    assert_int_equal(fw_order_by_labels(v, 0, 99, 1, &o, &err), 0);
    close_to(o.p, 1);
}

static void test_robust(void **state)
{
    (void)state;
    const double v[] = {5, NAN, 1, 2, INFINITY, 100}; /* SciPy: median 3.5, MAD of 1 2 5 100 = 2 */
    struct fw_robust r;
    assert_int_equal(fw_robust_of(v, 6, &r, NULL), 0);
    assert_int_equal(r.n, 4);
    close_to(r.median, 3.5);
    close_to(r.spread, 2 * 1.4826);
    assert_int_equal(fw_robust_of(v, 0, &r, NULL), 0);
    assert_true(isnan(r.median));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outliers_by_distance),
        cmocka_unit_test(test_outliers_planted),
        cmocka_unit_test(test_outliers_without_distance),
        cmocka_unit_test(test_outliers_by_probability),
        cmocka_unit_test(test_imbalance),
        cmocka_unit_test(test_order_of_features),
        cmocka_unit_test(test_gap_by_hand),
        cmocka_unit_test(test_order_of_labels),
        cmocka_unit_test(test_robust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
