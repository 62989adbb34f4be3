#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pipeline/base/rng.h"
#include "stages/error_analysis/clusters.h"

enum { N = 3000, D = 11, K = 4 };

static float *blobs(float width)
{
    struct fw_rng rng;
    float *x = malloc(N * D * sizeof *x);
    fw_rng_seed(&rng, 9);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < D; j++)
            x[i * D + j] = (float)fw_rng_normal(&rng) * width + (j % K == i % K ? 10.0f : 0.0f);
    return x;
}

static void test_finds_what_is_apart(void **state)
{
    (void)state;
    float *x = blobs(0.5f);
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct fw_clusters c;
        assert_int_equal(fw_clusters(x, N, D, K, seed, &c, NULL), 0);
        assert_int_equal(c.k, K);
        for (size_t i = K; i < N; i++)
            assert_int_equal(c.label[i], c.label[i % K]);
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < a; b++)
                assert_int_not_equal(c.label[a], c.label[b]);
        fw_clusters_release(&c);
    }
    free(x);
}

/* Nothing moves any more: each point is nearest to its centre, each centre the mean of its points. */
static void test_at_rest(void **state)
{
    (void)state;
    float *x = blobs(6);
    struct fw_clusters c;
    assert_int_equal(fw_clusters(x, N, D, 7, 3, &c, NULL), 0);
    for (size_t k = 0; k < 7; k++) {
        double sum[D] = {0}, n = 0;
        for (size_t i = 0; i < N; i++) {
            double best = INFINITY, own = 0;
            if (c.label[i] != k)
                continue;
            n++;
            for (size_t o = 0; o < 7; o++) {
                double d = 0;
                for (size_t j = 0; j < D; j++)
                    d += pow((double)x[i * D + j] - c.centre[o * D + j], 2);
                best = fmin(best, d);
                own = o == k ? d : own;
            }
            assert_true(own <= best * (1 + 1e-5));
            assert_true(fabs(own - c.distance[i]) <= 1e-4 * own);
            for (size_t j = 0; j < D; j++)
                sum[j] += x[i * D + j];
        }
        assert_true(n > 0);
        for (size_t j = 0; j < D; j++)
            assert_true(fabs(sum[j] / n - c.centre[k * D + j]) < 1e-4);
    }
    fw_clusters_release(&c);
    free(x);
}

static void test_threads_and_sample(void **state)
{
    (void)state;
    enum { MANY = 60000 };
    struct fw_rng rng;
    float *x = malloc(MANY * 3 * sizeof *x);
    struct fw_clusters first = {0};
    fw_rng_seed(&rng, 2);
    for (size_t i = 0; i < MANY * 3; i++)
        x[i] = (float)fw_rng_normal(&rng);
    for (int t = 1; t <= 3; t++) {
        char text[8];
        struct fw_clusters c;
        snprintf(text, sizeof text, "%d", t);
        setenv("FLYWHEEL_THREADS", text, 1);
        assert_int_equal(fw_clusters(x, MANY, 3, 5, 1, &c, NULL), 0);
        if (t == 1) {
            first = c;
            continue;
        }
        assert_memory_equal(c.label, first.label, MANY * sizeof *c.label);
        assert_memory_equal(c.centre, first.centre, 15 * sizeof *c.centre);
        fw_clusters_release(&c);
    }
    unsetenv("FLYWHEEL_THREADS");
    fw_clusters_release(&first);
    free(x);
}

static void test_edges(void **state)
{
    (void)state;
    float x[] = {1, 1, 1, 1, 2, 2};
    struct fw_clusters c;
    struct fw_err err = {0};
    assert_int_equal(fw_clusters(x, 3, 2, 5, 0, &c, NULL), 0);
    assert_int_equal(c.k, 2); /* two points differ */
    assert_int_equal(c.label[0], c.label[1]);
    assert_int_not_equal(c.label[0], c.label[2]);
    fw_clusters_release(&c);
    assert_int_equal(fw_clusters(x, 1, 2, 3, 0, &c, NULL), 0);
    assert_int_equal(c.k, 1);
    fw_clusters_release(&c);
    assert_int_equal(fw_clusters(x, 0, 2, 3, 0, &c, NULL), 0);
    fw_clusters_release(&c);
    assert_int_equal(fw_clusters(x, 3, 2, 0, 0, &c, &err), FW_EINVAL);
    x[3] = NAN;
    assert_int_equal(fw_clusters(x, 3, 2, 2, 0, &c, &err), FW_EINVAL);
    assert_non_null(strstr(err.msg, "point 1"));
    assert_int_equal(fw_clusters_k(0), 2);
    assert_int_equal(fw_clusters_k(200), 10);
    assert_int_equal(fw_clusters_k(1000000), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_is_apart),
        cmocka_unit_test(test_at_rest),
        cmocka_unit_test(test_threads_and_sample),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
