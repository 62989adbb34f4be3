/* k-means and TypiClust: heaps that lie apart are found, and what is typical is taken of those that
 * nothing is known of. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/train/kmeans.h"
#include "stages/targeted_collection/select.h"
#include "stages/targeted_collection/typical.h"

enum { HEAPS = 4, EACH = 60, ROWS = HEAPS * EACH, DIM = 6 };
static float values[ROWS * DIM];
static const struct fw_matrix all = {.n = ROWS, .dim = DIM, .val = values};

/* Row i lies in heap i % HEAPS, at 20 on the heap's own axis, with noise of deviation 1. */
static int heaps(void **state)
{
    (void)state;
    struct fw_rng rng;
    fw_rng_seed(&rng, 3);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < DIM; k++)
            values[i * DIM + k] = (float)(fw_rng_normal(&rng) + 20 * (double)(i % HEAPS == k));
    return 0;
}

static void separable_heaps_are_the_clusters(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        float centres[HEAPS * DIM];
        uint32_t cluster[ROWS];
        double far[ROWS];
        assert_int_equal(fw_kmeans(&all, HEAPS, 50, seed, centres, NULL), FW_OK);
        assert_int_equal(fw_kmeans_assign(&all, centres, HEAPS, cluster, far, NULL), FW_OK);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < i; j++)
                assert_int_equal(cluster[i] == cluster[j], i % HEAPS == j % HEAPS);
        /* A centre is the mean of its rows, and the distance is to it. */
        double mean[DIM] = {0}, d = 0;
        for (size_t i = 0; i < ROWS; i += HEAPS)
            for (size_t k = 0; k < DIM; k++)
                mean[k] += (double)values[i * DIM + k] / EACH;
        for (size_t k = 0; k < DIM; k++) {
            assert_float_equal(centres[cluster[0] * DIM + k], mean[k], 1e-5);
            d += ((double)values[k] - mean[k]) * ((double)values[k] - mean[k]);
        }
        assert_float_equal(far[0], d, 1e-4);
    }
}

static void clusters_of_odd_sizes(void **state)
{
    (void)state;
    float x[] = {1, 1, 1, 1, 1}, centres[5];
    const struct fw_matrix same = {.n = 5, .dim = 1, .val = x}, none = {.n = 0, .dim = 1, .val = x};
    uint32_t cluster[5];
    assert_int_equal(fw_kmeans(&same, 5, 10, 1, centres, NULL), FW_OK);
    assert_int_equal(fw_kmeans_assign(&same, centres, 5, cluster, NULL, NULL), FW_OK);
    assert_int_equal(cluster[4], 0); /* equals go to the first */
    assert_int_equal(fw_kmeans(&same, 6, 10, 1, centres, NULL), FW_EINVAL);
    assert_int_equal(fw_kmeans(&same, 0, 10, 1, centres, NULL), FW_EINVAL);
    assert_int_equal(fw_kmeans(&none, 1, 10, 1, centres, NULL), FW_EINVAL);
}

/* On a line: 0 1 2 3 | 10 | 20 22; half of four is 2 neighbours, half of two is 1. */
static void spread_is_the_mean_distance_within(void **state)
{
    (void)state;
    float x[] = {0, 1, 2, 3, 10, 20, 22};
    const struct fw_matrix line = {.n = 7, .dim = 1, .val = x};
    const uint32_t cluster[] = {0, 0, 0, 0, 3, 2, 2};
    const size_t order[] = {6, 5, 4, 3, 2, 1, 0};
    double spread[7];
    static const double want[] = {1.5, 1, 1, 1.5, 0, 2, 2};
    assert_int_equal(fw_typical_spread(&line, cluster, 4, order, spread, NULL), FW_OK);
    for (int i = 0; i < 7; i++)
        assert_float_equal(spread[i], want[i], 1e-9);
}

static size_t choose(const struct fw_matrix *pool, const struct fw_matrix *known, size_t budget,
                     uint64_t seed, struct fw_choice *out)
{
    const struct fw_select_params p = {.strategy = FW_TYPICAL, .budget = budget, .seed = seed};
    const struct fw_candidates c = {.pool = pool, .known = known};
    size_t n = 0;
    assert_int_equal(fw_select(&p, &c, NULL, 0, out, &n, NULL), FW_OK);
    return n;
}

static void one_of_each_heap_and_none_of_what_is_known(void **state)
{
    (void)state;
    const struct fw_matrix none = {.n = 0, .dim = DIM, .val = values};
    float of_heap_0[DIM] = {20};
    const struct fw_matrix known = {.n = 1, .dim = DIM, .val = of_heap_0};
    struct fw_choice c[ROWS];
    for (uint64_t seed = 0; seed < 10; seed++) {
        int seen = 0;
        assert_int_equal(choose(&all, &none, HEAPS, seed, c), HEAPS);
        for (size_t i = 0; i < HEAPS; i++) {
            seen |= 1 << c[i].candidate % HEAPS;
            assert_true(c[i].score > 0);
        }
        assert_int_equal(seen, (1 << HEAPS) - 1);
        assert_int_equal(choose(&all, &known, HEAPS - 1, seed, c), HEAPS - 1);
        for (size_t i = 0; i < HEAPS - 1; i++)
            assert_true(c[i].candidate % HEAPS != 0);
        assert_int_equal(choose(&all, &known, ROWS + 5, seed, c), ROWS); /* all there are */
    }
}

/* The same heaps as sparse rows. */
static void sparse_rows_do_as_well(void **state)
{
    (void)state;
    static size_t start[ROWS + 1];
    static uint32_t col[ROWS * DIM];
    for (size_t i = 0; i < ROWS; i++) {
        start[i + 1] = (i + 1) * DIM;
        for (size_t k = 0; k < DIM; k++)
            col[i * DIM + k] = (uint32_t)k;
    }
    const struct fw_matrix sparse = {ROWS, DIM, start, col, values};
    const struct fw_matrix none = {.n = 0, .dim = DIM, .start = start, .val = values};
    const struct fw_matrix none_dense = {.n = 0, .dim = DIM, .val = values};
    struct fw_choice a[HEAPS], b[HEAPS];
    assert_int_equal(choose(&sparse, &none, HEAPS, 7, a), HEAPS);
    assert_int_equal(choose(&all, &none_dense, HEAPS, 7, b), HEAPS);
    for (size_t i = 0; i < HEAPS; i++)
        assert_int_equal(a[i].candidate, b[i].candidate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separable_heaps_are_the_clusters),
        cmocka_unit_test(clusters_of_odd_sizes),
        cmocka_unit_test(spread_is_the_mean_distance_within),
        cmocka_unit_test(one_of_each_heap_and_none_of_what_is_known),
        cmocka_unit_test(sparse_rows_do_as_well),
    };
    return cmocka_run_group_tests(tests, heaps, NULL);
}
