#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/drift/bins.h"
#include "stages/drift/counts.h"
#include "stages/drift/two_sample.h"

/* Reference values: SciPy 1.10.1 (ks_2samp, wasserstein_distance, chi2_contingency without
 * correction, jensenshannon squared); the p-value with ties by counting all 6435 ways to deal. */
static void near_to(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want) + 1e-14))
        fail_msg("got %.17g, want %.17g", got, want);
}

/* x ← x · 6364136223846793005 + 1442695040888963407 (mod 2^64), the upper 53 bits, sorted. */
static void draw(uint64_t x, double shift, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        v[i] = (double)(x >> 11) * 0x1.0p-53 + shift;
    }
    assert_int_equal(fw_sort_numbers(v, n, NULL), 0);
}

static void test_small(void **state)
{
    (void)state;
    const double a[] = {0.1, 0.4, 0.7, 1.2, 1.9, 2.2, 2.8, 3.1, 3.3, 4.0, 4.1, 5.6};
    const double b[] = {1.0, 2.1, 2.5, 3.0, 3.9, 4.4, 5.0, 5.2, 6.1};
    const double t[] = {1, 1, 2, 2, 2, 3, 5, 5}, u[] = {2, 3, 3, 3, 4, 5, 5};
    struct fw_ks ks;
    assert_int_equal(fw_ks_two_sample(a, 12, b, 9, &ks, NULL), 0);
    assert_true(ks.exact);
    near_to(ks.d, 0.3611111111111111, 1e-14);
    near_to(ks.p, 0.4271595277787228, 1e-12);
    near_to(fw_wasserstein1(a, 12, b, 9), 1.2388888888888892, 1e-14);
    assert_int_equal(fw_ks_two_sample(t, 8, u, 7, &ks, NULL), 0);
    near_to(ks.d, 0.48214285714285715, 1e-14);
    near_to(ks.p, 1125.0 / 6435.0, 1e-12);
    near_to(fw_wasserstein1(t, 8, u, 7), 0.9464285714285715, 1e-14);
    near_to(fw_wasserstein1(u, 7, t, 8), 0.9464285714285715, 1e-14);
}

static void test_large(void **state)
{
    (void)state;
    static double a[3000], b[2500];
    struct fw_ks ks;
    draw(1, 0, a, 500);
    draw(2, 0.08, b, 400);
    assert_int_equal(fw_ks_two_sample(a, 500, b, 400, &ks, NULL), 0);
    assert_true(ks.exact);
    near_to(ks.d, 0.126, 1e-13);
    near_to(ks.p, 0.0015705311225052599, 1e-9);
    draw(1, 0, a, 3000);
    draw(2, 0.03, b, 2500);
    assert_int_equal(fw_ks_two_sample(a, 3000, b, 2500, &ks, NULL), 0);
    assert_false(ks.exact);
    near_to(ks.d, 0.04073333333333334, 1e-13);
    near_to(ks.p, 0.021050714001205815, 0.01); /* the limit against the exact value */
    near_to(fw_wasserstein1(a, 3000, b, 2500), 0.02847921144418655, 1e-11);
}

static void test_edges(void **state)
{
    (void)state;
    const double one[] = {3}, two[] = {4}, same[] = {3, 3, 3};
    struct fw_ks ks = {.d = 7};
    struct fw_err err = {0};
    assert_int_equal(fw_ks_two_sample(one, 1, one, 0, &ks, &err), FW_EINVAL);
    assert_true(ks.d == 7);
    assert_int_equal(fw_ks_two_sample(one, 1, two, 1, &ks, NULL), 0);
    near_to(ks.d, 1, 0);
    near_to(ks.p, 1, 0); /* one against one says nothing */
    assert_int_equal(fw_ks_two_sample(same, 3, one, 1, &ks, NULL), 0);
    assert_true(ks.d == 0 && ks.p == 1);
    assert_true(isnan(fw_wasserstein1(one, 1, two, 0)));
    near_to(fw_wasserstein1(one, 1, two, 1), 1, 0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void test_sort(void **state)
{
    (void)state;
    struct fw_rng rng;
    double v[1000], w[1000];
    fw_rng_seed(&rng, 4);
    for (size_t n = 0; n <= 1000; n += n < 70 ? 1 : 93) {
        for (size_t i = 0; i < n; i++)
            v[i] = w[i] = n % 2 ? (double)fw_rng_below(&rng, 5) - 2
                                : ldexp(fw_rng_normal(&rng), (int)fw_rng_below(&rng, 900) - 450);
        assert_int_equal(fw_sort_numbers(v, n, NULL), 0);
        qsort(w, n, sizeof *w, by_value);
        for (size_t i = 0; i < n; i++)
            assert_true(v[i] == w[i]);
    }
    struct fw_err err = {0};
    double bad[] = {2, NAN, 1};
    assert_int_equal(fw_sort_numbers(bad, 3, &err), FW_EINVAL);
    assert_true(bad[0] == 2 && bad[2] == 1);
    assert_string_equal(err.msg, "value 2 is not a number");
}

static void test_counts(void **state)
{
    (void)state;
    const double p[] = {50, 30, 15, 5, 0, 0}, q[] = {20, 25, 30, 20, 5, 0};
    struct fw_homogeneity h;
    near_to(fw_psi(p, q, 5), 0.6811670519927499, 1e-13);
    near_to(fw_psi(p, q, 6), 0.6811670519927499, 1e-13); /* the last cell is empty on both sides */
    near_to(fw_jensen_shannon(p, q, 6), 0.12769191832233576, 1e-12);
    assert_int_equal(fw_chi2_homogeneity(p, q, 6, &h, NULL), 0);
    near_to(h.chi2, 32.311688311688314, 1e-13);
    assert_true(h.df == 4);
    near_to(h.p, 1.6520307434938978e-06, 1e-10);
    const double left[] = {4, 0}, right[] = {0, 9}, none[] = {0, 0}, minus[] = {1, -1};
    near_to(fw_jensen_shannon(left, right, 2), 1, 0);
    near_to(fw_psi(left, left, 2), 0, 0);
    assert_true(isnan(fw_psi(none, left, 2)) && isnan(fw_jensen_shannon(left, none, 2)));
    assert_int_equal(fw_chi2_homogeneity(left, none, 2, &h, NULL), FW_EINVAL);
    assert_int_equal(fw_chi2_homogeneity(minus, left, 2, &h, NULL), FW_EINVAL);
    assert_int_equal(fw_chi2_homogeneity(left, left, 2, &h, NULL), 0);
    assert_true(h.df == 0 && isnan(h.p));
}

static void test_pooling(void **state)
{
    (void)state;
    const double a[] = {3, 40, 1, 20, 2}, b[] = {2, 44, 1, 30, 4};
    size_t cell[5], n;
    bool pool;
    assert_int_equal(fw_pool_rare(a, b, 5, 5, 0, cell, &n, &pool, NULL), 0);
    assert_true(pool && n == 3); /* expected 2.2, 38, 0.9, 22, 2.7: the rare ones make 5.8 */
    assert_true(cell[1] == 0 && cell[3] == 1 && cell[0] == 2 && cell[2] == 2 && cell[4] == 2);
    assert_int_equal(fw_pool_rare(a, b, 4, 5, 0, cell, &n, &pool, NULL), 0);
    assert_true(pool && n == 2); /* 3.2 are too few by themselves */
    assert_true(cell[1] == 0 && cell[3] == 1 && cell[0] == 1);
    assert_int_equal(fw_pool_rare(a, b, 5, 0, 3, cell, &n, &pool, NULL), 0);
    assert_true(pool && n == 3 && cell[3] == 1 && cell[4] == 2);
    assert_int_equal(fw_pool_rare(a, b, 5, 0, 5, cell, &n, &pool, NULL), 0);
    assert_true(!pool && n == 5);
    assert_int_equal(fw_pool_rare(a, b, 0, 5, 0, cell, &n, &pool, NULL), 0);
    assert_true(!pool && n == 0);
}

static void test_bins(void **state)
{
    (void)state;
    double v[100], counts[FW_BINS_MAX];
    struct fw_bins bins;
    for (size_t i = 0; i < 100; i++)
        v[i] = (double)i;
    fw_bins_make(v, 100, 10, &bins);
    assert_true(!bins.discrete && bins.n == 10 && bins.edge[0] == 9 && bins.edge[8] == 89);
    fw_bins_count(&bins, v, 100, counts);
    for (size_t i = 0; i < 10; i++)
        assert_true(counts[i] == 10);
    const double out[] = {-5, 9, 9.5, 1000};
    fw_bins_count(&bins, out, 4, counts);
    assert_true(counts[0] == 2 && counts[1] == 1 && counts[9] == 1);
    /* A constant: what is elsewhere, on either side, is the other bin. */
    const double constant[] = {7, 7, 7}, moved[] = {6, 7, 8};
    fw_bins_make(constant, 3, 10, &bins);
    assert_true(bins.discrete && bins.n == 2);
    fw_bins_count(&bins, moved, 3, counts);
    assert_true(counts[0] == 1 && counts[1] == 2);
    /* Nearly all at the greatest value: still two bins. */
    for (size_t i = 20; i < 100; i++)
        v[i] = 50;
    for (size_t i = 0; i < 4; i++)
        v[i + 16] = 50;
    fw_bins_make(v, 100, 4, &bins);
    assert_true(!bins.discrete && bins.n == 2 && bins.edge[0] == 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small), cmocka_unit_test(test_large),  cmocka_unit_test(test_edges),
        cmocka_unit_test(test_sort),  cmocka_unit_test(test_counts), cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_bins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
