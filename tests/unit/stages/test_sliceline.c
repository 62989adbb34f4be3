/* SliceLine against the plain enumeration of every conjunction. */
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
#include "stages/error_analysis/sliceline.h"

enum { MAX_M = 6, MAX_FOUND = 200000 };

struct brute {
    const struct fw_sliceline_input *in;
    size_t support, n;
    double total;
    struct fw_sliceline_slice *v;
};

static void enumerate(struct brute *b, struct fw_sliceline_slice *at, size_t feature,
                      const uint8_t *member)
{
    const struct fw_sliceline_input *in = b->in;
    if (at->level) {
        at->n = 0;
        at->loss = 0;
        for (size_t i = 0; i < in->n; i++) {
            at->n += member[i];
            at->loss += member[i] ? in->loss[i] : 0;
        }
        if (at->n < b->support || !(at->loss > 0))
            return; /* so is every slice below it */
        at->score = fw_sliceline_score(in->alpha, (double)at->n, at->loss, (double)in->n, b->total);
        if (at->score > 0)
            b->v[b->n++] = *at;
        assert_true(b->n < MAX_FOUND);
    }
    if (at->level == in->max_level)
        return;
    for (size_t f = feature; f < in->m; f++) {
        for (unsigned v = 1; v < 4; v++) {
            uint8_t *next = malloc(in->n);
            struct fw_sliceline_slice below = *at;
            for (size_t i = 0; i < in->n; i++)
                next[i] = member[i] && in->code[f * in->n + i] == v;
            below.at[below.level].feature = (uint8_t)f;
            below.at[below.level++].value = (uint8_t)v;
            enumerate(b, &below, f + 1, next);
            free(next);
        }
    }
}

static int by_score(const void *a, const void *b)
{
    const struct fw_sliceline_slice *x = a, *y = b;
    if (fabs(x->score - y->score) > 1e-12)
        return x->score > y->score ? -1 : 1;
    return x->n > y->n ? -1 : x->n < y->n;
}

enum losses { ERRORS, REAL, SPARSE };

static void make(struct fw_rng *rng, size_t n, size_t m, enum losses kind, uint8_t *code,
                 double *loss)
{
    for (size_t i = 0; i < n * m; i++)
        code[i] = (uint8_t)fw_rng_below(rng, 4); /* 0: no value */
    for (size_t i = 0; i < n; i++) {
        double risk = code[i] == 2 && code[n + i] == 1 ? 0.6 : 0.15;
        bool wrong = fw_rng_double(rng) < risk;
        loss[i] = kind == ERRORS ? wrong : kind == REAL || wrong ? fw_rng_double(rng) : 0;
    }
}

static void test_against_enumeration(void **state)
{
    (void)state;
    struct fw_rng rng;
    struct brute b = {.v = malloc(MAX_FOUND * sizeof *b.v)};
    fw_rng_seed(&rng, 7);
    size_t full = 0;
    for (int round = 0; round < 45; round++) {
        size_t n = 100 + fw_rng_below(&rng, 900), m = 2 + fw_rng_below(&rng, MAX_M - 1);
        uint8_t *code = malloc(n * m), *all = malloc(n);
        double *loss = malloc(n * sizeof *loss);
        make(&rng, n, m, (enum losses)(round % 3), code, loss);
        struct fw_sliceline_input in = {.n = n, .m = m, .code = code, .loss = loss, .k = 5};
        in.alpha = round % 4 == 3 ? 0.8 : round % 2 ? 0.999 : 0.98;
        in.min_support = round % 2 ? 5 : 0;
        in.max_level = 1 + fw_rng_below(&rng, 4);
        struct fw_sliceline_result got;
        assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
        assert_true(got.complete);
        b.in = &in;
        b.n = 0;
        b.total = 0;
        for (size_t i = 0; i < n; i++)
            b.total += loss[i];
        b.support = in.min_support ? in.min_support : fw_sliceline_support(n);
        memset(all, 1, n);
        enumerate(&b, &(struct fw_sliceline_slice){0}, 0, all);
        qsort(b.v, b.n, sizeof *b.v, by_score);
        assert_int_equal(got.n, b.n < in.k ? b.n : in.k);
        for (size_t i = 0; i < got.n; i++) {
            assert_true(fabs(got.v[i].score - b.v[i].score) < 1e-9);
            assert_true(fabs(got.v[i].loss - b.v[i].loss) < 1e-9);
            assert_int_equal(got.v[i].n, b.v[i].n);
        }
        full += got.n == in.k;
        fw_sliceline_release(&got);
        free(code);
        free(all);
        free(loss);
    }
    assert_true(full >= 10);
    free(b.v);
}

/* What is found does not depend on the number of threads, to the last bit. */
static void test_threads(void **state)
{
    (void)state;
    enum { N = 5000, M = 8 };
    struct fw_rng rng;
    uint8_t *code = malloc(N * M);
    double *loss = malloc(N * sizeof *loss);
    fw_rng_seed(&rng, 3);
    make(&rng, N, M, REAL, code, loss);
    struct fw_sliceline_input in = {
        .n = N, .m = M, .code = code, .loss = loss, .k = 40, .alpha = 0.999, .min_support = 10};
    struct fw_sliceline_result first = {0};
    for (int t = 1; t <= 3; t++) {
        char text[8];
        struct fw_sliceline_result got;
        snprintf(text, sizeof text, "%d", t);
        setenv("FLYWHEEL_THREADS", text, 1);
        assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
        assert_int_equal(got.n, 40);
        if (t == 1) {
            first = got;
            continue;
        }
        assert_int_equal(got.looks, first.looks);
        for (size_t i = 0; i < got.n; i++) {
            assert_memory_equal(&got.v[i].score, &first.v[i].score, sizeof(double));
            assert_memory_equal(got.v[i].at, first.v[i].at, sizeof got.v[i].at);
        }
        fw_sliceline_release(&got);
    }
    unsetenv("FLYWHEEL_THREADS");
    fw_sliceline_release(&first);
    free(code);
    free(loss);
}

/* By hand: 64 rows, 16 errors; feature 0 is 1 in 32 rows with 14 of them: 14/32 against 16/64. */
static void test_score_and_edges(void **state)
{
    (void)state;
    enum { N = 64 };
    uint8_t code[2 * N] = {0};
    double loss[N] = {0};
    for (size_t i = 0; i < N; i++) {
        code[i] = i < 32 ? 1 : 2;
        code[N + i] = 9; /* constant */
        loss[i] = i < 14 || i >= 62;
    }
    struct fw_sliceline_input in = {
        .n = N, .m = 2, .code = code, .loss = loss, .k = 5, .alpha = 0.95};
    struct fw_sliceline_result got;
    assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
    assert_int_equal(got.n, 2); /* the value, and the value and the constant */
    assert_true(fabs(got.v[0].score - (0.95 * (14.0 / 32 / 0.25 - 1) - 0.05 * (64 / 32 - 1))) <
                1e-12);
    assert_int_equal(got.v[0].level, 1);
    assert_int_equal(got.v[0].at[0].feature, 0);
    assert_int_equal(got.v[0].at[0].value, 1);
    assert_int_equal(got.v[0].n, 32);
    assert_true(got.v[0].loss == 14);
    assert_int_equal(got.v[1].level, 2);
    fw_sliceline_release(&got);
    in.k = 0;
    assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
    assert_int_equal(got.n, 0);
    in.k = 5;
    in.n = 0;
    assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
    assert_int_equal(got.n, 0);
    in.n = 1; /* fewer than the support */
    assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
    assert_int_equal(got.n, 0);
    fw_sliceline_release(&got);
    in.n = N;
    memset(loss, 0, sizeof loss);
    assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
    assert_int_equal(got.n, 0);
    assert_int_equal(fw_sliceline_support(100), 32);
    assert_int_equal(fw_sliceline_support(3301), 34);
}

static void test_refused(void **state)
{
    (void)state;
    uint8_t code[2] = {1, 1};
    double loss[2] = {0, 1};
    struct fw_err err = {0};
    struct fw_sliceline_result got = {.n = 77};
    struct fw_sliceline_input in = {.n = 2, .m = 1, .code = code, .loss = loss, .k = 1};
    static const double bad[] = {NAN, INFINITY, -1};
    for (size_t i = 0; i < 3; i++) {
        in.alpha = bad[i];
        assert_int_equal(fw_sliceline(&in, &got, &err), FW_EINVAL);
        in.alpha = 0.95;
        loss[1] = bad[i];
        assert_int_equal(fw_sliceline(&in, &got, &err), FW_EINVAL);
        assert_non_null(strstr(err.msg, "row 1"));
        loss[1] = 1;
    }
    in.max_level = FW_SLICELINE_LEVELS + 1;
    assert_int_equal(fw_sliceline(&in, &got, &err), FW_EINVAL);
    assert_int_equal(got.n, 77);
}

static void test_stops(void **state)
{
    (void)state;
    enum { N = 2000, M = 6 };
    struct fw_rng rng;
    uint8_t *code = malloc(N * M);
    double *loss = malloc(N * sizeof *loss);
    fw_rng_seed(&rng, 5);
    make(&rng, N, M, ERRORS, code, loss);
    struct fw_sliceline_input in = {.n = N,
                                    .m = M,
                                    .code = code,
                                    .loss = loss,
                                    .k = 3,
                                    .alpha = 0.95,
                                    .min_support = 2,
                                    .max_looks = 10};
    struct fw_sliceline_result got;
    assert_int_equal(fw_sliceline(&in, &got, NULL), FW_OK);
    assert_false(got.complete);
    assert_int_equal(got.n, 3);
    fw_sliceline_release(&got);
    free(code);
    free(loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_enumeration),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_score_and_edges),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
