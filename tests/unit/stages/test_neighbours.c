#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/quality/neighbours.h"

/* sklearn.neighbors.NearestNeighbors(n_neighbors=3, algorithm="brute", metric=...), 1.2.1; ties in
 * the order of the index. */
static void test_reference(void **state)
{
    (void)state;
    const float x[] = {1, 2, 3, 4, 2, 0, 1, 5, -1, 3, 2, 2, 4, 4, 0, 1, 1, 2, 3, 5, -2, -1, 0, 3};
    const uint32_t ei[] = {4, 1, 2, 4, 0, 5, 0, 4, 5, 0, 2, 1, 0, 1, 2, 1, 2, 0};
    const double ed[] = {1.00000000, 3.16227766, 3.16227766, 3.00000000, 3.16227766, 4.69041576,
                         3.16227766, 3.87298335, 4.69041576, 5.56776436, 5.56776436, 6.08276253,
                         1.00000000, 3.00000000, 3.87298335, 4.69041576, 4.69041576, 5.29150262};
    const uint32_t ci[] = {4, 1, 2, 4, 0, 5, 0, 4, 1, 0, 4, 1, 0, 1, 2, 1, 4, 0};
    const double cd[] = {0.00600091, 0.16666667, 0.18237018, 0.12294198, 0.16666667, 0.46325496,
                         0.18237018, 0.20740608, 0.56966852, 0.49148662, 0.52612953, 0.58683288,
                         0.00600091, 0.12294198, 0.20740608, 0.46325496, 0.52924346, 0.60963997};
    for (int how = 0; how < 2; how++) {
        struct fw_neighbours nb;
        assert_int_equal(fw_neighbours(x, 6, 4, 3, how ? FW_COSINE : FW_EUCLIDEAN, &nb, NULL), 0);
        assert_int_equal(nb.k, 3);
        for (size_t i = 0; i < 18; i++) {
            assert_int_equal(nb.index[i], how ? ci[i] : ei[i]);
            assert_true(fabs(nb.distance[i] - (how ? cd[i] : ed[i])) < 1e-6);
        }
        fw_neighbours_release(&nb);
    }
}

static double distance(const float *a, const float *b, size_t d, enum fw_distance how)
{
    double ab = 0, aa = 0, bb = 0, e = 0;
    for (size_t j = 0; j < d; j++) {
        ab += (double)a[j] * b[j];
        aa += (double)a[j] * a[j];
        bb += (double)b[j] * b[j];
        e += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    }
    if (how == FW_EUCLIDEAN)
        return sqrt(e);
    return aa == 0 || bb == 0 ? 1 : 1 - ab / sqrt(aa * bb);
}

/* Each list holds k others, ascending, with the distances they have, and nothing nearer is left
 * out. */
static void verify(const float *x, size_t n, size_t d, size_t k, enum fw_distance how)
{
    struct fw_neighbours nb;
    struct fw_err err = {0};
    if (fw_neighbours(x, n, d, k, how, &nb, &err) != 0)
        fail_msg("%s", err.msg);
    assert_int_equal(nb.k, k < n - 1 ? k : n - 1);
    for (size_t i = 0; i < n; i++) {
        const uint32_t *at = nb.index + i * nb.k;
        const float *far = nb.distance + i * nb.k;
        size_t nearer = 0;
        double worst = far[nb.k - 1], tolerance = 1e-6 * worst + 1e-12;
        for (size_t j = 0; j < nb.k; j++) {
            assert_true(at[j] != i && at[j] < n);
            assert_true(j == 0 || far[j] > far[j - 1] ||
                        (far[j] == far[j - 1] && (at[j] > at[j - 1] || far[j] > 0)));
            double want = distance(x + i * d, x + at[j] * d, d, how);
            assert_true(fabs(far[j] - want) <= 1e-6 * want + 1e-12);
        }
        for (size_t j = 0; j < n; j++)
            nearer += j != i && distance(x + i * d, x + j * d, d, how) < worst - tolerance;
        assert_true(nearer <= nb.k - 1);
    }
    fw_neighbours_release(&nb);
}

static float *cloud(size_t n, size_t d, uint64_t seed)
{
    struct fw_rng rng;
    float *x = malloc(n * d * sizeof *x);
    fw_rng_seed(&rng, seed);
    for (size_t i = 0; i < n * d; i++)
        x[i] = (float)fw_rng_normal(&rng);
    return x;
}

static void test_random(void **state)
{
    (void)state;
    const size_t shapes[][3] = {{2, 1, 1},     {3, 2, 10},    {97, 3, 5},     {300, 7, 1},
                                {257, 17, 10}, {500, 64, 20}, {120, 300, 119}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        float *x = cloud(shapes[s][0], shapes[s][1], s);
        verify(x, shapes[s][0], shapes[s][1], shapes[s][2], FW_EUCLIDEAN);
        verify(x, shapes[s][0], shapes[s][1], shapes[s][2], FW_COSINE);
        free(x);
    }
}

/* Where 32-bit dot products cancel: far from the origin, with one row very far away, very small and
 * very large numbers. */
static void test_hard_numbers(void **state)
{
    (void)state;
    enum { N = 200, D = 5 };
    const double scale[] = {1, 1e-30, 1e30}, shift[] = {0, 1e4, 3};
    for (int c = 0; c < 9; c++) {
        float *x = cloud(N, D, 50 + (uint64_t)c);
        for (size_t i = 0; i < N * D; i++)
            x[i] = (float)((x[i] + shift[c / 3]) * scale[c % 3]);
        x[7 * D] = (float)(1e7 * scale[c % 3]);
        verify(x, N, D, 6, FW_EUCLIDEAN);
        verify(x, N, D, 6, FW_COSINE);
        free(x);
    }
}

/* Few distinct rows: every list is decided by the index. */
static void test_ties(void **state)
{
    (void)state;
    enum { N = 400, D = 2 };
    float x[N * D];
    struct fw_neighbours nb;
    for (size_t i = 0; i < N; i++) {
        x[i * D] = (float)(i % 4);
        x[i * D + 1] = 1;
    }
    assert_int_equal(fw_neighbours(x, N, D, 3, FW_EUCLIDEAN, &nb, NULL), 0);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < 3; j++) {
            size_t want = i % 4 + 4 * (j + (i / 4 <= j));
            assert_int_equal(nb.index[i * 3 + j], want);
            assert_true(nb.distance[i * 3 + j] == 0);
        }
    fw_neighbours_release(&nb);
    verify(x, N, D, 150, FW_EUCLIDEAN);
    memset(x, 0, sizeof x);
    verify(x, N, D, 5, FW_COSINE); /* zeros: distance 1 to everything */
    verify(x, N, D, 5, FW_EUCLIDEAN);
}

static void test_threads_and_queries(void **state)
{
    (void)state;
    enum { N = 700, M = 150, D = 24, K = 9 };
    float *x = cloud(N, D, 3);
    struct fw_neighbours one, nb;
    setenv("FLYWHEEL_THREADS", "1", 1);
    assert_int_equal(fw_neighbours(x, N, D, K, FW_COSINE, &one, NULL), 0);
    for (int t = 2; t < 4; t++) {
        setenv("FLYWHEEL_THREADS", t == 2 ? "2" : "3", 1);
        assert_int_equal(fw_neighbours(x, N, D, K, FW_COSINE, &nb, NULL), 0);
        assert_memory_equal(nb.index, one.index, N * K * sizeof *nb.index);
        assert_memory_equal(nb.distance, one.distance, N * K * sizeof *nb.distance);
        fw_neighbours_release(&nb);
    }
    unsetenv("FLYWHEEL_THREADS");
    fw_neighbours_release(&one);
    /* rows of the base find themselves first */
    assert_int_equal(fw_neighbours_in(x, N, x + 5 * D, M, D, K, FW_EUCLIDEAN, &nb, NULL), 0);
    for (size_t i = 0; i < M; i++) {
        assert_int_equal(nb.index[i * K], i + 5);
        assert_true(nb.distance[i * K] == 0 && nb.distance[i * K + 1] > 0);
    }
    fw_neighbours_release(&nb);
    free(x);
}

static void test_bad_input(void **state)
{
    (void)state;
    float x[] = {1, 2, NAN, 4}, one[] = {1, 2};
    struct fw_err err = {0};
    struct fw_neighbours nb = {.k = 77};
    assert_int_equal(fw_neighbours(x, 2, 2, 1, FW_EUCLIDEAN, &nb, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "row 1, column 0"));
    assert_int_equal(fw_neighbours(one, 1, 2, 0, FW_EUCLIDEAN, &nb, &err), FW_EINVAL);
    assert_int_equal(fw_neighbours(one, 1, 0, 1, FW_EUCLIDEAN, &nb, &err), FW_EINVAL);
    assert_int_equal(nb.k, 77);
    assert_int_equal(fw_neighbours(one, 1, 2, 3, FW_COSINE, &nb, &err), FW_OK);
    assert_int_equal(nb.k, 0);
    fw_neighbours_release(&nb);
    assert_int_equal(fw_neighbours(NULL, 0, 2, 3, FW_COSINE, &nb, &err), FW_OK);
    assert_int_equal(nb.n, 0);
    fw_neighbours_release(&nb);
    assert_int_equal(fw_distance_for(3), FW_EUCLIDEAN);
    assert_int_equal(fw_distance_for(4), FW_COSINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),           cmocka_unit_test(test_random),
        cmocka_unit_test(test_hard_numbers),        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_threads_and_queries), cmocka_unit_test(test_bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
